"""What data the files of a folder hold: use, format, languages and partitions of each, or why it is left out.

Text is judged by its first rows. Labelled files are read whole, since one malformed line stops a run and dev data often stands
behind all of train; of a huge one only the beginning is read, and `Found.whole` says so.
"""

from __future__ import annotations

import csv
import itertools
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from pydantic_core import from_json

from understudy.corpus.bio import begins_bio
from understudy.corpus.files import FORMATS, language_of, suffix_of
from understudy.corpus.formats import json_format
from understudy.corpus.lines import BadLines, first_line, lines
from understudy.corpus.sources import Source
from understudy.corpus.tables import parquet_columns
from understudy.corpus.tabular import is_labelled
from understudy.corpus.units import LANGUAGE_COLUMNS, rows
from understudy.corpus.utterances import SUFFIXES, LabelSource, read_labelled
from understudy.errors import DataError, RecipeError, UnderstudyError

__all__ = ["TO_FILL_IN", "Found", "survey"]

TO_FILL_IN = "…"
"""Stands in a recipe where the language belongs that nobody said."""

_ROWS = 500  # of a text that are read to know it
_MOST = 8_000_000  # characters of the utterances of a labelled file: MASSIVE has half a million in a locale
_HEAD = 50  # lines by which a format is told
_ANY = "en-001"  # English of the world: no data has it, so what has it after reading had no language of its own
_NOT_DATA = re.compile(r"^(readme|license|licence|copying|changelog|manifest|requirements)", re.I)
_LABEL_COLUMNS = ("intent", "intents", "label", "labels")

Use = Literal["labels", "text"]


@dataclass(frozen=True)
class Found:
    """A file, or a folder of seq.in, seq.out and label, that holds data or looks as if it did.

    `lang` is set where neither rows nor name say the language: what the recipe is to say, `TO_FILL_IN` where nobody knows.
    `whole` is false where a labelled file was too large to be read to its end. `problem` says why it cannot be used.
    """

    path: str
    use: Use
    format: str
    languages: tuple[str, ...] = ()
    partitions: tuple[str, ...] = ()
    lang: str | None = None
    whole: bool = True
    problem: str = ""

    def __str__(self) -> str:
        """One line: what it is, or why it is left out."""
        if self.problem:
            said = f"{self.path}: left out. {self.problem}"
            return "".join(c if c.isprintable() else "?" for c in said)  # it may quote what no TOML can hold
        what = "labelled utterances" if self.use == "labels" else "text"
        where = "a language that is not known" if self.lang == TO_FILL_IN else ", ".join(self.languages)
        extra = f", partitions {', '.join(self.partitions)}" if self.partitions else ""
        return f"{self.path}: {what} ({self.format}) in {where}{extra}" + ("" if self.whole else " (not read to the end)")


def survey(folder: Path, lang: str | None = None) -> list[Found]:
    """What data the files of a folder hold, by name; paths are relative to it.

    lang: of those that do not say theirs. Raises DataError where `folder` is none, RecipeError where `lang` is no language.
    """
    if lang is not None and language_of(lang) is None:
        raise RecipeError("this is not a language or locale", where="--lang", got=lang, wanted="e.g. 'de' or 'de-DE'")
    if not folder.is_dir():
        raise DataError("there is no such folder", where=folder, wanted="a folder with your data")
    folder = folder.absolute()  # as the recipe names it: folders above may be called after a language
    files = sorted(
        f for f in folder.rglob("*") if f.is_file() and not any(p.startswith(".") for p in f.relative_to(folder).parts)
    )
    found = []
    for file in files:
        at = file.parent if file.name == "seq.in" else file
        name = at.relative_to(folder).as_posix()
        try:
            kind = _kind(file) if name.isprintable() else "Its name holds characters that cannot be written into a recipe"
        except DataError as error:
            kind = _brief(error, at, name)
        if isinstance(kind, str):
            found.append(Found(name, "text", "", problem=kind))
        elif kind is not None:
            spare = lang or (_rasa_language(file, folder) if kind[1] == "rasa" else None)
            found.append(_look(at, name, *kind, spare))
    return found


def _brief(error: UnderstudyError, at: Path, name: str) -> str:
    return str(error).replace(str(at), name)


def _kind(file: Path) -> tuple[Use, str] | str | None:
    """Use and format of a file by its name and first lines, why it is left out, or None for what is no data of ours.

    Raises DataError where it cannot be read.
    """
    if file.name == "seq.in":
        return "labels", "seq"
    suffix = suffix_of(file.name)
    if file.name in ("seq.out", "label") or _NOT_DATA.match(file.name) or (suffix not in FORMATS and suffix not in SUFFIXES):
        return None
    if suffix == ".parquet":
        return _table_kind(parquet_columns(str(file)), "parquet")
    bad = BadLines(1.0, file)
    head = [line for _, line in itertools.islice(lines(str(file), bad), _HEAD) if line.strip()]
    if suffix in (".yml", ".yaml"):  # `nlu` may stand anywhere, so a YAML file that is not Rasa's is passed over in silence
        return ("labels", "rasa") if re.search(r"^nlu\s*:", file.read_text(encoding="utf-8", errors="replace"), re.M) else None
    if not head:
        return f"No line of it can be used. {_sentence(bad.first[0])}" if bad.first else "It is empty"
    if FORMATS.get(suffix) == "jsonl":
        return _json_kind(head)
    if suffix != ".conllu" and SUFFIXES.get(suffix) == "bio" and (begins_bio(head) or suffix not in FORMATS):
        return "labels", "bio"
    return _table_kind(_columns(head[0], suffix), "csv") if FORMATS[suffix] == "csv" else ("text", FORMATS[suffix])


