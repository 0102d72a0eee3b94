"""Dropout that costs little on a CPU."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["Dropout", "dropout"]

LEVELS = 1 << 16


def dropout(x: Tensor, p: float) -> Tensor:
    """`x` with each element zero with probability `p` and the others divided by 1 - p.

    On the CPU four elements share one 64-bit random number, where torch's own kernel draws one for each and takes most of the
    time of a small model's training step; `p` is then rounded to a multiple of 2^-16. Draws from torch's global generator.
    """
    if p == 0.0 or x.device.type != "cpu" or torch.compiler.is_compiling():
        return F.dropout(x, p)
    drawn = torch.empty((x.numel() + 3) // 4, dtype=torch.int64).random_(-(1 << 63), None).view(torch.int16)
    keep = drawn[: x.numel()].view(x.shape) >= round(p * LEVELS) - LEVELS // 2
    return x * keep.to(x.dtype).mul_(1.0 / (1.0 - p))


class Dropout(nn.Dropout):
    """`torch.nn.Dropout` by way of `dropout`."""

    def forward(self, x: Tensor) -> Tensor:
        return dropout(x, self.p) if self.training else x
