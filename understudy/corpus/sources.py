"""Unlabelled text: what a source is. It is a file, a folder, a pattern or a URL, or the built-in world."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from understudy.artifact import Artifact
from understudy.config import Config, LabelsRef
from understudy.corpus import tinyworld
from understudy.corpus.files import (
    FORMATS,
    language_of,
    local_files,
    suffix_of,
)
from understudy.corpus.lines import MAX_LINE, first_line
from understudy.corpus.utterances import LabelSource
from understudy.errors import DataError

__all__ = ["LABELLED", "Format", "Source", "detect"]


Format = Literal["auto", "txt", "jsonl", "csv", "parquet", "conllu", "massive", "bio", "seq", "rasa", "spans", "table"]
LABELLED = frozenset({"bio", "seq", "rasa", "spans", "table"})


class Source(Config):
    """Where unlabelled text comes from.

    Attributes:
        path: a file, a folder (all files with a known suffix, at any depth), a pattern with `*`, or a URL (http, https,
            hf, s3). `hf://datasets/OWNER/NAME` reads a Hugging Face dataset, a path below it single files.
        builtin: the built-in world instead of a path: "text" (written sentences) or "traffic" (assistant utterances as often
            as they are said).
        size: rows per language of the built-in world.
        labels: a labels stage instead of a path: the utterances of its `partition`, such as those that it held out.
        format: told from the name by default; txt, jsonl, csv and conllu also compressed (gz, xz, bz2, zst). Labelled data
            (massive, bio, seq, rasa, spans, table) gives its utterances.
        text: column of the text.
        lang: language code of all rows. By default the language is that of `lang_column`, of the file name (de.parquet,
            de-DE.jsonl, cc100.de.txt, de/part-1.txt, de_gsd-dev.conllu), or of a column named lang, language or locale.
        lang_column: column of the language code or locale.
        count: column that says how often the text was seen.
        partition: for labelled data: rows of this partition only, which a row names, or else its file or folder.
        languages: rows of these languages only.
        limit: at most this many rows per language, the first ones.
        bad_lines: share of lines that may be unusable before the reading stops. Labelled files (massive, conllu) allow none.
        max_line: longest line in bytes.
    """

    path: str | None = None
    builtin: Literal["text", "traffic"] | None = None
    size: int | None = Field(default=None, gt=0)
    labels: LabelsRef | None = None
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
        if sum(place is not None for place in (self.path, self.builtin, self.labels)) != 1:
            raise ValueError("a source needs one of `path`, `builtin` and `labels`")
        if self.labels is not None and self.partition is None:
            raise ValueError("`labels` needs a `partition` to read")
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

    def located(self, inputs: Mapping[str, Artifact]) -> Source:
        """The source by its path, where it names a labels stage."""
        if self.labels is None:
            return self
        path = inputs[self.labels].path / f"{self.partition}.jsonl"
        return self.model_copy(update={"labels": None, "path": str(path), "format": "spans", "partition": None})

    def files(self) -> list[Path]:
        """The files on this machine that the source reads."""
        if self.path is None:
            return []
        if self.format in LABELLED:
            return LabelSource.model_validate({"path": self.path, "format": self.format}).files()
        return local_files(self.path, tuple(FORMATS))


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
