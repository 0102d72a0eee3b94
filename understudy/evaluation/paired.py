"""Two models against one another on the same utterances: how far apart they are, and how sure that is.

A difference between two models is uncertain twice over: other utterances would give another one, and other seeds would. Both are
measured in pairs. Utterances are resampled, each sample being the same one for both models and all seeds; seeds are told apart by
how the difference of one seed of each lies from that of the next.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import save_file
from scipy import stats

from understudy.evaluation.metrics import COUNTS, FIGURES, counts, figures, resample
from understudy.evaluation.nlu import DRAWS, NluReport
from understudy.evaluation.several import seeds_of

__all__ = ["FILE", "Difference", "Outcomes", "Verdict", "averages", "differences", "interval", "outcomes", "verdict"]

FILE = "outcomes.safetensors"
CONFIDENCE = 0.95
Verdict = Literal["holds", "fails", "open"]


@dataclass(frozen=True)
class Outcomes:
    """What was counted in each utterance: its locale, and by model the counts [utterances, seeds, len(COUNTS)]."""

    locales: tuple[str, ...]
    models: Mapping[str, NDArray[np.int64]]

    def save(self, folder: Path) -> None:
        """Write `outcomes.safetensors`: a tensor for each model; locales and the names of the counts in its metadata."""
        about = {"locales": json.dumps(self.locales), "counts": json.dumps(COUNTS)}
        # An utterance of 255 slots is beyond reason; of 65,535 beyond any encoder.
        save_file({name: np.ascontiguousarray(c.astype(np.uint16)) for name, c in self.models.items()}, folder / FILE, about)

    @classmethod
    def load(cls, folder: Path) -> Outcomes:
        """What an evaluate stage with `outcomes = true` wrote."""
        with safe_open(folder / FILE, framework="numpy") as file:
            models = {name: file.get_tensor(name).astype(np.int64) for name in file.keys()}  # noqa: SIM118
            return cls(tuple(json.loads(file.metadata()["locales"])), models)


def outcomes(reports: Mapping[str, NluReport]) -> Outcomes:
    """The outcomes of models by name, all evaluated on the same utterances, with their seeds in order."""
    gold = next(iter(reports.values())).gold
    models = {name: np.stack([counts(gold, one.predicted) for one in seeds_of(r)], axis=1) for name, r in reports.items()}
    return Outcomes(tuple(one.locale or "und" for one in gold), models)


@dataclass(frozen=True)
class Difference:
    """How many points of percent one model lies above another.

    mean: over seeds, of the unweighted mean over locales. each: of each seed. low, high: the interval of 95 % over utterances and,
    where there are several, seeds. utterances, seeds: the standard errors that it is made of; `seeds` is None of one seed.
    """

    mean: float
    low: float
    high: float
    each: tuple[float, ...]
    utterances: float
    seeds: float | None


def differences(
    ours: NDArray[np.int64],
    theirs: NDArray[np.int64],
    locales: Sequence[str],
    *,
    draws: int = DRAWS,
    seed: int = 0,
) -> dict[str, Difference]:
    """`ours` minus `theirs` in each figure of FIGURES; one that some locale or seed has nothing to score for is left out.

    Args:
        ours, theirs: counts [utterances, seeds, len(COUNTS)] of the same utterances, and of as many seeds in the same order.
        locales: of each utterance.
        seed: of the samples.

    Of locales with equally many utterances the n-th of each are drawn together, see `metrics.resample`.
    """
    if ours.shape != theirs.shape or len(ours) != len(locales):
        raise ValueError(f"counts of shape {ours.shape} and {theirs.shape}, {len(locales)} locales")
    rows = _rows(locales)
    each_SF = averages(ours, locales) - averages(theirs, locales)
    drawn_RDF = [
        resample(ours[of], draws=draws, seed=seed) - resample(theirs[of], draws=draws, seed=seed) for of in rows.values()
    ]
    drawn_DF = np.mean(drawn_RDF, axis=0)
    fewest, seeds = min(map(len, rows.values())), ours.shape[1]
    found = {}
    for index, name in enumerate(FIGURES):
        each, spread = each_SF[:, index], drawn_DF[:, index]
        if np.isnan(each).any() or not (known := spread[~np.isnan(spread)]).size:
            continue
        over_utterances = float(known.std(ddof=1))
        over_seeds = float(each.std(ddof=1)) / seeds**0.5 if seeds > 1 else None
        low, high = interval(float(each.mean()), over_utterances, over_seeds, utterances=fewest, seeds=seeds)
        found[name] = Difference(float(each.mean()), low, high, tuple(each.tolist()), over_utterances, over_seeds)
    return found


def averages(counted: NDArray[np.int64], locales: Sequence[str]) -> NDArray[np.float64]:
    """Figures of each seed [seeds, len(FIGURES)], the unweighted mean over locales, of counts [utterances, seeds, len(COUNTS)]."""
    by_locale = [figures(counted[rows].sum(axis=0)) for rows in _rows(locales).values()]
    mean: NDArray[np.float64] = np.mean(by_locale, axis=0)
    return mean


def interval(
    mean: float, over_utterances: float, over_seeds: float | None, *, utterances: int, seeds: int
) -> tuple[float, float]:
    """The interval of 95 % around `mean`, from the standard errors over utterances and over seeds.

    Their squares are added. Three seeds tell little of how far seeds lie apart, which a normal interval would not own to: Student's
    t is used, with the degrees of freedom of Welch and Satterthwaite (Satterthwaite 1946). What depends on utterance and seed at
    once is in both errors, so the interval is rather too wide than too narrow. One utterance says nothing of how others would
    differ: then the interval is the whole scale.
    """
    if utterances < 2:
        return -100.0, 100.0
    u, s = over_utterances**2, (over_seeds or 0.0) ** 2
    if u + s == 0:
        return mean, mean
    freedom = (u + s) ** 2 / (u**2 / (utterances - 1) + s**2 / max(seeds - 1, 1))
    reach = float(stats.t.ppf((1 + CONFIDENCE) / 2, freedom)) * (u + s) ** 0.5
    return mean - reach, mean + reach


def verdict(found: Difference | None) -> Verdict:
    """Whether a difference that a claim says is above zero is: "holds" where the interval and every seed say so, "fails" where
    the interval is below zero, else "open"."""
    if found is None:
        return "open"
    if found.low > 0 and min(found.each) > 0:
        return "holds"
    return "fails" if found.high < 0 else "open"


def _rows(locales: Sequence[str]) -> dict[str, NDArray[np.int64]]:
    named = np.asarray(locales)
    return {locale: np.flatnonzero(named == locale) for locale in sorted(set(locales))}
