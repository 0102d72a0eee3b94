"""What is learned: an objective is a module whose forward pass turns a batch into sums of losses.

Masked language modelling, distillation and language understanding (`understanding.py`) differ in nothing else but the batches
they read.

Shapes: B sequences, T packed tokens, M masked positions, D width of the student, E width of the teacher.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from understudy.model.encoder import MaskedLM
from understudy.model.foreign import Teacher
from understudy.model.heads import NLU
from understudy.training.batches import Batch, MaskedBatch, TaughtBatch
from understudy.training.kept import Kept
from understudy.training.losses import Decoder, Part, at_once, mixed_cross_entropy

__all__ = ["Distillation", "MaskedLanguageModelling", "Objective", "even_layers", "sum_counts"]


class Objective(nn.Module):
    """Base of all objectives: `forward(batch)` gives the parts of the loss, `counts(batch)` their counts beforehand.

    Counts are needed before the first backward pass of an update: sums over micro-batches (and machines) are divided once,
    by the count of the whole update. asked: names of further methods that run the model.
    """

    asked: ClassVar[tuple[str, ...]] = ()

    def counts(self, batch: Any) -> dict[str, int]:
        raise NotImplementedError

    def flops(self, batch: Any) -> float:
        """Of the forward and backward pass over `batch`, as the model needs them: what is done again is not counted."""
        raise NotImplementedError

    def forward(self, batch: Any) -> dict[str, Part]:
        raise NotImplementedError

    def blocks(self) -> Iterator[nn.ModuleList]:
        """The stacks of equal blocks that are learned, for whoever checkpoints, compiles or shards them."""
        raise NotImplementedError

    def beside(self) -> Iterator[Teacher | NLU]:
        """Models that are listened to and not learned; none in most objectives."""
        yield from ()


class MaskedLanguageModelling(Objective):
    """Cross-entropy of the masked tokens (A 2.4)."""

    asked = ("likeliest",)

    def __init__(self, model: Teacher) -> None:
        super().__init__()
        self.model = model

    def counts(self, batch: MaskedBatch) -> dict[str, int]:
        return {"mlm": batch.masked_M.numel()}

    def flops(self, batch: MaskedBatch) -> float:
        return 3 * _flops(self.model, batch)

    def forward(self, batch: MaskedBatch) -> dict[str, Part]:
        h_TD = self.model.encoder(batch.ids_T, batch.layout)
        mixed = mixed_cross_entropy(_decoder(self.model, h_TD, batch), None, batch.targets_M, soft_weight=0.0)
        return {"mlm": Part(mixed.total, each=mixed.hard_M)}

    def likeliest(self, batch: MaskedBatch) -> Tensor:
        """The likeliest word (M,) at each masked token."""
        return _likeliest(self.model, batch)

    def blocks(self) -> Iterator[nn.ModuleList]:
        yield self.model.encoder.blocks


class Distillation(Objective):
    """Masked language modelling, soft cross-entropy against a teacher, and hidden-layer matching, each with a weight (A 2.6).

    Args:
        student, teacher: of one vocabulary. Without a teacher the batches must bring what it said (`TaughtBatch`), of logits over
            the same temperature, and hidden layers cannot be matched. The teacher is never trained or saved: it is held outside the module's parts, and
            `beside` names it to whoever moves, compiles or shards it.
        mlm, soft, hidden: weights. The soft loss is also multiplied by temperature squared, so that its gradient's size
            does not depend on the temperature (Hinton et al. 2015).
        layer_map: the teacher's layer (from 0) for each of the student's; by default evenly spread, last to last.

    Hidden layers are compared by mean squared error after a LayerNorm without weights on both sides, since the residual
    stream of a pre-layernorm encoder grows with depth, and through a learned projection where widths differ.
    """

    asked = ("likeliest",)

    def __init__(
        self,
        student: MaskedLM,
        teacher: Teacher | None,
        *,
        mlm: float = 1.0,
        soft: float = 1.0,
        hidden: float = 0.0,
        temperature: float = 1.0,
        layer_map: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        self.student = student
        self._teacher = () if teacher is None else (teacher.eval().requires_grad_(False),)
        self.weights = {"mlm": mlm, "soft": soft, "hidden": hidden}
        self.temperature = temperature
        D, E = student.config.hidden, teacher.config.hidden if teacher else 0
        self.layer_map = tuple(layer_map or even_layers(student.config.layers, teacher.config.layers)) if teacher else ()
        assert teacher is not None or not hidden, "hidden layers are matched with a teacher that is there"
        pairs = len(self.layer_map) if hidden else 0
        self.projections = nn.ModuleList(nn.Linear(D, E) if D != E else nn.Identity() for _ in range(pairs))

    @property
    def teacher(self) -> Teacher | None:
        return self._teacher[0] if self._teacher else None

    def counts(self, batch: MaskedBatch) -> dict[str, int]:
        masked = batch.masked_M.numel()
        counts = {"mlm": masked, "soft": masked, "vocabulary": masked}
        return {**counts, "hidden": batch.tokens} if self.weights["hidden"] else counts

    def flops(self, batch: MaskedBatch) -> float:
        return 3 * _flops(self.student, batch) + sum(_flops(teacher, batch) for teacher in self.beside())

    def forward(self, batch: MaskedBatch) -> dict[str, Part]:
        deep = bool(self.weights["hidden"])
        theirs, theirs_LTE = self._listen(batch, deep)
        h_TD, ours_LTD = self.student.encoder(batch.ids_T, batch.layout, hidden=True)
        mixed = mixed_cross_entropy(
            _decoder(self.student, h_TD, batch),
            theirs,
            batch.targets_M,
            hard_weight=self.weights["mlm"],
            soft_weight=self.weights["soft"] * self.temperature**2,
            temperature=self.temperature,
        )
        parts = {
            "mlm": Part(mixed.hard_M.sum(), 0.0, each=mixed.hard_M),
            "soft": Part(mixed.soft_M.sum(), 0.0),
            "vocabulary": Part(mixed.total),  # both of the above, weighted, from one pass over the logits
        }
        if deep:
            pairs = zip(self.projections, ours_LTD, theirs_LTE, strict=True)
            distances = [_distance(project(_normal(s_TD)), _normal(t_TE)) for project, s_TD, t_TE in pairs]
            parts["hidden"] = Part(torch.stack(distances).mean(), self.weights["hidden"])
        return parts

    def likeliest(self, batch: MaskedBatch) -> Tensor:
        """The student's likeliest word (M,) at each masked token."""
        return _likeliest(self.student, batch)

    @torch.no_grad()
    def _listen(self, batch: MaskedBatch, deep: bool) -> tuple[Decoder | Kept, list[Tensor]]:
        if self.teacher is None:
            assert isinstance(batch, TaughtBatch), "without a teacher the batch brings what it said"
            return Kept(batch.kept_MK, batch.mass_MK), []
        found = self.teacher.encoder(batch.ids_T, batch.layout, hidden=deep)
        h_TE, layers_LTE = found if deep else (found, [])
        return _decoder(self.teacher, h_TE, batch), [layers_LTE[layer] for layer in self.layer_map] if deep else []

    def blocks(self) -> Iterator[nn.ModuleList]:
        yield self.student.encoder.blocks

    def beside(self) -> Iterator[Teacher]:
        yield from self._teacher


