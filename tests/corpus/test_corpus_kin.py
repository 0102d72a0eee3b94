"""Utterances that a split must not part."""

from __future__ import annotations

from understudy.corpus.kin import kin
from understudy.interpretation import Interpretation


def said(text: str, locale: str, id: str) -> Interpretation:
    return Interpretation(text, "greet", locale=locale, id=id)


def test_translations_are_kin() -> None:
    assert kin([said("hallo", "de-DE", "7"), said("hello", "en-US", "7"), said("tschau", "de-DE", "8")]) == ["7", "7", "8"]


def test_equal_texts_of_a_locale_are_kin_and_so_are_their_translations() -> None:
    gold = [said("hi", "en-US", "3"), said("Hi!", "en-US", "1"), said("salut", "fr-FR", "3"), said("coucou", "fr-FR", "1")]
    assert kin(gold) == ["1", "1", "1", "1"]


def test_equal_texts_of_two_locales_are_not() -> None:
    assert kin([said("stop", "de-DE", "1"), said("stop", "en-US", "2")]) == ["1", "2"]


def test_an_utterance_without_an_id_has_no_kin() -> None:
    assert kin([said("stop", "de-DE", ""), said("stop", "de-DE", "2")]) == ["", "2"]


def test_a_long_chain_is_one_family() -> None:
    gold = [said(str(n + step), f"locale-{n % 2}", str(n)) for n in range(3000) for step in (0, 2)]
    assert set(kin(gold)[::4]) == {"0"}
