"""A log turned into a comparison: small logs by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from understudy.errors import DataError
from understudy.experiment import statistics
from understudy.experiment.analysis import MISMATCH, Row, analyse, intents_of_utterances, is_tail
from understudy.experiment.events import Agreement, Events
from understudy.experiment.page import markdown, plots, verdict

OLD, NEW = 0, 1


def events(rows: list[dict[str, int]], **settings: Any) -> Events:
    """Requests in order: user, arm, day (negative is before the start), locale, utterance, intent, dissatisfied."""
    default = {"user": 0, "arm": 0, "day": 0, "locale": 0, "utterance": 0, "intent": 0, "dissatisfied": 0}
    full = [{**default, **row} for row in rows]
    columns = {key: np.array([row[key] for row in full], dtype=np.int64) for key in default}
    experiment = {"name": "may", "baseline": "old", "shadow": False, "starts": None, "arms": [["old", 1], ["new", 1]], **settings}
    names = {"arm": [arm for arm, _ in experiment["arms"]], "locale": ["en-US", "de-DE"], "intent": ["alarm", "music"]}
    return Events(experiment=experiment, names=names, before=columns["day"] < 0, **columns)


def users(rate: list[tuple[int, int]], arm: int, first: int, **fixed: int) -> list[dict[str, int]]:
    """One user for each (dissatisfied, requests)."""
    return [
        {"user": first + at, "arm": arm, "dissatisfied": int(n < bad), **fixed}
        for at, (bad, total) in enumerate(rate)
        for n in range(total)
    ]


def named(rows: tuple[Row, ...]) -> dict[str, Row]:
    return {row.name: row for row in rows}


SMALL = [*users([(1, 2), (2, 4), (3, 4)], OLD, 0), *users([(1, 4), (1, 2), (0, 4)], NEW, 3)]


def test_rates_are_of_requests_and_doubts_of_users() -> None:
    found = analyse(events(SMALL))
    row = found.rows[0]
    assert (row.name, row.users, row.requests) == ("A/B", (3, 3), (10, 10))
    assert (row.baseline, row.candidate) == pytest.approx((60, 20))
    assert row.change == pytest.approx(-200 / 3)
    told = statistics.change(statistics.ratio([1, 1, 0], [4, 2, 4]), statistics.ratio([1, 2, 3], [2, 4, 4]))
    assert row.p == pytest.approx(float(told.p))
    assert row.interval == pytest.approx((100 * told.low, 100 * told.high))


def test_requests_without_an_outcome_are_left_out_and_told() -> None:
    found = analyse(events([*SMALL, {"user": 0, "dissatisfied": -1}, {"user": 9, "arm": NEW, "dissatisfied": -1}]))
    assert found.rows[0].requests == (10, 10)
    assert found.known == pytest.approx((1000 / 11, 1000 / 11))
    assert found.assigned == {"old": 3, "new": 4}


def test_the_head_is_of_each_locale_and_ties_go_to_what_was_said_first() -> None:
    said = [(0, 0), (0, 0), (0, 1), (0, 2), (1, 3), (1, 4), (1, 4)]
    log = events([{"locale": locale, "utterance": utterance} for locale, utterance in said])
    assert is_tail(log, 1).tolist() == [False, False, True, True, True, False, False]
    assert is_tail(log, 2).tolist() == [False, False, False, True, False, False, False]
    assert is_tail(log, 0).all()


def test_the_tail_is_compared_apart() -> None:
    tail = [*users([(2, 2), (1, 2)], OLD, 0, utterance=1), *users([(0, 2), (1, 2)], NEW, 3, utterance=1)]
    rows = named(analyse(events([*SMALL, *tail]), head=1).rows)
    assert (rows["tail A/B"].baseline, rows["tail A/B"].candidate) == pytest.approx((75, 25))
    assert rows["tail A/B"].users == (2, 2)
    assert named(analyse(events([*SMALL, *tail]), head=2).rows)["tail A/B"].users == (0, 0)


def test_the_same_users_are_compared_before_and_after() -> None:
    before = [*users([(1, 2), (1, 2), (2, 4)], OLD, 0, day=-1), *users([(2, 2), (1, 2)], NEW, 3, day=-2)]
    rows = named(analyse(events([*before, *SMALL])).rows)
    # User 5 of the new arm has no past and is left out: 3 of 4 before, 2 of 6 after.
    assert (rows["sequential"].baseline, rows["sequential"].candidate) == pytest.approx((75, 100 / 3))
    assert rows["sequential"].users == (2, 2)
    assert rows["sequential"].change == pytest.approx(-500 / 9)
    assert rows["sequential, baseline arm"].baseline == pytest.approx(50)
    assert rows["A/B, CUPED"].kept is not None
    assert rows["A/B"].requests == (10, 10)


def test_intents_are_those_of_the_baseline_for_utterances_of_enough_users() -> None:
    # With a tenth for the candidate three users are enough: where one has it, the other two have it too once in a hundred times.
    by = {0: [OLD, OLD, NEW], 1: [OLD, NEW], 2: [OLD, OLD, OLD], 3: [NEW, NEW, NEW]}
    rows = [
        {"user": 10 * utterance + n, "arm": arm, "utterance": utterance, "intent": int(arm == NEW)}
        for utterance, arms in by.items()
        for n, arm in enumerate(arms)
    ]
    again = {"user": 10, "arm": OLD, "utterance": 1}  # the same user is no third one
    before = {"user": 2, "arm": NEW, "utterance": 0, "day": -1}
    log = events([*rows, again, before], arms=[["old", 9], ["new", 1]])
    found = intents_of_utterances(log, (OLD, NEW)).tolist()
    assert found == [0, 0, 0, -1, -1, 0, 0, 0, -1, -1, -1, -1, -1]
    told = analyse(log)
    assert [(row.name, row.requests) for row in told.intents] == [("alarm", (5, 1))]
    assert told.covered == pytest.approx(100 * 6 / 12)


def test_what_the_candidates_users_alone_said_has_the_intent_it_had_before() -> None:
    rows = [{"user": n, "arm": NEW, "utterance": 0, "intent": 1} for n in range(6)]
    before = {"user": 0, "arm": NEW, "utterance": 0, "day": -1, "intent": 0}
    assert intents_of_utterances(events([*rows, before]), (OLD, NEW)).tolist() == [0] * 6 + [-1]


def test_a_small_arm_is_asked_the_same_of_an_intent() -> None:
    """Rare utterances end badly, and both arms have the same model: sorted by what both were asked, the small arm looked worse."""
    generator = np.random.default_rng(0)
    frequency = 1 / np.arange(1, 2001)
    said = generator.choice(2000, size=20_000, p=frequency / frequency.sum())
    rare = np.bincount(said, minlength=2000)[said] <= 8
    user = generator.integers(2000, size=20_000)
    rows = [
        {"user": u, "arm": NEW if u < 200 else OLD, "utterance": s, "dissatisfied": int(generator.random() < (0.7 if r else 0.2))}
        for u, s, r in zip(user.tolist(), said.tolist(), rare.tolist(), strict=True)
    ]
    [row] = analyse(events(rows, arms=[["old", 9], ["new", 1]])).intents
    assert row.p is not None
    assert row.p > 0.05


def test_locales_are_compared_apart() -> None:
    german = [*users([(1, 2)], OLD, 6, locale=1), *users([(1, 4)], NEW, 7, locale=1)]
    rows = named(analyse(events([*SMALL, *german])).locales)
    assert rows["en-US"].baseline == pytest.approx(60)
    assert (rows["de-DE"].baseline, rows["de-DE"].candidate) == pytest.approx((50, 25))
    assert rows["de-DE"].p is None


def test_a_broken_split_is_told_first() -> None:
    log = events([*users([(0, 1)] * 400, OLD, 0), *users([(0, 1)] * 300, NEW, 400)])
    found = analyse(log)
    assert found.mismatch < MISMATCH
    assert "split is broken" in verdict(found)
    fair = events([*users([(0, 1)] * 400, OLD, 0), *users([(0, 1)] * 300, NEW, 400)], arms=[["old", 4], ["new", 3]])
    assert analyse(fair).mismatch == 1


def test_days_add_up_and_early_looks_need_users() -> None:
    generator = np.random.default_rng(0)
    rows = [
        {"user": user, "arm": user % 2, "day": day, "dissatisfied": int(generator.random() < (0.5, 0.2)[user % 2])}
        for day in range(3)
        for user in range(150 * (day + 1))
    ]
    found = analyse(events(rows))
    assert [look.day for look in found.looks] == [0, 1, 2]
    assert found.looks[0].half is None
    assert found.looks[0].p == 1
    assert found.looks[2].difference == pytest.approx(found.rows[0].difference)
    assert found.looks[2].p < 0.001
    # A change in what came later leaves the scale of the mixture, and so the second day, as they are.
    later = analyse(events([row | {"dissatisfied": 1} if row["day"] == 2 else row for row in rows]))
    assert later.looks[1] == found.looks[1]


def test_with_several_arms_one_is_chosen() -> None:
    log = events(SMALL, arms=[["old", 1], ["new", 1], ["newer", 1]])
    with pytest.raises(DataError, match="new, newer"):
        analyse(log)
    assert analyse(log, candidate="new").candidate == "new"
    with pytest.raises(DataError, match="old"):
        analyse(log, candidate="old")
    assert analyse(log, candidate="newer").rows[0].p is None


def test_nothing_can_be_told_of_nothing() -> None:
    found = analyse(events([{"dissatisfied": -1}, {"dissatisfied": -1, "day": -1}]))
    assert found.rows[0].p is None
    assert "Too little" in verdict(found)
    assert "| A/B | 0 / 0 |" in markdown(found)
    assert set(plots(found)) == {"change.svg", "days.svg"}


def test_plots_are_whole_files_in_the_colours_of_paper() -> None:
    # A dollar sign would begin a formula.
    log = events([*users([(n % 3, 2) for n in range(120)], OLD, 0), *users([(n % 2, 2) for n in range(120)], NEW, 120)])
    for text in plots(analyse(replace(log, names={**log.names, "locale": ["a$b$", "de-DE"]}))).values():
        assert ElementTree.fromstring(text).tag.endswith("svg")
        assert "#a8203a" in text
        assert "#0a0b0" not in text


@pytest.mark.parametrize("dissatisfied", [0, 1])
def test_users_who_are_all_alike_tell_no_p(dissatisfied: int) -> None:
    found = analyse(
        events(
            [{"user": user, "arm": user % 2, "day": day, "dissatisfied": dissatisfied} for day in (-1, 0) for user in range(8)]
        )
    )
    assert all(row.p is None for row in found.rows)
    assert markdown(found)


def test_in_the_shadow_both_arms_are_one() -> None:
    log = replace(events(SMALL, shadow=True), shadows=(Agreement("new", 20, 15, 10),))
    found = analyse(log)
    assert found.rows[0].name == "A/A"
    assert "shadow" in verdict(found)
    assert "| new | 20 | 75.00 | 50.00 |" in markdown(found)


@pytest.mark.parametrize(("new", "said"), [(1, "fewer dissatisfied"), (6, "more dissatisfied"), (3, "No difference was found")])
def test_the_verdict_says_which_way(new: int, said: str) -> None:
    generator = np.random.default_rng(1)
    of = {arm: [(int(generator.binomial(10, rate / 10)), 10) for _ in range(100)] for arm, rate in ((OLD, 3), (NEW, new))}
    assert said in verdict(analyse(events([*users(of[OLD], OLD, 0), *users(of[NEW], NEW, 100)])))


def test_of_a_baseline_without_dissatisfied_requests_the_verdict_is_in_points() -> None:
    log = events([*users([(0, 10)] * 50, OLD, 0), *users([(n % 5, 10) for n in range(50)], NEW, 50)])
    assert "more dissatisfied requests: +20.00 points (" in verdict(analyse(log))


def test_ids_that_came_again_are_told() -> None:
    assert "came again" not in markdown(analyse(events(SMALL)))
    assert "- 3 ids of requests came again from another arm" in markdown(analyse(replace(events(SMALL), repeated=3)))
