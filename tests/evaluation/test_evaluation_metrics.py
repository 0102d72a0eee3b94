"""Every figure against numbers worked by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.evaluation import metrics
from understudy.evaluation.metrics import (
    COUNTS,
    FIGURES,
    Scores,
    calibration_error,
    confidence_figures,
    counts,
    mean,
    resample,
    score,
    spans,
    squeeze,
)
from understudy.interpretation import Interpretation, Slot, parse_annotation


def said(annotated: str, intent: str = "i", domain: str = "d") -> Interpretation:
    text, slots = parse_annotation(annotated)
    return Interpretation(text, intent, slots, domain)


def test_everything_right_is_a_hundred() -> None:
    gold = [said("wake me at [time : six]")]
    found = score(gold, gold)
    assert found.to_dict() == {
        "n": 1, "intent_accuracy": 100.0, "slot_f1": 100.0, "exact_match": 100.0, "semer": 0.0, "domain_accuracy": 100.0,
        "ece": 0.0,
    }  # fmt: skip


def test_intent_accuracy_counts_utterances() -> None:
    gold = [said("a"), said("b"), said("c")]
    predicted = [said("a"), said("b", "other"), said("c")]
    assert score(gold, predicted).intent_accuracy == pytest.approx(200 / 3)


def test_slot_f1_is_micro_over_name_and_span() -> None:
    # 3 wanted, 4 found, 2 right: F1 = 2 * 2 / (3 + 4).
    gold = [said("[a : one] [b : two] three"), said("[a : four] five six")]
    predicted = [said("[a : one] [a : two] [c : three]"), said("[a : four] five six")]
    assert score(gold, predicted).slot_f1 == pytest.approx(400 / 7)


def test_a_slot_with_the_right_words_elsewhere_is_wrong_for_f1_and_right_for_semer() -> None:
    gold, predicted = said("[n : no] and no"), said("no and [n : no]")
    found = score([gold], [predicted])
    assert (found.slot_f1, found.exact_match, found.semer) == (0.0, 0.0, 0.0)


def test_exact_match_wants_intent_and_slots() -> None:
    gold = [said("[a : x] y")] * 4
    predicted = [gold[0], said("[a : x] y", "other"), said("x y"), said("[a : x] [b : y]")]
    assert score(gold, predicted).exact_match == 25.0


@pytest.mark.parametrize(
    ("gold", "predicted", "intent", "expected"),
    [
        # one slot right, intent right: C 2
        ("at [t : six]", "at [t : six]", "i", (2, 0, 0, 0)),
        # the name is there with another value: a substitution
        ("at [t : six pm]", "at [t : six] pm", "i", (1, 0, 0, 1)),
        # the name is missing: a deletion; a wrong intent: a substitution
        ("at [t : six]", "at six", "other", (0, 1, 0, 1)),
        # another name over the same words: one deletion and one insertion
        ("at [t : six]", "at [u : six]", "i", (1, 1, 1, 0)),
        # two of a name wanted, one found with a wrong value: one substitution, one deletion
        ("[t : one] [t : two] x", "one two [t : x]", "i", (1, 1, 0, 1)),
        # one wanted, two found, one of them right: one insertion
        ("[t : one] two", "[t : one] [t : two]", "i", (2, 0, 1, 0)),
        # the same value twice is matched twice
        ("[t : no] [t : no]", "[t : no] no", "i", (2, 1, 0, 0)),
    ],
)
def test_semantic_errors_of_one_utterance(gold: str, predicted: str, intent: str, expected: tuple[int, ...]) -> None:
    row = counts([said(gold)], [said(predicted, intent)])[0]
    assert tuple(row[COUNTS.index("correct") :]) == expected


def test_semer_divides_by_slots_and_intents_of_the_reference() -> None:
    # C 1, D 0, I 0, S 1 and C 0, D 1, I 0, S 1: (1 + 2) / (2 + 2).
    gold = [said("at [t : six pm]"), said("at [t : six]")]
    predicted = [said("at [t : six] pm"), said("at six", "other")]
    assert score(gold, predicted).semer == 75.0


def test_semer_may_exceed_a_hundred() -> None:
    assert score([said("a b")], [said("[x : a] [y : b]", "other")]).semer == 300.0


def test_domains_are_scored_where_the_gold_label_has_one() -> None:
    gold = [said("a", domain="d"), said("b", domain="d"), said("c", domain="")]
    predicted = [said("a", domain="d"), said("b", domain="e"), said("c", domain="f")]
    assert score(gold, predicted).domain_accuracy == 50.0


def test_white_space_makes_no_difference() -> None:
    gold = said("[time : 六時] に 起こして")
    predicted = replace(said("[time : 六時]に起こして"))
    assert spans(gold) == spans(predicted) == [("time", 0, 2)]
    assert score([gold], [predicted]).exact_match == 100.0


def test_a_span_that_takes_white_space_along_is_the_same_span() -> None:
    gold = said("at [t : six] pm")
    predicted = replace(gold, slots=(Slot("t", " six ", 2, 7),))
    assert score([gold], [predicted]).exact_match == 100.0


def test_nothing_to_score_is_nan_and_none() -> None:
    found = score([said("a", domain="")], [said("a", domain="")])
    assert math.isnan(found.slot_f1)
    assert (found.to_dict()["slot_f1"], found.to_dict()["domain_accuracy"]) == (None, None)


def test_other_utterances_are_our_own_bug() -> None:
    with pytest.raises(ValueError, match="not the same utterance"):
        counts([said("a")], [said("b")])
    with pytest.raises(ValueError, match="1 gold"):
        counts([said("a")], [])


def test_parts_add_up_by_counts() -> None:
    gold, predicted = [said("[a : x]"), said("[a : x] y"), said("z")], [said("x"), said("[a : x] y"), said("z", "other")]
    counted = counts(gold, predicted)
    both = counted[:1].sum(axis=0) + counted[1:].sum(axis=0)
    assert Scores.of(both, confidence=confidence_figures(predicted, counted)) == score(gold, predicted)


def test_calibration_error_by_hand() -> None:
    # Two of 0.95 in the last bin, one of them right: |1 - 1.9|. One of 0.5, right: |1 - 0.5|. Together 1.4 of 3.
    assert calibration_error(np.array([0.95, 0.95, 0.5]), np.array([True, False, True])) == pytest.approx(140 / 3)
    # In one bin too much and too little trust cancel: 0.94 + 1 and two right.
    assert calibration_error(np.array([0.94, 1.0]), np.array([True, True])) == pytest.approx(3.0)
    assert math.isnan(calibration_error(np.array([]), np.array([], dtype=bool)))


@given(st.lists(st.tuples(st.integers(0, 1000).map(lambda n: n / 1000), st.booleans()), min_size=1, max_size=40))
def test_calibration_error_is_its_definition(found: list[tuple[float, bool]]) -> None:
    wanted = 0.0
    for m in range(1, 16):
        inside = [(c, r) for c, r in found if ((m - 1) / 15 < c or m == 1) and c <= m / 15]
        if inside:
            accuracy, confidence = (sum(column) / len(inside) for column in ([r for _, r in inside], [c for c, _ in inside]))
            wanted += 100 * len(inside) / len(found) * abs(accuracy - confidence)
    confidences, right = np.array([c for c, _ in found]), np.array([r for _, r in found])
    assert calibration_error(confidences, right) == pytest.approx(wanted, abs=1e-9)


def test_what_was_accepted_is_scored_apart() -> None:
    gold = [said("a"), said("b"), said("c"), said("d")]
    predicted = [said("a"), said("b", "other"), said("c"), said("d", "other")]
    assert math.isnan(score(gold, predicted).accepted)
    predicted[1] = replace(predicted[1], out_of_domain=True)
    found = score(gold, predicted)
    assert (found.accepted, found.accepted_exact_match, found.exact_match) == (75.0, pytest.approx(200 / 3), 50.0)
    assert found.to_dict()["accepted_exact_match"] == 66.67


def test_mean_is_unweighted_and_leaves_out_what_is_unknown() -> None:
    parts = [score([said("[a : x]")], [said("x")]), score([said("y")] * 9, [said("y")] * 9)]
    both = mean(parts)
    assert (both.n, both.exact_match, both.slot_f1) == (10, 50.0, 0.0)


def test_bootstrap_has_the_spread_of_the_binomial() -> None:
    gold = [said("a")] * 400
    predicted = [said("a")] * 300 + [said("a", "other")] * 100
    draws = resample(counts(gold, predicted), draws=2000, seed=0)
    column = draws[:, FIGURES.index("exact_match")]
    assert draws.shape == (2000, len(FIGURES))
    assert column.mean() == pytest.approx(75, abs=0.3)
    assert column.std() == pytest.approx(100 * math.sqrt(0.75 * 0.25 / 400), rel=0.06)
    low, high = next(
        (low, high)
        for name, low, high in Scores.of(counts(gold, predicted).sum(axis=0), draws).intervals
        if name == "exact_match"
    )
    assert (low, high) == (pytest.approx(70.7, abs=0.6), pytest.approx(79.2, abs=0.6))


def test_bootstrap_draws_the_same_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    counted = counts([said("a")] * 5, [said("a")] * 4 + [said("a", "other")])
    whole = resample(counted, draws=50, seed=3)
    monkeypatch.setattr(metrics, "TAKEN", 17)
    np.testing.assert_array_equal(resample(counted, draws=50, seed=3), whole)


def test_bootstrap_draws_the_nth_of_equally_many_together() -> None:
    # One locale is right where the other is wrong: what a sample has too often of the one it has too seldom of the other.
    locales = ([said("a", "i" if (n % 3 == 0) is right else "other") for n in range(6)] for right in (True, False))
    one, other = (resample(counts([said("a")] * 6, found), draws=40, seed=1) for found in locales)
    exact = FIGURES.index("exact_match")
    np.testing.assert_allclose(one[:, exact] + other[:, exact], 100)
    assert one[:, exact].std() > 0


def test_bootstrap_of_equal_seeds_is_equal() -> None:
    counted = counts([said("a")] * 5, [said("a")] * 4 + [said("a", "other")])
    first, second = (resample(counted, draws=50, seed=3) for _ in range(2))
    np.testing.assert_array_equal(first, second)


@st.composite
def utterances(draw: st.DrawFn) -> Interpretation:
    words = draw(st.lists(st.sampled_from(["a", "b", "六", "no"]), min_size=1, max_size=5))
    text, slots, at = " ".join(words), [], 0
    for word in words:
        if (name := draw(st.sampled_from(["", "x", "y"]))) != "":
            slots.append(Slot(name, word, at, at + len(word)))
        at += len(word) + 1
    return Interpretation(text, draw(st.sampled_from(["i", "j"])), tuple(slots), "d")


@given(st.lists(utterances(), min_size=1, max_size=6))
def test_leaving_out_all_slots_deletes_them(gold: list[Interpretation]) -> None:
    assert score(gold, gold).to_dict()["semer"] == 0.0
    stripped = [replace(g, slots=()) for g in gold]
    found = score(gold, stripped)
    assert found.intent_accuracy == 100.0
    assert found.exact_match == pytest.approx(100 * sum(not g.slots for g in gold) / len(gold))
    # Every slot is deleted and every intent right: D / (C + D).
    slots = sum(len(g.slots) for g in gold)
    assert found.semer == pytest.approx(100 * slots / (len(gold) + slots))


@given(st.text())
def test_squeezing_leaves_no_white_space(text: str) -> None:
    assert not any(character.isspace() for character in squeeze(text))
    assert len(squeeze(text)) == sum(not character.isspace() for character in text)
