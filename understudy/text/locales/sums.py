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
_SUM_ENDS = re.compile(r" ?(?:[-+*x×÷/=?!.,]|$)")
_EQUALS = re.compile(rf" ?{_TERMS}=")


_POWER = {"de": "hoch", "en": "to the power of", "es": "elevado a", "fr": "puissance", "it": "elevato a", "pt": "elevado a"}


def rules(locale: Locale) -> list[Rule]:
    """The rules of a language whose questions are known here; none for others."""
    if locale.lang not in _ASKED:
        return []
    return [
        Rule("quotient", r"(?<![\w.,/])(?P<n>\d{1,9}) ?/ ?(?P<d>\d{1,9})(?![\w/%]|[.,]\d)", _quotient),
        Rule("sum", r"(?:(?<=\d)|(?<=\d ))(?:[-*](?= ?\d)|\^(?= ?-?\d))", _sign),
        Rule("sumx", r"(?:(?<=\d)|(?<=\d ))x(?= ?\d)", _times, "letter"),
    ]


def _asked(m: Match[str], locale: Locale, sign: int) -> bool:
    """Whether a sum is asked for or told, the sign of which stands at `sign`."""
    s = m.string
    asked = _LEFT[locale.lang].search(s, max(0, sign - _NEAR), sign)
    return asked is not None or _EQUALS.match(s, m.end(), m.end() + _NEAR) is not None


def _sign(m: Match[str], text: str, locale: Locale) -> str | None:
    """The minus is one in sums only, * between numbers everywhere."""
    if m.group() == "^":
        return _POWER[locale.lang]
    if m.group() == "*":
        return locale.symbols["×"]
    return locale.minus if _asked(m, locale, m.start()) else None


def _times(m: Match[str], text: str, locale: Locale) -> str | None:
    return locale.symbols["×"] if _asked(m, locale, m.start()) else None


def _quotient(m: Match[str], text: str, locale: Locale) -> str | None:
    """ "What is 100/4", where no fraction is meant: that is less than one, or of something."""
    n, d = int(m["n"]), int(m["d"])
    if n < d or not _SUM_ENDS.match(m.string, m.end()) or not _asked(m, locale, m.end("n")):
        return None
    return f"{locale.cardinal(n)} {locale.symbols['÷']} {locale.cardinal(d)}"
