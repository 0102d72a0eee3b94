"""Rows of text sources, one by one, and the stretches that can be read side by side.

The rows of a source come in the order of its files (by name) and of their lines, never more than one batch of them in memory.
Its units hold the same rows in the same order, whatever their size.
"""

from __future__ import annotations

import itertools
import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from understudy.config import Config
from understudy.corpus import tinyworld
from understudy.corpus.files import COMPRESSIONS, FORMATS, expand, is_remote, language_of, language_of_path
from understudy.corpus.lines import BadLines, Span
from understudy.corpus.records import CUT_ANYWHERE, READERS, Columns, Record
from understudy.corpus.sampling import derive
from understudy.corpus.sources import LABELLED, Format, Source, detect
from understudy.corpus.tables import parquet_columns, row_group_sizes
from understudy.corpus.utterances import LabelSource, read_labelled
from understudy.errors import DataError

__all__ = ["Row", "Unit", "no_text", "rows", "unit_rows", "units", "warn_of"]

log = logging.getLogger(__name__)
LANGUAGE_COLUMNS = ("lang", "language", "locale")
MOST_TIMES = 1_000_000_000  # Above stand times in milliseconds and the like, and sums would leave 64 bits.


class Row(NamedTuple):
    """A text, its two-letter language, and how often it was seen."""

    text: str
    lang: str
    times: int


class Unit(Config):
    """A stretch of a source that can be read by itself.

    Attributes:
        source: where it is from.
        seed: of the built-in world.
        path: its file; none for the built-in world and for sources that are one unit.
        span: its bytes, or row groups in parquet; none for the whole file.
        lang: its language in the built-in world.
        size: about how many bytes it has.
    """

    source: Source
    seed: int = 0
    path: str | None = None
    span: Span | None = None
    lang: str | None = None
    size: int = 0


def units(source: Source, *, seed: int = 0, most: int) -> list[Unit]:
    """The source cut into stretches of about `most` bytes, in the order of its rows.

    Only lines of uncompressed files and row groups can be parted; a file of another format is one unit, a source with a
    `limit` (which counts rows over all its files) and labelled data too. Raises DataError where a file is missing.
    """
    unit = Unit(source=source, seed=seed)
    if source.builtin:
        langs = sorted(source.wanted or tinyworld.LOCALES)
        return [unit.model_copy(update={"lang": lang, "size": 500 * (source.size or 0)}) for lang in langs]
    if source.limit is not None or source.format in LABELLED:
        return [unit]
    found: list[Unit] = []
    for path in _paths(source):
        size = 0 if is_remote(path) else Path(path).stat().st_size
        if is_remote(path) or Path(path).suffix.lower() in COMPRESSIONS:
            spans: list[tuple[Span | None, int]] = [(None, size)]
        elif (format := _format(source, path)) == "parquet":
            spans = list(_row_groups(row_group_sizes(path), most))
        elif format in CUT_ANYWHERE and size > most:
            spans = [((at, min(at + most, size)), min(most, size - at)) for at in range(0, size, most)]
        else:
            spans = [(None, size)]
        found += [unit.model_copy(update={"path": path, "span": span, "size": n}) for span, n in spans]
    return found


def _row_groups(sizes: Sequence[int], most: int) -> Iterator[tuple[Span, int]]:
    first, size = 0, 0
    for at, more in enumerate(sizes):
        size += more
        if size >= most or at == len(sizes) - 1:
            yield (first, at + 1), size
            first, size = at + 1, 0


def rows(source: Source, *, seed: int = 0) -> Iterator[Row]:
    """All rows of a source, texts as they stand there.

    Raises DataError where a file is missing or of no known format, where too many lines are bad, and where no row is left.
    """
    empty = True
    if source.builtin:
        stream: Iterator[Row] = (row for unit in units(source, seed=seed, most=1) for row in unit_rows(unit))
    else:
        stream = unit_rows(Unit(source=source, seed=seed))
    for row in stream:
        empty = False
        yield row
    if empty:
        raise no_text(source)


def no_text(source: Source) -> DataError:
    """The error for a source without a row."""
    return DataError(
        "this source holds no text",
        where=source.path or source.builtin,
        got="files without a single usable row" if source.wanted is None else f"no row in {', '.join(sorted(source.wanted))}",
    )


def unit_rows(unit: Unit, counted: list[BadLines] | None = None) -> Iterator[Row]:
    """The rows of a unit.

    Bad lines are put into `counted`, one entry for each file, for whoever knows the whole file to judge; without it the
    reading stops with a DataError where a file has too many.
    """
    source, taken = unit.source, Counter[str]()
    if unit.lang is not None:
        stream = _builtin(source, unit.lang, unit.seed)
    elif source.format in LABELLED:
        stream = _labelled(source)
    else:
        stream = _from_files(unit, taken, counted)
    for row in stream:
        if (source.wanted is None or row.lang in source.wanted) and (source.limit is None or taken[row.lang] < source.limit):
            taken[row.lang] += 1
            yield row


