"""The objective of fine-tuning: intents, slots and domains of labelled utterances (A 2.5, B), and what a fine-tuned teacher says
of any.

Shapes: B sequences, T packed tokens, W words, I intents, S slot tags, C domains.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from understudy.model.heads import NLU, Logits
from understudy.training.batches import LabelledBatch, LabelledSequences, one_epoch
from understudy.training.losses import Part, label_cross_entropy, soft_label_cross_entropy
from understudy.training.machine import Machine
from understudy.training.objectives import Objective
from understudy.training.tally import Metrics, evaluate

__all__ = ["Understanding", "accuracy", "prepared", "validator"]


class Understanding(Objective):
    """Intent of each utterance and slot tag of each word, at the word's first piece (A 2.5); where the model has that head, the
    domain of each utterance (B).

    Args:
        slots, domain: weights of their losses, beside 1 of the intent's.
        smoothing: label smoothing of all of them.
        frozen: whether the encoder stays as it is (A 3.2) and only the heads learn.
        teacher: a fine-tuned model of the same tokenizer and labels. Its distributions are learned as well, of every
            utterance, labelled or not. It is never trained or saved: see `objectives.Distillation`.
        soft: weight of the teacher's share, times that of each loss.
        temperature: of both softmaxes of the soft losses, which are multiplied by its square (Hinton et al. 2015).
        class_weights: by the loss's name ("intent", "domain"), what each class's loss is multiplied by.
    """

    asked = ("scores",)

    def __init__(
        self,
        nlu: NLU,
        *,
        slots: float,
        domain: float,
        smoothing: float = 0.0,
        frozen: bool = False,
        teacher: NLU | None = None,
        soft: float = 1.0,
        temperature: float = 1.0,
        class_weights: Mapping[str, Tensor] | None = None,
    ) -> None:
        super().__init__()
        self.nlu, self.smoothing, self.frozen = nlu, smoothing, frozen
        self.weights = {"intent": 1.0, "slots": slots, "domain": domain}
        self._teacher = () if teacher is None else (teacher.eval().requires_grad_(False),)
        self.soft, self.temperature = soft, temperature
        for name, weights_C in (class_weights or {}).items():
            # Made from the data anew each time, so no checkpoint holds them.
            self.register_buffer(f"{name}_weights", weights_C, persistent=False)
        if frozen:
            nlu.encoder.requires_grad_(False)

    def train(self, mode: bool = True) -> Understanding:
        """A frozen encoder is used as it will serve: without dropout."""
        super().train(mode)
        if self.frozen:
            self.nlu.encoder.eval()
        return self

    def counts(self, batch: LabelledBatch) -> dict[str, int]:
        asked = {"intent": batch.intents_B.numel(), "slots": batch.tags_W.numel()}
        if self.nlu.domains:
            asked["domain"] = batch.domains_B.numel()
        counts = {name: count if batch.labelled else 0 for name, count in asked.items()}
        if "domain" in counts:
            counts["domain"] = int((batch.domains_B >= 0).sum())
        # A teacher tells the domain of an utterance that has none of its own as well.
        told = {f"soft_{name}": count for teacher in self._teacher for name, count in asked.items() if _tells(teacher, name)}
        return counts | told

    def flops(self, batch: LabelledBatch) -> float:
        ours, theirs = self.nlu.encoder.config, [teacher.encoder.config for teacher in self._teacher]
        each = [(1 if self.frozen else 3) * ours.flops(tokens=batch.tokens, pairs=batch.pairs)]
        return sum(each + [config.flops(tokens=batch.tokens, pairs=batch.pairs) for config in theirs])

    def forward(self, batch: LabelledBatch) -> dict[str, Part]:
        ours = self.pairs(self.scores(batch), batch)
        parts = {}
        for name, (logits_NC, targets_N) in ours.items():
            weights_C = self._buffers.get(f"{name}_weights")
            loss = label_cross_entropy(logits_NC, targets_N, smoothing=self.smoothing, weights_C=weights_C)
            parts[name] = Part(loss, self.weights[name])
        for teacher in self._teacher:
            with torch.no_grad():
                theirs = self.pairs(_scores(teacher, batch), batch)
            for name, (told_NC, _) in theirs.items():
                if name not in ours:
                    continue
                soft = soft_label_cross_entropy(ours[name][0], told_NC, temperature=self.temperature)
                parts[f"soft_{name}"] = Part(soft, self.soft * self.temperature**2 * self.weights[name])
        return parts

    def scores(self, batch: LabelledBatch) -> Logits:
        """Intent logits (B, I) and domain logits (B, C) of each utterance, slot logits (W, S) of each word."""
        return _scores(self.nlu, batch)

    @staticmethod
    def pairs(scores: Logits, batch: LabelledBatch) -> dict[str, tuple[Tensor, Tensor]]:
        """Logits and targets of each loss by its name."""
        found = {"intent": (scores.intents_BI, batch.intents_B), "slots": (scores.slots_TS, batch.tags_W)}
        return found if scores.domains_BC is None else {**found, "domain": (scores.domains_BC, batch.domains_B)}

    def blocks(self) -> Iterator[nn.ModuleList]:
        yield self.nlu.encoder.blocks

    def beside(self) -> Iterator[NLU]:
        yield from self._teacher


def _scores(nlu: NLU, batch: LabelledBatch) -> Logits:
    logits: Logits = nlu(batch.ids_T, batch.layout)
    return logits._replace(slots_TS=logits.slots_TS.index_select(0, batch.firsts_W))


def _tells(nlu: NLU, name: str) -> bool:
    return name != "domain" or bool(nlu.domains)


def prepared(held: LabelledSequences, machine: Machine) -> list[LabelledBatch]:
    """All held-out utterances in batches on the machine's device."""
    cut = one_epoch(held.lengths, budget=8192, key="held-out", order_by=held.lengths)
    return [held.batch(indices, epoch=0).to(machine.device) for indices in cut]


def validator(objective: Understanding, held: Sequence[LabelledBatch], machine: Machine) -> Callable[[], Metrics]:
    """Measures the objective on the held-out batches: its losses, and `accuracy`."""

    def validate() -> Metrics:
        return {**evaluate(objective, held, autocast=machine.autocast), **accuracy(objective, held, machine)}

    return validate


@torch.no_grad()
def accuracy(objective: Understanding, prepared: Sequence[LabelledBatch], machine: Machine) -> Metrics:
    """Shares of right intents, of right tags (each the likeliest by itself), of utterances with all of them right, and where the
    model has that head of right domains."""
    objective.eval()
    right = np.zeros(4)
    total = np.zeros(4)
    for batch in prepared:
        with machine.autocast():
            intents_BI, tags_WS, domains_BC = objective.scores(batch)
        intent_B = intents_BI.argmax(-1) == batch.intents_B
        tag_W = tags_WS.argmax(-1) == batch.tags_W
        wrong_B = torch.zeros_like(batch.intents_B).index_add_(0, batch.layout.sequences_T[batch.firsts_W], (~tag_W).long())
        domains = 0 if domains_BC is None else int((domains_BC.argmax(-1) == batch.domains_B).sum())
        right += [int(intent_B.sum()), int(tag_W.sum()), int((intent_B & (wrong_B == 0)).sum()), domains]
        total += [len(intent_B), len(tag_W), len(intent_B), int((batch.domains_B >= 0).sum())]
    objective.train()
    names = ("intent_accuracy", "tag_accuracy", "exact", "domain_accuracy")[: 4 if objective.nlu.domains else 3]
    return {name: float(share) for name, share in zip(names, right / np.maximum(1, total), strict=False)}
