"""Decoding: labels on disk, constrained tags against brute force, confidences by hand."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from understudy.errors import ArtifactError
from understudy.interpretation import Slot, tags_to_slots
from understudy.runtime.decode import Labels, best_tags, decode, ranked, softmax
from understudy.text.words import words

LABELS = Labels.from_inventory(["play", "alarm"], {"alarm": "clock"}, ["time", "artist"])


def permitted(tags: tuple[int, ...]) -> bool:
    return all(t == 0 or t % 2 == 1 or (w > 0 and tags[w - 1] in (t, t - 1)) for w, t in enumerate(tags))


def score(tags: tuple[int, ...], logits_WS: np.ndarray) -> float:
    return float(sum(np.float64(logits_WS[w, t]) for w, t in enumerate(tags)))


def test_labels_are_sorted_and_get_bio_tags():
    assert LABELS.intents == ("alarm", "play")
    assert LABELS.domains == {"alarm": "clock", "play": ""}
    assert LABELS.tags == ("O", "B-artist", "I-artist", "B-time", "I-time")


def test_labels_survive_the_disk(tmp_path: Path):
    LABELS.save(tmp_path / "labels.json")
    assert Labels.load(tmp_path / "labels.json") == LABELS


def test_labels_without_tags_are_those_of_a_corpus(tmp_path: Path):
    path = tmp_path / "labels.json"
    path.write_text(json.dumps({"intents": ["b", "a"], "domains": {"a": "x"}, "slots": ["s"]}))
    found = Labels.load(path)
    assert (found.intents, found.tags) == (("b", "a"), ("O", "B-s", "I-s"))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "labels cannot be read"),
        ("{", "labels cannot be read"),
        ("[]", "labels cannot be read"),
        ('{"intents": ["a"]}', "no key 'slots'"),
        ('{"intents": [], "slots": []}', "at least one intent"),
        ('{"intents": ["a", "a"], "slots": []}', "'intents' must be different"),
        ('{"intents": ["a"], "slots": [""]}', "'slots' must be different"),
        ('{"intents": ["a"], "slots": ["s"], "tags": ["O", "I-s", "B-s"]}', "'tags' must be O"),
        ('{"intents": ["a"], "slots": [], "domains": {"b": "x"}}', "intents that do not exist: b"),
    ],
)
def test_labels_that_cannot_be_used_say_why(tmp_path: Path, content: str | None, says: str):
    path = tmp_path / "labels.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ArtifactError, match=says) as caught:
        Labels.load(path)
    assert str(path) in str(caught.value)


def test_softmax_by_hand():
    assert softmax(np.array([0.0, math.log(3.0)])).tolist() == pytest.approx([0.25, 0.75])
    assert softmax(np.array([1e4, 0.0], dtype=np.float32)).tolist() == [1.0, 0.0]


def test_an_inside_tag_cannot_come_first():
    # Greedy would choose I-artist (5); permitted are O (1) and B-artist (2).
    assert best_tags(np.array([[1.0, 2, 5, 0, 0]])).tolist() == [1]


def test_a_strong_inside_tag_pulls_its_beginning_along():
    # Greedy: O then I-time. O,O scores 3+0; B-time,I-time scores 2+4.
    logits = np.array([[3.0, 0, 0, 2, 0], [0, 0, 0, 0, 4]])
    assert best_tags(logits).tolist() == [3, 4]


def test_a_weak_inside_tag_gives_way():
    logits = np.array([[9.0, 0, 0, 2, 0], [3.5, 0, 0, 0, 4]])
    assert best_tags(logits).tolist() == [0, 0]


def test_inside_of_another_slot_is_not_a_continuation():
    # Greedy: B-artist, I-time. The best permitted keeps B-artist and takes the second word's next best, B-time.
    logits = np.array([[0, 9.0, 0, 0, 0], [0, 0, 0, 3, 4]])
    assert best_tags(logits).tolist() == [1, 3]


@given(
    hnp.arrays(
        np.float32,
        st.tuples(st.integers(1, 5), st.just(5)),
        elements=st.floats(-8, 8, width=32),
    )
)
def test_best_tags_are_the_best_of_all_permitted_sequences(logits_WS: np.ndarray):
    every = itertools.product(range(5), repeat=len(logits_WS))
    best = max(score(tags, logits_WS) for tags in every if permitted(tags))
    found = tuple(best_tags(logits_WS).tolist())
    assert permitted(found)
    assert score(found, logits_WS) == pytest.approx(best, abs=1e-4)


@given(
    hnp.arrays(np.float64, st.tuples(st.integers(1, 5), st.just(5)), elements=st.integers(-64, 64).map(lambda n: n / 8)),
    st.floats(0.25, 10),
)
def test_a_temperature_changes_no_tag(logits_WS: np.ndarray, temperature: float):
    hot = tuple(best_tags(logits_WS / temperature).tolist())
    assert permitted(hot)
    # Of equally good sequences rounding may prefer another.
    assert score(hot, logits_WS) == pytest.approx(score(tuple(best_tags(logits_WS).tolist()), logits_WS), abs=1e-9)


def test_domains_of_labels_are_sorted_once_each_and_never_empty():
    domains = {"a": "y", "b": "x", "c": "", "d": "y"}
    assert Labels.from_inventory("abcd", domains, []).domain_names == ("x", "y")


def test_the_domains_own_scores_go_before_the_intents_domain():
    labels = Labels.from_inventory(["a", "b"], {"a": "x", "b": "y"}, [])
    given = {"text": "q", "words": words("q"), "intent_logits_I": np.array([1.0, 0.0]), "slot_logits_WS": np.zeros((1, 1))}
    assert decode(**given, labels=labels).domain == "x"
    assert decode(**given, labels=labels, domain_logits_C=np.array([0.0, 1.0])).domain == "y"
    with pytest.raises(ValueError, match=r"wanted \[2\] domains"):
        decode(**given, labels=labels, domain_logits_C=np.zeros(3))


@pytest.mark.parametrize(("threshold", "out"), [(0.0, False), (0.74, False), (0.76, True)])
def test_under_the_threshold_is_out_of_domain(threshold: float, out: bool):
    found = decode("q", words("q"), np.array([0.0, math.log(3.0)]), np.zeros((1, 5)), LABELS, threshold=threshold)
    assert (found.intent, found.out_of_domain, found.to_dict()["out_of_domain"]) == ("play", out, out)


def test_decode_by_hand():
    text = "play nina simone now"
    logits = np.array([[9.0, 0, 0, 0, 0], [0, 9, 0, 0, 0], [0, 0, 2, 0, 0], [9, 0, 0, 0, 0]])
    found = decode(text, words(text), np.array([0.0, math.log(3.0)]), logits, LABELS, locale="en-US")
    assert (found.intent, found.domain, found.locale) == ("play", "", "en-US")
    assert found.confidence == pytest.approx(0.75)
    # The slot is as sure as its least sure word: e^2 / (e^2 + 4).
    confidence = pytest.approx(math.exp(2) / (math.exp(2) + 4), abs=1e-6)
    assert found.slots == (Slot("artist", "nina simone", 5, 16, confidence),)


@given(
    hnp.arrays(np.float64, st.tuples(st.integers(1, 7), st.just(5)), elements=st.integers(-8, 8).map(float)),
)
def test_slots_are_those_of_the_tags(logits_WS: np.ndarray):
    """`decode` reads numbers, `tags_to_slots` names: both make the same slots, where no two words share their characters."""
    text = " ".join("abcdefg"[: len(logits_WS)])
    found = words(text)
    tags_W = best_tags(logits_WS)
    sure = [float(softmax(logits_WS)[w, t]) for w, t in enumerate(tags_W)]
    spans = [(w.start, w.end) for w in found]
    wanted = tags_to_slots(text, spans, [LABELS.tags[t] for t in tags_W], sure)
    assert decode(text, found, np.zeros(2), logits_WS, LABELS).slots == wanted


def test_ranked_by_hand():
    best = ranked(np.array([0.0, math.log(3.0)]), LABELS)
    assert best == [("play", pytest.approx(0.75)), ("alarm", pytest.approx(0.25))]
    assert ranked(np.zeros(2), LABELS, k=1) == [("alarm", 0.5)]  # of equal ones the first, as in `decode`
    assert decode("q", words("q"), np.zeros(2), np.zeros((1, 5)), LABELS).intent == "alarm"


def test_words_that_were_cut_off_are_outside():
    text = "at nine o'clock"
    found = decode(text, words(text), np.array([1.0, 0.0]), np.array([[9.0, 0, 0, 0, 0], [0, 0, 0, 9, 0]]), LABELS)
    assert [(s.name, s.value) for s in found.slots] == [("time", "nine")]
    assert decode(text, words(text), np.array([1.0, 0.0]), np.zeros((0, 5)), LABELS).slots == ()


def test_rows_beyond_the_words_are_ignored():
    logits = np.array([[9.0, 0, 0, 0, 0], [0, 0, 0, 9, 0]])
    assert decode("stop", words("stop"), np.array([1.0, 0.0]), logits, LABELS).slots == ()


def test_a_model_without_slots_has_none():
    labels = Labels.from_inventory(["a"], {}, [])
    assert decode("x y", words("x y"), np.array([1.0]), np.zeros((2, 1)), labels).slots == ()


@pytest.mark.parametrize(("intents", "tags"), [(3, 5), (2, 4)])
def test_scores_of_another_model_are_our_bug(intents: int, tags: int):
    with pytest.raises(ValueError, match="wanted"):
        decode("x", words("x"), np.zeros(intents), np.zeros((1, tags)), LABELS)


@given(st.text(min_size=1, max_size=30), st.integers(0, 2**32 - 1))
def test_slots_are_spans_of_the_text_in_order(text: str, seed: int):
    found = words(text)
    logits = np.random.default_rng(seed).normal(size=(len(found), 5))
    slots = decode(text, found, np.zeros(2), logits, LABELS).slots
    assert all(s.value == text[s.start : s.end] and 0 <= s.confidence <= 1 for s in slots)
    assert all(a.end <= b.start for a, b in itertools.pairwise(slots))
