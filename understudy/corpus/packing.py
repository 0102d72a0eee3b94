"""Rows of text to token sequences: one row each, or consecutive rows of one language packed together (A 2.1).

A stretch of a corpus file (a row group) is turned into sequences by itself, so that many can be at the same time.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from understudy.config import Config
from understudy.corpus.tokenset import Split, TokenWriter, dtype_for, write_index
from understudy.text.words import split
from understudy.tokenizer.rows import Rows, read_rows
from understudy.tokenizer.runtime import ID, Tokenizer

__all__ = ["EncodeTask", "Tally", "encode"]


@dataclass
class Tally:
    """What became of the rows. `sequences` counts before cutting; `within` of them were no longer than the limit."""

    rows: int = 0
    short_rows: int = 0
    sequences: int = 0
    within: int = 0

    def add(self, other: Mapping[str, int]) -> None:
        """Add the counts of another tally, as `asdict` gives them."""
        for name, count in other.items():
            setattr(self, name, getattr(self, name) + count)

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
    """Gathers a batch of finished sequences, cutting those that are too long. Ids are bytes of `ID`, as the tokenizer gives them."""

    writer: TokenWriter
    tokenizer: Tokenizer
    max_length: int
    tally: Tally

    def __post_init__(self) -> None:
        self.bos, self.eos = (np.array([i], ID).tobytes() for i in (self.tokenizer.bos, self.tokenizer.eos))
        self.ids: list[bytes] = []
        self.lengths: list[int] = []
        self.langs: list[int] = []

    def add(self, body: bytes, lang: int, times: int = 1) -> None:
        """`times` copies of `<s> body </s>`, in pieces of at most max_length ids, each with its own `<s>` and `</s>`."""
        room = ID.itemsize * (self.max_length - 2)
        self.tally.sequences += times
        self.tally.within += times if len(body) <= room else 0
        for at in range(0, max(len(body), 1), room):
            sequence = self.bos + body[at : at + room] + self.eos
            self.ids += [sequence] * times
            self.lengths += [len(sequence) // ID.itemsize] * times
            self.langs += [lang] * times

    def flush(self) -> None:
        self.writer.add(np.frombuffer(b"".join(self.ids), ID), self.lengths, self.langs)
        self.ids, self.lengths, self.langs = [], [], []


class EncodeTask(Config):
    """A stretch of a corpus file to be turned into token sequences at `folder`.

    once: each row one time, whatever its count. The other settings are those of `shards.MixPart` and `shards.ShardsConfig`.
    """

    path: Path
    group: int
    tokenizer: Path
    folder: Path
    split: Split
    languages: tuple[str, ...]
    max_length: int
    min_tokens: int
    pack_words: int
    once: bool


def encode(task: EncodeTask) -> dict[str, int]:
    """Does the task; returns the tally. Raises DataError for a file that cannot be used."""
    tokenizer = _tokenizer(task.tokenizer)
    task.folder.mkdir(parents=True, exist_ok=True)
    tally = Tally()
    writer = TokenWriter(task.folder, task.split, dtype_for(tokenizer.size))
    write_index(
        task.folder,
        languages=task.languages,
        vocab_size=tokenizer.size,
        tokenizer=tokenizer.hash,
        specials=tokenizer.specials,
    )
    try:
        sequences = _Sequences(writer, tokenizer, task.max_length, tally)
        (_packed if task.pack_words else _rows)(task, sequences)
    finally:
        writer.close()
    return asdict(tally)


@functools.lru_cache(maxsize=1)
def _tokenizer(path: Path) -> Tokenizer:
    return Tokenizer.load(path)


def _rows(task: EncodeTask, sequences: _Sequences) -> None:
    """Each row as a sequence of its own, as many times as its count says; rows of fewer than `min_tokens` pieces are dropped."""
    tally, index = sequences.tally, {lang: at for at, lang in enumerate(task.languages)}
    for rows in read_rows(task.path, group=task.group):
        encoded = sequences.tokenizer.encode_split([split(text) for text in rows.texts])
        for ids, lang, count in zip(encoded, rows.langs, rows.counts.tolist(), strict=True):
            times = 1 if task.once else count
            tally.rows += times
            if len(ids) < ID.itemsize * max(task.min_tokens, 1):
                tally.short_rows += times
            else:
                sequences.add(ids, index[lang], times)
        sequences.flush()


def _packed(task: EncodeTask, sequences: _Sequences) -> None:
    """Consecutive rows of a language joined by `</s>` to sequences of at most about `pack_words` words.

    A sequence is closed before the row that would take it over `pack_words`; a longer row is a sequence by itself. A row of
    count k comes k times, each time in another pass over the stretch, so that copies do not stand side by side in one sequence.
    """
    tally, tokenizer = sequences.tally, sequences.tokenizer
    index = {lang: at for at, lang in enumerate(task.languages)}
    open_ids: dict[str, list[bytes]] = {}
    open_words: dict[str, int] = {}
    for rows in _passes(task):
        cut = [split(text) for text in rows.texts]
        for words, ids, lang in zip(cut, tokenizer.encode_split(cut), rows.langs, strict=True):
            tally.rows += 1
            if len(ids) < ID.itemsize * max(task.min_tokens, 1):
                tally.short_rows += 1
                continue
            if lang in open_ids and open_words[lang] + len(words) > task.pack_words:
                sequences.add(sequences.eos.join(open_ids.pop(lang)), index[lang])
            if lang in open_ids:
                open_ids[lang].append(ids)
                open_words[lang] += len(words)
            else:
                open_ids[lang], open_words[lang] = [ids], len(words)
        sequences.flush()
    for lang in sorted(open_ids):
        sequences.add(sequences.eos.join(open_ids[lang]), index[lang])
    sequences.flush()


def _passes(task: EncodeTask) -> Iterator[Rows]:
    passed: Iterable[Rows] = read_rows(task.path, group=task.group)
    for wanted in itertools.count(2):
        again = []
        for rows in passed:
            yield rows
            if not task.once and rows.counts.max() >= wanted:
                again.append(rows.at_least(wanted))
        if not again:
            return
        passed = again
