"""Distributions over the vocabulary of which the likeliest words are kept, and of all others a fair sample.

The mass of the likeliest words alone is not enough: a student that learns them and nothing of the rest, or the rest spread evenly,
learns something else than the teacher says, the more so the less sure the teacher is. A sample of the others, in proportion to their
probabilities, that carries their mass makes loss and gradient right in the mean (Anshumann et al. 2025, Sparse Logit Sampling, who
sample all of it). The likeliest words are kept exactly, since they have most of the mass; that and samples at even distances
(systematic sampling) make the scatter small.

Shapes: C positions of one chunk, M masked positions, S samples, K = k + S words kept, V vocabulary.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["Kept", "keep"]


class Kept(NamedTuple):
    """ids_MK: words of each position, int64; mass_MK: their masses, of sum 1. A word that is there twice has both masses."""

    ids_MK: Tensor
    mass_MK: Tensor


def keep(logits_CV: Tensor, draws_C: Tensor, *, k: int, samples: int) -> tuple[Tensor, Tensor]:
    """Ids (C, k + S) of the k likeliest words and of samples of all others; log-probabilities (C, k + 1) of the k and of the others
    together, each sample standing for an equal share of them.

    Args:
        draws_C: uniform in [0, 1), where among the others the first sample falls; the rest follow at even distances.
        k: at most V; then nothing is left for the others, and their log-probability is minus infinity.
    """
    lse_C1 = logits_CV.logsumexp(1, keepdim=True)
    top_Ck, ids_Ck = logits_CV.topk(k, 1)
    # Summed, for one minus the mass of the k would be nothing but rounding where a teacher is sure.
    up_to_CV = (logits_CV - lse_C1).exp_().scatter_(1, ids_Ck, 0.0).cumsum_(1)
    others_C1 = up_to_CV[:, -1:].clone()
    at_CS = (draws_C.to(logits_CV)[:, None] + torch.arange(samples, device=logits_CV.device)) * (others_C1 / samples)
    sampled_CS = torch.searchsorted(up_to_CV, at_CS, right=True).clamp_max_(logits_CV.shape[1] - 1)
    return torch.cat((ids_Ck, sampled_CS), 1), torch.cat((top_Ck - lse_C1, others_C1.log_()), 1)
