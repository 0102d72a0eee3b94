"""The processes of one run, as `torchrun` starts them. One process alone is rank 0 of 1, and nothing here costs anything."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import torch
import torch.distributed as dist

__all__ = ["Ranks", "agree", "barrier", "joined", "ranks", "total"]

# While the leader alone reads a corpus, the others wait for hours, not the half hour that gloo gives them. torchrun ends all
# processes when one dies, so nobody waits for the dead.
PATIENCE: Final = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Ranks:
    """Which process this is, of how many, over all machines."""

    rank: int = 0
    world: int = 1

    @property
    def leads(self) -> bool:
        """Whether this is the one that writes and speaks."""
        return self.rank == 0


def ranks() -> Ranks:
    """This process's place. Rank 0 of 1 outside `joined`."""
    return Ranks(dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else Ranks()


@contextmanager
def joined() -> Iterator[Ranks]:
    """Meet the other processes that `torchrun` started (by RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR and MASTER_PORT).

    Processes on GPUs talk by NCCL, and by gloo about things on the CPU. Only the leader logs below warnings.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1 or dist.is_initialized():
        yield ranks()
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo", timeout=PATIENCE)
    if not ranks().leads:
        logging.getLogger().setLevel(logging.WARNING)
    try:
        yield ranks()
    finally:
        dist.destroy_process_group()


def barrier() -> None:
    """Wait until every rank is here."""
    if dist.is_initialized():
        total([0.0])


def agree(value: int) -> int:
    """The leader's `value`, on every rank."""
    return round(total([float(value) if ranks().leads else 0.0])[0])


def total(values: Sequence[float]) -> list[float]:
    """Each of `values`, summed over all ranks (in float64, on the CPU)."""
    if not dist.is_initialized():
        return list(values)
    summed = torch.tensor(values, dtype=torch.float64)
    dist.all_reduce(summed)
    return [float(v) for v in summed]
