"""Pairs of sentences and how the second relates to the first: MultiNLI and XNLI as people have them (A 3.1).

A text file has one pair per line, columns parted by tabs, no quotes: premise, hypothesis, label. Where its first line names the
columns (premise or sentence1; hypothesis, hypo or sentence2; label or gold_label; maybe language), as in what the makers of
MultiNLI and XNLI give out, they may stand in any order among others. A parquet file has columns premise, hypothesis and label,
as facebook/xnli on the Hugging Face hub, where labels are numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from understudy.corpus.files import expand, suffix_of
from understudy.corpus.lines import BadLines, lines
from understudy.corpus.tables import parquet_batches
from understudy.errors import DataError

__all__ = ["LABELS", "SUFFIXES", "Pair", "read_pairs"]

LABELS: Final = ("entailment", "neutral", "contradiction")
"""In the order of their numbers on the hub."""

SUFFIXES: Final = (".tsv", ".txt", ".parquet")
_NUMBERS = {name: number for number, name in enumerate(LABELS)} | {
    "contradictory": 2
}  # so spelled in XNLI's machine translations
_UNDECIDED = ("-", -1)  # annotators did not agree: no part of any figure that is reported on these sets
_NAMES = (("premise", "sentence1"), ("hypothesis", "hypo", "sentence2"), ("label", "gold_label"))


@dataclass(frozen=True, slots=True)
class Pair:
    """A premise, a hypothesis, and the index in `LABELS` of what the premise says of it."""

    premise: str
    hypothesis: str
    label: int


def read_pairs(path: str, *, lang: str, mixed: bool = False) -> Iterator[Pair]:
    """The pairs of a file, folder, pattern or URL in their order, those without an agreed label left out.

    Args:
        path: as in a corpus source.
        lang: of a text file that names each row's language, the rows of this one.
        mixed: whether a file must name it, because several languages are read from the same file.

    Raises DataError with file and line where a row is malformed, and where there are no pairs.
    """
    found = False
    for file in expand(path, SUFFIXES):
        for pair in _parquet(file) if suffix_of(file) == ".parquet" else _table(file, lang, mixed):
            found = True
            yield pair
    if not found:
        raise DataError("there are no pairs of sentences", where=path, got=f"none in '{lang}'")


@dataclass(frozen=True, slots=True)
class _Columns:
    """Where premise, hypothesis and label stand in a line, and its language if it says. named: by the file's first line."""

    of: tuple[int, ...] = (0, 1, 2)
    language: int | None = None
    named: bool = False

    @classmethod
    def of_first(cls, cells: Sequence[str]) -> _Columns:
        found = [cells.index(name) for names in _NAMES for name in names if name in cells]
        if len(found) != len(_NAMES):
            return cls()
        return cls(tuple(found), cells.index("language") if "language" in cells else None, named=True)

    def fit(self, cells: Sequence[str]) -> bool:
        """Whether a line has all of them. One whose columns nobody names has no others: it would hold who knows what."""
        last = max(*self.of, self.language or 0)
        return last < len(cells) and (self.named or len(cells) == len(_NAMES))


def _table(path: str, lang: str, mixed: bool) -> Iterator[Pair]:
    columns: _Columns | None = None
    for number, line in lines(path, BadLines(0.0, path)):
        cells, where = line.split("\t"), f"{path}:{number}"
        if columns is None:
            columns = _Columns.of_first(cells)
            if mixed and columns.language is None:
                raise DataError(
                    "this file does not say which language a row is in",
                    where=where,
                    wanted="a column named 'language', or {lang} in the path",
                )
            if columns.named:
                continue
        if not line.strip():
            continue
        if not columns.fit(cells):
            raise DataError(
                "this line has another number of columns",
                where=where,
                got=len(cells),
                wanted="those that the first line names" if columns.named else "premise, hypothesis and label, parted by tabs",
            )
        if columns.language is None or cells[columns.language] == lang:
            yield from _pair(*(cells[at] for at in columns.of), where=where)


def _parquet(path: str) -> Iterator[Pair]:
    row = 0
    for batch in parquet_batches(path, ["premise", "hypothesis", "label"]):
        for premise, hypothesis, label in zip(batch["premise"], batch["hypothesis"], batch["label"], strict=True):
            row += 1
            yield from _pair(premise, hypothesis, label, where=f"{path}, row {row}")


def _pair(premise: object, hypothesis: object, label: object, *, where: str) -> Iterator[Pair]:
    for name, side in (("premise", premise), ("hypothesis", hypothesis)):
        if not isinstance(side, str) or not side.strip():
            raise DataError(f"this row has no {name}", where=where, got=repr(side)[:100], wanted="a sentence")
    if label in _UNDECIDED:
        return
    number = _NUMBERS.get(label) if isinstance(label, str) else label
    if not isinstance(number, int) or not 0 <= number < len(LABELS):
        raise DataError("this label is unknown", where=where, got=repr(label)[:100], wanted=f"one of {', '.join(LABELS)}")
    yield Pair(str(premise), str(hypothesis), number)
