"""Checkpoints: safetensors and JSON, written whole or not at all, verified when read. No pickle.

A checkpoint is a directory `step-00000100` with `state.safetensors` (weights, optimizer, random generators) and
`state.json` (step, facts, SHA-256 of the tensors). It is written under another name, synced and renamed. Only the last few
are kept. Reading takes the newest that is whole and says which it passed over.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

__all__ = ["Checkpoints", "capture", "restore"]

log = logging.getLogger(__name__)
TENSORS, FACTS = "state.safetensors", "state.json"


class Checkpoints:
    """The checkpoints in one directory.

    Args:
        keep: how many of the newest stay.
    """

    def __init__(self, directory: Path, *, keep: int = 2) -> None:
        self._directory, self._keep = directory, keep

    def save(self, step: int, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> Path:
        """Write the checkpoint of `step`. A kill at any moment leaves those before it as they were.

        Raises OSError where the disk is full or not writable.
        """
        final = self._directory / f"step-{step:08d}"
        temporary = self._directory / f".{final.name}.tmp"
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        try:
            # A copy on the CPU each: safetensors wants memory of its own for every tensor.
            save_file({name: t.detach().cpu().contiguous() for name, t in tensors.items()}, temporary / TENSORS)
        except SafetensorError as error:
            raise OSError(f"the checkpoint could not be written: {error}") from error
        record = {"step": step, "facts": dict(facts), "sha256": _sha256(temporary / TENSORS)}
        (temporary / FACTS).write_text(json.dumps(record), encoding="utf-8")
        for path in (temporary / TENSORS, temporary / FACTS, temporary):
            _sync(path)
        shutil.rmtree(final, ignore_errors=True)
        temporary.rename(final)
        _sync(self._directory)
        for old in self._steps()[: -self._keep]:
            shutil.rmtree(old, ignore_errors=True)
        return final

    def newest(self) -> tuple[int, dict[str, Tensor], dict[str, Any]] | None:
        """Step, tensors and facts of the newest whole checkpoint, or None where there is none."""
        for path in reversed(self._steps()):
            try:
                record = json.loads((path / FACTS).read_bytes())
                if _sha256(path / TENSORS) != record["sha256"]:
                    raise ValueError("its tensors were altered or truncated")
                return record["step"], load_file(path / TENSORS), record["facts"]
            except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
                log.warning("passing over the damaged checkpoint %s: %s", path, error)
        return None

    def _steps(self) -> list[Path]:
        return sorted(p for p in self._directory.glob("step-*") if p.is_dir())


def capture(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Everything that the next update depends on, as named tensors: weights, optimizer states, random generators."""
    tensors = {f"model.{name}": t for name, t in model.state_dict().items()}
    for name, weight in _named(model, optimizer).items():
        for key, value in optimizer.state.get(weight, {}).items():
            tensors[f"optimizer.{name}.{key}"] = torch.as_tensor(value)
    tensors["random.cpu"] = torch.get_rng_state()
    if torch.cuda.is_available():
        tensors["random.cuda"] = torch.cuda.get_rng_state()
    return tensors


def restore(tensors: Mapping[str, Tensor], model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """The inverse of `capture`, into a model and an optimizer of the same make."""
    model.load_state_dict({n.removeprefix("model."): t for n, t in tensors.items() if n.startswith("model.")})
    for name, weight in _named(model, optimizer).items():
        prefix = f"optimizer.{name}."
        state = {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}
        state = {key: t for key, t in state.items() if "." not in key}
        # Counters stay where the optimizer made them; moments stand beside their weight.
        optimizer.state[weight] = {key: t.to(weight.device) if t.ndim or weight.is_cuda else t for key, t in state.items()}
    torch.set_rng_state(tensors["random.cpu"])
    if torch.cuda.is_available() and "random.cuda" in tensors:
        torch.cuda.set_rng_state(tensors["random.cuda"])


def _named(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, nn.Parameter]:
    optimised = {id(w) for group in optimizer.param_groups for w in group["params"]}
    return {name: weight for name, weight in model.named_parameters() if id(weight) in optimised}


def _sha256(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
