"""The tokenizer stage: a sample of a corpus -> pieces -> `tokenizer.json` and `sentencepiece.model` (A 2.3)."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from understudy.artifact import Artifact, Draft
from understudy.config import CorpusRef, StageConfig
from understudy.tokenizer import foreign, spm
from understudy.tokenizer.backend import BOS, EOS, MASK, PAD, SPECIALS, UNK, build
from understudy.tokenizer.metrics import fit_file
from understudy.tokenizer.pieces import ALWAYS, KANJI_AND_KANA, Piece, train_pieces
from understudy.tokenizer.runtime import FILE, Tokenizer
from understudy.tokenizer.sample import sample_words
from understudy.tokenizer.search import SearchConfig, grow

__all__ = ["TokenizerConfig", "run", "save"]

log = logging.getLogger(__name__)


class TokenizerConfig(StageConfig):
    """Settings of a tokenizer stage.

    `corpus` or `corpora`: what to learn from. `vocab_size`: number of ids, control symbols included; where the text has fewer
    distinct pieces the tokenizer is smaller and its metrics say so. `search`: grow the vocabulary, up to `vocab_size`, until it
    fits as well as another tokenizer. `sample_characters`: how much text is read, drawn evenly over the corpora; 100 million take
    3 GB of memory. `character_coverage`: share of the characters of the sample that get a piece. `byte_fallback`: spell unknown
    characters as bytes instead of `<unk>` (takes 256 ids). `kanji`: guarantee the 2,136 Joyo kanji and all kana (takes about
    2,300 ids). `max_length`: the length transformers truncates to by default.
    """

    kind: Literal["tokenizer"] = "tokenizer"
    corpus: CorpusRef | None = None
    corpora: tuple[CorpusRef, ...] = ()
    vocab_size: int = Field(ge=len(SPECIALS) + 1, le=4_000_000)
    search: SearchConfig | None = None
    sample_characters: int = Field(default=100_000_000, ge=1, le=1_500_000_000)  # SentencePiece counts them in 32 bits
    character_coverage: float = Field(default=0.9995, gt=0, le=1)
    byte_fallback: bool = False
    kanji: bool = True
    max_length: int = Field(default=512, ge=8)

    @model_validator(mode="after")
    def _one_source(self) -> TokenizerConfig:
        if (self.corpus is None) == (not self.corpora):
            raise ValueError("a tokenizer learns from either 'corpus' or 'corpora'")
        return self

    def reads(self) -> list[Path]:
        """The baseline's file."""
        return [foreign.file_of(self.search.baseline)] if self.search else []


def run(config: TokenizerConfig, inputs: Mapping[str, Artifact], draft: Draft, *, seed: int) -> None:
    """Write the tokenizer's files (see `save`); metrics: size, and fit to the corpora's held-out text (A 2.3).

    With `search` also `search.json` and `search.svg`. Raises DataError for corpora without text and RecipeError for a
    vocabulary too small for its characters or too large for this machine.
    """
    artifacts = [inputs[ref] for ref in (config.corpora or (config.corpus,)) if ref is not None]
    held_out = [a.path / "valid.parquet" for a in artifacts]
    baseline = foreign.Foreign.load(config.search.baseline) if config.search else None
    sample = sample_words([a.path / "train.parquet" for a in artifacts], characters_wanted=config.sample_characters, seed=seed)
    train = partial(
        train_pieces,
        sample,
        coverage=config.character_coverage,
        byte_fallback=config.byte_fallback,
        guaranteed=ALWAYS | KANJI_AND_KANA if config.kanji else ALWAYS,
    )
    if config.search and baseline:
        found = grow(config.search, baseline, train, held_out, largest=config.vocab_size, byte_fallback=config.byte_fallback)
        pieces, wanted = found.pieces, found.chosen.wanted
        found.write(draft.path)
        draft.metrics.update(search=found.verdict())
    else:
        pieces, wanted = train(vocab_size=config.vocab_size), config.vocab_size
    save(draft.path, pieces, byte_fallback=config.byte_fallback, max_length=config.max_length)
    tokenizer = Tokenizer.load(draft.path)
    if tokenizer.size < wanted:
        log.warning("the corpus has %d distinct pieces, fewer than vocab_size = %d", tokenizer.size, wanted)
    overall, languages = fit_file(tokenizer, held_out)
    draft.tokenizer = tokenizer.hash
    draft.metrics.update(
        vocab_size=tokenizer.size,
        wanted=wanted,
        sample={
            "characters": sample.characters,
            "distinct_words": len(sample.words),
            "distinct_singles": len(sample.singles),
            "too_long": sample.too_long,
            "forgotten": sample.forgotten,
        },
        overall=overall.to_dict(),
        languages={lang: fit.to_dict() for lang, fit in languages.items()},
    )


def save(directory: Path, pieces: Sequence[Piece], *, byte_fallback: bool = False, max_length: int = 512) -> None:
    """Write `tokenizer.json`, the `tokenizer_config.json` that transformers' AutoTokenizer reads beside it, and the same
    vocabulary as `sentencepiece.model` (`understudy.tokenizer.spm` says how to use it)."""
    (directory / FILE).write_text(build(pieces, byte_fallback=byte_fallback).to_str(), encoding="utf-8")
    (directory / spm.FILE).write_bytes(spm.model(pieces, byte_fallback=byte_fallback))
    settings: dict[str, Any] = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": max_length,
        "model_input_names": ["input_ids", "attention_mask"],
        "clean_up_tokenization_spaces": False,
        "bos_token": BOS,
        "cls_token": BOS,
        "eos_token": EOS,
        "sep_token": EOS,
        "pad_token": PAD,
        "unk_token": UNK,
        "mask_token": MASK,
    }
    (directory / "tokenizer_config.json").write_text(json.dumps(settings, indent=2), encoding="utf-8")
