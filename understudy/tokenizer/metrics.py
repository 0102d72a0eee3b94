"""How well a vocabulary fits a text, without any model (A 2.3)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from understudy.text.words import word_count
from understudy.tokenizer.rows import read_rows

__all__ = ["Fit", "Fits", "Measured", "fit", "fit_file", "split_ratio", "unk_portion"]


class Measured(Protocol):
    """What can be measured: `Tokenizer`, or any other tokenizer as `foreign.Foreign`. `unk` is None where nothing is unknown."""

    @property
    def unk(self) -> int | None: ...

    def encode_texts(self, texts: Sequence[str]) -> list[list[int]]: ...


@dataclass(frozen=True, slots=True)
class Fit:
    """Counts over a text: words (as `understudy.text.words` cuts them), pieces they became, pieces that are `<unk>`."""

    words: int = 0
    pieces: int = 0
    unknown: int = 0

    def __add__(self, other: Fit) -> Fit:
        return Fit(self.words + other.words, self.pieces + other.pieces, self.unknown + other.unknown)

    @property
    def split_ratio(self) -> float:
        """Pieces per word, 1 at best (A 2.3). In scripts without spaces each character is a word, so there it is 1.

        A tokenizer that does not cut text into our words may fall below 1, in Japanese far below.
        """
        return self.pieces / self.words if self.words else 0.0

    @property
    def unk_portion(self) -> float:
        """Percentage of the pieces that are `<unk>` (A 2.3); control symbols around a sequence do not count."""
        return 100 * self.unknown / self.pieces if self.pieces else 0.0

    def to_dict(self) -> dict[str, Any]:
        return {
            "words": self.words,
            "pieces": self.pieces,
            "split_ratio": round(self.split_ratio, 4),
            "unk_portion": round(self.unk_portion, 4),
        }


Fits = Mapping[str, Fit]  # by language


def fit(tokenizer: Measured, texts: Sequence[str]) -> Fit:
    """Words, pieces and unknown pieces of `texts`."""
    encoded = tokenizer.encode_texts(texts)
    unknown = 0 if tokenizer.unk is None else sum(ids.count(tokenizer.unk) for ids in encoded)
    return Fit(sum(map(word_count, texts)), sum(map(len, encoded)), unknown)


def split_ratio(tokenizer: Measured, texts: Sequence[str]) -> float:
    """Subword pieces per word of `texts` (A 2.3): 1.0 where every word is a piece, higher where words are split."""
    return fit(tokenizer, texts).split_ratio


def unk_portion(tokenizer: Measured, texts: Sequence[str]) -> float:
    """Percentage of output tokens of `texts` that are `<unk>` (A 2.3)."""
    return fit(tokenizer, texts).unk_portion


def fit_file(tokenizer: Measured, paths: Sequence[Path]) -> tuple[Fit, dict[str, Fit]]:
    """Fit over corpus files (text, lang, count), over all rows and per language; each row once, whatever its count."""
    fits: defaultdict[str, Fit] = defaultdict(Fit)
    for path in paths:
        for rows in read_rows(path):
            by_language: defaultdict[str, list[str]] = defaultdict(list)
            for text, lang in zip(rows.texts, rows.langs, strict=True):
                by_language[lang].append(text)
            for lang, texts in by_language.items():
                fits[lang] += fit(tokenizer, texts)
    return sum(fits.values(), Fit()), dict(sorted(fits.items()))
