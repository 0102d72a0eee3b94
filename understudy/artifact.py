"""Typed directories: what a stage makes and what the next one reads.

An artifact is a directory with an `artifact.json` that explains it: kind, resolved config, parents by content hash, seed,
versions, metrics and the SHA-256 of every file. It appears whole or not at all (`atomic`).

    with artifact.writing(path, kind="corpus", config=config, parents=[...], seed=0) as draft:
        (draft.path / "train.parquet").write_bytes(...)
        draft.metrics["rows"] = 3
    corpus = artifact.open(path, kind="corpus")

`draft.scratch` is a directory that outlives a killed process: a stage keeps its checkpoints there and finds them again
when the same work (same fingerprint) is started anew. It is emptied when the fingerprint differs and removed on success.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from understudy import atomic
from understudy.config import Config, Kind, digest
from understudy.errors import ArtifactError

__all__ = [
    "MANIFEST", "Artifact", "Draft", "Manifest", "Parent", "fingerprint", "following", "interrupted", "open", "peek", "writing",
]  # fmt: skip

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


@dataclass(frozen=True)
class Artifact:
    """An opened artifact: where it stands and what it says of itself."""

    path: Path
    manifest: Manifest

    @property
    def kind(self) -> Kind:
        return self.manifest.kind

    @property
    def hash(self) -> str:
        return self.manifest.hash

    @property
    def metrics(self) -> Mapping[str, Any]:
        return self.manifest.metrics

    @property
    def config(self) -> Mapping[str, Any]:
        return self.manifest.config


@dataclass
class Draft:
    """An artifact being written. Files go under `path`; `metrics` and `tokenizer` go into the manifest.

    runs: where what is kept of the runs that made it may go: beside it, for its own files are hashed, and never deleted.
    """

    path: Path
    scratch: Path
    runs: Path
    metrics: dict[str, Any] = field(default_factory=dict)
    tokenizer: str | None = None


def fingerprint(kind: Kind, config: Mapping[str, Any], parents: Mapping[str, Parent], seed: int) -> str:
    """What identifies a piece of work before it is done: equal fingerprints promise equal results."""
    return digest([SCHEMA, kind, config, {name: parent.hash for name, parent in parents.items()}, seed])


def peek(path: Path) -> Manifest | None:
    """The manifest at `path` without checking any file, or None where no readable artifact stands."""
    try:
        return Manifest.model_validate_json((path / MANIFEST).read_bytes())
    except (OSError, ValidationError):
        return None


def interrupted(path: Path, mark: str) -> bool:
    """Whether work with the fingerprint `mark` was begun for `path` and cut off, leaving something to resume from."""
    scratch = _scratch(path)
    stamp = scratch / "fingerprint"
    try:
        return stamp.read_text() == mark and any(p != stamp for p in scratch.iterdir())
    except OSError:
        return False


def open(path: Path | str, *, kind: Kind | Sequence[Kind] | None = None) -> Artifact:
    """The artifact at `path`, with every file checked against its recorded hash.

    Raises ArtifactError where it is missing, foreign, of another kind, truncated, altered or of an unknown schema.
    """
    path = Path(path)
    wanted = [kind] if isinstance(kind, str) else list(kind) if kind else []
    expected = f"a directory with {MANIFEST}" + (f" of kind {' or '.join(wanted)}" if wanted else "")
    if not path.is_dir():
        raise ArtifactError(
            "there is no such artifact", where=path, got="a file" if path.exists() else "nothing", wanted=expected
        )
    try:
        raw = (path / MANIFEST).read_bytes()
    except OSError as error:
        raise ArtifactError(
            f"this directory is not an artifact: {MANIFEST} cannot be read", where=path, got=error.strerror, wanted=expected
        ) from None
    try:
        schema = json.loads(raw).get("schema")
        manifest = Manifest.model_validate_json(raw) if schema == SCHEMA else None
    except (ValueError, AttributeError) as error:
        raise ArtifactError(
            "the manifest is damaged", where=path / MANIFEST, got=str(error).splitlines()[0], wanted="what understudy wrote"
        ) from None
    if manifest is None:
        raise ArtifactError(
            "the manifest has another schema",
            where=path / MANIFEST,
            got=schema,
            wanted=SCHEMA,
            hint="Make the artifact again with this version",
        )
    if wanted and manifest.kind not in wanted:
        raise ArtifactError("this artifact is of another kind", where=path, got=manifest.kind, wanted=" or ".join(wanted))
    for name, file in manifest.files.items():
        _check_file(path / name, file)
    return Artifact(path, manifest)


def _check_file(path: Path, recorded: File) -> None:
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
    found = _sha256(path)
    if found != recorded.sha256:
        raise ArtifactError(
            "a file of this artifact was altered",
            where=path,
            got=f"sha256 {found[:12]}…",
            wanted=f"{recorded.sha256[:12]}…",
            hint=again,
        )


@contextmanager
def writing(
    path: Path | str,
    *,
    kind: Kind,
    config: Mapping[str, Any],
    parents: Mapping[str, Artifact] | None = None,
    seed: int = 0,
) -> Iterator[Draft]:
    """Write an artifact at `path`, replacing what stands there only once the new one is whole.

    Raises ArtifactError where another process is writing the same artifact, where something foreign stands at `path`, or
    where the disk is full or not writable. On any exception nothing of the draft remains but its scratch directory.
    """
    path = Path(path).absolute()
    if path.exists() and not (path / MANIFEST).exists() and (not path.is_dir() or any(path.iterdir())):
        raise ArtifactError(
            "something that is not an artifact stands here", where=path, hint="Choose another directory or move it away"
        )
    lineage = {
        name: Parent(path=os.path.relpath(a.path.absolute(), path.parent), kind=a.kind, hash=a.hash)
        for name, a in (parents or {}).items()
    }
    mark = fingerprint(kind, config, lineage, seed)
    scratch = _scratch(path)
    started = time.monotonic()
    try:
        with atomic.locked(path):
            with atomic.replacing(path) as temporary:
                _prepare(scratch, mark)
                draft = Draft(temporary, scratch, path.parent / ".runs" / path.name)
                yield draft
                manifest = Manifest(
                    kind=kind,
                    schema=SCHEMA,
                    config=dict(config),
                    parents=lineage,
                    fingerprint=mark,
                    seed=seed,
                    tokenizer=draft.tokenizer,
                    versions=_versions(),
                    metrics=draft.metrics,
                    seconds=round(time.monotonic() - started, 3),
                    files=_hash_all(temporary),
                )
                (temporary / MANIFEST).write_text(manifest.model_dump_json(by_alias=True, indent=2), encoding="utf-8")
            shutil.rmtree(scratch, ignore_errors=True)
    except BlockingIOError:
        raise ArtifactError(
            "another process is writing this artifact",
            where=path,
            hint="Wait for it to end, or give this run a directory of its own (artifacts=DIR)",
        ) from None
    except OSError as error:
        raise ArtifactError(
            "the artifact could not be written",
            where=path,
            got=f"{error.strerror or error} ({error.filename})" if error.filename else error.strerror or error,
            hint="Free some space or choose a directory you may write to; what stood there before is untouched",
        ) from error


def following(path: Path | str) -> Draft:
    """What the other processes of a stage hold while one is `writing`: the same scratch directory, and nothing to write to."""
    path = Path(path).absolute()
    return Draft(_scratch(path), _scratch(path), path.parent / ".runs" / path.name)


def _scratch(path: Path) -> Path:
    return path.parent / f".{path.name}.scratch"


def _prepare(scratch: Path, mark: str) -> None:
    stamp = scratch / "fingerprint"
    if scratch.exists() and (not stamp.exists() or stamp.read_text() != mark):
        shutil.rmtree(scratch)
    if not scratch.exists():
        scratch.mkdir()
        stamp.write_text(mark)


def _hash_all(root: Path) -> dict[str, File]:
    files = sorted(p for p in root.rglob("*") if p.is_file())
    return {p.relative_to(root).as_posix(): File(size=p.stat().st_size, sha256=_sha256(p)) for p in files}


def _sha256(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in ("understudy", "torch", "numpy", "tokenizers", "onnxruntime"):
        with suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found
