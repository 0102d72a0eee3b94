"""Two models on one labelled set: the offline figure that stands beside an experiment (A table 6)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from understudy.corpus.utterances import partition_of, read_partitions
from understudy.evaluation.metrics import FIGURES, counts, figures, resample
from understudy.interpretation import Interpretation

__all__ = ["Offline", "offline", "read_gold"]

DRAWS = 1000
SEMER = FIGURES.index("semer")


@dataclass(frozen=True)
class Offline:
    """SemER in percent of both models, the unweighted mean over locales, and its relative change in percent with a 95 % interval."""

    n: int
    baseline: float
    candidate: float
    change: float | None
    interval: tuple[float, float] | None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def offline(
    gold: Sequence[Interpretation], baseline: Sequence[Interpretation], candidate: Sequence[Interpretation], *, seed: int = 0
) -> Offline:
    """Both models' interpretations of the same utterances, in the same order, against gold labels.

    The interval is a bootstrap over utterances that draws both models' mistakes on an utterance together, and with them those on its
    translations (`metrics.resample`). Raises ValueError where there are no utterances.
    """
    if not gold:
        raise ValueError("offline figures need at least one utterance")
    by_locale: defaultdict[str, list[int]] = defaultdict(list)
    for index, g in enumerate(gold):
        by_locale[g.locale].append(index)
    means, drawn = [], []
    for found in (baseline, candidate):
        counted = counts(gold, found)
        means.append(float(np.mean([figures(counted[of].sum(axis=0))[SEMER] for of in by_locale.values()])))
        drawn.append(np.mean([resample(counted[of], draws=DRAWS, seed=seed)[:, SEMER] for of in by_locale.values()], axis=0))
    old, new = means
    known = drawn[0] > 0
    if old == 0 or not known.any():
        return Offline(len(gold), old, new, None, None)
    low, high = np.quantile(100 * (drawn[1][known] / drawn[0][known] - 1), [0.025, 0.975]).tolist()
    return Offline(len(gold), old, new, 100 * (new / old - 1), (low, high))


def read_gold(path: Path, *, format: str = "auto", partition: str = "dev") -> list[Interpretation]:
    """The utterances of one partition: of a labels artifact, or of a file or folder as `LabelSource` takes it.

    Raises DataError where they cannot be read or there are none.
    """
    return partition_of(read_partitions(path, format), partition, where=path)
