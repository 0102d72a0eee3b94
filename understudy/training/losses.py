"""Losses as sums over their targets, so that they can be divided once by the count of a whole update.

The softmax over the vocabulary runs at masked positions only, and over a few of those at a time: the logits of one chunk
are made, turned into their own gradient, multiplied into the gradients of features and weights, and dropped. No more than
one chunk of them, with its softmax, ever lives, forward or backward, and nothing is computed twice. At a vocabulary of 150,000
this head would be 87 % of a 17M student's FLOPs were it run on every token.

Shapes: M masked positions, D width of the student, E width of the teacher, V vocabulary, C positions of one chunk.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from understudy.model.layout import even
from understudy.training.kept import Kept

__all__ = [
    "Decoder",
    "Mixed",
    "Part",
    "at_once",
    "label_cross_entropy",
    "mixed_cross_entropy",
    "soft_label_cross_entropy",
]

CHUNK_ELEMENTS = 1 << 22  # logits alive at once: 16 MB in fp32, about what stays in a last-level cache
LEAST_CHUNK = 256  # positions, so that a product is worth the reading of all weights; 150 MB of logits at 150,000 words
TILE = 8192  # rows of the weights' gradient at a time
CHUNK_ELEMENTS_CUDA = 1 << 27


class Part(NamedTuple):
    """A loss summed over the targets that `Objective.counts` counts. What is trained on is the sum over the parts of
    `weight * sum / count`; a part of weight 0 is only reported. `each` holds the losses of the single targets, where they are of
    interest."""

    # A tuple, since FSDP looks into tuples for what to gather weights before: into other classes only from torch 2.13 on.
    sum: Tensor
    weight: float = 1.0
    each: Tensor | None = None


class Decoder(NamedTuple):
    """What turns features into logits: `logits_MV = features_MD @ weight_VD.T + bias_V`."""

    features_MD: Tensor
    weight_VD: Tensor
    bias_V: Tensor


@dataclass(frozen=True)
class Mixed:
    """`total` = hard_weight * sum(hard_M) + soft_weight * sum(soft_M) can be differentiated; the losses of the single
    positions cannot."""

    total: Tensor
    hard_M: Tensor
    soft_M: Tensor


def mixed_cross_entropy(
    student: Decoder,
    teacher: Decoder | Kept | None,
    targets_M: Tensor | None,
    *,
    hard_weight: float = 1.0,
    soft_weight: float = 1.0,
    temperature: float = 1.0,
    chunk: int | None = None,
) -> Mixed:
    """Both cross-entropies from one pass over the student's logits, the costliest product of a small student.

    Hard: in nats, of the vocabulary softmax (A 2.4). Soft: of softmaxes of logits over `temperature`, student's against
    teacher's (A 2.6); its least value is the teacher's entropy, and no gradient reaches the teacher.

    Args:
        student, teacher: features at the masked positions and the decoder, usually tied to the embeddings. What was kept of a
            teacher must be of its logits over `temperature`: it cannot be brought to another one.
        targets_M: token ids, int64; may be missing where only the teacher is learned from, `teacher` where there is none.
        chunk: positions at a time; by default as many as fit a cache.
    """
    settings = _Settings(hard_weight, soft_weight, temperature, chunk or at_once(student), torch.is_grad_enabled())
    total, hard_M, soft_M = _Vocabulary.apply(*student, teacher, targets_M, settings)  # type: ignore[no-untyped-call]
    return Mixed(total, hard_M, soft_M)


def at_once(decoder: Decoder) -> int:
    """Positions whose logits are made together: as many as fit a cache, and enough to be worth the reading of all weights."""
    elements = CHUNK_ELEMENTS_CUDA if decoder.features_MD.is_cuda else CHUNK_ELEMENTS
    return max(LEAST_CHUNK, elements // decoder.bias_V.shape[0])


@dataclass(frozen=True)
class _Settings:
    hard_weight: float
    soft_weight: float
    temperature: float
    chunk: int
    grad: bool


class _Vocabulary(torch.autograd.Function):
    """Losses and, where wanted, their gradients in one forward pass; backward only scales."""

    @staticmethod
    def forward(
        ctx: Any,
        features_MD: Tensor,
        weight_VD: Tensor,
        bias_V: Tensor,
        teacher: Decoder | Kept | None,
        targets_M: Tensor | None,
        settings: _Settings,
    ) -> tuple[Tensor, Tensor, Tensor]:
        device = features_MD.device.type
        dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else weight_VD.dtype
        with torch.autocast(device, enabled=False):
            features, weight, bias = even(features_MD.to(dtype)), weight_VD.to(dtype), bias_V.to(dtype)
            M, added = len(features_MD), (0, len(features) - len(features_MD))
            targets_M = F.pad(targets_M, added) if targets_M is not None else None
            if isinstance(teacher, Decoder):
                teacher = Decoder(*(t.detach().to(dtype) for t in teacher))
                teacher = teacher._replace(features_MD=even(teacher.features_MD))
            elif teacher is not None:
                teacher = Kept(*(F.pad(t, (0, 0, *added)) for t in teacher))
            wide = torch.promote_types(dtype, torch.float32)  # of sums, softmaxes and gradients of weights
            hard_M, soft_M = features.new_zeros(2, len(features), dtype=wide)
            grads = _Gradients(features, weight, wide) if settings.grad else None
            for start in range(0, len(features), settings.chunk):
                at = slice(start, start + settings.chunk)
                student_CV = torch.addmm(bias, features[at], weight.T).to(wide)
                theirs = _theirs(teacher, at, wide)
                targets_C = targets_M[at] if targets_M is not None else None
                hard_M[at], soft_M[at], grad_CV = _chunk(student_CV, theirs, targets_C, settings)
                if grads is not None and grad_CV is not None:
                    grad_CV[max(0, M - start) :] = 0  # of rows that were added
                    grads.add(at, grad_CV)
            hard_M, soft_M = hard_M[:M], soft_M[:M]
            total = settings.hard_weight * hard_M.sum() + settings.soft_weight * soft_M.sum()
        ctx.grads = None if grads is None else grads.of((features_MD, weight_VD, bias_V))
        ctx.mark_non_differentiable(hard_M, soft_M)
        ctx.set_materialize_grads(False)
        return total, hard_M, soft_M

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor, _hard: None, _soft: None) -> tuple[Tensor | None, ...]:
        grads, ctx.grads = ctx.grads, None  # scaled in place, so they serve once
        assert grads is not None, "this loss was differentiated twice, or made without gradients"
        for g in grads:
            g.mul_(grad)
        return (*grads, None, None, None)


class _Gradients:
    """Gradients of features, weight and bias, gathered chunk by chunk; sums over chunks are `wide`."""

    def __init__(self, features_MD: Tensor, weight_VD: Tensor, wide: torch.dtype) -> None:
        self._features_MD, self._weight_VD = features_MD, weight_VD
        self._of_features: list[Tensor] = []
        self._of_weight_VD: Tensor | None = None
        self._of_bias_V = weight_VD.new_zeros(len(weight_VD), dtype=wide)
        # On a CPU a product the size of the weights for every chunk would be fresh pages each time; rows of it fit a cache.
        self._rows = len(weight_VD) if weight_VD.is_cuda else min(len(weight_VD), TILE)
        self._wide = wide

    def add(self, at: slice, grad_CV: Tensor) -> None:
        narrow_CV, features_CD = grad_CV.to(self._features_MD.dtype), self._features_MD[at]
        self._of_features.append(narrow_CV @ self._weight_VD)
        self._of_bias_V.add_(grad_CV.sum(0))
        if self._of_weight_VD is None:
            if self._rows == len(self._weight_VD):
                self._of_weight_VD = (narrow_CV.T @ features_CD).to(self._wide)
                return
            self._of_weight_VD = torch.zeros_like(self._weight_VD, dtype=self._wide)
        for first in range(0, len(self._weight_VD), self._rows):
            rows = slice(first, first + self._rows)
            self._of_weight_VD[rows].add_(narrow_CV[:, rows].T @ features_CD)

    def of(self, inputs: tuple[Tensor, Tensor, Tensor]) -> tuple[Tensor, ...]:
        """In the precision of the inputs; zeros where there was no position at all."""
        if self._of_weight_VD is None:
            return tuple(torch.zeros_like(t) for t in inputs)
        found = torch.cat(self._of_features)[: len(inputs[0])], self._of_weight_VD, self._of_bias_V
        return tuple(g.to(t.dtype) for g, t in zip(found, inputs, strict=True))


def _theirs(teacher: Decoder | Kept | None, at: slice, wide: torch.dtype) -> Tensor | Kept | None:
    """What the teacher says at some positions: logits (C, V), or what was kept of them."""
    if isinstance(teacher, Decoder):
        return torch.addmm(teacher.bias_V, teacher.features_MD[at], teacher.weight_VD.T).to(wide)
    return None if teacher is None else Kept(teacher.ids_MK[at], teacher.mass_MK[at].to(wide))


def _chunk(
    student_CV: Tensor, theirs: Tensor | Kept | None, targets_C: Tensor | None, settings: _Settings
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Hard and soft losses of some positions and the gradient of the weighted sum with respect to the student's logits.

    Both gradients are a softmax less what was wanted of it; at a temperature of one they share it.
    """
    t = settings.temperature
    hard = settings.hard_weight if targets_C is not None else 0.0
    soft = settings.soft_weight / t if theirs is not None else 0.0
    logp_CV = torch.log_softmax(student_CV, 1)
    warm_CV = logp_CV if theirs is None or t == 1.0 else torch.log_softmax(student_CV / t, 1)
    hard_C = soft_C = logp_CV.new_zeros(len(logp_CV))
    if targets_C is not None:
        hard_C = -logp_CV.gather(1, targets_C[:, None]).squeeze(1)
    if isinstance(theirs, Kept):
        soft_C = -(theirs.mass_MK * warm_CV.gather(1, theirs.ids_MK)).sum(1)
    elif theirs is not None:
        theirs = torch.softmax(theirs / t if t != 1.0 else theirs, 1)
        soft_C = -torch.linalg.vecdot(theirs, warm_CV)
    if not settings.grad:
        return hard_C, soft_C, None
    grad_CV, weight = logp_CV.exp_(), hard + soft if warm_CV is logp_CV else hard
    if weight != 1.0:
        grad_CV.mul_(weight)
    if warm_CV is not logp_CV:
        grad_CV.add_(warm_CV.exp_(), alpha=soft)
    if targets_C is not None:
        grad_CV.scatter_add_(1, targets_C[:, None], grad_CV.new_full((len(grad_CV), 1), -hard))
    if isinstance(theirs, Kept):
        grad_CV.scatter_add_(1, theirs.ids_MK, theirs.mass_MK * -soft)
    elif theirs is not None:
        grad_CV.sub_(theirs, alpha=soft)
    return hard_C, soft_C, grad_CV


