"""What an artifact says of itself: kind, settings, parents, seed, versions, metrics, and the SHA-256 of every file."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from understudy.config import Config, Kind, digest
from understudy.errors import ArtifactError

__all__ = [
    "MANIFEST",
    "SCHEMA",
    "File",
    "Manifest",
    "Parent",
    "check_file",
    "fingerprint",
    "hash_all",
    "peek",
    "sha256_of",
    "versions",
]

MANIFEST = "artifact.json"
SCHEMA = 1


class Parent(Config):
    """An artifact another one was made from."""

    path: str
    kind: Kind
    hash: str


class File(Config):
    """Size in bytes and SHA-256 of one file of an artifact."""

    size: int
    sha256: str


class Manifest(Config):
    """The contents of `artifact.json`."""

    kind: Kind
    schema_: int = Field(alias="schema")
    config: dict[str, Any]
    parents: dict[str, Parent]
    fingerprint: str
    seed: int
    tokenizer: str | None = None
    versions: dict[str, str]
    metrics: dict[str, Any]
    seconds: float
    files: dict[str, File]

    @property
    def hash(self) -> str:
        """Content hash: of the kind and of every file, not of when, where or how long."""
        return digest([self.kind, {name: file.sha256 for name, file in self.files.items()}])


def fingerprint(kind: Kind, config: Mapping[str, Any], parents: Mapping[str, Parent], seed: int) -> str:
    """What identifies a piece of work before it is done: equal fingerprints promise equal results."""
    return digest([SCHEMA, kind, config, {name: parent.hash for name, parent in parents.items()}, seed])


def peek(path: Path) -> Manifest | None:
    """The manifest at `path` without checking any file, or None where no readable artifact stands."""
    try:
        return Manifest.model_validate_json((path / MANIFEST).read_bytes())
    except (OSError, ValidationError):
        return None


def check_file(path: Path, recorded: File) -> None:
    """Raises ArtifactError where a file is not what its manifest recorded."""
    again = "Restore the file, or delete the artifact and run its stage again"
    try:
        size = path.stat().st_size
    except OSError:
        raise ArtifactError("a file of this artifact is missing", where=path, hint=again) from None
    if size != recorded.size:
        what = "truncated" if size < recorded.size else "altered"
        raise ArtifactError(
            f"a file of this artifact was {what}", where=path, got=f"{size} bytes", wanted=f"{recorded.size} bytes", hint=again
        )
    found = sha256_of(path)
    if found != recorded.sha256:
        raise ArtifactError(
            "a file of this artifact was altered",
            where=path,
            got=f"sha256 {found[:12]}…",
            wanted=f"{recorded.sha256[:12]}…",
            hint=again,
        )


def hash_all(root: Path) -> dict[str, File]:
    """What a manifest records of every file under `root`, by its path there."""
    files = sorted(p for p in root.rglob("*") if p.is_file())
    return {p.relative_to(root).as_posix(): File(size=p.stat().st_size, sha256=sha256_of(p)) for p in files}


def sha256_of(path: Path) -> str:
    """Of a file's bytes, in hexadecimal."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def versions() -> dict[str, str]:
    """Of Python and of what decides an artifact's content."""
    found = {"python": platform.python_version()}
    for name in ("understudy", "torch", "numpy", "tokenizers", "onnxruntime"):
        with suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found
