"""Where the sequences of a batch stand, among packed tokens and in a padded grid.

Everything of an encoder but attention runs on T packed tokens. Attention without variable-length kernels needs a grid
(B, L); both ways there and back are gathers, forward and backward, because every token fills one cell.

On a CPU oneDNN compiles a kernel for every shape of a product in half precision, which takes longer than most products of a small
encoder. Batches of text never repeat their shapes by themselves; `Layout.filled` and `even` fill them up to shapes that recur.

Shape legend: B sequences, L longest sequence, T packed tokens, N = B L cells, D width, X any further axes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

__all__ = ["Layout", "compiles_shapes", "even"]

EVEN_T, EVEN_B, EVEN_L = 64, 16, 4  # multiples of tokens, sequences and longest sequence


def compiles_shapes(x: Tensor) -> bool:
    """Whether a product with `x` is compiled for its shape."""
    half = x.dtype in (torch.bfloat16, torch.float16) or torch.is_autocast_enabled("cpu")
    return x.device.type == "cpu" and half and not torch.compiler.is_compiling()


def even(x_TX: Tensor) -> Tensor:
    """`x_TX`; where products are compiled for their shape, with zeros behind up to a multiple of EVEN_T rows."""
    missing = -len(x_TX) % EVEN_T
    return F.pad(x_TX, (*(0, 0) * (x_TX.ndim - 1), 0, missing)) if missing and compiles_shapes(x_TX) else x_TX


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the sequences of a batch stand among its T tokens, and where each token stands in a (B, L) grid.

    Fields:
        positions_T: place of each token in its sequence, from 0. int64.
        sequences_T: which sequence each token belongs to. int64.
        cells_BL: which token fills each cell of the grid; 0 where none does. int64.
        slots_T: which cell, counted row by row, each token fills. None where tokens in order fill the grid. int64.
        mask_BL: True where a cell holds a real token. None where all do. bool.
        bounds_B1: where sequences begin, and T last (the `cu_seqlens` of attention kernels). None for padded input. int32.
    """

    positions_T: Tensor
    sequences_T: Tensor
    cells_BL: Tensor
    slots_T: Tensor | None
    mask_BL: Tensor | None
    bounds_B1: Tensor | None

    @staticmethod
    def packed(lengths: Sequence[int] | Tensor, *, device: torch.device | str | None = None) -> Layout:
        """The layout of sequences of these `lengths` (each at least 1) laid end to end."""
        lengths_B = torch.as_tensor(lengths, dtype=torch.int64, device="cpu")
        if lengths_B.ndim != 1 or not len(lengths_B) or int(lengths_B.min()) < 1:
            raise ValueError(f"a batch needs sequences of at least one token each, got lengths {lengths_B.tolist()}")
        B, L, T = len(lengths_B), int(lengths_B.max()), int(lengths_B.sum())
        bounds_B1 = torch.zeros(B + 1, dtype=torch.int32)
        bounds_B1[1:] = lengths_B.cumsum(0)
        sequences_T = torch.arange(B).repeat_interleave(lengths_B)
        positions_T = torch.arange(T) - bounds_B1[sequences_T]
        if B * L == T:
            layout = Layout(positions_T, sequences_T, torch.arange(T).view(B, L), None, None, bounds_B1)
        else:
            mask_BL = torch.arange(L) < lengths_B[:, None]
            cells_BL = (bounds_B1[:-1, None] + torch.arange(L)).where(mask_BL, 0)
            layout = Layout(positions_T, sequences_T, cells_BL, sequences_T * L + positions_T, mask_BL, bounds_B1)
        return layout if device is None else layout.to(device)

    @staticmethod
    def padded(attention_mask_BL: Tensor) -> Layout:
        """The layout of a padded batch of ids (B, L), flattened to T = B L tokens; the mask is 1 at real tokens, 0 at padding.

        Padding stands at the end of each row. For ONNX export and dense use: shapes are the only thing it depends on.
        """
        B, L = attention_mask_BL.shape
        cells_BL = torch.arange(B * L, device=attention_mask_BL.device).view(B, L)
        positions_T = torch.arange(L, device=attention_mask_BL.device).expand(B, L).reshape(-1)
        return Layout(positions_T, cells_BL.flatten() // L, cells_BL, None, attention_mask_BL.bool(), None)

    def filled(self, weight: Tensor, longest: int) -> Layout:
        """This layout; where products with `weight` are compiled for their shape, with sequences of nothing behind its own up to even
        numbers of tokens and sequences.

        longest: tokens that a sequence may have at most; below that the longest has an even number, too.
        """
        if self.bounds_B1 is None or not compiles_shapes(weight):
            return self
        lengths = self.bounds_B1.diff().tolist()
        T, B, L = sum(lengths), len(lengths), max(lengths)
        most = min(L + -L % EVEN_L, longest)
        if T % EVEN_T == B % EVEN_B == most - L == 0:
            return self
        least = [most] if most > L else [1]  # what the added sequences have at least
        while True:
            least += [1] * (-(B + len(least)) % EVEN_B)
            rest = -(T + sum(least)) % EVEN_T
            if rest <= sum(most - n for n in least):
                break
            least.append(1)
        for i, n in enumerate(least):
            more = min(rest, most - n)
            least[i], rest = n + more, rest - more
        return Layout.packed([*lengths, *least])

    def to(self, device: torch.device | str) -> Layout:
        """The same layout on `device`; the copy does not block where memory is pinned."""
        at = (getattr(self, field.name) for field in fields(self))
        return Layout(*(None if t is None else t.to(device, non_blocking=True) for t in at))  # type: ignore[arg-type]

    def pad(self, x_TX: Tensor) -> Tensor:
        """Tokens (T, ...) put into the grid (B, L, ...). Cells without a token hold some other token: mask them."""
        if self.slots_T is not None:
            x_TX = _Pad.apply(x_TX, self.cells_BL, self.slots_T)  # type: ignore[no-untyped-call]
        return x_TX.view(*self.cells_BL.shape, *x_TX.shape[1:])

    def unpad(self, x_BLX: Tensor) -> Tensor:
        """Tokens (T, ...) taken out of the grid (B, L, ...)."""
        x_NX = x_BLX.flatten(0, 1)
        if self.slots_T is None:
            return x_NX
        x_TX: Tensor = _Unpad.apply(x_NX, self.cells_BL, self.slots_T, self.mask_BL)  # type: ignore[no-untyped-call]
        return x_TX

    def mean(self, h_TD: Tensor) -> Tensor:
        """The mean (B, D) over each sequence's tokens."""
        h_BLD = self.pad(h_TD)
        if self.mask_BL is None:
            return h_BLD.mean(1)
        weight_BL1 = self.mask_BL.unsqueeze(-1).to(h_TD.dtype)
        return (h_BLD * weight_BL1).sum(1) / weight_BL1.sum(1)

    def first(self, h_TD: Tensor) -> Tensor:
        """The first token (B, D) of each sequence."""
        return h_TD.index_select(0, self.cells_BL[:, 0])


def _rows(x_NX: Tensor, index_M: Tensor) -> Tensor:
    """Rows of `x_NX` by index. An embedding look-up copies rows whole; on the CPU it takes a third of index_select."""
    return F.embedding(index_M, x_NX.reshape(x_NX.shape[0], -1)).view(-1, *x_NX.shape[1:])


class _Pad(torch.autograd.Function):
    """Tokens to cells. Backward takes each token's own cell, again a gather; autograd would scatter and add at five times the cost.

    What reaches cells without a token is dropped; it is zero, because attention masks them.
    """

    @staticmethod
    def forward(ctx: Any, x_TX: Tensor, cells_BL: Tensor, slots_T: Tensor) -> Tensor:
        ctx.save_for_backward(slots_T)
        return _rows(x_TX, cells_BL.flatten())

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_NX: Tensor) -> tuple[Tensor, None, None]:
        (slots_T,) = ctx.saved_tensors
        return _rows(grad_NX, slots_T), None, None


class _Unpad(torch.autograd.Function):
    """Cells to tokens. Backward gives cells without a token zero."""

    @staticmethod
    def forward(ctx: Any, x_NX: Tensor, cells_BL: Tensor, slots_T: Tensor, mask_BL: Tensor) -> Tensor:
        ctx.save_for_backward(cells_BL, mask_BL)
        return _rows(x_NX, slots_T)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_TX: Tensor) -> tuple[Tensor, None, None, None]:
        cells_BL, mask_BL = ctx.saved_tensors
        mask_NX = mask_BL.view(-1, *[1] * (grad_TX.ndim - 1))
        return _rows(grad_TX, cells_BL.flatten()) * mask_NX, None, None, None
