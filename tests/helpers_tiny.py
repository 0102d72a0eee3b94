"""Small real models for tests: a tokenizer, a random fine-tuned model over it, and its export, as artifacts on disk."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import tokenizers
import torch
from tokenizers import models, pre_tokenizers, processors

from understudy import artifact
from understudy.export.export import PROBES, ExportConfig
from understudy.export.export import run as run_export
from understudy.model.encoder import Encoder, EncoderConfig, initialise
from understudy.model.heads import NLU
from understudy.model.nlu import save_nlu
from understudy.runtime.decode import Labels
from understudy.text.words import words
from understudy.tokenizer.backend import SPECIALS, build

LABELS = Labels.from_inventory(
    ["alarm_set", "music_play", "weather_query", "greet"],
    {"alarm_set": "alarm", "music_play": "music", "weather_query": "weather", "greet": "general"},
    ["time", "date", "artist", "place"],
)
SENTENCES = (
    "wake me at six",
    "wake me up at nine am on friday",
    "play the new album by nina simone",
    "what is the weather in berlin tomorrow",
    "hello",
    "stop",
    *PROBES,
)

FIFTY = 50
PIECES = ["▁wake", "▁me", "▁at", "▁six", "▁play", "▁jazz", "▁the", "▁lights", "▁off", "▁seven", "▁thirty"]


def write_fifty_pieces(folder: Path) -> Path:
    """A bare tokenizer folder of exactly 50 pieces, as the tokenizer stage lays it out."""
    folder.mkdir(parents=True)
    letters = ["▁", *"abcdefghijklmnopqrstuvwxyz"]
    pieces = [*SPECIALS, *PIECES, *letters]
    pieces += [f"▁{n}" for n in range(FIFTY - len(pieces))]
    tokenizer = tokenizers.Tokenizer(models.Unigram([(p, 0.0 if p in SPECIALS else -2.0 - len(p) % 3) for p in pieces], unk_id=3))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)])
    tokenizer.add_special_tokens(list(SPECIALS))
    tokenizer.save(str(folder / "tokenizer.json"))
    names = ("bos_token", "pad_token", "eos_token", "unk_token", "mask_token")
    config = {"tokenizer_class": "PreTrainedTokenizerFast", **dict(zip(names, SPECIALS, strict=True))}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return folder


def write_tokenizer(folder: Path) -> Path:
    """A tokenizer artifact: whole words of SENTENCES, and every letter in them."""
    found = [word.text for sentence in SENTENCES for word in words(sentence)]
    letters = sorted({c for word in found for c in word} | set("abcdefghijklmnopqrstuvwxyz0123456789"))
    pieces = [*sorted({f"▁{word}" for word in found if len(word) > 1}), "▁", *letters]
    with artifact.writing(folder, kind="tokenizer", config={}) as draft:
        build([(piece, -2.0 if len(piece) > 2 else -9.0) for piece in pieces]).save(str(draft.path / "tokenizer.json"))
        (draft.path / "tokenizer_config.json").write_text("{}")
    return folder


def random_nlu(vocabulary: int, *, seed: int = 0, pooling: Any = "mean", domains: int = 0, **shape: int) -> NLU:
    """A model with weights large enough that different texts get different answers, and with non-zero biases."""
    generator = torch.Generator().manual_seed(seed)
    config = EncoderConfig(**{"layers": 2, "hidden": 32, "ffn": 48, "heads": 4, "max_length": 40, **shape}, vocab_size=vocabulary)
    model = NLU(Encoder(config), len(LABELS.intents), len(LABELS.tags), domains=domains, width=32, pooling=pooling)
    initialise(model, generator=generator)
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.add_(0.1 * noise if parameter.ndim == 1 else 0.2 * noise)
    return model.eval()


def write_nlu(
    folder: Path,
    tokenizer: Path,
    *,
    spoken: bool = False,
    lower: bool = False,
    threshold: float = 0.0,
    model: NLU | None = None,
    **options: Any,
) -> Path:
    """An nlu artifact around a random model, or the one given."""
    opened = artifact.open(tokenizer, kind="tokenizer")
    model = model or random_nlu(build_size(tokenizer), **options)
    with artifact.writing(folder, kind="nlu", config={}, parents={"tokenizer": opened}) as draft:
        save_nlu(model, LABELS, draft.path, tokenizer, spoken=spoken, max_length=24, lower=lower, threshold=threshold)
        draft.tokenizer = opened.hash
    return folder


def build_size(tokenizer: Path) -> int:
    from understudy.tokenizer import Tokenizer

    return Tokenizer.load(tokenizer).size


def export(nlu: Path, folder: Path, **settings: Any) -> Path:
    """A runtime artifact of the model at `nlu`, through the export stage."""
    config = ExportConfig(model=str(nlu), **settings)
    opened = artifact.open(nlu, kind="nlu")
    inputs = {str(nlu): opened}
    for name in [config.check, *(config.trim.corpora if config.trim else ())]:
        if name is not None:
            inputs[name] = artifact.open(name, kind=["corpus", "labels"])
    with artifact.writing(folder, kind="runtime", config=config.model_dump(mode="json"), parents=inputs) as draft:
        run_export(config, inputs, draft, seed=0)
    return folder
