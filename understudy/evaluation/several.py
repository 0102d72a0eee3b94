"""A stage trained with several seeds, scored as one model: the mean over seeds and how far they lie apart (A 3.2).

Three things are said of a figure, and they answer different questions. The mean over seeds is what to expect of the stage. The
standard deviation (sample, n - 1) is how far one more seed may lie from it. The interval is that of the mean over these
seeds under other utterances: utterances are resampled, every seed is scored on the same sample, and the seeds' figures
are averaged; seeds are not resampled.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from understudy.evaluation.metrics import FIGURES, Scores, counts, mean, resample
from understudy.evaluation.nlu import DRAWS, NluReport, Section, Seen, places_of, relative_error_change, unseen

__all__ = ["SeedsReport", "best_by_locale", "change_spread", "deviation", "seeds_of", "spread", "to_json", "together"]

Change = Mapping[str, Mapping[str, float | None]]


@dataclass(frozen=True)
class SeedsReport(NluReport):
    """Scores of several seeds of one model.

    `scores` and `unseen` hold means over seeds; under "mean" the mean of the seeds' means over locales. `gold` and
    `predicted` are the first seed's. `each` holds the reports of the seeds.
    """

    each: tuple[NluReport, ...] = ()


def together(reports: Sequence[NluReport], *, seen: Seen | None = None, seed: int = 0) -> NluReport:
    """One report of several seeds' reports on the same utterances; a single one as it is.

    Args:
        seen: texts of the training data, as `nlu.evaluate` was given them.
        seed: of the bootstrap.
    """
    first, *others = reports
    if not others:
        return first
    kept = None if seen is None else unseen(first.gold, seen)
    scores = _section(reports, [r.scores for r in reports], range(len(first.gold)), seed)
    sections = [r.unseen for r in reports if r.unseen is not None]
    without = None if kept is None else _section(reports, sections, kept, seed)
    return SeedsReport(scores, without, first.gold, first.predicted, tuple(reports))


def _section(reports: Sequence[NluReport], sections: Sequence[Section], indices: Collection[int], seed: int) -> Section:
    gold = reports[0].gold
    counted = np.stack([counts(gold, r.predicted) for r in reports], axis=1)  # [utterances, seeds, counts]
    scores, draws = {}, []
    for locale, (places, kept) in places_of(gold, indices).items():
        draws.append(resample(counted[places] * kept[:, None, None], draws=DRAWS, seed=seed))
        scores[locale] = _average([s.locales[locale] for s in sections], mean([], draws[-1:]))
    return Section(scores, _average([s.mean for s in sections], mean([], draws)))


def _average(seeds: Sequence[Scores], drawn: Scores) -> Scores:
    """The mean of the same utterances' scores by several seeds, with the intervals of `drawn`."""
    return replace(mean(seeds), n=seeds[0].n, intervals=drawn.intervals)


def seeds_of(report: NluReport) -> tuple[NluReport, ...]:
    """The reports of the seeds; of a model with one seed itself."""
    return report.each if isinstance(report, SeedsReport) else (report,)


def deviation(values: Sequence[float | None]) -> float | None:
    """Sample standard deviation (n - 1) to two decimals, None of fewer than two figures."""
    known = [value for value in values if value is not None and not np.isnan(value)]
    return round(float(np.std(known, ddof=1)), 2) if len(known) > 1 else None


def spread(sections: Sequence[Section]) -> dict[str, Any]:
    """Standard deviation over seeds of each figure: {"locales": {locale: {figure: sd}}, "mean": {figure: sd}}."""

    def of(scores: Sequence[Scores]) -> dict[str, float | None]:
        return {name: deviation([getattr(s, name) for s in scores]) for name in FIGURES}

    locales = {name: of([s.locales[name] for s in sections]) for name in sections[0].locales}
    return {"locales": locales, "mean": of([s.mean for s in sections])}


def to_json(report: NluReport) -> dict[str, Any]:
    """`NluReport.to_json()` with `seeds` (how many), `each` (the means of each seed) and, of more than one, `sd` (see `spread`)."""
    each = seeds_of(report)
    found = {**report.to_json(), "seeds": len(each), "each": [r.mean.to_dict() for r in each]}
    if len(each) > 1:
        found["sd"] = spread([r.scores for r in each])
        if found["without_train_duplicates"]:
            found["without_train_duplicates"]["sd"] = spread([r.unseen for r in each if r.unseen is not None])
    return found


def change_spread(report: NluReport, baseline: NluReport) -> dict[str, dict[str, float | None]]:
    """Standard deviation over seeds of the relative error change, in points of percent; as `nlu.relative_error_change`.

    Where the baseline has as many seeds, one seed is held against the other in their order, for they were given the same draws
    of labels; else every seed against the baseline's mean.
    """
    each, others = seeds_of(report), seeds_of(baseline)
    partners = others if len(others) == len(each) else (baseline,) * len(each)
    changes: list[Change] = [relative_error_change(r, b) for r, b in zip(each, partners, strict=True)]
    return {where: {name: deviation([c[where][name] for c in changes]) for name in FIGURES} for where in changes[0]}


def best_by_locale(reports: Mapping[str, NluReport]) -> dict[str, str]:
    """For each locale the model of the highest exact match, the first of equal ones (A 2.6: two checkpoints of one run).

    Whoever picks by it picks on the utterances that are reported: measure the choice on others.
    """
    best: dict[str, str] = {}
    for name, report in reports.items():
        for locale, scores in report.scores.locales.items():
            held = reports[best[locale]].scores.locales[locale].exact_match if locale in best else -1.0
            if scores.exact_match > held:
                best[locale] = name
    return best
