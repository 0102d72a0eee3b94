"""What sounds alike, in the scripts of twelve languages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.text.sounds import Sounds, distance, sound


@pytest.mark.parametrize(
    ("word", "heard"),
    [
        ("sick", "sik"),
        ("Zig!", "sik"),
        ("Straße", "strasi"),
        ("été", "iti"),
        ("सात", "sat"),
        ("पंद्रह", "pntr"),
        ("ج", "j"),
        ("سبع", "spai"),
        ("మూడు", "nutu"),
        ("ஏழு", "ilu"),
        ("か", "ka"),
        ("ガ", "ka"),
        ("朝", "朝"),
        ("٧a", "7a"),
        ("11", "11"),
        ("?!", ""),
    ],
)
def test_the_sound_of_a_word(word: str, heard: str) -> None:
    assert sound(word) == heard


def test_distance_counts_letters() -> None:
    assert distance("kitten", "sitting") == 3
    assert distance("", "ab") == distance("ab", "") == 2
    assert distance("abc", "abc") == 0


def test_the_likest_come_first_and_others_not_at_all() -> None:
    sounds = Sounds(["mine", "nine", "nina", "banana", "nin", "7", "line"])
    assert sounds.like("nine") == ("mine", "nin", "nina")  # no sound apart, then one
    assert sounds.like("7") == ()
    assert sounds.like("!") == ()


def test_of_many_consonants_one_may_be_another_or_missing() -> None:
    sounds = Sounds(["kalendar", "calendars", "kalander", "kleid"])
    assert sounds.like("calendar") == ("kalendar", "calendars", "kalander")
    assert Sounds(["kalendar"]).like("kalenter") == ("kalendar",)


def test_kana_are_like_kana_only() -> None:
    assert Sounds(["n", "ね", "ン"]).like("ん") == ("ン", "ね")


@given(st.text(max_size=12))
def test_every_text_has_a_sound_and_none_is_like_itself(word: str) -> None:
    assert isinstance(sound(word), str)
    assert word not in Sounds([word]).like(word)
