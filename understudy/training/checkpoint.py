"""Checkpoints: each rank writes its part as safetensors, beside the training; whole or not at all, verified when read. No pickle.

A checkpoint is a directory `step-00000100` with the ranks' tensors (weights and optimizer states, by
`torch.distributed.checkpoint`) and `state.json` (step, facts, SHA-256 of every file). Tensors are copied, then written by a
thread under another name, hashed, synced and renamed, while training goes on. Only the last few are kept. Reading takes the
newest that is whole, says which it passed over, and fits any number of ranks.
"""

from __future__ import annotations

import json
import logging
import shutil
import threading
import warnings
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageReader, HuggingFaceStorageWriter
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import async_save

from understudy.atomic import sync
from understudy.manifest import sha256_of
from understudy.training.ranks import agree, barrier, ranks

__all__ = ["Checkpoints", "Saved", "capture", "restore"]

log = logging.getLogger(__name__)
FACTS = "state.json"

# Said of every checkpoint that one process writes or reads. In the writer's thread a filter of one block would not be heard.
warnings.filterwarnings("ignore", message="torch.distributed is disabled", module=r"torch\.distributed\.checkpoint")


@dataclass(frozen=True)
class Saved:
    """A whole checkpoint on disk."""

    path: Path
    step: int
    facts: dict[str, Any]

    def shapes(self) -> dict[str, tuple[torch.Size, torch.dtype]]:
        """Shape and type of every tensor, by name."""
        found = HuggingFaceStorageReader(str(self.path)).read_metadata().state_dict_metadata
        return {name: (of.size, of.properties.dtype) for name, of in found.items()}  # type: ignore[union-attr]

    def load(self, into: Mapping[str, Tensor]) -> None:
        """Fill the tensors of `into`, or the parts of them that this rank holds, in place. All ranks must ask."""
        reader = HuggingFaceStorageReader(str(self.path))
        load(dict(into), storage_reader=reader, no_dist=ranks().world == 1)


