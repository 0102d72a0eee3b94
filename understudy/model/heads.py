"""What stands on top of an encoder (A 2.5, B): two feed-forward layers of 256 and a linear one for each of intent, slots and domain,
or for a class.

Shape legend: B sequences, T packed tokens, D width, I intents, S slot tags, C domains or classes.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from understudy.model.dropout import Dropout
from understudy.model.encoder import Layout, initialise
from understudy.model.foreign import Body
from understudy.model.layout import even

__all__ = ["NLU", "Classifier", "Logits", "Pooling"]

Pooling = Literal["mean", "first"]


class Logits(NamedTuple):
    """What the heads say: intents (B, I), slots (T, S) or (W, S), and domains (B, C) where the model has that head."""

    intents_BI: Tensor
    slots_TS: Tensor
    domains_BC: Tensor | None = None


class NLU(nn.Module):
    """Scores of every intent and domain for each sequence and of every BIO tag for each token.

    Args:
        encoder: starts all heads; trained with them or held still, as the trainer likes.
        intents, tags, domains: how many of each; without domains there is no such head.
        width: of the heads' feed-forward layers.
        dropout: inside the heads.
        pooling: what the heads of the utterance read: the mean over all the sequence's tokens, or its first token `<s>`.
        generator: draws the heads' weights.
    """

    def __init__(
        self,
        encoder: Body,
        intents: int,
        tags: int,
        *,
        domains: int = 0,
        width: int = 256,
        dropout: float = 0.1,
        pooling: Pooling = "mean",
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        if pooling not in ("mean", "first"):
            raise ValueError(f"pooling is 'mean' or 'first', got {pooling!r}")
        self.encoder = encoder
        self.outputs, self.domains = (intents, tags), domains
        self.width, self.dropout, self.pooling = width, dropout, pooling
        D = encoder.config.hidden
        self.heads = nn.ModuleDict({"intent": _head(D, width, intents, dropout), "slots": _head(D, width, tags, dropout)})
        if domains:
            self.heads["domain"] = _head(D, width, domains, dropout)
        initialise(self.heads, generator=generator, by_fan_in=True)

    def forward(self, ids_T: Tensor, layout: Layout) -> Logits:
        """Logits of the tokens `ids_T` (int64).

        Slots are read at the first piece of each word; the other rows of the slot logits mean nothing.
        """
        h_TD = self.encoder(ids_T, layout)
        h_BD = layout.mean(h_TD) if self.pooling == "mean" else layout.first(h_TD)
        logits = Logits(self.heads["intent"](h_BD), self.heads["slots"](even(h_TD))[: len(h_TD)])
        return logits._replace(domains_BC=self.heads["domain"](h_BD)) if self.domains else logits


class Classifier(nn.Module):
    """Scores of every class for each sequence. Arguments are those of `NLU`; classes: how many."""

    def __init__(
        self,
        encoder: Body,
        classes: int,
        *,
        width: int = 256,
        dropout: float = 0.1,
        pooling: Pooling = "mean",
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.encoder, self.classes = encoder, classes
        self.width, self.dropout, self.pooling = width, dropout, pooling
        self.label = _head(encoder.config.hidden, width, classes, dropout)
        initialise(self.label, generator=generator, by_fan_in=True)

    def forward(self, ids_T: Tensor, layout: Layout) -> Tensor:
        """Logits (B, C) of the sequences of the tokens `ids_T` (int64)."""
        h_TD = self.encoder(ids_T, layout)
        h_BD = layout.mean(h_TD) if self.pooling == "mean" else layout.first(h_TD)
        logits_BC: Tensor = self.label(h_BD)
        return logits_BC


def _head(inputs: int, width: int, outputs: int, dropout: float) -> nn.Sequential:
    def layer(inputs: int) -> list[nn.Module]:
        return [nn.Linear(inputs, width), nn.GELU(), Dropout(dropout)]

    return nn.Sequential(*layer(inputs), *layer(width), nn.Linear(width, outputs))
