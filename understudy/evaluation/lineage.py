"""The family of an artifact: every stage it came from and what each recorded.

Walks from parent to parent by the paths the manifests recorded, so it needs no recipe. Nothing is verified here: a parent
that is gone, or has changed since, is shown as such.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from understudy import artifact
from understudy.artifact import Artifact, Manifest

__all__ = ["Ancestor", "curves", "data_cards", "family"]

log = logging.getLogger(__name__)
POINTS = 200


@dataclass(frozen=True)
class Ancestor:
    """One stage of the family. `manifest` is None where the directory is gone; `state` is present, changed or gone."""

    name: str
    path: Path
    kind: str
    parents: tuple[Path, ...]
    manifest: Manifest | None
    state: str = "present"

    @property
    def stage(self) -> str:
        """The stage's kind, as in the recipe; for a missing one what it made."""
        return str(self.manifest.config.get("kind", self.kind)) if self.manifest else self.kind

    @property
    def parameters(self) -> int | None:
        """Parameters without embeddings, where the stage recorded them; else all of them."""
        metrics = self.manifest.metrics if self.manifest else {}
        found = metrics.get("body_parameters", metrics.get("parameters"))
        return int(found) if isinstance(found, int | float) else None

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.manifest.files.values()) if self.manifest else 0


def family(inputs: Sequence[Artifact]) -> list[Ancestor]:
    """The inputs and all their ancestors, each once, parents before children."""
    known: dict[Path, Ancestor] = {}

    def visit(path: Path, kind: str, recorded: str | None) -> None:
        if path in known:
            return
        manifest = artifact.peek(path)
        if manifest is None:
            known[path] = Ancestor(path.name, path, kind, (), None, "gone")
            return
        parents = {_resolve(path, parent.path): parent for parent in manifest.parents.values()}
        for where, parent in parents.items():
            visit(where, parent.kind, parent.hash)
        state = "present" if recorded in (None, manifest.hash) else "changed"
        known.setdefault(path, Ancestor(path.name, path, manifest.kind, tuple(parents), manifest, state))

    for each in inputs:
        visit(each.path.resolve(), each.kind, None)
    return list(known.values())


def _resolve(path: Path, parent: str) -> Path:
    return (path.parent / parent).resolve()


def curves(ancestors: Sequence[Ancestor]) -> dict[str, dict[str, list[tuple[float, float]]]]:
    """The loss curves of every stage that kept a log: (update, loss) points, "training" and "validation".

    Logs are `log.jsonl`, or `log-1.jsonl` and so on where a stage has several turns, which are laid end to end. Lines are
    {"step", "loss", …} per update and {"step", "valid": {"loss", …}} per evaluation. A long curve of updates is given as
    means over `POINTS` runs of equal length.
    """
    found = {}
    for ancestor in ancestors:
        curve = _curve(sorted(ancestor.path.glob("log*.jsonl"), key=lambda path: (len(path.name), path.name)))
        if any(len(points) > 1 for points in curve.values()):
            found[ancestor.name] = {name: points for name, points in curve.items() if points}
    return found


def _curve(logs: Sequence[Path]) -> dict[str, list[tuple[float, float]]]:
    training: list[tuple[float, float]] = []
    validation: list[tuple[float, float]] = []
    for path in logs:
        before = max((points[-1][0] for points in (training, validation) if points), default=0.0)
        for row in _log_rows(path):
            valid = row.get("valid")
            step, loss = row.get("step"), valid.get("loss") if isinstance(valid, Mapping) else row.get("loss")
            if isinstance(step, int) and isinstance(loss, int | float):
                (validation if valid is not None else training).append((before + step, float(loss)))
    return {"training": _thinned(training), "validation": validation}


def _thinned(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    run = -(-len(points) // POINTS) or 1
    runs = [points[at : at + run] for at in range(0, len(points), run)]
    return [(r[-1][0], round(sum(loss for _, loss in r) / len(r), 5)) for r in runs]


def _log_rows(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            try:
                row = json.loads(line)
            except ValueError:
                log.warning("%s has a line that is not JSON; it is left out", path)
                continue
            if isinstance(row, dict):
                yield row


def data_cards(ancestors: Sequence[Ancestor]) -> dict[str, Any]:
    """The data card (`card.json`) of every corpus that has one."""
    cards = {}
    for ancestor in ancestors:
        path = ancestor.path / "card.json"
        if ancestor.kind == "corpus" and path.is_file():
            try:
                cards[ancestor.name] = json.loads(path.read_text(encoding="utf-8"))
            except ValueError:
                log.warning("%s is not JSON; it is left out", path)
    return cards
