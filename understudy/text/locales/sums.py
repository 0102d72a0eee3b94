"""Sums as an assistant is asked for them: "what is 10 - 4", where the dash is no range, and "5 - 3 = 2"."""

from __future__ import annotations

import re
from re import Match

from understudy.text.locales.base import Locale, Rule

__all__ = ["rules"]

_ASKED = {
    "de": r"was ist|was sind|wie ?viel (?:ist|sind|ergibt|macht)|berechne|rechne",
    "en": r"what(?: is|'s)|how much is|calculate|compute|solve",
    "es": r"cuánto (?:es|son|da)|calcula|calcular",
    "fr": r"combien (?:font|fait)|calcule|calculer|que (?:font|fait)",
    "it": r"quanto (?:fa|fanno|è)|calcola|calcolare",
    "pt": r"quanto (?:é|são|dá)|calcule|calcula|calcular",
}
_NEAR = 48  # characters of a line that are looked at on either side
_TERMS = r"(?:[\d.,]+ ?[-+*x×÷/] ?)*[\d.,]+ ?"
_LEFT = {lang: re.compile(rf"\b(?:{asked}) {_TERMS}$") for lang, asked in _ASKED.items()}
_EQUALS = re.compile(rf" ?{_TERMS}=")


def rules(locale: Locale) -> list[Rule]:
    """The rules of a language whose questions are known here; none for others."""
    return [Rule("sum", r"(?:(?<=\d)|(?<=\d ))[-*](?= ?\d)", _sign)] if locale.lang in _ASKED else []


def _sign(m: Match[str], text: str, locale: Locale) -> str | None:
    s = m.string
    asked = _LEFT[locale.lang].search(s, max(0, m.start() - _NEAR), m.start())
    if asked is None and _EQUALS.match(s, m.end(), m.end() + _NEAR) is None:
        return None
    return locale.minus if m.group() == "-" else locale.symbols["×"]
