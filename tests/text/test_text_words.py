"""Where words begin and end."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from understudy.text.words import Word, words


def test_white_space_parts_words() -> None:
    assert words(" wake  me\u3000up ") == [Word("wake", 1, 5), Word("me", 7, 9), Word("up", 10, 12)]


def test_kanji_and_kana_are_words_of_their_own() -> None:
    assert words("朝のfm放送") == [Word("朝", 0, 1), Word("の", 1, 2), Word("fm", 2, 4), Word("放", 4, 5), Word("送", 5, 6)]


@given(st.text())
def test_words_are_the_text_without_white_space(text: str) -> None:
    assert "".join(w.text for w in words(text)) == "".join(text.split())
    assert all(text[w.start : w.end] == w.text for w in words(text))
