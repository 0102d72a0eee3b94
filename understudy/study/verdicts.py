"""What the claims study reads from its reports: how far the two arms of a claim lie apart, and what that says."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy import artifact
from understudy.errors import DataError
from understudy.evaluation.metrics import FIGURES
from understudy.evaluation.paired import Difference, Outcomes, averages, differences, verdict
from understudy.evaluation.plots import budget_plot, standalone
from understudy.recipe import Recipe
from understudy.study.run import Findings
from understudy.study.tables import UNKNOWN, Table

__all__ = ["Pair", "Scored", "Trial", "found", "read"]

UNEQUAL = 0.02  # of updates: more than this is said
JUDGED = {"exact_match": "exact match", "slot_f1": "slot F1", "intent_accuracy": "intent accuracy"}


@dataclass(frozen=True)
class Trial:
    """An arm at a budget, and the stages that tell of it.

    percent: of the labels, None of a zero-shot trial. report: an evaluate stage with outcomes, of this arm alone. models: the finetune
    stages. locale: the one that was learned from, which is not scored.
    """

    arm: str
    budget: str
    percent: float | None
    report: str
    models: tuple[str, ...]
    locale: str | None = None


@dataclass(frozen=True)
class Pair:
    """A claim: `arm` is better than `against`."""

    name: str
    says: str
    arm: str
    against: str


@dataclass(frozen=True)
class Scored:
    """An arm at a budget: counts [utterances, seeds, counts], the locale of each utterance, and updates of each model."""

    budget: str
    percent: float | None
    counted: NDArray[np.int64]
    locales: tuple[str, ...]
    updates: float | None = None

    def mean(self, figure: str) -> float | None:
        """Over seeds, of the means over locales, in percent; None where there is nothing to score."""
        value = float(self._each(figure).mean())
        return None if np.isnan(value) else value

    def spread(self, figure: str) -> float | None:
        """Sample standard deviation over seeds; None of one."""
        each = self._each(figure)
        return None if len(each) < 2 or np.isnan(each).any() else float(each.std(ddof=1))

    def cell(self, figure: str) -> str:
        """Mean and spread, to be read."""
        mean, spread = self.mean(figure), self.spread(figure)
        if mean is None:
            return UNKNOWN
        return f"{mean:.2f}" + (f" ± {spread:.2f}" if spread is not None else "")

    def _each(self, figure: str) -> NDArray[np.float64]:
        return averages(self.counted, self.locales)[:, FIGURES.index(figure)]


def read(
    recipe: Recipe, pairs: Sequence[Pair], trials: Sequence[Trial], partition: str, seeds: int, notes: Sequence[str] = ()
) -> Findings:
    """What the artifacts of all trials say of all claims. notes: to be said beside it."""
    scored: defaultdict[str, list[Scored]] = defaultdict(list)
    for trial in trials:
        scored[trial.arm].append(_scored(recipe, trial))
    spread = (
        "One seed of fine-tuning: intervals are over utterances alone."
        if seeds == 1
        else f"{seeds} seeds of fine-tuning, ± their standard deviation, as are the bars of the figure; intervals are over utterances and seeds."
    )
    return found(pairs, scored, [f"Scored on the partition `{partition}`, mean over locales. {spread}", *notes])


def _scored(recipe: Recipe, trial: Trial) -> Scored:
    outcomes = Outcomes.load(recipe.directory(trial.report))
    (counted,) = outcomes.models.values()
    rows = [i for i, locale in enumerate(outcomes.locales) if locale != trial.locale]
    if not rows:
        raise DataError(
            "there is nothing to score without the locale that was learned from",
            where=recipe.directory(trial.report), got=trial.locale, wanted="utterances of other locales too",
        )  # fmt: skip
    manifests = [artifact.peek(recipe.directory(name)) for name in trial.models]
    updates = [float(m.metrics["steps"]) for m in manifests if m is not None]
    locales = tuple(outcomes.locales[i] for i in rows)
    return Scored(trial.budget, trial.percent, counted[rows], locales, float(np.mean(updates)))


def found(pairs: Sequence[Pair], scored: Mapping[str, Sequence[Scored]], notes: Sequence[str] = ()) -> Findings:
    """Tables, verdicts and figure of claims over arms that were scored at the same budgets in the same order."""
    judged = {pair.name: [_differences(*both) for both in _both(pair, scored)] for pair in pairs}
    tables = [_verdicts(pairs, scored, judged), *(_of(figure, pairs, scored, judged) for figure in JUDGED), _arms(scored)]
    said = [
        *notes,
        "A claim holds where its interval of 95 % and every seed lie above zero, it fails where the interval lies below, and is else "
        "open. Each interval is of one comparison: of twenty claims without substance one would seem to hold or to fail.",
        "Encoders are of one seed each. What another seed of pretraining or distillation would change is in no interval.",
        *_unequal(pairs, scored),
    ]
    more = {"claims": {pair.name: _told(pair, scored, judged[pair.name]) for pair in pairs}}
    panels = {p.name: lines for p in pairs if (lines := {arm: _points(scored[arm]) for arm in (p.arm, p.against)})[p.arm]}
    return Findings(tables, said, more, {"figure.svg": standalone(budget_plot(panels))} if panels else {})


def _unequal(pairs: Sequence[Pair], scored: Mapping[str, Sequence[Scored]]) -> list[str]:
    """Whose arms did not take equally many updates: where utterances are few, an epoch's last update is not full."""
    apart = [
        f"{pair.name} at {ours.budget} ({pair.arm} {ours.updates:,.0f}, {pair.against} {theirs.updates:,.0f})"
        for pair in pairs
        for ours, theirs in _both(pair, scored)
        if ours.updates and theirs.updates and abs(ours.updates / theirs.updates - 1) > UNEQUAL
    ]
    return [f"Arms that did not take equally many updates of fine-tuning: {'; '.join(apart)}."] if apart else []


