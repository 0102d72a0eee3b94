"""Where a user's data stands: files, folders, patterns and URLs, their formats, and the languages and partitions in their names."""

from __future__ import annotations

import functools
import glob
import os
import re
from pathlib import Path, PurePosixPath
from typing import Annotated

import daft
from babel import localedata
from pydantic import AfterValidator

from understudy.errors import DataError, nearest

__all__ = [
    "COMPRESSIONS",
    "FORMATS",
    "PARTITIONS",
    "Languages",
    "brief",
    "expand",
    "is_missing",
    "is_remote",
    "language_of",
    "language_of_path",
    "local_files",
    "partition_called",
    "partition_of_path",
    "quiet_daft",
    "suffix_of",
]

FORMATS: dict[str, str] = {
    ".txt": "txt",
    ".text": "txt",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".csv": "csv",
    ".tsv": "csv",
    ".parquet": "parquet",
    ".conllu": "conllu",
}
"""Format of unlabelled text by the suffix of the file name (without that of its compression)."""

PARTITIONS = {
    "train": "train", "training": "train", "dev": "dev", "valid": "dev", "validation": "dev", "val": "dev", "eval": "dev",
    "development": "dev", "test": "test", "testing": "test", "held": "held",
}  # fmt: skip
"""Names that folders and files give to partitions, and ours."""

_PARTITION = re.compile(r"\w[\w.-]{0,63}")
COMPRESSIONS = (".gz", ".xz", ".bz2", ".zst")
_REMOTE = re.compile(r"^(https?|hf|s3|s3a|gs|gcs|az|abfs|abfss)://")
_LOCALE = re.compile(r"^([a-z]{2})(?:[-_][A-Z][a-z]{3})?(?:[-_](?:[A-Z]{2}|\d{3}))?$")


def is_remote(path: str) -> bool:
    """Whether `path` is a URL (http, https, hf, s3, gs, az)."""
    return _REMOTE.match(path) is not None


def suffix_of(path: str) -> str:
    """The suffix that tells the format, in lower case, below that of a compression: `.jsonl` for `de.jsonl.gz`."""
    suffixes = [s.lower() for s in PurePosixPath(path.split("?")[0]).suffixes]
    while suffixes and suffixes[-1] in COMPRESSIONS:
        suffixes.pop()
    return suffixes[-1] if suffixes else ""


def expand(path: str, suffixes: tuple[str, ...]) -> list[str]:
    """The files that `path` stands for, sorted: itself, the files of a folder with one of `suffixes`, or those a glob finds.

    Raises DataError where there are none.
    """
    if is_remote(path):
        return _expand_remote(path)
    files = [str(f) for f in local_files(path, suffixes)]
    if files:
        return files
    if Path(path).is_dir():
        raise DataError("this folder holds no data", where=path, wanted=f"files ending in {', '.join(suffixes)}")
    if any(c in path for c in "*?["):
        raise DataError("no file matches this pattern", where=path, got=f"the current directory is {Path.cwd()}")
    parent = Path(path).parent
    known = [f.name for f in parent.iterdir()] if parent.is_dir() else []
    raise DataError("there is no such file or folder", where=path, hint=nearest(Path(path).name, known))


def local_files(path: str, suffixes: tuple[str, ...]) -> list[Path]:
    """As `expand` for a path on this machine, but an empty list where nothing stands there or `path` is a URL."""
    at = Path(path)
    if is_remote(path):
        return []
    if at.is_file():
        return [at]
    if at.is_dir():
        found = (f for f in at.rglob("*") if f.is_file() and not any(p.startswith(".") for p in f.relative_to(at).parts))
        return sorted(f for f in found if suffix_of(f.name) in suffixes)
    return sorted(Path(f) for f in glob.glob(path, recursive=True) if Path(f).is_file())  # noqa: PTH207  a pattern may be absolute


def is_missing(path: str) -> bool:
    """Whether `path` is one of this machine where nothing stands, nor does any file match it."""
    return not is_remote(path) and not Path(path).exists() and not local_files(path, ())


