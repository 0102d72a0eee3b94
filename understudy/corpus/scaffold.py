"""A first recipe for a folder of the user's data: what is in there, and the stages that make a student of it."""

from __future__ import annotations

import itertools
import json
import logging
import re
import string
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Literal

from understudy.corpus.files import FORMATS, language_of, suffix_of
from understudy.corpus.lines import first_line
from understudy.corpus.sources import Source
from understudy.corpus.units import rows
from understudy.corpus.utterances import SUFFIXES, LabelSource, read_labelled
from understudy.errors import DataError, RecipeError, UnderstudyError

__all__ = ["Found", "scaffold", "survey"]

log = logging.getLogger(__name__)

_LOOK = 500  # rows of a file that are read to know it
_NOT_DATA = re.compile(r"^(readme|license|licence|copying|changelog|manifest|requirements)", re.I)
_BIO_LINE = re.compile(r"^(# ?intent\b|\S+[\t ](?:\S+[\t ])*(?:O|[BI]-\S+)\s*$)")


@dataclass(frozen=True)
class Found:
    """A file, or a folder of seq.in, seq.out and label, that holds data.

    `problem` says why it cannot be used, where it looks like data but is not readable.
    """

    path: str
    use: Literal["labels", "text"]
    format: str
    languages: tuple[str, ...] = ()
    partitions: tuple[str, ...] = ()
    problem: str = ""


def survey(folder: Path) -> list[Found]:
    """What data the files of a folder hold, by name; paths are relative to it. Raises DataError where it is no folder."""
    if not folder.is_dir():
        raise DataError("there is no such folder", where=folder, wanted="a folder with your data")
    files = sorted(
        f for f in folder.rglob("*") if f.is_file() and not any(p.startswith(".") for p in f.relative_to(folder).parts)
    )
    found = []
    for file in files:
        kind = _kind(file)
        if kind is not None:
            at = file.parent if kind[1] == "seq" else file
            found.append(_look(at, at.relative_to(folder).as_posix(), *kind))
    return found


def _kind(file: Path) -> tuple[Literal["labels", "text"], str] | None:
    """Use and format of a file by its name and first line, None for what is no data of ours."""
    if file.name == "seq.in":
        return "labels", "seq"
    if file.name in ("seq.out", "label") or _NOT_DATA.match(file.name):
        return None
    suffix = suffix_of(file.name)
    if suffix in (".yml", ".yaml"):
        return ("labels", "rasa") if re.search(r"^nlu\s*:", file.read_text(encoding="utf-8", errors="replace"), re.M) else None
    if suffix == ".parquet":
        return "text", "parquet"
    if suffix not in FORMATS and suffix not in SUFFIXES:
        return None
    try:
        first = first_line(str(file))
    except DataError:
        return None
    if FORMATS.get(suffix) == "jsonl":
        return _json_kind(first)
    if suffix != ".conllu" and SUFFIXES.get(suffix) == "bio" and (_BIO_LINE.match(first) or suffix not in FORMATS):
        return "labels", "bio"
    return ("text", FORMATS[suffix]) if suffix in FORMATS else None


def _json_kind(first: str) -> tuple[Literal["labels", "text"], str] | None:
    try:
        fields = json.loads(first)
    except ValueError:
        return None
    if not isinstance(fields, dict):
        return None
    if "annot_utt" in fields:
        return "labels", "massive"
    if {"text", "intent"} <= fields.keys():
        return "labels", "spans"
    return ("text", "jsonl") if any(isinstance(v, str) for v in fields.values()) else None


def _look(at: Path, name: str, use: Literal["labels", "text"], format: str) -> Found:
    """What the first rows of a file say of it."""
    try:
        if use == "labels":
            labelled = list(
                itertools.islice(read_labelled(LabelSource.model_validate({"path": str(at), "format": format})), _LOOK)
            )
            partitions = tuple(sorted({partition for partition, _ in labelled}))
            return Found(name, use, format, _languages(row.locale for _, row in labelled), partitions)
        texts = itertools.islice(rows(Source.model_validate({"path": str(at), "format": format})), _LOOK)
        return Found(name, use, format, _languages(row.lang for row in texts))
    except UnderstudyError as error:
        return Found(name, use, format, problem=str(error).replace(str(at), name))