def _both(pair: Pair, scored: Mapping[str, Sequence[Scored]]) -> list[tuple[Scored, Scored]]:
    return list(zip(scored[pair.arm], scored[pair.against], strict=True))


def _differences(ours: Scored, theirs: Scored) -> dict[str, Difference]:
    return differences(ours.counted, theirs.counted, ours.locales)


Judged = Mapping[str, Sequence[Mapping[str, Difference]]]


def _verdicts(pairs: Sequence[Pair], scored: Mapping[str, Sequence[Scored]], judged: Judged) -> Table:
    titles = [one.budget for one in next(iter(scored.values()))]
    rows = [
        (
            f"{pair.name}: {pair.says}",
            *(f"{verdict(one)} ({one.mean:+.2f})" if (one := at.get("exact_match")) else UNKNOWN for at in judged[pair.name]),
        )
        for pair in pairs
    ]
    title = "Do the claims hold? By exact match, in points, at each share of the labels"
    return Table(title, ("claim", *titles), tuple(rows))


def _of(figure: str, pairs: Sequence[Pair], scored: Mapping[str, Sequence[Scored]], judged: Judged) -> Table:
    rows: list[tuple[str | float | None, ...]] = []
    for pair in pairs:
        for (ours, theirs), at in zip(_both(pair, scored), judged[pair.name], strict=True):
            one = at.get(figure)
            sides = (f"{pair.arm} {ours.cell(figure)}", f"{pair.against} {theirs.cell(figure)}")
            cells = (one.mean, f"{one.low:+.2f} to {one.high:+.2f}", verdict(one)) if one else (None, UNKNOWN, UNKNOWN)
            rows.append((pair.name, ours.budget, *sides, *cells))
    columns = ("claim", "labels", "with", "without", "points", "95 %", "verdict")
    return Table(f"{JUDGED[figure][0].upper()}{JUDGED[figure][1:]}, %", columns, tuple(rows), signed=("points",))


def _arms(scored: Mapping[str, Sequence[Scored]]) -> Table:
    rows = [
        (arm, one.budget, *(one.cell(figure) for figure in JUDGED), None if one.updates is None else f"{one.updates:,.0f}")
        for arm, each in scored.items()
        for one in each
    ]
    return Table("The arms, %", ("arm", "labels", *JUDGED.values(), "updates"), tuple(rows))


def _points(scored: Sequence[Scored]) -> list[tuple[float, float, float]]:
    known = [(one.percent, one.mean("exact_match"), one.spread("exact_match") or 0.0) for one in scored]
    return [(percent, mean, spread) for percent, mean, spread in known if percent is not None and mean is not None]


def _told(pair: Pair, scored: Mapping[str, Sequence[Scored]], judged: Sequence[Mapping[str, Difference]]) -> dict[str, Any]:
    """A claim for `table.json`: both arms and their difference, by budget and figure."""
    told: dict[str, Any] = {"says": pair.says, "arm": pair.arm, "against": pair.against, "budgets": {}}
    for (ours, theirs), at in zip(_both(pair, scored), judged, strict=True):
        told["budgets"][ours.budget] = {
            figure: {
                "arm": {"mean": ours.mean(figure), "sd": ours.spread(figure)},
                "against": {"mean": theirs.mean(figure), "sd": theirs.spread(figure)},
                "difference": asdict(at[figure]) if figure in at else None,
                "verdict": verdict(at.get(figure)),
            }
            for figure in JUDGED
        }
    return told