def label_cross_entropy(
    logits_NC: Tensor, targets_N: Tensor, *, smoothing: float = 0.0, weights_C: Tensor | None = None
) -> Tensor:
    """Cross-entropy over a small set of labels, summed over N; `smoothing` spreads that share over all labels.

    Each target's loss is multiplied by the weight of its label. A target of -1 adds nothing.
    """
    options: dict[str, Any] = {"label_smoothing": smoothing, "ignore_index": -1}
    if weights_C is None:
        return nn.functional.cross_entropy(logits_NC.float(), targets_N, reduction="sum", **options)
    each_N = nn.functional.cross_entropy(logits_NC.float(), targets_N, reduction="none", **options)
    return (each_N * weights_C[targets_N.clamp(min=0)]).sum()


def soft_label_cross_entropy(logits_NC: Tensor, teacher_NC: Tensor, *, temperature: float = 1.0) -> Tensor:
    """Cross-entropy over a small set of labels against a teacher's distribution, summed over N (Hinton et al. 2015).

    Both are softmaxes of logits over `temperature`; whoever weighs the loss multiplies by its square. No gradient reaches the
    teacher.
    """
    wanted_NC = torch.softmax(teacher_NC.detach().float() / temperature, -1)
    return nn.functional.cross_entropy(logits_NC.float() / temperature, wanted_NC, reduction="sum")
