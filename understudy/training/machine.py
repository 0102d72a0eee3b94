"""Where and how a stage computes: device, precision, and how its objective is laid over both."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch

from understudy.training.float8 import use_float8
from understudy.training.objectives import Objective
from understudy.training.parallel import Fill, ParallelConfig, checkpoint_blocks, place, shard
from understudy.training.precision import (
    DTYPES,
    Compile,
    LossScale,
    Number,
    Precision,
    autocast,
    compile_blocks,
    default_device,
    keep_memory,
    resolve,
)
from understudy.training.ranks import ranks
from understudy.training.tally import Autocast

__all__ = ["Machine"]


@dataclass(frozen=True)
class Machine:
    """What `prepare` settled."""

    device: torch.device
    precision: Number
    compiled: bool
    scale: LossScale | None

    @classmethod
    def prepare(
        cls,
        objective: Objective,
        precision: Precision,
        compile_: Compile,
        parallel: ParallelConfig,
        *,
        fills: Sequence[Fill] = (),
        float8: bool = False,
    ) -> Machine:
        """Turns products to float8, checkpoints activations, compiles, shards and moves an objective to the device, in this order.

        Args:
            fills: for weights that stand on the meta device: what fills them once each rank holds its part.
            float8: whether blocks, also of models listened to, multiply in float8: see `float8.use_float8`.

        Raises RecipeError where the precision, float8, the compilation or the number of replicas cannot be had.
        """
        keep_memory()
        device = default_device()
        resolved = resolve(precision, device)
        stacks = [*objective.blocks(), *(model.encoder.blocks for model in objective.beside())]
        if float8:
            use_float8(stacks, resolved, device)
        for stack in objective.blocks():
            checkpoint_blocks(stack, parallel.checkpointing)
        compiled = [compile_blocks(stack, compile_, device) for stack in stacks]
        for module in (objective, *objective.beside()):
            if not any(weight.is_meta for weight in module.parameters()):
                module.to(device)
        shard(objective, parallel, device, computed_in=DTYPES[resolved])
        for module in (objective, *objective.beside()):
            if any(weight.is_meta for weight in module.parameters()):
                module.to_empty(device="cpu" if parallel.offload else device)
        for fill in fills:
            fill(place)
        return cls(device, resolved, all(compiled), LossScale() if resolved == "fp16" else None)

    @cached_property
    def peak(self) -> float:
        """FLOP/s of all ranks' devices together, in products of square matrices in this precision, measured now."""
        size = 8192 if self.device.type == "cuda" else 512
        # Of ones a GPU makes a product faster than of anything else: it draws less power.
        matrix = torch.randn(size, size, device=self.device, generator=torch.Generator(self.device).manual_seed(0))
        matrix = matrix.to(DTYPES[self.precision])
        best = math.inf
        for _ in range(5):
            started = time.perf_counter()
            product = matrix @ matrix
            product[0, 0].item()  # waits for the device
            best = min(best, time.perf_counter() - started)
        return 2 * size**3 / best * ranks().world

    @property
    def autocast(self) -> Autocast:
        """Makes the context in which forward passes run."""
        return autocast(self.precision, self.device)
