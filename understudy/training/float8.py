"""Products inside blocks in float8, by torchao: an extra, for GPUs from Ada and Hopper on."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Final

import torch
from torch import nn

from understudy.errors import RecipeError
from understudy.training.precision import Number

__all__ = ["use_float8"]

CAPABLE: Final = (8, 9)  # the first compute capability whose tensor cores multiply float8
STEP: Final = 16  # torch._scaled_mm reads rows of so many bytes


def use_float8(stacks: Sequence[nn.ModuleList], precision: Number, device: torch.device, *, emulate: bool = False) -> None:
    """Let every matrix of the blocks multiply in float8, in place. Weights stay fp32 and keep their names, shapes and gradients.

    Inputs and weights are rounded to e4m3, gradients of results to e5m2 (Micikevicius et al. 2022), each tensor scaled by its
    own largest value, found anew each time: nothing to calibrate, nothing for a checkpoint to hold. Results are bf16. Call it
    before blocks are checkpointed, compiled and sharded.

    Args:
        emulate: round to float8 and multiply in fp32, on any device. For tests: nothing gets faster by it.

    Raises RecipeError where the device cannot, the precision is not bf16, a width is no multiple of 16, or torchao is missing.
    """
    hint = "Leave float8 out to multiply in the stage's precision"
    if not emulate and (got := _incapable(device)) is not None:
        wanted = "a GPU of compute capability {}.{} or above".format(*CAPABLE)
        raise RecipeError("this device does not multiply float8", where="float8", got=got, wanted=wanted, hint=hint)
    if precision != "bf16":
        raise RecipeError("float8 goes with bf16", where="precision", got=precision, wanted="'auto' or 'bf16'", hint=hint)
    for stack in stacks:
        if (got := _uneven(stack)) is not None:
            wanted = f"hidden and ffn that are multiples of {STEP}"
            raise RecipeError("float8 does not fit these blocks", where="float8", got=got, wanted=wanted, hint=hint)
    try:
        ao = importlib.import_module("torchao.float8")  # an extra
    except ImportError as error:
        install = "In a clone of understudy: pip install '.[float8]'"
        raise RecipeError("torchao cannot be used", where="float8", got=error, wanted="the package", hint=install) from None
    # Gradients of weights are sums over tokens, whose number need not be a multiple of 16: padded by zeros.
    config = ao.Float8LinearConfig(emulate=emulate, pad_inner_dim=True)
    for stack in stacks:
        ao.convert_to_float8_training(stack, config=config)


def _incapable(device: torch.device) -> str | None:
    """Why `device` does not multiply float8, or None."""
    if device.type != "cuda":
        return "no GPU"
    found = torch.cuda.get_device_capability(device)
    return None if found >= CAPABLE else "{}, compute capability {}.{}".format(torch.cuda.get_device_name(device), *found)


def _uneven(stack: nn.ModuleList) -> str | None:
    """The first matrix of a stack that rows of 16 do not fill, or None."""
    for name, part in stack.named_modules():
        if isinstance(part, nn.Linear) and (part.in_features % STEP or part.out_features % STEP):
            return f"block {name}, {part.in_features} x {part.out_features}"
    return None
