"""Where and in what numbers to compute: device, autocast, and whether blocks are compiled."""

from __future__ import annotations

import ctypes
import logging
import warnings
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache
from typing import ClassVar, Final, Literal

import torch
from torch import nn

from understudy.errors import RecipeError, TrainingError

__all__ = [
    "DTYPES",
    "Compile",
    "LossScale",
    "Number",
    "Precision",
    "autocast",
    "compile_blocks",
    "default_device",
    "keep_memory",
    "resolve",
]

log = logging.getLogger(__name__)
Precision = Literal["auto", "bf16", "fp16", "fp32"]
Number = Literal["bf16", "fp16", "fp32"]
Compile = Literal["auto"] | bool
DTYPES: Final[Mapping[Number, torch.dtype]] = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3  # of mallopt, from malloc.h
RECOMPILES = 64  # train and eval, with and without gradients, full and ragged grids: dynamo counts them over all blocks


def default_device() -> torch.device:
    """The GPU where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def resolve(precision: Precision, device: torch.device) -> Number:
    """What "auto" means on this device: bf16 where the processor multiplies it, else fp32. fp16 only where it is asked for.

    Raises RecipeError where bf16 is asked for and the processor would only emulate it at a fraction of fp32's speed.
    """
    if device.type == "cuda":
        able = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        able = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    if precision == "bf16" and not able:
        raise RecipeError(
            "this processor does not multiply bf16", where="precision", got="bf16", wanted="'auto' or 'fp32' on this machine"
        )
    if precision == "auto":
        return "bf16" if able else "fp32"
    return precision


def autocast(precision: Number, device: torch.device) -> Callable[[], AbstractContextManager[None]]:
    """Makes the context in which forward passes run. Weights, gradients and sums stay in fp32."""
    dtype = DTYPES["bf16" if precision == "fp32" else precision]  # autocast knows no fp32, even where it is off
    return lambda: torch.autocast(device.type, dtype, enabled=precision != "fp32")


@dataclass
class LossScale:
    """Dynamic loss scaling for fp16 (Micikevicius et al. 2018): gradients too small for fp16 are lifted into its range.

    value: what the loss is multiplied by. After `patience` updates without overflow it doubles; an overflow halves it and the
    update is skipped. good: updates since the last change.
    """

    value: float = 2.0**16
    good: int = 0
    patience: int = 2000

    LEAST: ClassVar[float] = 2.0**-10  # below, it is not the scale that is wrong

    def update(self, *, overflow: bool) -> None:
        """Learn from one update. Raises TrainingError where even a tiny scale overflows."""
        self.good = 0 if overflow else self.good + 1
        if overflow:
            self.value /= 2
        elif self.good == self.patience:
            self.value, self.good = self.value * 2, 0
        if self.value < self.LEAST:
            raise TrainingError(
                "gradients overflow in fp16 at any loss scale",
                got=f"scale {self.value:g}",
                hint="Train in bf16 or fp32, or lower the learning rate",
            )


def compile_blocks(blocks: nn.ModuleList, mode: Compile, device: torch.device) -> bool:
    """Compile each block in place, for any number of tokens, to run on `device`; whether it was done.

    "auto" compiles on a GPU where Triton works, with one warning where it does not, and never on a CPU: there packed blocks
    are already bound by their matrix products, and compiled ones took 2 % less to 15 % more time (measured at 4 x 256
    and 6 x 384, batches of 1k and 4k tokens, bf16). Names of parameters do not change.

    Raises RecipeError where `mode` is True and nothing can be compiled.
    """
    on_gpu = device.type == "cuda"
    if mode is False or (mode == "auto" and not on_gpu):
        return False
    if (trouble := _cannot_compile(on_gpu)) is not None:
        if mode is True:
            raise RecipeError(
                "blocks cannot be compiled", where="compile", got=trouble, wanted="a C++ compiler, or compile = false"
            )
        log.warning("blocks run uncompiled, which is slower: %s", trouble)
        return False
    torch._dynamo.config.recompile_limit = max(torch._dynamo.config.recompile_limit, RECOMPILES)
    if not on_gpu:
        torch._inductor.config.fallback_random = True  # its own random numbers are made one by one on a CPU
    for block in blocks:
        block.compile(dynamic=True)
    return True


@cache
def keep_memory() -> None:
    """Ask glibc to keep freed blocks of up to 32 MB instead of handing them back to the system.

    Every step allocates the same tensors anew; fresh pages cost a fault each, 5 to 10 % of a small model's step on a CPU.
    Nothing happens where the C library is another.
    """
    try:
        libc = ctypes.CDLL("libc.so.6")
        for option, value in ((M_MMAP_THRESHOLD, 32 << 20), (M_TRIM_THRESHOLD, 1 << 30), (M_TOP_PAD, 64 << 20)):
            libc.mallopt(option, value)
    except (OSError, AttributeError):
        log.debug("no glibc: memory is allocated as the system likes")


@cache
def _cannot_compile(on_gpu: bool) -> str | None:
    """Why a two-line function cannot be compiled here, or None. Asked once per process."""

    def probe(x: torch.Tensor) -> torch.Tensor:
        return (x * 2 + 1).relu()

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.compile(probe)(torch.ones(8, device="cuda" if on_gpu else "cpu"))
    except Exception as error:  # any of the many ways in which a tool chain can be missing or broken
        return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return None
