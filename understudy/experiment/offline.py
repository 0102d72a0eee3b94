"""Two models on one labelled set: the offline figure that stands beside an experiment (A table 6)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.corpus.labels import read_partitions
from understudy.errors import DataError
from understudy.evaluation.metrics import COUNTS, FIGURES, counts, figures
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

    The interval is a bootstrap over utterances that draws both models' mistakes on an utterance together. Raises ValueError for
    nothing.
    """
    if not gold:
        raise ValueError("offline figures need at least one utterance")
    both = np.concatenate([counts(gold, baseline), counts(gold, candidate)], axis=1)
    by_locale: defaultdict[str, list[int]] = defaultdict(list)
    for index, g in enumerate(gold):
        by_locale[g.locale].append(index)
    whole, draws = [], []
    for locale in sorted(by_locale):
        rows = both[by_locale[locale]]
        generator = np.random.default_rng([seed, *locale.encode()])
        kinds, sizes = np.unique(rows, axis=0, return_counts=True)
        whole.append(_semer(rows.sum(axis=0)))
        draws.append(_semer(generator.multinomial(len(rows), sizes / len(rows), size=DRAWS) @ kinds))
    old, new = np.mean(whole, axis=0).tolist()
    drawn = np.mean(draws, axis=0)
    known = drawn[drawn[:, 0] > 0]
    changes = 100 * (known[:, 1] / known[:, 0] - 1)
    interval = tuple(np.quantile(changes, [0.025, 0.975]).tolist()) if old > 0 and len(changes) else None
    return Offline(len(gold), old, new, 100 * (new / old - 1) if old > 0 else None, interval)


def read_gold(path: Path, *, format: str = "auto", partition: str = "dev") -> list[Interpretation]:
    """The utterances of one partition: of a labels artifact, or of a file or folder as `LabelSource` takes it.

    Raises DataError where they cannot be read or there are none.
    """
    parts = read_partitions(path, format)
    if partition not in parts:
        wanted = f"one of {', '.join(sorted(parts))}"
        raise DataError("there are no utterances in this partition", where=path, got=partition, wanted=wanted)
    return parts[partition]


def _semer(summed: NDArray[np.int64]) -> NDArray[np.float64]:
    """SemER of both models [..., 2], of their counts side by side [..., 2 len(COUNTS)]."""
    return figures(summed.reshape(*summed.shape[:-1], 2, len(COUNTS)))[..., SEMER]
