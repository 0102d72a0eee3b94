"""Records of unlabelled files: each format's reader gives line (or row) numbers and fields."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from pydantic_core import from_json

from understudy.corpus.conllu import blocks, text_of
from understudy.corpus.files import PARTITIONS, partition_of_path, suffix_of
from understudy.corpus.lines import MAX_LINE, BadLines, Span, lines
from understudy.corpus.tables import parquet_batches
from understudy.errors import DataError, nearest

__all__ = ["CUT_ANYWHERE", "READERS", "Columns", "Record", "csv_records", "parquet_records"]


class Columns(NamedTuple):
    """The fields of one file that count: text, language (None where known otherwise), count; MASSIVE's partition; line limit."""

    text: str
    lang: str | None
    times: str | None
    partition: str | None
    max_line: int

    @property
    def needed(self) -> list[str]:
        """Names of the columns to read, each once."""
        return list(dict.fromkeys(c for c in (self.text, self.lang, self.times) if c is not None))


# A record is where it stands (a line or row number) and its fields.
Record = tuple[int, Mapping[str, Any]]


def _txt(path: str, bad: BadLines, of: Columns, span: Span | None = None) -> Iterator[Record]:
    for number, line in lines(path, bad, max_bytes=of.max_line, span=span):
        if line.strip():
            yield number, {of.text: line}


def _conllu(path: str, bad: BadLines, of: Columns, span: Span | None = None) -> Iterator[Record]:
    for block in blocks(path, bad, max_bytes=of.max_line):
        yield block[0][0], {of.text: text_of(block, bad)}


def _jsonl(path: str, bad: BadLines, of: Columns, span: Span | None = None) -> Iterator[Record]:
    for number, line in lines(path, bad, max_bytes=of.max_line, span=span):
        if not line.strip():
            continue
        try:
            record = from_json(line)  # refuses lone surrogates, which json.loads lets through and no file can hold
        except ValueError as error:
            bad.report(number, f"this line is not JSON: {error}")
            continue
        if not isinstance(record, dict):
            bad.report(number, f"this line is not a JSON object but {type(record).__name__}")
            continue
        yield number, record


def _csv(path: str, bad: BadLines, of: Columns, span: Span | None = None) -> Iterator[Record]:
    return csv_records(path, bad, of.needed, max_line=of.max_line)


def csv_records(path: str, bad: BadLines, needed: Sequence[str], *, max_line: int = MAX_LINE) -> Iterator[Record]:
    """Rows of a CSV or TSV file by the names of its first line. Raises DataError where one that is needed is missing, or two share a name."""
    at = 0

    def numbered() -> Iterator[str]:
        nonlocal at
        for number, line in lines(path, bad, max_bytes=max_line):
            at = number
            yield line + "\n"

    csv.field_size_limit(max(csv.field_size_limit(), max_line))
    if suffix_of(path) == ".tsv":  # quotes stand for themselves there
        reader = csv.reader(numbered(), delimiter="\t", quoting=csv.QUOTE_NONE, strict=True)
    else:
        reader = csv.reader(numbered(), strict=True)
    try:
        header = next(reader, [])
    except csv.Error as error:
        raise DataError("the first line is not CSV", where=f"{path}:{at}", got=str(error), wanted="column names") from None
    if twice := next((name for name in header if name and header.count(name) > 1), None):
        raise DataError(
            f"two columns have the name '{twice}'", where=f"{path}:1", got=", ".join(header), wanted="a name for each column"
        )
    missing = [c for c in needed if c not in header]
    if missing:
        raise DataError(
            f"there is no column '{missing[0]}'",
            where=f"{path}:1",
            wanted=f"one of {', '.join(header)}" if header else "a first line with column names",
            hint=nearest(missing[0], header),
        )
    while True:
        try:
            fields = next(reader, None)
        except csv.Error as error:
            bad.report(at, f"this line is not CSV: {error}")
            continue
        if fields is None:
            return
        if fields and len(fields) != len(header):
            bad.report(at, f"this line has {len(fields)} columns, the first line {len(header)}")
        elif fields:
            yield at, dict(zip(header, fields, strict=True))


def _parquet(path: str, bad: BadLines, of: Columns, span: Span | None = None) -> Iterator[Record]:
    return parquet_records(path, bad, of.needed, span=span)


def parquet_records(path: str, bad: BadLines, columns: Sequence[str], *, span: Span | None = None) -> Iterator[Record]:
    """Rows of these columns. Raises DataError where there is no such column."""
    number = 0
    for batch in parquet_batches(path, list(columns), span=span):
        for values in zip(*(batch[c] for c in columns), strict=True):
            number += 1
            bad.seen += 1
            yield number, dict(zip(columns, values, strict=True))


def _massive(path: str, bad: BadLines, of: Columns, span: Span | None = None) -> Iterator[Record]:
    """Rows of the partition asked for: their own, or where they do not say it, as in labels, that of the file's name or folder."""
    otherwise = partition_of_path(path)
    for number, record in _jsonl(path, bad, of, span):
        named = record.get("partition", otherwise)
        if of.partition is None:
            yield number, record
        elif not isinstance(named, str):
            bad.report(number, f"this line's partition is not text but {named!r}")
        elif of.partition in (named, PARTITIONS.get(named.lower())):
            yield number, record


CUT_ANYWHERE = frozenset({"txt", "jsonl", "massive"})
"""Formats in which every line is a record of its own, so that a file may be read in stretches."""

READERS = {"txt": _txt, "conllu": _conllu, "jsonl": _jsonl, "csv": _csv, "parquet": _parquet, "massive": _massive}