def _languages(codes: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({language_of(code) or code for code in codes}))


def scaffold(folder: Path, out: Path) -> str:
    """Write a commented recipe for the data in `folder` to `out`, and return it.

    Raises DataError where the folder holds no usable data, RecipeError where `out` exists.
    """
    found = survey(folder)
    usable = [f for f in found if not f.problem]
    if not usable:
        raise DataError(
            "no data was recognised in this folder",
            where=folder,
            got=found[0].problem if found else "no file of a known format",
            wanted="labelled utterances (MASSIVE jsonl, BIO/CoNLL, seq.in/seq.out/label, Rasa YAML) or text (txt, jsonl, csv, parquet)",
        )
    if out.exists():
        raise RecipeError("this file exists already", where=out, hint="Choose another name or move it away")
    text = _recipe(folder, out, found)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise RecipeError("the recipe could not be written", where=out, got=error.strerror) from None
    return text


def _recipe(folder: Path, out: Path, found: list[Found]) -> str:
    labels = [f for f in found if f.use == "labels" and not f.problem]
    texts = [f for f in found if f.use == "text" and not f.problem]
    partitions = {p for f in labels for p in f.partitions}
    template = (resources.files(__package__) / "scaffold.toml").read_text(encoding="utf-8")
    template = _without_marks(template) if labels else _comment_out(template)
    own = _sources(labels, extra=', partition = "train"') or _sources(texts)
    nothing = ['    # { path = "…" },    # nothing found: name your text here']
    held = 'held_out = 0.1   # no dev or test data was found: this share of train is held out as "held"'
    measured = next((p for p in ("dev", "test") if p in partitions), "held")
    return string.Template(template).substitute(
        folder=json.dumps(folder.absolute().as_posix(), ensure_ascii=False)[1:-1],
        recipe=out.name,
        partition=measured,
        name=re.sub(r"[^A-Za-z0-9_-]+", "-", folder.absolute().name).strip("-") or "mine",
        found="\n".join(_line(f) for f in found),
        languages=", ".join(sorted({lang for f in found for lang in f.languages})) or "languages unknown",
        text_sources="\n".join(_sources(texts) or own or nothing),
        traffic_sources="\n".join(own or nothing),
        label_sources="\n".join(_sources(labels) or nothing),
        held_out=held
        if not partitions & {"dev", "test"}
        else "held_out = 0.0   # a share of train to hold out as a partition `held`",
    )


def _line(found: Found) -> str:
    if found.problem:
        return f"#   {found.path}: left out. {found.problem}"
    what = "labelled utterances" if found.use == "labels" else "text"
    extra = f", partitions {', '.join(found.partitions)}" if found.partitions else ""
    return f"#   {found.path}: {what} ({found.format}) in {', '.join(found.languages)}{extra}"


def _sources(found: list[Found], extra: str = "") -> list[str]:
    """Source lines; the files of one folder that all have one use and format become one pattern."""
    groups: dict[tuple[str, str, str], list[Found]] = {}
    for item in found:
        pure = Path(item.path)
        groups.setdefault((pure.parent.as_posix(), item.format, pure.suffix), []).append(item)
    lines = []
    for (parent, format, suffix), items in groups.items():
        one = len(items) == 1 or format == "seq"
        for path in [i.path for i in items] if one else [f"{'' if parent == '.' else parent + '/'}*{suffix}"]:
            quoted = json.dumps(f"{{data_root}}/{path}", ensure_ascii=False)
            lines.append(f"    {{ path = {quoted}, format = {json.dumps(format)}{extra} }},")
    return lines


def _without_marks(template: str) -> str:
    return "".join(line for line in template.splitlines(keepends=True) if not line.startswith(("#> ", "#< ")))


def _comment_out(template: str) -> str:
    """The template with its blocks on labels as comments, for a folder without labels."""
    inside, out = False, []
    for line in template.splitlines():
        if line.startswith(("#> ", "#< ")):
            inside = line.startswith("#> ")
            if inside:
                out.append("# No labelled utterances were found. With some, take the comment signs off what follows.")
            continue
        out.append(f"# {line}".rstrip() if inside else line)
    return "\n".join(out) + "\n"
