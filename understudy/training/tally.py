"""Losses summed over batches, languages and ranks; and the evaluation of an objective, which is nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import TypeVar

import torch
from torch import Tensor

from understudy.training.batches import Batch, MaskedBatch
from understudy.training.losses import Part
from understudy.training.objectives import Objective, sum_counts
from understudy.training.ranks import ranks, total

__all__ = ["Autocast", "Metrics", "Tally", "evaluate", "everywhere", "share_of"]

Autocast = Callable[[], AbstractContextManager[None]]
Metrics = dict[str, float]
B = TypeVar("B", bound=Batch)


@torch.no_grad()
def evaluate(objective: Objective, batches: Sequence[Batch], *, autocast: Autocast, languages: Sequence[str] = ()) -> Metrics:
    """Means of the objective's parts over `batches`, its loss, and the masked-LM loss of each language (`mlm.de`).

    Each rank takes every so-manieth batch. Dropout is off and no random number is drawn, so evaluating changes nothing in a run.
    """
    training, share = objective.training, share_of(batches)
    objective.eval()
    tally = Tally(languages, batches[0].ids_T.device)
    for batch in share:
        with autocast():
            parts = objective(batch)
        tally.add(parts, batch)
    objective.train(training)
    means = tally.means(everywhere(sum_counts(objective, share)))
    return {"loss": sum(part.weight * means[name] for name, part in parts.items()), **means}


def share_of(batches: Sequence[B]) -> list[B]:
    """Every so-manieth of the batches, for this rank; on all ranks equally many, if need be idle."""
    here = ranks()
    share = [*batches[here.rank :: here.world]]
    return share + [replace(batches[0], idle=True)] * (-(-len(batches) // here.world) - len(share))


class Tally:
    """Sums of losses while batches go by, brought to the CPU once, in one piece."""

    def __init__(self, languages: Sequence[str], device: torch.device) -> None:
        self._languages = languages
        self._sums: dict[str, Tensor] = {}
        self._by_language_2N = torch.zeros(2, len(languages), dtype=torch.float64, device=device)

    def add(self, parts: Mapping[str, Part], batch: Batch) -> None:
        """What one batch came to."""
        for name, part in parts.items():
            self._sums[name] = self._sums.get(name, 0.0) + part.sum.detach().double() * (not batch.idle)
        each_M = parts["mlm"].each if "mlm" in parts else None
        if each_M is not None and isinstance(batch, MaskedBatch) and self._languages and not batch.idle:
            language_M = batch.languages_B[batch.layout.sequences_T[batch.masked_M]]
            both_2M = torch.stack([each_M.detach().double(), torch.ones_like(each_M, dtype=torch.float64)])
            self._by_language_2N.index_add_(1, language_M, both_2M)

    def means(self, counts: Mapping[str, int]) -> dict[str, float]:
        """Means over all ranks: of each part by its count, and of the masked-LM loss of each language that came by."""
        names, n = list(self._sums), len(self._languages)
        values = torch.cat([torch.stack([*self._sums.values()]), self._by_language_2N.flatten()]).tolist()
        sums = total(values)
        means = {name: sums[at] / max(1, counts[name]) for at, name in enumerate(names)}
        by_language = zip(self._languages, sums[len(names) : len(names) + n], sums[len(names) + n :], strict=True)
        return means | {f"mlm.{lang}": of / count for lang, of, count in by_language if count}


def everywhere(counts: Mapping[str, int]) -> dict[str, int]:
    """Counts over all ranks."""
    return dict(zip(counts, map(round, total([*counts.values()])), strict=True))
