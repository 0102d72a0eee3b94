"""A small language with real shards, labels and a real tokenizer, made once; nothing here is random beyond a seed."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from understudy import artifact
from understudy.artifact import Artifact
from understudy.corpus.tokenset import TokenSet, TokenWriter, dtype_for, write_index
from understudy.model.encoder import EncoderConfig, MaskedLM
from understudy.tokenizer import Tokenizer
from understudy.tokenizer.backend import build

SHAPE = {"layers": 2, "hidden": 32, "ffn": 64, "heads": 2, "max_length": 32, "dropout": 0.1}
VERBS = {"wake": "alarm_set", "ring": "alarm_set", "play": "music_play", "hear": "music_play"}
TIMES = ("six", "seven", "eight")
SONGS = ("yesterday", "imagine", "hallelujah")


def sentences() -> list[tuple[str, str, str]]:
    """Text, intent and the word that is a slot, for every sentence of the language."""
    found = []
    for verb, politeness, tail in itertools.product(VERBS, ("", "please ", "now "), ("", " today", " again")):
        for value in TIMES if VERBS[verb] == "alarm_set" else SONGS:
            found.append((f"{politeness}{verb} me {value}{tail}", VERBS[verb], value))
    return found


@dataclass(frozen=True)
class World:
    tokenizer: Artifact
    shards: Artifact
    labels: Artifact

    @property
    def inputs(self) -> dict[str, Artifact]:
        return {"tok": self.tokenizer, "shards": self.shards, "labels": self.labels}

    @property
    def vocab_size(self) -> int:
        return Tokenizer.load(self.tokenizer.path).size

    def tokens(self, split: Any = "train") -> TokenSet:
        return TokenSet.open(self.shards.path, split)


def write_tokenizer(path: Path, extra: str = "") -> Artifact:
    known = sorted({word for text, _, _ in sentences() for word in text.split()} | set(extra.split()))
    with artifact.writing(path, kind="tokenizer", config={}) as draft:
        pieces = [(f"▁{word}", -3.0) for word in known] + [
            ("▁", -8.0),
            *((letter, -9.0) for letter in "abcdefghijklmnopqrstuvwxyz"),
        ]
        build(pieces).save(str(draft.path / "tokenizer.json"))
        (draft.path / "tokenizer_config.json").write_text("{}")
        draft.tokenizer = Tokenizer.load(draft.path).hash
    return artifact.open(path)


def write_shards(path: Path, tokenizer_path: Path, *, valid: bool = True) -> Artifact:
    tokenizer = Tokenizer.load(tokenizer_path)
    with artifact.writing(path, kind="shards", config={}) as draft:
        index = {"vocab_size": tokenizer.size, "tokenizer": tokenizer.hash, "specials": tokenizer.specials}
        write_index(draft.path, languages=["de", "en"], **index)
        for split in ("train", "valid"):
            writer = TokenWriter(draft.path, split, dtype_for(tokenizer.size))  # type: ignore[arg-type]
            for index, (text, _, _) in enumerate(sentences()):
                if (valid and index % 5 == 0) == (split == "valid"):
                    ids = tokenizer.encode(text.split()).ids
                    writer.add(ids, [len(ids)], [index % 2])
            writer.close()
        draft.tokenizer = tokenizer.hash
    return artifact.open(path)


def write_labels(path: Path) -> Artifact:
    with artifact.writing(path, kind="labels", config={}) as draft:
        lines = []
        for index, (text, intent, value) in enumerate(sentences()):
            start = text.index(value)
            slot = {"name": "time" if intent == "alarm_set" else "song", "start": start, "end": start + len(value)}
            locale = ("de-DE", "en-US")[index % 2]
            lines.append({"text": text, "locale": locale, "intent": intent, "domain": intent.split("_")[0], "slots": [slot]})
        (draft.path / "train.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        labels = {
            "intents": ["alarm_set", "music_play"],
            "domains": {"alarm_set": "alarm", "music_play": "music"},
            "slots": ["song", "time"],
        }
        (draft.path / "labels.json").write_text(json.dumps(labels))
    return artifact.open(path)


def tiny(vocab_size: int, *, seed: int = 0, **shape: Any) -> MaskedLM:
    """A random encoder of this vocabulary, without dropout unless asked for."""
    table = {**SHAPE, "dropout": 0.0, "attention_dropout": 0.0, **shape}
    return MaskedLM(EncoderConfig(**table, vocab_size=vocab_size), generator=torch.Generator().manual_seed(seed))


def run_stage(
    run: Any, config: Any, path: Path, inputs: Mapping[str, Artifact], *, kind: Any = "encoder", seed: int = 0
) -> Artifact:
    with artifact.writing(path, kind=kind, config=config.model_dump(mode="json"), seed=seed) as draft:
        run(config, inputs, draft, seed=seed)
    return artifact.open(path)
