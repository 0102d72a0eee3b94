"""Where and in what numbers to compute: device, autocast, and whether blocks are compiled."""

from __future__ import annotations

import ctypes
import logging
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import cache
from typing import Literal

import torch
from torch import nn

from understudy.errors import RecipeError

__all__ = ["Compile", "Precision", "autocast", "compile_blocks", "default_device", "keep_memory", "resolve"]

log = logging.getLogger(__name__)
Precision = Literal["auto", "bf16", "fp32"]
Compile = Literal["auto"] | bool
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3  # of mallopt, from malloc.h
RECOMPILES = 64  # train and eval, with and without gradients, full and ragged grids: dynamo counts them over all blocks


def default_device() -> torch.device:
    """The GPU where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def resolve(precision: Precision, device: torch.device) -> Literal["bf16", "fp32"]:
    """What "auto" means on this device: bf16 where the processor multiplies it, else fp32.

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


def autocast(precision: Literal["bf16", "fp32"], device: torch.device) -> Callable[[], AbstractContextManager[None]]:
    """Makes the context in which forward passes run. Weights, gradients and sums stay in fp32."""
    return lambda: torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")


def compile_blocks(blocks: nn.ModuleList, mode: Compile) -> bool:
    """Compile each block in place, for any number of tokens; whether it was done.

    "auto" compiles on a GPU where Triton works, with one warning where it does not, and never on a CPU: there packed blocks
    are already bound by their matrix products, and compiled ones took 2 % less to 15 % more time (measured at 4 x 256
    and 6 x 384, batches of 1k and 4k tokens, bf16). Names of parameters do not change.

    Raises RecipeError where `mode` is True and nothing can be compiled.
    """
    on_gpu = next(blocks.parameters()).is_cuda
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
