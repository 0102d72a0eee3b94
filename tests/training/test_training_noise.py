"""Noised utterances: slots stay with their words, whatever happens to these."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.config import parse
from understudy.errors import RecipeError
from understudy.interpretation import Interpretation, Slot, parse_annotation, slots_to_tags
from understudy.text.words import words
from understudy.training.noise import Material, NoiseConfig, noised, noisy

SWITCH = NoiseConfig(switch=1.0)
MISHEARD = NoiseConfig(asr=1.0)


def said(annotated: str, locale: str) -> Interpretation:
    text, slots = parse_annotation(annotated)
    return Interpretation(text, "alarm_set", slots, "alarm", locale=locale)


def of(one: Interpretation) -> list[tuple[str, str]]:
    return [(slot.name, slot.value) for slot in one.slots]


def test_a_value_of_another_language_takes_the_place_of_a_slots() -> None:
    english, japanese = said("wake me at [time : six thirty] please", "en-US"), said("[time : 六時]に起こして", "ja-JP")
    there, here = noisy([english, japanese], SWITCH, seed=0)
    assert there.text == "wake me at 六時 please"
    assert of(there) == [("time", "六時")]
    assert here.text == "six thirtyに起こして"
    assert of(here) == [("time", "six thirty")]
    assert (here.intent, here.domain, here.locale) == ("alarm_set", "alarm", "ja-JP")


def test_spaced_words_that_take_the_place_of_unspaced_ones_do_not_run_together() -> None:
    gold = [said("[date : tomorrow] at [time : six]", "en-US"), said("[date : 明日][time : 六時]", "ja-JP")]
    assert noisy(gold, SWITCH, seed=0)[1].text == "tomorrow six"


def test_a_slot_inside_a_word_stays_inside_it() -> None:
    gold = [said("bis [date : montag]s", "de-DE"), said("on [date : monday]", "en-US")]
    switched = noisy(gold, SWITCH, seed=0)[0]
    assert switched.text == "bis mondays"
    assert of(switched) == [("date", "monday")]


def test_values_of_the_same_language_and_of_other_slots_are_left_alone() -> None:
    gold = [said("at [time : six]", "en-US"), said("at [time : seven]", "en-GB"), said("um [date : montag]", "de-DE")]
    assert noisy(gold, SWITCH, seed=0) == gold


def copies(one: Interpretation, *others: Interpretation, number: int = 200) -> list[Interpretation]:
    material = Material.of([one, *others])
    return [noised(one, material, MISHEARD, seed=seed) for seed in range(number)]


def test_words_are_taken_for_words_of_the_same_locale() -> None:
    one = said("at nine", "en-US")
    heard = {word.text for copy in copies(one, said("mine", "en-US"), said("nein", "de-DE")) for word in words(copy.text)}
    assert "mine" in heard
    assert "nein" not in heard


def test_words_are_lost_run_together_and_parted() -> None:
    texts = {copy.text for copy in copies(said("wake me today", "en-US"), said("to day", "en-US"))}
    assert {"me today", "wake today", "wake me", "wakeme today", "wake me to day"} <= texts


def test_the_only_word_of_a_slot_or_an_utterance_is_never_lost() -> None:
    kept = copies(said("play [song : imagine]", "en-US"))
    assert {"".join(value.split()) for copy in kept for _, value in of(copy)} == {"imagine"}
    assert any(copy.text == "imagine" for copy in kept)
    assert all(copy.text for copy in copies(said("stop", "en-US")))


def test_words_of_two_slots_do_not_run_together() -> None:
    for copy in copies(said("[song : imagine] [artist : lennon]", "en-US")):
        first, second = copy.slots
        assert copy.text[first.end : second.start] == " "


def test_an_indic_word_is_not_parted_before_a_mark_nor_after_a_virama() -> None:
    word = "क्षत्रियों"
    for copy in copies(said(word, "hi-IN")):
        for part in copy.text.split()[1:]:
            assert part[0] in "षतरय"
            assert not word[: word.index(part)].endswith("्")


def test_equal_seeds_give_equal_copies_and_each_copy_its_own() -> None:
    gold = [said("wake me up at [time : six thirty] today", "en-US")] * 2
    config = NoiseConfig(asr=0.5, copies=3)
    made = noisy(gold, config, seed=1)
    assert made == noisy(gold, config, seed=1) != noisy(gold, config, seed=2)
    assert len(made) == 6
    assert len({copy.text for copy in made}) > 2


def test_noise_that_changes_nothing_is_refused() -> None:
    with pytest.raises(RecipeError, match="set 'asr' or 'switch' above 0"):
        parse(NoiseConfig, {"copies": 2}, where="stage.nlu.noise")


@st.composite
def utterances(draw: st.DrawFn) -> Interpretation:
    """Any text of some scripts, with slots anywhere in it that hold a word."""
    text = draw(st.text("ab é'7सत्ిక日本かガー\u200d", min_size=1, max_size=16).filter(str.strip))
    edges = sorted(draw(st.sets(st.integers(0, len(text)), max_size=6)))
    spans = [(a, b) for a, b in zip(edges[::2], edges[1::2], strict=False) if text[a:b].strip()]
    slots = tuple(Slot(draw(st.sampled_from(["time", "song"])), text[a:b], a, b) for a, b in spans)
    return Interpretation(
        text, draw(st.sampled_from("xy")), slots, "z", locale=draw(st.sampled_from(["en-US", "ja-JP", "te-IN"]))
    )


@given(st.lists(utterances(), min_size=1, max_size=4), st.floats(0.1, 1), st.floats(0, 1), st.integers(0, 99))
def test_spans_always_fit_and_labels_stay(gold: list[Interpretation], asr: float, switch: float, seed: int) -> None:
    for one, copy in zip(gold, noisy(gold, NoiseConfig(asr=asr, switch=switch), seed=seed), strict=True):
        assert (copy.intent, copy.domain, copy.locale) == (one.intent, one.domain, one.locale)
        assert [slot.name for slot in copy.slots] == [slot.name for slot in one.slots]
        assert all(copy.text[slot.start : slot.end] == slot.value.strip() != "" for slot in copy.slots)
        assert all(left.end <= right.start for left, right in zip(copy.slots, copy.slots[1:], strict=False))
        found = words(copy.text)
        assert found
        assert copy.text == copy.text.strip()
        assert len(slots_to_tags([(word.start, word.end) for word in found], copy.slots)) == len(found)