def _expand_remote(path: str) -> list[str]:
    if not any(c in path.split("?")[0] for c in "*["):
        return [path]
    quiet_daft()
    try:
        found = sorted(str(p) for p in daft.from_glob_path(path).to_pydict()["path"])
    except Exception as error:
        raise DataError(
            "these files could not be listed", where=path, got=brief(error), hint="Name the files one by one"
        ) from None
    if not found:
        raise DataError("no file matches this pattern", where=path)
    return found


@functools.cache
def _known_languages() -> frozenset[str]:
    return frozenset(code for code in localedata.locale_identifiers() if len(code) == 2)


@functools.lru_cache(maxsize=4096)
def language_of(code: str) -> str | None:
    """The two-letter language of a code or locale (`de`, `de-DE`, `zh_Hans_CN`), None where it names no language."""
    match = _LOCALE.match(code)
    return match[1] if match and match[1] in _known_languages() else None


def _known(codes: tuple[str, ...]) -> tuple[str, ...]:
    for code in codes:
        if language_of(code) is None:
            raise ValueError(f"'{code}' is not a language code; wanted two letters such as 'de'")
    return codes


Languages = Annotated[tuple[str, ...], AfterValidator(_known)]
"""Codes of languages in settings."""


def language_of_path(path: str) -> tuple[str, str] | None:
    """Language and the code it was read from in a file name (`de.parquet`, `cc100.de.txt.xz`, `de-DE/train.txt`, `de_gsd-dev.conllu`,
    `train_DE.tsv`).

    Two folders up only a whole locale counts, as `/srv/it/texts/a.txt` need not be Italian; but `en/train/seq.in` is English: a
    folder named like a partition stands below that of a language.
    """
    pure = PurePosixPath(path.split("?")[0].replace(os.sep, "/"))
    parts = pure.name.split(".")
    above = pure.parent.parent.name
    counts = len(above) > 2 or pure.parent.name.lower() in PARTITIONS
    first, _, rest = parts[0].partition("_")
    joined = [first] if suffix_of(path) == ".conllu" else []  # as Universal Dependencies names its files
    joined += [rest.lower()] if first.lower() in PARTITIONS else []  # as MultiATIS++ does
    for candidate in [*joined, *parts[:1], *parts[1:-1][::-1], pure.parent.name, *([above] if counts else [])]:
        language = language_of(candidate)
        if language:
            return language, candidate
    return None


def partition_called(name: str, *, where: str | None = None) -> str:
    """Our name for a partition that data or settings name ("Validation" is `dev`), its own where it is none of PARTITIONS.

    Raises DataError for a name that could not be that of a file.
    """
    if not _PARTITION.fullmatch(name):
        wanted = "at most 64 letters, digits, '_', '-' and '.', such as train"
        raise DataError("this cannot be the name of a partition", where=where, got=repr(name)[:200], wanted=wanted)
    return PARTITIONS.get(name.lower(), name)


def partition_of_path(path: str) -> str:
    """The partition that a file's name or folder says (`train.jsonl`, `valid/seq.in`, `de_gsd-dev.conllu`), train where none does."""
    pure = PurePosixPath(path.split("?")[0].replace(os.sep, "/"))
    for name in [*pure.name.lower().split("."), pure.parent.name.lower(), *pure.stem.lower().replace("_", "-").split("-")]:
        if name in PARTITIONS:
            return PARTITIONS[name]
    return "train"


def quiet_daft() -> None:
    """No usage reports to daft's makers and no bars beside our own, unless the user asked for them."""
    os.environ.setdefault("DAFT_ANALYTICS_ENABLED", "0")
    os.environ.setdefault("DAFT_PROGRESS_BAR", "0")


def brief(error: BaseException) -> str:
    """What an error of another library says, on one line of at most 300 characters."""
    return " ".join(str(error).split())[:300] or type(error).__name__
