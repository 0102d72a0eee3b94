"""The objective of fine-tuning: intents and slots of labelled utterances (A 2.5), and what a fine-tuned teacher says of any.

Shapes: B sequences, T packed tokens, W words, I intents, S slot tags.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn

from understudy.model.heads import NLU
from understudy.training.batches import LabelledBatch
from understudy.training.losses import Part, label_cross_entropy, soft_label_cross_entropy
from understudy.training.machine import Machine
from understudy.training.objectives import Objective
from understudy.training.tally import Metrics

__all__ = ["Understanding", "accuracy"]

HEADS: Final = ("intent", "slots")
"""What is told of an utterance, in the order of the scores."""


class Understanding(Objective):
    """Intent of each utterance and slot tag of each word, at the word's first piece (A 2.5).

    Args:
        intent, slots: weights of the two losses.
        smoothing: label smoothing of both.
        frozen: whether the encoder stays as it is (A 3.2) and only the heads learn.
        teacher: a fine-tuned model of the same tokenizer and labels. Its distributions are learned as well, of every
            utterance, labelled or not. It is never trained or saved: see `objectives.Distillation`.
        soft: weight of the teacher's share, times that of each loss.
        temperature: of both softmaxes of the soft losses, which are multiplied by its square (Hinton et al. 2015).
    """

    asked = ("scores",)

    def __init__(
        self,
        nlu: NLU,
        *,
        intent: float = 1.0,
        slots: float = 1.0,
        smoothing: float = 0.0,
        frozen: bool = False,
        teacher: NLU | None = None,
        soft: float = 1.0,
        temperature: float = 1.0,
    ) -> None:
        super().__init__()
        self.nlu, self.smoothing, self.frozen = nlu, smoothing, frozen
        self.weights = {"intent": intent, "slots": slots}
        self._teacher = () if teacher is None else (teacher.eval().requires_grad_(False),)
        self.soft, self.temperature = soft, temperature
        if frozen:
            nlu.encoder.requires_grad_(False)

    def train(self, mode: bool = True) -> Understanding:
        """A frozen encoder is used as it will serve: without dropout."""
        super().train(mode)
        if self.frozen:
            self.nlu.encoder.eval()
        return self

    def counts(self, batch: LabelledBatch) -> dict[str, int]:
        asked = {name: targets.numel() for name, targets in _targets(batch).items()}
        counts = {name: count if batch.labelled else 0 for name, count in asked.items()}
        return counts | {f"soft_{name}": count for name, count in asked.items()} if self._teacher else counts

    def flops(self, batch: LabelledBatch) -> float:
        ours, theirs = self.nlu.encoder.config, [teacher.encoder.config for teacher in self._teacher]
        each = [(1 if self.frozen else 3) * ours.flops(tokens=batch.tokens, pairs=batch.pairs)]
        return sum(each + [config.flops(tokens=batch.tokens, pairs=batch.pairs) for config in theirs])

    def forward(self, batch: LabelledBatch) -> dict[str, Part]:
        ours, counts = dict(zip(HEADS, self.scores(batch), strict=True)), self.counts(batch)
        parts = {}
        for name, targets in _targets(batch).items():
            loss, _ = label_cross_entropy(ours[name], targets, smoothing=self.smoothing)
            parts[name] = Part(loss, counts[name], self.weights[name])
        for teacher in self._teacher:
            with torch.no_grad():
                theirs = dict(zip(HEADS, _scores(teacher, batch), strict=True))
            for name in HEADS:
                soft = soft_label_cross_entropy(ours[name], theirs[name], temperature=self.temperature)
                parts[f"soft_{name}"] = Part(*soft, self.soft * self.temperature**2 * self.weights[name])
        return parts

    def scores(self, batch: LabelledBatch) -> tuple[Tensor, Tensor]:
        """Intent logits (B, I) of each utterance and slot logits (W, S) of each word."""
        return _scores(self.nlu, batch)

    def blocks(self) -> Iterator[nn.ModuleList]:
        yield self.nlu.encoder.blocks

    def beside(self) -> Iterator[NLU]:
        yield from self._teacher


def _targets(batch: LabelledBatch) -> dict[str, Tensor]:
    """What each head is to say."""
    return {"intent": batch.intents_B, "slots": batch.tags_W}


def _scores(nlu: NLU, batch: LabelledBatch) -> tuple[Tensor, Tensor]:
    intents_BI, tags_TS = nlu(batch.ids_T, batch.layout)
    return intents_BI, tags_TS.index_select(0, batch.firsts_W)


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
