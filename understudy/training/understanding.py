"""The objective of fine-tuning: intents and slots of labelled utterances (A 2.5).

Shapes: B sequences, T packed tokens, W words, I intents, S slot tags.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from understudy.model.heads import NLU
from understudy.training.batches import LabelledBatch
from understudy.training.losses import Part, label_cross_entropy
from understudy.training.machine import Machine
from understudy.training.objectives import Objective
from understudy.training.tally import Metrics

__all__ = ["Understanding", "accuracy"]


class Understanding(Objective):
    """Intent of each utterance and slot tag of each word, at the word's first piece (A 2.5).

    Args:
        intent, slots: weights of the two losses.
        smoothing: label smoothing of both.
        frozen: whether the encoder stays as it is (A 3.2) and only the heads learn.
    """

    asked = ("scores",)

    def __init__(
        self, nlu: NLU, *, intent: float = 1.0, slots: float = 1.0, smoothing: float = 0.0, frozen: bool = False
    ) -> None:
        super().__init__()
        self.nlu, self.smoothing, self.frozen = nlu, smoothing, frozen
        self.weights = {"intent": intent, "slots": slots}
        if frozen:
            nlu.encoder.requires_grad_(False)

    def train(self, mode: bool = True) -> Understanding:
        """A frozen encoder is used as it will serve: without dropout."""
        super().train(mode)
        if self.frozen:
            self.nlu.encoder.eval()
        return self

    def counts(self, batch: LabelledBatch) -> dict[str, int]:
        return {"intent": batch.intents_B.numel(), "slots": batch.tags_W.numel()}

    def flops(self, batch: LabelledBatch) -> float:
        return (1 if self.frozen else 3) * self.nlu.encoder.config.flops(tokens=batch.tokens, pairs=batch.pairs)

    def forward(self, batch: LabelledBatch) -> dict[str, Part]:
        intents_BI, tags_WS = self.scores(batch)
        intent = label_cross_entropy(intents_BI, batch.intents_B, smoothing=self.smoothing)
        slots = label_cross_entropy(tags_WS, batch.tags_W, smoothing=self.smoothing)
        return {"intent": Part(*intent, self.weights["intent"]), "slots": Part(*slots, self.weights["slots"])}

    def scores(self, batch: LabelledBatch) -> tuple[Tensor, Tensor]:
        """Intent logits (B, I) of each utterance and slot logits (W, S) of each word."""
        intents_BI, tags_TS = self.nlu(batch.ids_T, batch.layout)
        return intents_BI, tags_TS.index_select(0, batch.firsts_W)

    def blocks(self) -> Iterator[nn.ModuleList]:
        yield self.nlu.encoder.blocks


@torch.no_grad()
def accuracy(objective: Understanding, prepared: Sequence[LabelledBatch], machine: Machine) -> Metrics:
    """Shares of right intents, of right tags (each the likeliest by itself), and of utterances with all of them right."""
    objective.eval()
    right = np.zeros(3)
    total = np.zeros(3)
    for batch in prepared:
        with machine.autocast():
            intents_BI, tags_WS = objective.scores(batch)
        intent_B = intents_BI.argmax(-1) == batch.intents_B
        tag_W = tags_WS.argmax(-1) == batch.tags_W
        wrong_B = torch.zeros_like(batch.intents_B).index_add_(0, batch.layout.sequences_T[batch.firsts_W], (~tag_W).long())
        right += [int(intent_B.sum()), int(tag_W.sum()), int((intent_B & (wrong_B == 0)).sum())]
        total += [len(intent_B), len(tag_W), len(intent_B)]
    objective.train()
    names = ("intent_accuracy", "tag_accuracy", "exact")
    return {name: float(share) for name, share in zip(names, right / np.maximum(1, total), strict=True)}
