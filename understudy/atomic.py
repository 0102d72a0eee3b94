"""Directories and files that appear whole or not at all; directories written by one process at a time."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

__all__ = ["locked", "replacing", "write_texts"]


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep other processes from `path`, which need not exist. Raises BlockingIOError where one keeps it already."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with (path.parent / f".{path.name}.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """An empty directory beside `path` to write in; at the end it is synced to disk and takes the place of `path`.

    On any exception the draft is removed and what stood at `path` stays. A draft left by a kill -9 is cleared away next time.
    """
    draft = path.parent / f".{path.name}.tmp"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    try:
        yield draft
        for inside in sorted(draft.rglob("*")):
            _sync(inside)
        _rename(draft, path)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def write_texts(folder: Path, files: Mapping[str, str]) -> None:
    """Write UTF-8 texts by file name into `folder`, which is made where it is missing, each in place of what stood there."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        draft = folder / f".{name}.tmp"
        try:
            draft.write_text(text, encoding="utf-8")
            _sync(draft)
            draft.replace(folder / name)
        finally:
            draft.unlink(missing_ok=True)


def _rename(draft: Path, path: Path) -> None:
    """A kill between the two renames leaves the old directory under `.NAME.old`, which is removed next time."""
    old = path.parent / f".{path.name}.old"
    shutil.rmtree(old, ignore_errors=True)
    if path.exists():
        path.rename(old)
    draft.rename(path)
    _sync(path.parent)
    shutil.rmtree(old, ignore_errors=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
