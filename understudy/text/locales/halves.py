"""Halves and quarters that languages of India have names for, before what is often halved: "1.5 घंटे", "2.5 तास", "1.5 மணி நேரம்"."""

from __future__ import annotations

from re import Match

from understudy.text.locales.base import Locale, Rule

__all__ = ["QUARTERS", "mixed", "rule"]

QUARTERS = {"5": 2, "25": 1, "75": 3}  # Decimals that are quarters, and how many.


def rule(nouns: str, *, decimals: str = "5|25|75") -> Rule:
    """Quarters before one of `nouns` (a pattern), read as a whole number and a fraction are; numbers below a hundred only."""
    return Rule("andahalf", rf"(?<![\w.,/:])(?<!\d )(?P<n>\d{{1,2}})\.(?P<decimals>{decimals})(?= ?(?:{nouns}))", _read)


def mixed(locale: Locale, whole: int, quarters: int) -> str:
    """`whole` and one to three quarters, by the names that the locale's fractions have."""
    n, d = (1, 2) if quarters == 2 else (quarters, 4)
    return locale.mixed(whole, n, d) if whole else locale.fraction(n, d)


def _read(m: Match[str], text: str, locale: Locale) -> str | None:
    return mixed(locale, int(m["n"]), QUARTERS[m["decimals"]])
