"""A log turned into a comparison of two arms: all requests, the tail, the same users before and after, each locale and intent."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.errors import DataError
from understudy.experiment import statistics
from understudy.experiment.events import Events
from understudy.experiment.statistics import Change, Ratio

__all__ = ["HEAD", "MISMATCH", "Analysis", "Look", "Row", "analyse", "intents_of_utterances", "is_tail"]

Mask = NDArray[np.bool_]
Sums = tuple[NDArray[np.float64], NDArray[np.float64]]

HEAD = 500  # the paper's tail is what is said outside the 500 most frequent utterances
MISMATCH = 0.001  # a split as uneven as this by chance is a broken one
MISSED = 0.05  # of the candidate's requests that may have no intent, because no user of the baseline's said the same
LEAST = 100  # users of each arm, before an early look says anything: the variance is too uncertain with fewer


@dataclass(frozen=True)
class Row:
    """One comparison, JSON-ready: rates and relative changes in percent, the difference in points; None where too little is known.

    users, requests: of baseline and candidate, requests with a known outcome. detectable: relative change that such an experiment
    finds with 80 % probability. kept: variance that is left by CUPED, in percent of what there was; None where it was not used.
    """

    name: str
    users: tuple[int, int]
    requests: tuple[int, int]
    baseline: float | None
    candidate: float | None
    difference: float | None
    interval: tuple[float, float] | None
    change: float | None
    change_interval: tuple[float, float] | None
    p: float | None
    detectable: float | None
    kept: float | None = None


@dataclass(frozen=True)
class Look:
    """What was known at the end of a day, counted from the start: the difference in points, the half-width of its interval that allows for
    looking every day, and the least p so far that does."""

    day: int
    difference: float | None
    half: float | None
    p: float


@dataclass(frozen=True)
class Analysis:
    """Everything that a log says about a candidate.

    rows: all requests ("A/B", or "A/A" in the shadow), and what follows from the same data told otherwise. locales, intents: A/B in parts. looks: day by day.
    assigned: users that each arm has had since the start. mismatch: p of that split, below `MISMATCH` broken. known: share of requests with an outcome, baseline and candidate, in percent.
    covered: share of requests that are in the table of intents, in percent. repeated: requests whose id came again from the other arm.
    """

    experiment: dict[str, Any]
    baseline: str
    candidate: str
    assigned: dict[str, int]
    mismatch: float
    known: tuple[float | None, float | None]
    rows: tuple[Row, ...]
    locales: tuple[Row, ...]
    intents: tuple[Row, ...]
    covered: float | None
    looks: tuple[Look, ...]
    shadows: tuple[dict[str, Any], ...]
    head: int
    repeated: int
    simulated: dict[str, Any] | None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def analyse(events: Events, *, candidate: str | None = None, head: int = HEAD) -> Analysis:
    """Compare `candidate` (by default the only other arm) with the baseline.

    Requests count where something is known of them; those before the start only as users' past.

    Raises DataError where it is not told which arm, or there is none.
    """
    base, new = _arms(events, candidate)
    arms = (events.names["arm"].index(base), events.names["arm"].index(new))
    live = events.known & ~events.before
    tail = is_tail(events, head)
    part = intents_of_utterances(events, arms)
    intents = [i for i in np.unique(part[part >= 0]).tolist() if events.names["intent"][i]]
    locales = sorted(np.unique(events.locale[live]).tolist(), key=events.names["locale"].__getitem__)
    past = events.known & events.before
    # In the shadow everybody has the baseline's answer: whatever differs then is chance, or a fault of the experiment.
    kind = "A/A" if events.experiment["shadow"] else "A/B"
    rows = [
        *_parallel(kind, events, arms, live, past=past),
        *_parallel(f"tail {kind}", events, arms, live & tail, past=past),
    ]
    if past.any():
        rows += [_sequential("sequential", events, arms[1]), _sequential("sequential, baseline arm", events, arms[0])]
    of_intents = [_parallel(events.names["intent"][at], events, arms, live & (part == at))[0] for at in intents]
    of_both = ~events.before & np.isin(events.arm, arms)
    seen = _users_after_start(events)
    return Analysis(
        experiment=events.experiment,
        baseline=base,
        candidate=new,
        assigned=seen,
        mismatch=statistics.sample_ratio(list(seen.values()), [weight for _, weight in events.experiment["arms"]]),
        known=tuple(_percent(events.known[~events.before & (events.arm == arm)]) for arm in arms),  # type: ignore[arg-type]
        rows=tuple(rows),
        locales=tuple(_parallel(events.names["locale"][at], events, arms, live & (events.locale == at))[0] for at in locales),
        intents=tuple(sorted(of_intents, key=lambda row: (-sum(row.requests), row.name))),
        covered=_percent(part[of_both] >= 0),
        looks=tuple(_looks(events, arms, live)),
        shadows=tuple(asdict(agreement) for agreement in events.shadows),
        head=head,
        repeated=events.repeated,
        simulated=events.simulated,
    )


def _arms(events: Events, candidate: str | None) -> tuple[str, str]:
    base: str = events.experiment["baseline"]
    others = [arm for arm, _ in events.experiment["arms"] if arm != base]
    if candidate is None and len(others) == 1:
        return base, others[0]
    if candidate is None or candidate not in others:
        wanted = f"one of {', '.join(others)}" if others else "an experiment with two arms"
        raise DataError("it is not clear which arm is compared with the baseline", where="--arm", got=candidate, wanted=wanted)
    return base, candidate


def _users_after_start(events: Events) -> dict[str, int]:
    """How many users each arm has had a request of, with or without outcome."""
    live = ~events.before
    return {arm: len(np.unique(events.user[live & (events.arm == at)])) for at, arm in enumerate(events.names["arm"])}


def is_tail(events: Events, head: int = HEAD) -> Mask:
    """Which requests say something outside the `head` most frequent utterances of their locale, over the whole log: [N].

    Both arms and the time before the start count, so that what is tail does not depend on the arm. Of utterances that are equally
    frequent those said first are the head.
    """
    times = np.bincount(events.utterance)
    first = np.full(len(times), len(events.utterance))
    np.minimum.at(first, events.utterance, np.arange(len(events.utterance)))
    locale = np.zeros(len(times), dtype=np.int64)
    locale[events.utterance] = events.locale
    order = np.lexsort((first, -times, locale))
    starts = np.searchsorted(locale[order], locale[order])  # where the locale of each begins
    rank = np.empty(len(times), dtype=np.int64)
    rank[order] = np.arange(len(times)) - starts
    found: Mask = rank[events.utterance] >= head
    return found


def intents_of_utterances(events: Events, arms: tuple[int, int]) -> NDArray[np.int64]:
    """The baseline's intent of every request's utterance, -1 where it is left out: before the start, in other arms, and of utterances
    that fewer than `_least_users` users said: [N].

    A model under test may move requests from one intent to another, so that requests by its own intents are not the same
    requests. The baseline's word sorts utterances alike on both sides, wherever the baseline was asked.
    """
    live = ~events.before & np.isin(events.arm, arms)
    n, users = int(events.utterance.max()) + 1, int(events.user.max()) + 1
    said = np.unique(events.utterance[live] * users + events.user[live]) // users  # once for each user
    intent = np.full(n, -1)
    answered = events.before | (events.arm == arms[0]) | bool(events.experiment["shadow"])
    intent[events.utterance[answered]] = events.intent[answered]
    intent[np.bincount(said, minlength=n) < _least_users(events, arms)] = -1
    found: NDArray[np.int64] = np.where(live, intent[events.utterance], -1)
    return found


def _least_users(events: Events, arms: tuple[int, int]) -> int:
    """So many users that, if one of them has the candidate, all others have it too in at most `MISSED` of cases.

    What only the candidate's users say has no intent: mostly rare utterances, with which users are more or less dissatisfied than with
    others. So they are left out in both arms, by a number of users that does not ask for their arms. To keep what both arms were asked
    would not do: of the rare ones a large arm would lose more than a small one.
    """
    weights = dict(events.experiment["arms"])
    old, new = (weights[events.names["arm"][arm]] for arm in arms)
    return 1 + math.ceil(math.log(MISSED) / math.log(new / (old + new)))


def _sums(events: Events, mask: Mask) -> Sums:
    """Dissatisfied requests and requests of every user in the log."""
    users = int(events.user.max()) + 1
    y = np.bincount(events.user[mask], weights=events.dissatisfied[mask], minlength=users).astype(np.float64)
    return y, np.bincount(events.user[mask], minlength=users).astype(np.float64)


def _parallel(name: str, events: Events, arms: tuple[int, int], mask: Mask, *, past: Mask | None = None) -> list[Row]:
    """A/B over the requests of `mask`, and again with CUPED where users have a past."""
    now = [_sums(events, mask & (events.arm == arm)) for arm in arms]
    here = [n > 0 for _, n in now]
    ratios = [statistics.ratio(y[h], n[h]) for (y, n), h in zip(now, here, strict=True)]
    counted = [int(n.sum()) for _, n in now]
    plain = _row(name, statistics.change(ratios[1], ratios[0]), ratios[1], ratios[0], counted)
    if past is None or not past.any() or not all(h.any() for h in here):
        return [plain]
    y_past, n_past = _sums(events, past)
    adjusted = statistics.cuped([(y[h], n[h], y_past[h], n_past[h]) for (y, n), h in zip(now, here, strict=True)])
    found = statistics.change(adjusted[1], adjusted[0])
    before = ratios[0].variance + ratios[1].variance
    kept = 100 * float((adjusted[0].variance + adjusted[1].variance) / before) if before > 0 else None
    return [plain, _row(f"{name}, CUPED", found, adjusted[1], adjusted[0], counted, kept=kept)]


def _sequential(name: str, events: Events, arm: int) -> Row:
    """The users of one arm after the start against themselves before it."""
    mine = events.known & (events.arm == arm)
    (y0, n0), (y1, n1) = _sums(events, mine & events.before), _sums(events, mine & ~events.before)
    both = (n0 > 0) & (n1 > 0)
    found = statistics.paired(y1[both], n1[both], y0[both], n0[both])
    told = statistics.change(found.after, found.before, covariance=found.covariance)
    return _row(name, told, found.after, found.before, [int(n0[both].sum()), int(n1[both].sum())])


def _looks(events: Events, arms: tuple[int, int], live: Mask) -> list[Look]:
    """One look at the end of each day since the start at everything up to it."""
    days = np.unique(events.day[live]).tolist()
    users = int(events.user.max()) + 1
    total = [(np.zeros(users), np.zeros(users)) for _ in arms]
    differences, errors = [], []
    for day in days:
        ratios = []
        for at, arm in enumerate(arms):
            y, n = _sums(events, live & (events.day == day) & (events.arm == arm))
            total[at] = (total[at][0] + y, total[at][1] + n)
            here = total[at][1] > 0
            ratios.append(statistics.ratio(total[at][0][here], total[at][1][here]))
        found = statistics.change(ratios[1], ratios[0])
        enough = min(float(r.users) for r in ratios) >= LEAST
        differences.append(float(found.difference))
        errors.append(float(found.error) if enough else np.nan)
    # The mixture is fixed at the first look that says anything, and by its doubt alone: choosing it anew each day, or by the
    # difference, would not be allowed. A change as large as that doubt is about the least that can be found early.
    scale = next((error for error in errors if not np.isnan(error)), 1.0)
    p, half = statistics.always_valid(differences, errors, scale)
    return [
        Look(day, _points(d), _points(h), float(q))
        for day, d, h, q in zip(days, differences, half.tolist(), p.tolist(), strict=True)
    ]


def _row(name: str, found: Change, new: Ratio, old: Ratio, counted: Sequence[int], *, kept: float | None = None) -> Row:
    floor = statistics.detectable(found.error) / old.rate if old.rate > 0 else np.nan
    return Row(
        name=name,
        users=(int(old.users), int(new.users)),
        requests=(counted[0], counted[1]),
        baseline=_points(old.rate),
        candidate=_points(new.rate),
        difference=_points(found.difference),
        interval=_both(found.low, found.high),
        change=_points(found.relative),
        change_interval=_both(found.relative_low, found.relative_high),
        p=None if np.isnan(found.p) else float(found.p),
        detectable=_points(floor),
        kept=kept,
    )


def _points(value: Any) -> float | None:
    """A share in percent, None for NaN."""
    return None if not np.isfinite(value) else 100 * float(value)


def _both(low: Any, high: Any) -> tuple[float, float] | None:
    first, last = _points(low), _points(high)
    return None if first is None or last is None else (first, last)


def _percent(mask: Mask) -> float | None:
    return 100 * float(mask.mean()) if len(mask) else None
