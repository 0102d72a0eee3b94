"""Unlabelled text: what a source is, and its rows one by one.

A source is a file, a folder, a pattern or a URL, or the built-in world. Its rows come in the order of its files (by name)
and of their lines, never more than one batch of them in memory.
"""

from __future__ import annotations

import itertools
import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import Field, model_validator

from understudy.config import Config
from understudy.corpus import tinyworld
from understudy.corpus.files import FORMATS, expand, language_of, language_of_path, local_files, suffix_of
from understudy.corpus.labels import LabelSource, read_labelled
from understudy.corpus.lines import MAX_LINE, BadLines, first_line
from understudy.corpus.records import READERS, Columns, Record
from understudy.corpus.sampling import derive
from understudy.corpus.tables import parquet_columns
from understudy.errors import DataError

__all__ = ["Format", "Row", "Source", "detect", "rows"]

log = logging.getLogger(__name__)

Format = Literal["auto", "txt", "jsonl", "csv", "parquet", "conllu", "massive", "bio", "seq", "rasa", "spans"]
LANGUAGE_COLUMNS = ("lang", "language", "locale")


class Row(NamedTuple):
    """A text, its two-letter language, and how often it was seen."""

    text: str
    lang: str
    times: int


class Source(Config):
    """Where unlabelled text comes from.

    Attributes:
        path: a file, a folder (all files with a known suffix, at any depth), a pattern with `*`, or a URL (http, https,
            hf, s3). `hf://datasets/OWNER/NAME` reads a Hugging Face dataset, a path below it single files.
        builtin: the built-in world instead of a path: "text" (written sentences) or "traffic" (assistant utterances as often
            as they are said).
        size: rows per language of the built-in world.
        format: told from the name by default; txt, jsonl, csv and conllu also compressed (gz, xz, bz2, zst). Labelled data
            (massive, bio, seq, rasa, spans) gives its utterances.
        text: column of the text.
        lang: language code of all rows. By default the language is that of `lang_column`, of the file name (de.parquet,
            de-DE.jsonl, cc100.de.txt, de/part-1.txt), or of a column named lang, language or locale.
        lang_column: column of the language code or locale.
        count: column that says how often the text was seen.
        partition: for labelled data: rows of this partition only.
        languages: rows of these languages only.
        limit: at most this many rows per language, the first ones.
        bad_lines: share of lines that may be unusable before the reading stops. Labelled files (massive, conllu) allow none.
        max_line: longest line in bytes.
    """

    path: str | None = None
    builtin: Literal["text", "traffic"] | None = None
    size: int | None = Field(default=None, gt=0)
    format: Format = "auto"
    text: str = "text"
    lang: str | None = None
    lang_column: str | None = None
    count: str | None = None
    partition: str | None = None
    languages: tuple[str, ...] | None = None
    limit: int | None = Field(default=None, gt=0)
    bad_lines: float = Field(default=0.001, ge=0, le=1)
    max_line: int = Field(default=MAX_LINE, gt=0)

    @model_validator(mode="after")
    def _whole(self) -> Source:
        if (self.path is None) == (self.builtin is None):
            raise ValueError("a source needs either `path` or `builtin`")
        if (self.builtin is None) != (self.size is None):
            raise ValueError("`size` (rows per language) goes with `builtin`, and only with it")
        for code in [*([self.lang] if self.lang else []), *(self.languages or ())]:
            if language_of(code) is None:
                raise ValueError(f"'{code}' is not a language code; wanted two letters such as 'de'")
            if self.builtin and language_of(code) not in tinyworld.LOCALES:
                raise ValueError(f"the built-in world has no '{code}'; it has {', '.join(sorted(tinyworld.LOCALES))}")
        return self

    @property
    def wanted(self) -> frozenset[str] | None:
        """Languages to keep as two-letter codes, None for all."""
        return frozenset(language_of(code) or code for code in self.languages) if self.languages is not None else None

    def files(self) -> list[Path]:
        """The files on this machine that the source reads."""
        if self.path is None:
            return []
        if self.format in ("bio", "seq", "rasa", "spans"):
            return LabelSource.model_validate({"path": self.path, "format": self.format}).files()
        return local_files(self.path, tuple(FORMATS))