def _sentence(first: tuple[int, str]) -> str:
    number, what = first
    return f"Line {number}: {what}"


def _table_kind(columns: list[str], format: str) -> tuple[Use, str] | str:
    return ("labels", "table") if is_labelled(columns) else _unlabelled(columns, format)


def _json_kind(head: list[str]) -> tuple[Use, str] | str:
    labelled = json_format(head[0])
    if labelled:
        return "labels", labelled
    if any('"rasa_nlu_data"' in line for line in head):
        return "Rasa's old JSON is not read; convert it: rasa data convert nlu -f yaml --data FILE --out FILE.yml"
    columns = _columns(head[0], ".jsonl")
    if columns:
        return _unlabelled(columns, "jsonl")
    if head[0].lstrip().startswith(("[", "{")):
        return "It is one JSON document; wanted: one object per line, as jq -c '.[]' FILE.json > FILE.jsonl makes of a list"
    return "Its first line is not a JSON object"


def _columns(first: str, suffix: str) -> list[str]:
    """Names of the columns of a table, or of the fields of a JSON object, by its first line."""
    try:
        if FORMATS[suffix] == "csv":
            mark = "\t" if suffix == ".tsv" else ";" if ";" in first else ","
            return next(csv.reader([first], delimiter=mark), [])
        fields = from_json(first)
    except (ValueError, csv.Error):
        return []
    return list(fields) if isinstance(fields, dict) else []


def _unlabelled(columns: list[str], format: str) -> tuple[Use, str] | str:
    """A table of texts is text, unless a column looks like labels: those would be lost without a word."""
    label = next((c for c in columns if c.strip().lower() in _LABEL_COLUMNS), None)
    if label is None:
        return "text", format
    has, wanted = (
        ("Its rows have", '{"text": "…", "intent": "…"}') if format == "jsonl" else ("It has a column", "text and intent")
    )
    return (
        f"{has} '{label}', which is not read; wanted: {wanted}. For its text alone, name it in the recipe as a source of a corpus"
    )


def _rasa_language(file: Path, folder: Path) -> str | None:
    """The language that a Rasa project's config.yml says, in a folder of the file's path or beside the data."""
    above = [parent for parent in file.parents if parent == folder.parent or parent.is_relative_to(folder)]
    for config in (parent / name for parent in above for name in ("config.yml", "config.yaml")):
        if config.is_file():
            said = re.search(r"""^language\s*:\s*["']?([\w-]+)""", config.read_text(encoding="utf-8", errors="replace"), re.M)
            if said and language_of(said[1]):
                return said[1]
    return None


def _look(at: Path, name: str, use: Use, format: str, spare: str | None) -> Found:
    """What the rows of a file say of it; `spare` is its language where nothing else says it."""
    try:
        return _labels(at, name, format) if use == "labels" else _text(at, name, format)
    except UnderstudyError as error:
        told = error
    try:  # if a language is all it lacks, it can be read with any
        lang = spare or TO_FILL_IN
        if use == "labels":
            return replace(_labels(at, name, format, spare or _ANY), lang=lang)
        if not _says_languages(at, format):
            return replace(_text(at, name, format, spare or _ANY), lang=lang)
    except UnderstudyError as error:
        told = error
    return Found(name, use, format, problem=_brief(told, at, name))


def _labels(at: Path, name: str, format: str, locale: str | None = None) -> Found:
    source = LabelSource.model_validate({"path": str(at), "format": format, "locale": locale})
    locales, partitions, size = set(), set(), 0
    for partition, row in read_labelled(source):
        locales.add(row.locale)
        partitions.add(partition)
        size += len(row.text)
        if size > _MOST:
            break
    return Found(name, "labels", format, _languages(locales), tuple(sorted(partitions)), whole=size <= _MOST)


def _text(at: Path, name: str, format: str, lang: str | None = None) -> Found:
    found = itertools.islice(rows(Source.model_validate({"path": str(at), "format": format, "lang": lang})), _ROWS)
    languages = {row.lang for row in found}
    return Found(name, "text", format, () if lang == _ANY else _languages(languages))


def _says_languages(at: Path, format: str) -> bool:
    """Whether the rows have a column for their language, so that no one language may be said of all."""
    columns: list[str] = []
    if format == "parquet":
        columns = parquet_columns(str(at))
    elif format in ("csv", "jsonl"):
        columns = _columns(first_line(str(at)), suffix_of(at.name))
    return any(column in columns for column in LANGUAGE_COLUMNS)


def _languages(codes: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({language_of(code) or code for code in codes if code != _ANY}))
