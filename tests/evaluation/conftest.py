"""A small world to evaluate on: a folder of artifacts with a fine-tuned model of random weights."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers

sys.path.insert(0, str(Path(__file__).parent.parent / "training"))

from understudy import artifact
from understudy.artifact import Artifact
from understudy.interpretation import Interpretation, parse_annotation
from understudy.model.encoder import Encoder, EncoderConfig
from understudy.model.heads import NLU
from understudy.model.nlu import save_nlu
from understudy.runtime.decode import Labels

GOLD = (
    ("en-US", "alarm_set", "alarm", "wake me at [time : six]"),
    ("en-US", "music_play", "music", "play [artist : jazz cats]"),
    ("en-US", "lights_off", "home", "the lights off"),
    ("de-DE", "alarm_set", "alarm", "weck mich um [time : sechs]"),
    ("de-DE", "music_play", "music", "spiel [artist : jazz]"),
    ("ja-JP", "alarm_set", "alarm", "[time : 六時] に起こして"),
)


def labelled(locale: str, intent: str, domain: str, annotated: str) -> Interpretation:
    text, slots = parse_annotation(annotated)
    return Interpretation(text, intent, slots, domain, locale=locale)


@pytest.fixture
def gold() -> list[Interpretation]:
    return [labelled(*row) for row in GOLD]


def rows(interpretations: Sequence[Interpretation]) -> str:
    """The lines of a `{partition}.jsonl` of a labels artifact."""
    return "".join(json.dumps({**i.to_dict(), "locale": i.locale}, ensure_ascii=False) + "\n" for i in interpretations)


@pytest.fixture
def labels(tmp_path: Path, gold: list[Interpretation]) -> Artifact:
    with artifact.writing(tmp_path / "labels", kind="labels", config={"kind": "labels"}) as draft:
        (draft.path / "train.jsonl").write_text(rows(gold[:1]), encoding="utf-8")
        (draft.path / "dev.jsonl").write_text(rows(gold), encoding="utf-8")
    return artifact.open(tmp_path / "labels")


@pytest.fixture
def model(tmp_path: Path, gold: list[Interpretation], labels: Artifact) -> Callable[[str], Artifact]:
    """Makes an nlu artifact of random weights under a given name."""

    def make(name: str) -> Artifact:
        tokenizer_dir = _tokenizer(tmp_path / "tokenizer", gold)
        inventory = Labels.from_inventory(
            intents=sorted({g.intent for g in gold}), domains={g.intent: g.domain for g in gold}, slots=["artist", "time"]
        )
        vocabulary = Tokenizer.from_file(str(tokenizer_dir / "tokenizer.json")).get_vocab_size()
        shape = EncoderConfig(layers=1, hidden=16, ffn=32, heads=2, vocab_size=vocabulary, max_length=64)
        torch.manual_seed(0)
        nlu = NLU(Encoder(shape), len(inventory.intents), len(inventory.tags))
        with artifact.writing(tmp_path / name, kind="nlu", config={"kind": "finetune"}, parents={"labels": labels}) as draft:
            save_nlu(nlu, inventory, draft.path, tokenizer_dir, spoken=False, max_length=32)
            draft.metrics["body_parameters"] = 12345
            lines = [{"step": step, "loss": 3.0 / step} for step in range(1, 6)]
            lines += [{"step": 5, "valid": {"loss": 0.7}}]  # type: ignore[dict-item]
            (draft.path / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        return artifact.open(tmp_path / name)

    return make


def _tokenizer(folder: Path, gold: Sequence[Interpretation]) -> Path:
    specials = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    letters = sorted({character for g in gold for character in g.text if not character.isspace()})
    pieces = [(p, 0.0) for p in specials] + [("▁", -3.0)] + [(p, -4.0) for p in letters]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=3))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.add_special_tokens(specials)
    folder.mkdir(exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "PreTrainedTokenizerFast"}))
    return folder