def rows(source: Source, *, seed: int = 0) -> Iterator[Row]:
    """All rows of a source, texts as they stand there.

    Raises DataError where a file is missing or of no known format, where too many lines are bad, and where no row is left.
    """
    taken: Counter[str] = Counter()
    wanted, limit = source.wanted, source.limit
    if source.builtin:
        stream = _builtin(source, seed)
    elif source.format in ("bio", "seq", "rasa", "spans"):
        stream = _labelled(source)
    else:
        stream = _from_files(source, taken)
    for row in stream:
        if (wanted is None or row.lang in wanted) and (limit is None or taken[row.lang] < limit):
            taken[row.lang] += 1
            yield row
    if not taken:
        raise DataError(
            "this source holds no text",
            where=source.path or source.builtin,
            got="files without a single usable row" if wanted is None else f"no row in {', '.join(sorted(wanted))}",
        )


def _builtin(source: Source, seed: int) -> Iterator[Row]:
    for lang in sorted(source.wanted or tinyworld.LOCALES):
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


def _from_files(source: Source, taken: Mapping[str, int]) -> Iterator[Row]:
    assert source.path is not None
    suffixes = tuple(s for s, f in FORMATS.items() if source.format in ("auto", f) or (source.format, f) == ("massive", "jsonl"))
    for path in expand(source.path, suffixes):
        format = detect(path) if source.format == "auto" else source.format
        fixed = _fixed_language(source, path)
        if fixed and source.wanted is not None and fixed not in source.wanted:
            continue
        bad = BadLines(0.0 if format in ("massive", "conllu") else source.bad_lines, path)
        here = _columns(source, path, format, fixed)
        for record in READERS[format](path, bad, here):
            row = _row(record, here, fixed, bad, path)
            if row:
                yield row
                if fixed and source.limit is not None and taken[fixed] >= source.limit:
                    break
        else:
            bad.close()
        if bad.bad:
            log.warning("%s: %d of %d lines left out; the first at %s: %s", path, bad.bad, bad.seen, *bad.first[0])


def detect(path: str) -> Format:
    """The format of a file by its name and, for JSON lines, its first line. Raises DataError."""
    suffix = suffix_of(path)
    if path.startswith("hf://") and not suffix:
        return "parquet"
    if suffix not in FORMATS:
        raise DataError(
            "the format cannot be told from this name",
            where=path,
            wanted=f"a name ending in {', '.join(FORMATS)} (also with .gz, .xz, .bz2, .zst)",
            hint="Or say format = ...",
        )
    format = FORMATS[suffix]
    if format == "jsonl":
        return "massive" if '"annot_utt"' in first_line(path) else "jsonl"
    return format  # type: ignore[return-value]


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


def _row(record: Record, of: Columns, fixed: str | None, bad: BadLines, path: str) -> Row | None:
    number, fields = record
    where = f"{path}:{number}"
    text = fields.get(of.text)
    if not isinstance(text, str):
        found = f"no key '{of.text}' but {', '.join(map(str, fields))}" if of.text not in fields else repr(text)
        bad.report(where, f"this line has no text: {found}")
        return None
    if "\0" in text or len(text) > of.max_line:
        bad.report(where, "this text holds a NUL character" if "\0" in text else f"this text is too long: {len(text)} characters")
        return None
    lang = fixed
    if lang is None:
        column = of.lang or next((c for c in LANGUAGE_COLUMNS if c in fields), LANGUAGE_COLUMNS[0])
        lang = language_of(str(fields.get(column, "")))
        if lang is None:
            bad.report(where, f"this line has no known language: {column} is {fields.get(column)!r}")
            return None
    count = 1
    if of.times is not None:
        try:
            count = int(fields[of.times])
        except (KeyError, TypeError, ValueError):
            count = 0
        if count < 1:
            bad.report(where, f"this line has no count: {of.times} is {fields.get(of.times)!r}")
            return None
    return Row(text, lang, count)