class Checkpoints:
    """The checkpoints in one directory, which all ranks must see.

    Args:
        keep: how many of the newest stay; all of them where None.
    """

    def __init__(self, directory: Path, *, keep: int | None = 2) -> None:
        self._directory, self._keep = directory, keep
        self._group = dist.new_group(backend="gloo") if dist.is_initialized() else None  # the thread's own, to talk by
        self._written: Future[None] | None = None

    def save(self, step: int, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
        """Begin to write the checkpoint of `step`; returns once the tensors are copied. All ranks must call it.

        A kill at any moment leaves those before it as they were. Raises OSError where the one before could not be written.
        """
        self.wait()
        temporary = self._directory / f".step-{step:08d}.tmp"
        if ranks().leads:
            for stale in self._directory.glob(".step-*.tmp"):
                shutil.rmtree(stale, ignore_errors=True)
            temporary.mkdir(parents=True)
        barrier()
        uploaded = async_save(
            # What is to be written must not change under the writer's hands; it copies only what is not on the CPU yet.
            {name: t.detach() if t.is_cuda else t.detach().clone() for name, t in tensors.items()},
            storage_writer=HuggingFaceStorageWriter(str(temporary), save_distributed=True),
            process_group=self._group,
            no_dist=self._group is None,
        )
        self._written = Future()
        record = json.loads(json.dumps({"step": step, "facts": facts}))  # a copy, for the same reason
        args = (self._written, cast("Future[Any]", uploaded), temporary, record)
        threading.Thread(target=self._finish, args=args, name="checkpoint").start()

    def __enter__(self) -> Checkpoints:
        return self

    def __exit__(self, failed: type[BaseException] | None, *_: object) -> None:
        # A writer left behind would rename and remove under the hands of whoever trains in this directory next.
        with suppress(OSError) if failed else nullcontext():
            self.wait()

    def wait(self) -> None:
        """Until the last checkpoint is on disk. Raises OSError where it could not be written."""
        written, self._written = self._written, None
        if written is not None:
            written.result()

    def _finish(self, written: Future[None], uploaded: Future[Any], temporary: Path, record: dict[str, Any]) -> None:
        try:
            uploaded.result()  # of all ranks
            if ranks().leads:
                self._rename(temporary, record)
        except BaseException as error:
            failed = error if isinstance(error, OSError) else OSError(f"the checkpoint could not be written: {error}")
            written.set_exception(failed)
        else:
            written.set_result(None)

    def _rename(self, temporary: Path, record: dict[str, Any]) -> None:
        files = sorted(temporary.iterdir())
        record = {**record, "sha256": {file.name: sha256_of(file) for file in files}}
        (temporary / FACTS).write_text(json.dumps(record), encoding="utf-8")
        for path in (*files, temporary / FACTS, temporary):
            sync(path)
        final = self._directory / temporary.name.removeprefix(".").removesuffix(".tmp")
        shutil.rmtree(final, ignore_errors=True)
        temporary.rename(final)
        sync(self._directory)
        if self._keep is not None:
            self._remove(self._paths()[: -self._keep])

    def steps(self) -> list[int]:
        """The steps of the checkpoints on disk, damaged ones too, in their order."""
        return [_step(path) for path in self._paths()]

    def forget(self, *, after: int) -> None:
        """Remove those of later steps."""
        self._remove(path for path in self._paths() if _step(path) > after)

    def thin(self, *, until: int) -> None:
        """Of those up to the step `until`, leave the newest only."""
        self._remove([path for path in self._paths() if _step(path) <= until][:-1])

    def _remove(self, paths: Iterable[Path]) -> None:
        if ranks().leads:
            for path in paths:
                shutil.rmtree(path, ignore_errors=True)

    def newest(self) -> Saved | None:
        """The newest whole checkpoint, the same on all ranks, or None where there is none."""
        found = self._newest_whole() if ranks().leads else None
        step = agree(-1 if found is None else found.step)
        if step < 0 or found is not None:
            return found
        path = self._directory / f"step-{step:08d}"
        return Saved(path, step, json.loads((path / FACTS).read_bytes())["facts"])

    def _newest_whole(self) -> Saved | None:
        for path in reversed(self._paths()):
            try:
                record = json.loads((path / FACTS).read_bytes())
                if any(sha256_of(path / name) != digest for name, digest in record["sha256"].items()):
                    raise ValueError("its tensors were altered or truncated")
                return Saved(path, record["step"], record["facts"])
            except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
                log.warning("passing over the damaged checkpoint %s: %s", path, error)
        return None

    def _paths(self) -> list[Path]:
        return sorted(p for p in self._directory.glob("step-*") if p.is_dir())


def capture(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Every tensor that the next update depends on, by name: weights and optimizer states. (Dice are computed, not stored.)"""
    tensors = {f"model.{name}": t for name, t in model.state_dict().items()}
    for name, weight in _named(model, optimizer).items():
        for key, value in optimizer.state.get(weight, {}).items():
            tensors[f"optimizer.{name}.{key}"] = torch.as_tensor(value)
    return tensors


def restore(saved: Saved, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """The inverse of `capture`, into a model and an optimizer of the same make, on any number of ranks."""
    into = {f"model.{name}": t for name, t in model.state_dict().items()}
    shapes = saved.shapes()
    for name, weight in _named(model, optimizer).items():
        prefix = f"optimizer.{name}."
        state: dict[str, Tensor] = {}
        for full, (size, dtype) in shapes.items():
            key = full.removeprefix(prefix)
            if not full.startswith(prefix) or "." in key:
                continue
            # Moments stand beside their weight, in parts where it is; counters where the optimizer makes them.
            alike = size == weight.shape and len(size)
            device = weight.device if weight.is_cuda else None
            state[key] = torch.zeros_like(weight, dtype=dtype) if alike else torch.zeros(size, dtype=dtype, device=device)
            into[full] = state[key]
        optimizer.state[weight] = state
    saved.load(into)


def _named(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, nn.Parameter]:
    optimised = {id(w) for group in optimizer.param_groups for w in group["params"]}
    return {name: weight for name, weight in model.named_parameters() if id(weight) in optimised}


def _step(path: Path) -> int:
    return int(path.name.removeprefix("step-"))
