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

import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from understudy import atomic
from understudy.config import Kind
from understudy.errors import ArtifactError, nearest
from understudy.manifest import MANIFEST, SCHEMA, Manifest, Parent, check_file, fingerprint, hash_all, peek, versions

__all__ = [
    "MANIFEST", "Artifact", "Draft", "Manifest", "Parent", "copy", "find", "fingerprint", "following", "interrupted", "open", "peek",
    "writing",
]  # fmt: skip


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
        beside = nearest(path.name, _artifacts_in(path.parent, wanted))
        got = "a file" if path.exists() else "nothing"
        raise ArtifactError("there is no such artifact", where=path, got=got, wanted=expected, hint=beside)
    manifest = _read(path, wanted, expected)
    if wanted and manifest.kind not in wanted:
        raise ArtifactError("this artifact is of another kind", where=path, got=manifest.kind, wanted=" or ".join(wanted))
    for name, file in manifest.files.items():
        check_file(path / name, file)
    return Artifact(path, manifest)


def _read(path: Path, wanted: Sequence[Kind], expected: str) -> Manifest:
    again = "Restore the file, or delete the artifact and run its stage again"
    try:
        raw = (path / MANIFEST).read_bytes()
    except FileNotFoundError:
        inside = _artifacts_in(path, wanted)
        hint = f"It holds artifacts: {', '.join(inside)}. Name one of them, such as {path / inside[0]}" if inside else None
        what = f"this directory is not an artifact: it has no {MANIFEST}"
        raise ArtifactError(what, where=path, wanted=expected, hint=hint) from None
    except OSError as error:
        raise ArtifactError(f"{MANIFEST} cannot be read", where=path, got=error.strerror, wanted=expected) from None
    damaged = ArtifactError("the manifest is damaged", where=path / MANIFEST, wanted="the JSON that understudy wrote", hint=again)
    try:
        found = json.loads(raw)
    except ValueError:
        raise damaged from None
    if not isinstance(found, dict) or "schema" not in found:
        raise damaged
    if found["schema"] != SCHEMA:
        hint = "Make the artifact again with this version"
        what = "the manifest has another schema"
        raise ArtifactError(what, where=path / MANIFEST, got=found["schema"], wanted=SCHEMA, hint=hint)
    try:
        return Manifest.model_validate(found)
    except ValidationError:
        raise damaged from None


def _artifacts_in(folder: Path, kinds: Sequence[Kind]) -> list[str]:
    """Names of the artifacts of these kinds, of any if there are none, that stand in a folder."""
    try:
        found = [(p.name, m.kind) for p in sorted(folder.iterdir()) if (m := peek(p)) is not None]
    except OSError:
        return []
    return [name for name, kind in found if not kinds or kind in kinds]


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
    lineage = {
        name: Parent(path=os.path.relpath(a.path.absolute(), path.parent), kind=a.kind, hash=a.hash)
        for name, a in (parents or {}).items()
    }
    mark = fingerprint(kind, config, lineage, seed)
    scratch = _scratch(path)
    started = time.monotonic()
    with _replacing(path) as temporary:
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
            versions=versions(),
            metrics=draft.metrics,
            seconds=round(time.monotonic() - started, 3),
            files=hash_all(temporary),
        )
        _write(manifest, temporary)


def find(root: Path, mark: str) -> Path | None:
    """An artifact somewhere below `root` that was made by the work with the fingerprint `mark`; its files are not checked."""
    for folder, inside, files in os.walk(root):
        inside[:] = [] if MANIFEST in files else sorted(name for name in inside if not name.startswith("."))
        if MANIFEST in files and (manifest := peek(Path(folder))) is not None and manifest.fingerprint == mark:
            return Path(folder)
    return None


def copy(found: Path, path: Path) -> None:
    """Let the artifact at `found` stand at `path` too, its parents named as they are found from there.

    Raises ArtifactError as `open` does of `found` and as `writing` does of `path`.
    """
    source, path = open(found), Path(path).absolute()
    above = source.path.absolute().parent
    parents = {
        name: parent.model_copy(update={"path": os.path.relpath(above / parent.path, path.parent)})
        for name, parent in source.manifest.parents.items()
    }
    with _replacing(path) as temporary:
        shutil.copytree(source.path, temporary, dirs_exist_ok=True)
        _write(source.manifest.model_copy(update={"parents": parents}), temporary)


def _write(manifest: Manifest, folder: Path) -> None:
    (folder / MANIFEST).write_text(manifest.model_dump_json(by_alias=True, indent=2), encoding="utf-8")


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """A directory to write in, which takes the place of `path` once all is written; see `writing` for what it raises."""
    if path.exists() and not (path / MANIFEST).exists() and (not path.is_dir() or any(path.iterdir())):
        raise ArtifactError(
            "something that is not an artifact stands here", where=path, hint="Choose another directory or move it away"
        )
    try:
        with _alone(path):
            with atomic.replacing(path) as temporary:
                yield temporary
            shutil.rmtree(_scratch(path), ignore_errors=True)
    except OSError as error:
        raise ArtifactError(
            "the artifact could not be written",
            where=path,
            got=f"{error.strerror or error} ({error.filename})" if error.filename else error.strerror or error,
            hint="Free some space or choose a directory you may write to; what stood there before is untouched",
        ) from error


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    with ExitStack() as held:
        try:
            held.enter_context(atomic.locked(path))
        except BlockingIOError:
            raise ArtifactError(
                "another process is writing this artifact",
                where=path,
                hint="Wait for it to end, or give this run a directory of its own (artifacts=DIR)",
            ) from None
        yield


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