def _builtin(source: Source, lang: str, seed: int) -> Iterator[Row]:
    own = derive(f"{source.builtin}/{lang}", seed)
    if source.builtin == "text":
        texts: Iterator[str] = tinyworld.sentences(lang, seed=own)
    else:
        texts = (u.text for u in tinyworld.utterances(lang, seed=own))
    yield from (Row(text, lang, 1) for text in itertools.islice(texts, source.size))


def _labelled(source: Source) -> Iterator[Row]:
    labels = LabelSource.model_validate({"path": source.path, "format": source.format, "locale": source.lang})
    for partition, row in read_labelled(labels):
        if source.partition is None or partition == source.partition:
            yield Row(row.text, language_of(row.locale) or row.locale, 1)


def _paths(source: Source) -> Iterator[str]:
    """Files of a source that can hold a wanted language."""
    assert source.path is not None
    suffixes = tuple(s for s, f in FORMATS.items() if source.format in ("auto", f) or (source.format, f) == ("massive", "jsonl"))
    for path in expand(source.path, suffixes):
        fixed = _fixed_language(source, path)
        if fixed is None or source.wanted is None or fixed in source.wanted:
            yield path


def _format(source: Source, path: str) -> Format:
    return detect(path) if source.format == "auto" else source.format


def _from_files(unit: Unit, taken: Mapping[str, int], counted: list[BadLines] | None) -> Iterator[Row]:
    source = unit.source
    for path in _paths(source) if unit.path is None else [unit.path]:
        format = _format(source, path)
        fixed = _fixed_language(source, path)
        share = 0.0 if format in ("massive", "conllu") else source.bad_lines
        alone = counted is None or unit.path is None  # else other units read other stretches of the file
        bad = BadLines(share if alone else 1.0, path)
        here = _columns(source, path, format, fixed)
        for record in READERS[format](path, bad, here, unit.span):
            row = _row(record, here, fixed, bad)
            if row:
                yield row
                if fixed and source.limit is not None and taken[fixed] >= source.limit:
                    break
        else:
            bad.close()
        if counted is None:
            warn_of(bad)
        else:
            bad.share = 1.0 if alone else share
            counted.append(bad)


def warn_of(bad: BadLines) -> None:
    """Says in the log how many lines of a file were left out, and quotes the first."""
    if bad.bad:
        log.warning("%s: %d of %d lines left out; %s", bad.name, bad.bad, bad.seen, bad.quote())


def _fixed_language(source: Source, path: str) -> str | None:
    if source.lang:
        return language_of(source.lang)
    if source.lang_column:
        return None
    found = language_of_path(path)
    return found[0] if found else None


def _columns(source: Source, path: str, format: str, fixed: str | None) -> Columns:
    """The fields of this file for text and language."""
    text = "utt" if format == "massive" else source.text
    lang = source.lang_column
    if fixed is None and lang is None:
        if format == "massive":
            lang = "locale"
        elif format in ("txt", "conllu", "parquet"):
            names = parquet_columns(path) if format == "parquet" else []
            lang = next((c for c in LANGUAGE_COLUMNS if c in names), None)
            if lang is None:
                raise DataError(
                    "the language of this file is not known",
                    where=path,
                    got=f"columns {', '.join(names)}" if names else None,
                    hint="Say lang = CODE or lang_column = NAME, or name the file by its language, such as de.txt",
                )
    return Columns(text, lang, source.count, source.partition, source.max_line)


def _language_column(fields: Mapping[str, object]) -> str:
    for column in LANGUAGE_COLUMNS:
        if column in fields:
            return column
    return LANGUAGE_COLUMNS[0]


def _row(record: Record, of: Columns, fixed: str | None, bad: BadLines) -> Row | None:
    number, fields = record
    text = fields.get(of.text)
    if not isinstance(text, str):
        found = f"no key '{of.text}' but {', '.join(map(str, fields))}" if of.text not in fields else repr(text)
        bad.report(number, f"this line has no text: {found}")
        return None
    if "\0" in text or len(text) > of.max_line:
        bad.report(
            number, "this text holds a NUL character" if "\0" in text else f"this text is too long: {len(text)} characters"
        )
        return None
    lang = fixed
    if lang is None:
        column = of.lang or _language_column(fields)
        lang = language_of(str(fields.get(column, "")))
        if lang is None:
            bad.report(number, f"this line has no known language: {column} is {fields.get(column)!r}")
            return None
    count = 1
    if of.times is not None:
        try:
            count = int(fields[of.times])
        except (KeyError, TypeError, ValueError, OverflowError):
            count = 0
        if not 1 <= count <= MOST_TIMES:
            found = repr(fields.get(of.times))[:50]
            bad.report(number, f"this line has no count: {of.times} is {found}, wanted 1 to {MOST_TIMES:,}")
            return None
    return Row(text, lang, count)
