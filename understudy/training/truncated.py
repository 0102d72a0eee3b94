"""Distributions over the vocabulary of which the K likeliest words are known, and all others only together.

Learning from one is a cross-entropy over K + 1 outcomes: each known word, and "any other". Nothing is made up about how the
mass outside is spread: the student keeps its own opinion of it and learns how large it is. Spread evenly instead, the mass
would teach that the words outside are alike, which no teacher said. The loss is the whole cross-entropy less what is learned
inside the tail (its mass times the cross-entropy of the words in it): least where the student agrees on all K + 1, and the whole
cross-entropy where K is V.

Shapes: M masked positions, C positions of one chunk, K known words, P = K + 1, V vocabulary.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["Truncated", "likeliest", "truncated_cross_entropy"]


class Truncated(NamedTuple):
    """ids_MK: the known words of each position, int64, none twice. mass_MP: their probabilities, and last that of all others."""

    ids_MK: Tensor
    mass_MP: Tensor


def likeliest(logits_CV: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Ids (C, K) of the k likeliest words, likeliest first, and log-probabilities (C, P) of them and of all others together.

    Where k is V or more there are no others: K is V, and their log-probability minus infinity.
    """
    lse_C1 = logits_CV.logsumexp(1, keepdim=True)
    top_CK, ids_CK = logits_CV.topk(min(k, logits_CV.shape[1]), 1)
    # One minus the known mass would be nothing but rounding where a teacher is sure.
    others_C1 = logits_CV.scatter(1, ids_CK, -torch.inf).logsumexp(1, keepdim=True)
    return ids_CK, torch.cat((top_CK, others_C1), 1) - lse_C1


def truncated_cross_entropy(logits_CV: Tensor, wanted: Truncated, *, grad: bool) -> tuple[Tensor, Tensor | None]:
    """Cross-entropy (C) over K + 1 outcomes of the softmax of `logits_CV` and, with `grad`, its gradient (C, V) by them."""
    known_CK, others_C1 = wanted.mass_MP[:, :-1], wanted.mass_MP[:, -1:]
    lse_C1 = logits_CV.logsumexp(1, keepdim=True)
    logq_CK = logits_CV.gather(1, wanted.ids_MK) - lse_C1
    outside_CV = (logits_CV - lse_C1).exp_().scatter_(1, wanted.ids_MK, 0.0)
    # A sum of what is left, not one minus what is known: exact where the student is sure. Where it underflows the loss stays finite.
    outside_C1 = outside_CV.sum(1, keepdim=True).clamp_min_(torch.finfo(logits_CV.dtype).tiny)
    loss_C = -(known_CK * logq_CK).sum(1) - (others_C1 * outside_C1.log()).squeeze(1)
    if not grad:
        return loss_C, None
    outside_CV.mul_(1 - others_C1 / outside_C1)
    return loss_C, outside_CV.scatter_(1, wanted.ids_MK, logq_CK.exp() - known_CK)
