"""Intent and slots on top of an encoder (A 2.5): two feed-forward layers of 256 and a linear one for each.

Shape legend: B sequences, T packed tokens, D width, I intents, S slot tags.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import torch
from torch import Tensor, nn

from understudy.model.dropout import Dropout
from understudy.model.encoder import Layout, initialise
from understudy.model.foreign import Body

__all__ = ["NLU", "Pooling"]

Pooling = Literal["mean", "first"]


class NLU(nn.Module):
    """Scores of every intent for each sequence and of every BIO tag for each token.

    Args:
        encoder: starts both heads; trained with them or held still, as the trainer likes.
        intents, tags: how many of each.
        width: of the heads' feed-forward layers.
        dropout: inside the heads.
        pooling: what the intent head reads: the mean over all the sequence's tokens, or its first token `<s>`.
        generator: draws the heads' weights.
    """

    def __init__(
        self,
        encoder: Body,
        intents: int,
        tags: int,
        *,
        width: int = 256,
        dropout: float = 0.1,
        pooling: Pooling = "mean",
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        if pooling not in ("mean", "first"):
            raise ValueError(f"pooling is 'mean' or 'first', got {pooling!r}")
        self.encoder = encoder
        self.outputs, self.width, self.dropout, self.pooling = (intents, tags), width, dropout, pooling
        D = encoder.config.hidden
        self.heads = nn.ModuleDict({"intent": _head(D, width, intents, dropout), "slots": _head(D, width, tags, dropout)})
        initialise(self.heads, generator=generator, by_fan_in=True)

    def forward(self, ids_T: Tensor, layout: Layout) -> tuple[Tensor, Tensor]:
        """Intent logits (B, I) and slot logits (T, S) of the tokens `ids_T` (int64).

        Slots are read at the first piece of each word; the other rows of the slot logits mean nothing.
        """
        h_TD = self.encoder(ids_T, layout)
        h_BD = layout.mean(h_TD) if self.pooling == "mean" else layout.first(h_TD)
        return self.heads["intent"](h_BD), self.heads["slots"](h_TD)

    def encoder_parameters(self) -> Iterator[nn.Parameter]:
        """The weights that a frozen encoder keeps."""
        return self.encoder.parameters()

    def head_parameters(self) -> Iterator[nn.Parameter]:
        """The weights that are always trained."""
        return self.heads.parameters()


def _head(inputs: int, width: int, outputs: int, dropout: float) -> nn.Sequential:
    def layer(inputs: int) -> list[nn.Module]:
        return [nn.Linear(inputs, width), nn.GELU(), Dropout(dropout)]

    return nn.Sequential(*layer(inputs), *layer(width), nn.Linear(width, outputs))
