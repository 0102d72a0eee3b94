"""The size of a vocabulary: grown until it fits held-out text about as well as a baseline tokenizer does (A 2.3)."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from pydantic import Field

from understudy.config import Config
from understudy.errors import DataError, RecipeError
from understudy.tokenizer.backend import build
from understudy.tokenizer.foreign import Foreign
from understudy.tokenizer.metrics import Fit, Fits, fit_file
from understudy.tokenizer.pieces import Piece
from understudy.tokenizer.plot import search_plot
from understudy.tokenizer.runtime import Tokenizer

__all__ = ["Search", "SearchConfig", "Tried", "compared", "grow", "sizes", "within"]

log = logging.getLogger(__name__)

# Pieces per word say nothing about size where each character is a word, as for us in Japanese: there they are 1 at any size.
UNSPACED_LANGUAGES = ("ja", "zh")


class SearchConfig(Config):
    """How a vocabulary grows.

    baseline: the tokenizer to come close to: a tokenizer.json, a SentencePiece .model, or a folder that holds one. It encodes
        the held-out text in its own way; words are ours.
    tolerance: how much above the baseline's the split-ratio may be, as a share of it.
    unk_tolerance: how many percentage points above the baseline's the unk-token portion may be.
    every_language: the two must hold in each language too, not only over all.
    smallest: the first size tried. growth: each further size is so many times the one before; the last is `vocab_size`.
    """

    baseline: str = Field(min_length=1)
    tolerance: float = Field(default=0.02, ge=0)
    unk_tolerance: float = Field(default=0.05, ge=0)
    every_language: bool = False
    smallest: int = Field(default=8000, ge=1)
    growth: float = Field(default=1.5, gt=1)


class _Train(Protocol):
    def __call__(self, *, vocab_size: int) -> list[Piece]: ...


@dataclass(frozen=True, slots=True)
class Tried:
    """One size: `wanted` ids, `size` that the text gave, its fit over all and by language, seconds, and whether it is enough."""

    wanted: int
    size: int
    overall: Fit
    languages: Fits
    seconds: float
    within: bool

    def to_dict(self) -> dict[str, Any]:
        return {
            "wanted": self.wanted,
            "vocab_size": self.size,
            "within": self.within,
            "seconds": round(self.seconds, 1),
            **_fits(self.overall, self.languages),
        }


@dataclass(frozen=True, slots=True)
class Search:
    """A search that is over: what was tried, in growing order; the last is the chosen one, and `pieces` are its pieces."""

    config: SearchConfig
    baseline: Foreign
    overall: Fit
    languages: Fits
    tried: Sequence[Tried]
    pieces: list[Piece]

    @property
    def chosen(self) -> Tried:
        return self.tried[-1]

    def verdict(self) -> dict[str, Any]:
        """The outcome in a few figures, for the artifact's metrics."""
        return {"met": self.chosen.within, "sizes": [one.size for one in self.tried], "baseline_size": self.baseline.size}

    def write(self, directory: Path) -> None:
        """`search.json`, the table, and `search.svg`, both measures against size."""
        table = {
            "met": self.chosen.within,
            "chosen": self.chosen.size,
            "settings": self.config.model_dump(mode="json"),
            "baseline": {
                "file": str(self.baseline.file),
                "vocab_size": self.baseline.size,
                **_fits(self.overall, self.languages),
            },
            "tried": [one.to_dict() for one in self.tried],
        }
        (directory / "search.json").write_text(json.dumps(table, ensure_ascii=False, indent=2), encoding="utf-8")
        (directory / "search.svg").write_text(search_plot(table), encoding="utf-8")


def _fits(overall: Fit, languages: Fits) -> dict[str, Any]:
    ratio, unknown = compared(languages, languages)
    return {
        "compared": {"split_ratio": round(ratio, 4), "unk_portion": round(unknown, 4)},
        "overall": overall.to_dict(),
        "languages": {lang: fit.to_dict() for lang, fit in languages.items()},
    }


def sizes(config: SearchConfig, largest: int) -> list[int]:
    """The sizes to try, e.g. 8000, 12000, 18000, 20000 for a growth of 1.5 to at most 20000."""
    if config.smallest > largest:
        raise RecipeError(
            "the search ends before it begins", where="search.smallest", got=config.smallest, wanted=f"at most {largest}"
        )
    return list(_sizes(config, largest))


def _sizes(config: SearchConfig, largest: int) -> Iterator[int]:
    size = float(config.smallest)
    while size < largest:
        yield int(size)
        size = max(size * config.growth, size + 1)
    yield largest


def compared(fits: Fits, languages: Collection[str]) -> tuple[float, float]:
    """Split-ratio and unk portion over some languages together, the ratio without those in which each character is a word."""
    chosen = {lang: fits.get(lang, Fit()) for lang in languages}
    spaced = [fit for lang, fit in chosen.items() if lang.split("-")[0] not in UNSPACED_LANGUAGES]
    return sum(spaced, Fit()).split_ratio, sum(chosen.values(), Fit()).unk_portion


def within(config: SearchConfig, ours: Fits, theirs: Fits) -> bool:
    """Whether both measures are close enough: over all languages together, and with `every_language` in each."""
    for languages in [list(theirs), *([lang] for lang in theirs if config.every_language)]:
        (ratio, unknown), (their_ratio, their_unknown) = compared(ours, languages), compared(theirs, languages)
        if ratio > their_ratio * (1 + config.tolerance) or unknown > their_unknown + config.unk_tolerance:
            return False
    return True


def grow(
    config: SearchConfig, baseline: Foreign, train: _Train, held_out: Sequence[Path], *, largest: int, byte_fallback: bool = False
) -> Search:
    """Train vocabularies of growing size until one is within the tolerances, or at `largest`, or where the text has no more.

    `train(vocab_size=...)` gives the pieces of one size, from a sample read once. `held_out`: corpus files to measure on.
    Raises DataError where they are empty and RecipeError where the smallest size has no room for its characters.
    """
    overall, languages = fit_file(baseline, held_out)
    if not overall.words:
        raise DataError(
            "there is no held-out text to measure on", where=", ".join(map(str, held_out)), hint="Raise the corpus's 'valid'"
        )
    log.info("baseline of %d ids: split-ratio %.3f, unk portion %.3f %%", baseline.size, *compared(languages, languages))
    tried: list[Tried] = []
    for wanted in sizes(config, largest):
        started = time.monotonic()
        pieces = train(vocab_size=wanted)
        tokenizer = Tokenizer(build(pieces, byte_fallback=byte_fallback).to_str().encode())
        fit, by_language = fit_file(tokenizer, held_out)
        enough = within(config, by_language, languages)
        tried.append(Tried(wanted, tokenizer.size, fit, by_language, time.monotonic() - started, enough))
        log.info("%d ids: split-ratio %.3f, unk portion %.3f %%", tokenizer.size, *compared(by_language, by_language))
        if enough or tokenizer.size < wanted:
            break
    if not tried[-1].within:
        log.warning("no size up to %d comes within the tolerances of the baseline; the largest is kept", tried[-1].size)
    return Search(config, baseline, overall, languages, tried, pieces)