def even_layers(student: int, teacher: int) -> tuple[int, ...]:
    """The teacher's layers for each of the student's, evenly spread and last to last: 4 of 16 are 3, 7, 11, 15."""
    return tuple(max(0, round((layer + 1) * teacher / student) - 1) for layer in range(student))


def sum_counts(objective: Objective, parts: Sequence[Batch]) -> dict[str, int]:
    """Counts of an update's micro-batches together, idle ones apart, and their "tokens" and "examples" (sequences)."""
    each = [objective.counts(batch) | {"tokens": batch.tokens, "examples": len(batch.languages_B)} for batch in parts]
    return {name: sum(c[name] for c, batch in zip(each, parts, strict=True) if not batch.idle) for name in each[0]}


def _decoder(model: Teacher, h_TD: Tensor, batch: MaskedBatch) -> Decoder:
    features_MD = model.head.features(h_TD.index_select(0, batch.masked_M))
    return Decoder(features_MD, model.decoder_weight_VD, model.decoder_bias_V)


@torch.no_grad()
def _likeliest(model: Teacher, batch: MaskedBatch) -> Tensor:
    decoder = _decoder(model, model.encoder(batch.ids_T, batch.layout), batch)
    weight_VD, bias_V = decoder.weight_VD.float(), decoder.bias_V.float()
    with torch.autocast(bias_V.device.type, enabled=False):  # in bf16 the best two are often equal
        parts = torch.split(decoder.features_MD.float(), at_once(decoder))
        return torch.cat([torch.addmm(bias_V, part_CD, weight_VD.T).argmax(-1) for part_CD in parts])


def _flops(model: Teacher, batch: MaskedBatch) -> float:
    return model.config.flops(tokens=batch.tokens, pairs=batch.pairs, masked=batch.masked_M.numel())


def _normal(h_TD: Tensor) -> Tensor:
    return F.layer_norm(h_TD, h_TD.shape[-1:])


def _distance(ours_TE: Tensor, theirs_TE: Tensor) -> Tensor:
    """Squared differences: mean over the width, sum over tokens."""
    return (ours_TE.float() - theirs_TE.float()).square().mean(-1).sum()
