"""Labelled utterances from any of the usual formats, or from the built-in world."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Literal

from pydantic import model_validator

from understudy.artifact import MANIFEST
from understudy.config import Config, parse
from understudy.corpus import tinyworld
from understudy.corpus.bio import read_bio, read_seq
from understudy.corpus.files import (
    expand,
    language_of,
    language_of_path,
    local_files,
    partition_called,
    partition_of_path,
    suffix_of,
)
from understudy.corpus.formats import Labelled, json_format, read_massive, read_own
from understudy.corpus.lines import first_line
from understudy.corpus.rasa import read_rasa
from understudy.corpus.sampling import derive, normal
from understudy.corpus.tabular import is_labelled, read_table
from understudy.errors import DataError, nearest
from understudy.interpretation import Interpretation

__all__ = [
    "SUFFIXES",
    "LabelSource",
    "check_codes",
    "is_wanted",
    "partition_of",
    "read_labelled",
    "read_labels",
    "read_partition",
    "read_partitions",
]

LabelFormat = Literal["auto", "massive", "bio", "seq", "rasa", "spans", "table"]
SUFFIXES = {
    ".jsonl": "massive", ".ndjson": "massive", ".json": "massive", ".yml": "rasa", ".yaml": "rasa",
    ".bio": "bio", ".iob": "bio", ".iob2": "bio", ".conll": "bio", ".tsv": "bio", ".txt": "bio", ".conllu": "bio", ".in": "seq",
    ".csv": "table", ".parquet": "table",
}  # fmt: skip
_EITHER = {"spans": (".jsonl", ".ndjson", ".json"), "table": (".tsv",)}  # suffixes that formats share
_TRIES = 500


class LabelSource(Config):
    """Where labelled utterances come from.

    Attributes:
        path: a file, a folder (all files of the format, at any depth) or a pattern. For "seq" a folder with seq.in, seq.out
            and label, or one above such folders.
        builtin: the built-in world instead of a path.
        size: of the built-in world: rows per language of each partition, e.g. {train = 40, dev = 200}.
        format: told by default from the names and, of JSON lines, from the keys of the first: `annot_utt` is MASSIVE's, `text`
            and `intent` are "spans", which this stage itself writes. A "table" is CSV, TSV or parquet with the columns text (or
            utterance) and intent, and tags (or slot_labels) where there are slots.
        partition: name of the partition of rows that do not say theirs; by default from the name of the file or its folder
            (train, valid or dev, test), else train.
        locale: locale or language of rows that do not say theirs; by default from the name of the file or its folder.
        languages: rows of these languages or locales only.
    """

    path: str | None = None
    builtin: Literal["assistant"] | None = None
    size: dict[str, int] | None = None
    format: LabelFormat = "auto"
    partition: str | None = None
    locale: str | None = None
    languages: tuple[str, ...] | None = None

    @model_validator(mode="after")
    def _whole(self) -> LabelSource:
        if (self.path is None) == (self.builtin is None):
            raise ValueError("a source needs either `path` or `builtin`")
        if (self.builtin is None) != (self.size is None):
            raise ValueError("`size` (rows per language of each partition) goes with `builtin`, and only with it")
        if any(n <= 0 for n in (self.size or {}).values()):
            raise ValueError("`size` counts rows: wanted whole numbers above 0")
        if self.locale is not None and language_of(self.locale) is None:
            raise ValueError(f"'{self.locale}' is not a locale; wanted e.g. 'de-DE' or 'de'")
        for name in (self.partition, *(self.size or ())):
            if name is not None:
                partition_called(name)
        check_codes(self.languages)
        return self

    def files(self) -> list[Path]:
        """The files on this machine that the source reads."""
        if self.path is None:
            return []
        found = local_files(self.path, tuple(SUFFIXES))
        return sorted(
            {g for f in found for g in ([f.parent / n for n in ("seq.in", "seq.out", "label")] if f.name == "seq.in" else [f])}
        )


def check_codes(codes: Iterable[str] | None) -> None:
    """Raises ValueError for one that is no language or locale."""
    for code in codes or ():
        if language_of(code) is None:
            raise ValueError(f"'{code}' is not a language or locale; wanted e.g. 'de' or 'de-DE'")


def is_wanted(locale: str, wanted: tuple[str, ...] | None) -> bool:
    """Whether a locale, or its language, is among those `wanted`; None wants all."""
    return wanted is None or locale in wanted or language_of(locale) in wanted


def read_labelled(source: LabelSource, *, seed: int = 0) -> Iterator[Labelled]:
    """Partition and Interpretation of every utterance of a source, in the order of its files and lines.

    Raises DataError with file and line where anything is missing or malformed, and where nothing is left.
    """
    found = False
    stream = _builtin(source, seed) if source.builtin else _from_files(source)
    for partition, row in stream:
        if language_of(row.locale) is None:
            raise DataError(
                "the locale of these utterances is not known",
                where=source.path,
                got=repr(row.locale),
                hint='Say locale = "de-DE" (--locale de-DE), or name the file or its folder so',
            )
        if is_wanted(row.locale, source.languages):
            found = True
            yield partition, row
    if not found:
        raise DataError(
            "this source holds no labelled utterances", where=source.path, got=source.languages and "none of its languages"
        )


def _from_files(source: LabelSource) -> Iterator[Labelled]:
    assert source.path is not None
    paths = expand(source.path, _suffixes(source.format))
    whole = [p for p in paths if Path(p).name == "seq.in"]
    for path in whole if source.format == "seq" or (whole and source.format == "auto") else paths:
        format = _detect(path) if source.format == "auto" else source.format
        place = language_of_path(path)
        locale = source.locale or (place[1] if place else None)
        partition = source.partition or partition_of_path(path)
        if locale and format in ("massive", "spans") and source.locale is None and not is_wanted(locale, source.languages):
            continue
        if format == "seq":
            yield from read_seq(str(Path(path).parent), partition=partition, locale=locale)
        else:
            yield from _READERS[format](path, partition=partition, locale=locale)


_READERS = {"massive": read_massive, "bio": read_bio, "rasa": read_rasa, "spans": read_own, "table": read_table}


def _suffixes(format: LabelFormat) -> tuple[str, ...]:
    """Of the files that a folder is searched for."""
    return tuple(s for s, f in SUFFIXES.items() if format in ("auto", f) or s in _EITHER.get(format, ()))


def _detect(path: str) -> str:
    suffix = suffix_of(path)
    if suffix not in SUFFIXES:
        raise DataError(
            "the format of these labels cannot be told from this name",
            where=path,
            wanted=f"a name ending in {', '.join(SUFFIXES)}",
            hint="Or say format = massive, bio, seq, rasa, spans or table",
        )
    if suffix == ".tsv" and is_labelled(first_line(path).split("\t")):
        return "table"
    if SUFFIXES[suffix] != "massive":
        return SUFFIXES[suffix]
    first = first_line(path)
    return json_format(first) or ("spans" if '"text"' in first else "massive")  # whose reader then says what is missing


def _builtin(source: LabelSource, seed: int) -> Iterator[Labelled]:
    """Distinct utterances per partition; none stands in two of them."""
    for lang in sorted(tinyworld.LOCALES):
        if not is_wanted(tinyworld.LOCALES[lang], source.languages):
            continue
        seen: set[str] = set()
        for partition, size in (source.size or {}).items():
            stream = tinyworld.utterances(lang, seed=derive(f"labels/{partition}/{lang}", seed))
            left = size
            for tries, row in enumerate(stream):
                if normal(row.text) not in seen:
                    seen.add(normal(row.text))
                    yield partition, row
                    left -= 1
                if not left:
                    break
                if tries > _TRIES * size:
                    raise DataError(
                        f"the built-in world has not so many different utterances in '{lang}'",
                        got=f"{size - left} for '{partition}'",
                        wanted=size,
                        hint="Ask for fewer",
                    )


def read_partitions(path: Path, format: str = "auto", locale: str | None = None) -> dict[str, list[Interpretation]]:
    """All utterances by partition: of a labels artifact, or of a file or folder as `LabelSource` takes it.

    locale: of utterances that do not say theirs.

    Raises RecipeError for an unknown format, DataError where anything cannot be read.
    """
    if (path / MANIFEST).is_file():
        files = sorted(f for f in path.glob("*.jsonl"))
        if not files:
            raise DataError("this artifact holds no labels", where=path, wanted="what a labels stage made, or labelled files")
        return {file.stem: read_labels(file) for file in files}
    found: dict[str, list[Interpretation]] = {}
    source = {"path": str(path), "format": format, "locale": locale}
    for partition, row in read_labelled(parse(LabelSource, source, where="labels")):
        found.setdefault(partition, []).append(row)
    return found


def read_labels(path: Path) -> list[Interpretation]:
    """The utterances of one {partition}.jsonl of a labels artifact. Raises DataError with file and line."""
    return [row for _, row in read_own(str(path), partition=Path(path).stem, locale=None)]


def read_partition(labels: Path, partition: str) -> list[Interpretation]:
    """The utterances of one partition of a labels artifact. Raises DataError where there is none of this name, or with file and line."""
    path = labels / f"{partition}.jsonl"
    if not path.is_file():
        raise _missing(partition, [there.stem for there in labels.glob("*.jsonl")], labels)
    return read_labels(path)


def partition_of(parts: Mapping[str, list[Interpretation]], partition: str, *, where: Path) -> list[Interpretation]:
    """One of the `parts` that `read_partitions` read from `where`. Raises DataError where there is none of this name."""
    if partition not in parts:
        raise _missing(partition, parts, where)
    return parts[partition]


def _missing(partition: str, known: Iterable[str], where: Path) -> DataError:
    names = sorted(known)
    wanted = f"one of {', '.join(names)}" if names else "labels"
    return DataError(
        "the labels have no such partition", where=where, got=partition, wanted=wanted, hint=nearest(partition, names)
    )
