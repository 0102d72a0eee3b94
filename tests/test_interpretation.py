"""Slots, tags and the bracketed form carry the same meaning."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.errors import DataError
from understudy.interpretation import Interpretation, Slot, annotate, parse_annotation, slots_to_tags, tags_to_slots
from understudy.text.words import words


def test_annotation_gives_text_and_spans() -> None:
    text, slots = parse_annotation("wake me at [time : nine am] on [date : friday]")
    assert text == "wake me at nine am on friday"
    assert slots == (Slot("time", "nine am", 11, 18), Slot("date", "friday", 22, 28))


def test_annotate_is_the_inverse() -> None:
    annotated = "wake me at [time : nine am] on [date : friday]"
    text, slots = parse_annotation(annotated)
    assert annotate(Interpretation(text, "alarm_set", slots)) == annotated


@pytest.mark.parametrize("annotated", ["at [time : nine", "at time : nine]", "at [time nine]", "[a : [b : c]]", "[ : x]"])
def test_malformed_annotation_names_its_line(annotated: str) -> None:
    with pytest.raises(DataError, match="f.jsonl:3.*malformed"):
        parse_annotation(annotated, where="f.jsonl:3")


def test_tags_over_words() -> None:
    text, slots = parse_annotation("wake me at [time : nine am] [date : friday]")
    assert slots_to_tags([(w.start, w.end) for w in words(text)], slots) == ["O", "O", "O", "B-time", "I-time", "B-date"]


def test_neighbouring_slots_of_one_name_stay_two() -> None:
    text, slots = parse_annotation("[item : milk] [item : eggs]")
    spans = [(w.start, w.end) for w in words(text)]
    assert tags_to_slots(text, spans, slots_to_tags(spans, slots)) == slots


def test_a_word_half_covered_belongs_to_the_slot_that_covers_more() -> None:
    slots = [Slot("a", "x", 0, 2), Slot("b", "y", 2, 7)]
    assert slots_to_tags([(0, 7)], slots) == ["B-b"]


def test_inside_tag_that_continues_nothing_starts_a_slot() -> None:
    assert tags_to_slots("at nine am", [(0, 2), (3, 7), (8, 10)], ["O", "I-time", "I-time"]) == (Slot("time", "nine am", 3, 10),)


def test_slot_confidence_is_the_least_of_its_words() -> None:
    slots = tags_to_slots("nine am", [(0, 4), (5, 7)], ["B-time", "I-time"], [0.9, 0.4])
    assert slots[0].confidence == 0.4


@given(st.lists(st.sampled_from(["O", "B-a", "I-a", "B-b"]), min_size=1, max_size=8))
def test_tags_of_slots_of_tags_are_stable(tags: list[str]) -> None:
    text = " ".join("w" for _ in tags)
    spans = [(w.start, w.end) for w in words(text)]
    slots = tags_to_slots(text, spans, tags)
    assert tags_to_slots(text, spans, slots_to_tags(spans, slots)) == slots


@given(st.text(max_size=60))
def test_words_cover_every_character_that_is_not_space(text: str) -> None:
    found = words(text)
    assert all(text[w.start : w.end] == w.text for w in found)
    assert "".join(w.text for w in found) == "".join(text.split())


def test_japanese_is_a_word_per_character_and_latin_stays_whole() -> None:
    assert [w.text for w in words("今日bbcを 聞く")] == ["今", "日", "bbc", "を", "聞", "く"]
