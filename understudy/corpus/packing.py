"""Rows of text to token sequences: one row each, or consecutive rows of one language packed together (A 2.1)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from understudy.corpus.tokenset import TokenWriter
from understudy.text.words import split
from understudy.tokenizer.rows import Rows, read_rows
from understudy.tokenizer.runtime import Tokenizer

__all__ = ["Tally", "write_packed", "write_rows"]


@dataclass
class Tally:
    """What became of the rows. `sequences` counts before cutting; `within` of them were no longer than the limit."""

    rows: int = 0
    short_rows: int = 0
    sequences: int = 0
    within: int = 0

    def __str__(self) -> str:
        counts = self.to_dict()
        short = f" ({self.short_rows:,} short ones left out)" if self.short_rows else ""
        return f"{self.rows:,} rows{short}, {self.sequences:,} sequences, {counts['within_percent']} % uncut"

    def to_dict(self) -> dict[str, Any]:
        """The counts, and the share of sequences within the limit in percent (over 90 for 700 words and 1,024 tokens in A 2.1)."""
        share = 100 * self.within / self.sequences if self.sequences else 100.0
        return {**asdict(self), "cut": self.sequences - self.within, "within_percent": round(share, 2)}


@dataclass
class _Sequences:
    """Gathers a batch of finished sequences, cutting those that are too long."""

    writer: TokenWriter
    tokenizer: Tokenizer
    max_length: int
    tally: Tally

    def __post_init__(self) -> None:
        self.ids: list[int] = []
        self.lengths: list[int] = []
        self.langs: list[int] = []

    def add(self, body: Sequence[int], lang: int, times: int = 1) -> None:
        """`times` copies of `<s> body </s>`, in pieces of at most max_length ids, each with its own `<s>` and `</s>`."""
        room = self.max_length - 2
        self.tally.sequences += times
        self.tally.within += times if len(body) <= room else 0
        for at in range(0, max(len(body), 1), room):
            sequence = [self.tokenizer.bos, *body[at : at + room], self.tokenizer.eos]
            self.ids += sequence * times
            self.lengths += [len(sequence)] * times
            self.langs += [lang] * times

    def flush(self) -> None:
        self.writer.add(self.ids, self.lengths, self.langs)
        self.ids, self.lengths, self.langs = [], [], []


Advance = Callable[..., None]


def write_rows(
    path: Path,
    writer: TokenWriter,
    tokenizer: Tokenizer,
    *,
    languages: Sequence[str],
    max_length: int,
    min_tokens: int,
    advance: Advance,
    once: bool = False,
) -> Tally:
    """Each row as a sequence of its own, as many times as its count says (`once`: one time whatever its count).

    Rows of fewer than `min_tokens` pieces are dropped. Raises DataError for a file that cannot be used.
    """
    tally, index = Tally(), {lang: at for at, lang in enumerate(languages)}
    sequences = _Sequences(writer, tokenizer, max_length, tally)
    for rows in read_rows(path):
        encoded = tokenizer.encode_texts(rows.texts)
        for ids, lang, count in zip(encoded, rows.langs, rows.counts.tolist(), strict=True):
            times = 1 if once else count
            tally.rows += times
            if len(ids) < max(min_tokens, 1):
                tally.short_rows += times
            else:
                sequences.add(ids, index[lang], times)
        sequences.flush()
        advance(len(rows.texts))
    return tally


def write_packed(
    path: Path,
    writer: TokenWriter,
    tokenizer: Tokenizer,
    *,
    languages: Sequence[str],
    max_length: int,
    min_tokens: int,
    pack_words: int,
    advance: Advance,
    once: bool = False,
) -> Tally:
    """Consecutive rows of a language joined by `</s>` to sequences of at most about `pack_words` words.

    A sequence is closed before the row that would take it over `pack_words`; a longer row is a sequence by itself. A row of
    count k comes k times, each time in another pass over the file, so that copies do not stand side by side in one sequence.
    """
    tally, index = Tally(), {lang: at for at, lang in enumerate(languages)}
    sequences = _Sequences(writer, tokenizer, max_length, tally)
    open_ids: dict[str, list[int]] = {}
    open_words: dict[str, int] = {}
    for rows, first_pass in _passes(path, once):
        cut = [split(text) for text in rows.texts]
        for words, ids, lang in zip(cut, tokenizer.encode_split(cut), rows.langs, strict=True):
            tally.rows += 1
            if len(ids) < max(min_tokens, 1):
                tally.short_rows += 1
                continue
            if lang in open_ids and open_words[lang] + len(words) > pack_words:
                sequences.add(open_ids.pop(lang), index[lang])
            if lang in open_ids:
                open_ids[lang] += [tokenizer.eos, *ids]
                open_words[lang] += len(words)
            else:
                open_ids[lang], open_words[lang] = list(ids), len(words)
        sequences.flush()
        advance(len(rows.texts) if first_pass else 0)
    for lang in sorted(open_ids):
        sequences.add(open_ids[lang], index[lang])
    sequences.flush()
    return tally


def _passes(path: Path, once: bool) -> Iterator[tuple[Rows, bool]]:
    wanted, most = 1, 1
    while wanted <= most:
        for rows in read_rows(path, at_least=wanted):
            if not once:
                most = max(most, int(np.max(rows.counts)))
            yield rows, wanted == 1
        wanted += 1
