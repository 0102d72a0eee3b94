"""A log of people who never were: users that speak labelled utterances to two models and are likelier dissatisfied where the
model is wrong."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from understudy.config import Config
from understudy.errors import DataError
from understudy.evaluation.metrics import COUNTS, counts
from understudy.experiment.config import ExperimentConfig
from understudy.experiment.log import Event, append, create, outcome_events, request_events
from understudy.experiment.splitter import Splitter
from understudy.interpretation import Interpretation
from understudy.progress import progress

__all__ = ["SimulateConfig", "free", "simulate"]

Array = NDArray[np.float64]

STARTS = datetime(2026, 1, 5, tzinfo=UTC)  # any day will do; a fixed one makes the log the same each time
DAY_S = 86400.0
BATCH = 20_000
EXACT = COUNTS.index("exact")


class SimulateConfig(Config):
    """Who the users are and what they do.

    Attributes:
        users: how many; each speaks one locale of the labels, as likely as it has utterances.
        days: from the start on.
        before: days before the start, when the baseline answers everybody.
        requests_per_day: of one user, in the mean.
        activity: coefficient of variation, over users, of how much they ask (gamma); the number itself is Poisson.
        share: of users that get the candidate.
        zipf: exponent of the frequencies of utterances; their order is random.
        right: probability that a user is dissatisfied where intent and slots are right.
        wrong: the same where they are not.
        temper: standard deviation of users' own inclination to be dissatisfied, in logits.
        told: share of requests whose outcome becomes known.
    """

    users: int = Field(default=1000, ge=2)
    days: int = Field(default=14, ge=1)
    before: int = Field(default=14, ge=0)
    requests_per_day: float = Field(default=2.0, gt=0, le=1e6)
    activity: float = Field(default=0.7, gt=0, le=100)
    share: float = Field(default=0.5, gt=0, lt=1)
    zipf: float = Field(default=1.0, ge=0, le=100)
    right: float = Field(default=0.06, gt=0, lt=1)
    wrong: float = Field(default=0.4, gt=0, lt=1)
    temper: float = Field(default=0.7, ge=0, le=100)
    told: float = Field(default=1.0, gt=0, le=1)


class _Requests(NamedTuple):
    """N requests, oldest first: int64 [N] user and utterance, float64 [N] time in days since the start."""

    user: NDArray[np.int64]
    utterance: NDArray[np.int64]
    day: Array


def simulate(
    gold: Sequence[Interpretation],
    baseline: Sequence[Interpretation],
    candidate: Sequence[Interpretation],
    out: Path,
    config: SimulateConfig,
    *,
    seed: int = 0,
) -> dict[str, Any]:
    """Write the event log of an experiment, a new file that appears whole, and give what is true of it.

    Args:
        gold: what the utterances mean.
        baseline: what the models make of the same utterances, in the same order; so `candidate`.
        out: where the log is to stand.
        config: of the users.
        seed: of everything random. The same arguments give the same events.

    What is true stands in the log's `meta` too: the relative change in the rate of dissatisfaction, were everybody to change over, in
    percent; exact match of both models on the traffic; requests, seed and settings.

    Raises DataError where something stands at `out`, or where nobody asks anything after the start.
    """
    free(out)
    generator = np.random.default_rng(seed)
    weights = {"baseline": 1 - config.share, "candidate": config.share}
    experiment = ExperimentConfig(name="simulated", salt=f"simulated {seed}", arms=weights, starts=STARTS)
    right = np.stack([counts(gold, found)[:, EXACT] > 0 for found in (baseline, candidate)])
    asked = _ask(gold, config, generator)
    temper = generator.normal(0, config.temper, config.users)
    # How likely each request ends badly under either model: [2, N].
    p = _logistic(np.where(right[:, asked.utterance], _logit(config.right), _logit(config.wrong)) + temper[asked.user])
    live = asked.day >= 0
    if not live.any():
        raise DataError(
            "nobody asks anything after the start",
            got=f"{config.users} users, {config.days} days",
            hint="Have more users, or more days",
        )
    rates = p[:, live].mean(axis=1)
    true = {
        "true change %": round(100 * float(rates[1] / rates[0] - 1), 2),
        "exact match of the baseline on this traffic %": round(100 * float(right[0, asked.utterance].mean()), 2),
        "of the candidate %": round(100 * float(right[1, asked.utterance].mean()), 2),
        "requests": len(asked.user), "seed": seed, **config.model_dump(),
    }  # fmt: skip
    chance = generator.random((2, len(asked.user)))
    events = _events(gold, (baseline, candidate), asked, p, chance, experiment, told=config.told)
    _write(out, experiment, _batches(events), true)
    return true


def free(out: Path) -> None:
    """Raises DataError where something stands at `out`: a log is of one experiment."""
    if out.exists():
        raise DataError("there is something already, and a log is never written over", where=out, hint="Choose another name")


def _write(out: Path, experiment: ExperimentConfig, batches: Iterable[tuple[list[Event], int]], true: Mapping[str, Any]) -> None:
    """The log at `out`, whole or not at all, with what is true of it."""
    draft = out.with_name(f".{out.name}.tmp")
    _remove(draft)
    try:
        with closing(create(draft, experiment)) as connection:
            # The draft is synced when it is whole; until then nobody would miss it.
            connection.execute("PRAGMA synchronous = OFF")
            with progress("simulate", true["requests"]) as advance:
                for batch, requests in batches:
                    append(connection, batch)
                    advance(requests)
            with connection:
                connection.execute("INSERT INTO meta VALUES ('simulated', ?)", (json.dumps(true),))
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA journal_mode = DELETE")  # leaves one file
        draft.rename(out)
    finally:
        _remove(draft)


def _ask(gold: Sequence[Interpretation], config: SimulateConfig, generator: np.random.Generator) -> _Requests:
    """Who says what, and when."""
    by_locale: dict[str, list[int]] = {}
    for index, g in enumerate(gold):
        by_locale.setdefault(g.locale, []).append(index)
    sizes = np.array([len(rows) for rows in by_locale.values()], dtype=np.float64)
    locale = generator.choice(len(sizes), size=config.users, p=sizes / sizes.sum())
    shape = config.activity**-2
    activity = generator.gamma(shape, config.requests_per_day / shape, config.users)
    times = generator.poisson(activity * (config.before + config.days))
    user = np.repeat(np.arange(config.users), times)
    day = generator.uniform(-config.before, config.days, len(user))
    utterance = np.empty(len(user), dtype=np.int64)
    for at, rows in enumerate(by_locale.values()):
        of_locale = locale[user] == at
        frequency = np.arange(1, len(rows) + 1) ** -config.zipf
        said = generator.choice(len(rows), size=int(of_locale.sum()), p=frequency / frequency.sum())
        utterance[of_locale] = generator.permutation(rows)[said]
    order = np.argsort(day, kind="stable")
    return _Requests(user[order], utterance[order], day[order])


def _events(
    gold: Sequence[Interpretation],
    found: tuple[Sequence[Interpretation], Sequence[Interpretation]],
    asked: _Requests,
    p: Array,
    chance: Array,
    experiment: ExperimentConfig,
    *,
    told: float,
) -> Iterator[list[Event]]:
    """The events of each request."""
    splitter, models = Splitter(experiment), list(experiment.arms)
    start = STARTS.timestamp()
    for number, (user, utterance, day) in enumerate(zip(*(column.tolist() for column in asked), strict=True)):
        name, time, request = f"user {user}", start + DAY_S * day, f"{number:09d}"
        model = models.index(splitter.route(name, time).model)
        answer, text = {models[model]: found[model][utterance]}, gold[utterance]
        events = list(request_events(splitter, request, name, text.text, text.locale, answer, time))
        if chance[1, number] < told:
            events += outcome_events(request, bool(chance[0, number] < p[model, number]), time)
        yield events


def _batches(events: Iterator[list[Event]]) -> Iterator[tuple[list[Event], int]]:
    """Events of many requests at once, and of how many."""
    batch: list[Event] = []
    requests = 0
    for found in events:
        batch += found
        requests += 1
        if requests == BATCH:
            yield batch, requests
            batch, requests = [], 0
    yield batch, requests


def _remove(draft: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        draft.with_name(draft.name + suffix).unlink(missing_ok=True)


def _logit(p: float) -> float:
    return float(np.log(p / (1 - p)))


def _logistic(x: Array) -> Array:
    found: Array = 1 / (1 + np.exp(-x))
    return found
