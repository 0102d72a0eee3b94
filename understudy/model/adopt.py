"""The adopt stage: a masked language model of another make becomes an encoder artifact.

It can teach (`distill`, `listen`), lends its tokenizer to the shards and students that must share its vocabulary, and is fine-tuned
as a baseline.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from understudy.artifact import Artifact, Draft
from understudy.config import StageConfig
from understudy.errors import ArtifactError
from understudy.model.folder import CONFIG, TOKENIZER_FILES, WEIGHTS, is_foreign, read_config
from understudy.model.foreign import ForeignMaskedLM, file_in, load_foreign
from understudy.tokenizer import Tokenizer

__all__ = ["AdoptConfig", "run"]

INDEX = f"{WEIGHTS}.index.json"  # of weights in several files
TOKENIZER, TOKENIZER_CONFIG = TOKENIZER_FILES
PICKLES = ("pytorch_model.bin", "pytorch_model.bin.index.json")


class AdoptConfig(StageConfig):
    """Settings of an adopt stage.

    model: a folder, or the name of a Hugging Face hub repository, such as "FacebookAI/xlm-roberta-base".
    revision: of the repository, best a commit; the newest by default, which is then recorded and kept until the settings change.
    """

    kind: Literal["adopt"] = "adopt"
    model: str = Field(min_length=1)
    revision: str | None = None

    def reads(self) -> list[Path]:
        """The files of a folder; what stands on the hub is known by its revision."""
        folder = Path(self.model)
        return sorted(p for p in folder.iterdir() if p.suffix in (".json", ".safetensors")) if folder.is_dir() else []


def run(config: AdoptConfig, inputs: Mapping[str, Artifact], draft: Draft, *, seed: int) -> None:
    """Write `config.json`, weights and tokenizer as they are; nothing is random, `seed` is not used.

    Metrics: parameters, body_parameters, the shape, model_type, and of a hub repository the commit.

    Raises ArtifactError where the model is not there, is pickled, has no head, or its tokenizer cannot be used.
    """
    files = _files(config)
    model = load_foreign(config.model, revision=config.revision)
    tokenizer = Tokenizer.load(files[TOKENIZER])
    for name, path in files.items():
        shutil.copyfile(path, draft.path / name)
    if TOKENIZER_CONFIG not in files:
        (draft.path / TOKENIZER_CONFIG).write_text("{}\n", encoding="utf-8")
    if not is_foreign(draft.path):  # built as ours are: from here on it is one, and may go on learning
        read_config(draft.path)
    draft.tokenizer = tokenizer.hash
    draft.metrics.update(_facts(model, files[CONFIG], local=Path(config.model).is_dir()))


def _files(config: AdoptConfig) -> dict[str, Path]:
    """What makes up the model, by the name that it gets, and where it is now."""

    def find(name: str) -> Path | None:
        return file_in(config.model, name, revision=config.revision)

    weights = [WEIGHTS]
    if find(WEIGHTS) is None and (index := find(INDEX)) is not None:
        weights = [INDEX, *_parts(index)]
    found = {name: find(name) for name in (CONFIG, *weights, *TOKENIZER_FILES)}
    if found[CONFIG] is not None and found[weights[0]] is None and any(find(name) for name in PICKLES):
        raise ArtifactError(
            "these weights are pickled, and a pickle can run any code",
            where=config.model,
            got=PICKLES[0],
            wanted=WEIGHTS,
            hint="If you trust it, convert it once: transformers' AutoModelForMaskedLM.from_pretrained(…).save_pretrained(DIR), "
            "and AutoTokenizer's the same",
        )
    missing = [name for name, path in found.items() if path is None and name != TOKENIZER_CONFIG]
    if missing:
        raise ArtifactError(
            "this is no masked language model that can be adopted",
            where=config.model,
            got=f"no {', '.join(missing)}",
            wanted=f"a folder or hub name with {CONFIG}, {WEIGHTS} and {TOKENIZER}",
            hint="transformers' AutoTokenizer.from_pretrained(…).save_pretrained(DIR) writes a tokenizer.json"
            if missing == [TOKENIZER]
            else None,
        )
    return {name: path for name, path in found.items() if path is not None}


def _parts(index: Path) -> list[str]:
    try:
        names = sorted(set(json.loads(index.read_bytes())["weight_map"].values()))
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise ArtifactError("the index of the weights is damaged", where=index, got=error) from None
    if strange := [name for name in names if Path(name).name != name or not name.endswith(".safetensors")]:
        raise ArtifactError("the weights are no safetensors beside their index", where=index, got=strange[0])
    return names


def _facts(model: ForeignMaskedLM, config: Path, *, local: bool) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "parameters": sum(w.numel() for w in model.parameters()),
        "body_parameters": sum(w.numel() for w in model.encoder.blocks.parameters()),
        **model.config.model_dump(include={"layers", "hidden", "heads", "vocab_size", "max_length"}),
        "model_type": json.loads(config.read_bytes())["model_type"],
    }
    return (
        facts if local else {**facts, "commit": config.parent.name}
    )  # the hub's cache keeps each commit in a folder of its name
