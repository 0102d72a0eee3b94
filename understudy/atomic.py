"""Directories and files that appear whole or not at all; directories written by one process at a time."""

from __future__ import annotations

import ctypes
import fcntl
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from understudy.errors import ArtifactError

__all__ = ["locked", "replacing", "sync", "writable", "write_texts"]

ELSEWHERE = "Name another place"

# Of Linux's renameat2(2): paths are as the process sees them, and the two change places.
AT_FDCWD, RENAME_EXCHANGE = -100, 2


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
    path = path.resolve()  # a link to a larger disk stays one
    draft = path.parent / f".{path.name}.tmp"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    try:
        yield draft
        for inside in [*sorted(draft.rglob("*")), draft]:
            sync(inside)
        _rename(draft, path)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def write_texts(folder: Path, files: Mapping[str, str]) -> None:
    """Write UTF-8 texts by file name into `folder`, which is made where it is missing, each in place of what stood there.

    Raises ArtifactError where one cannot be written there.
    """
    for name in files:
        writable(folder / name)
    for name, text in files.items():
        draft = folder / f".{name}.tmp"
        try:
            draft.write_text(text, encoding="utf-8")
            sync(draft)
            draft.replace(folder / name)
        finally:
            draft.unlink(missing_ok=True)


def writable(path: Path) -> None:
    """Make the folder of a file that is to be written. Raises ArtifactError where the file cannot stand there: ask before the work
    whose outcome it is to hold."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ArtifactError("a folder cannot be made here", where=path.parent, got=error.strerror, hint=ELSEWHERE) from None
    if path.is_dir():
        raise ArtifactError("a file is to be written here", where=path, got="a folder", hint=ELSEWHERE)
    if not os.access(path.parent, os.W_OK):
        raise ArtifactError("nothing can be written into this folder", where=path.parent, got="no permission", hint=ELSEWHERE)


def _rename(draft: Path, path: Path) -> None:
    """Where the two cannot be exchanged, a kill between two renames leaves the old directory under `.NAME.old`, which is removed
    next time."""
    old = path.parent / f".{path.name}.old"
    shutil.rmtree(old, ignore_errors=True)
    if not (path.exists() and _exchange(draft, path)):
        if path.exists():
            path.rename(old)
        draft.rename(path)
    sync(path.parent)
    shutil.rmtree(old, ignore_errors=True)


def _exchange(one: Path, other: Path) -> bool:
    """Let two directories change places in one step, so that each path always has one. False where that was not done: not every
    system and file system knows how, and whatever else is wrong the renames that follow will tell."""
    renameat2 = getattr(ctypes.CDLL(None), "renameat2", None)
    if renameat2 is None:
        return False
    return bool(renameat2(AT_FDCWD, os.fsencode(one), AT_FDCWD, os.fsencode(other), RENAME_EXCHANGE) == 0)


def sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
