"""What Marathi, Tamil and Telugu share: Indian grouping and telephone numbers, codes, scores, versions, ranges of prices."""

from __future__ import annotations

import re
from collections.abc import Mapping
from re import Match
from typing import ClassVar

from understudy.text.locales import halves
from understudy.text.locales.base import Amount, Locale, Rule

__all__ = ["Indic", "is_year"]

_MONEY_SIGNS = {"₹": "inr", "$": "usd", "€": "eur", "£": "gbp", "¥": "jpy"}
_LETTER = r"\u0900-\u0963\u0971-\u0d65\u0d70-\u0d7f"  # Of the scripts of India, with their marks, without digits.
_LEFT, _RIGHT = re.compile(r"(\d+)( ?)$"), re.compile(r"( ?)(\d+)( ?=)?")


class Indic(Locale):
    """The grammar that the three languages share; a subclass gives the words."""

    decimal = "."
    groups = ","
    indian_groups = True
    largest = 10**13
    until: ClassVar[str] = ""  # Said after the second end of a range.
    plus: ClassVar[str] = ""  # Before a telephone number.
    less: ClassVar[str] = ""  # The minus between two numbers.
    number_sign: ClassVar[str] = ""  # "#" before a number.
    stop: ClassVar[str] = ""  # Between the numbers of a version.
    code_words: ClassVar[tuple[str, ...]] = ()  # What is numbered digit by digit.
    score_words: ClassVar[str] = "(?!)"  # Pattern of what stands behind a score.
    halved_scales: ClassVar[frozenset[str]] = frozenset()  # "1.5 lakh" is one and a half of it, ...
    halved_from: ClassVar[int] = 1  # ... from this number on,
    halved_quarters: ClassVar[frozenset[int]] = frozenset({1, 2, 3})  # ... where it is so many quarters more.
    meridiems: ClassVar[Mapping[str, str]] = {}
    telephone_pattern = r"(?<![\d.,])(?:(?:0|91[ -]?)?[6-9]\d{9}|0?[6-9]\d{4}[ -]\d{5}|0\d{2,4}[ -]\d{3,4}[ -]?\d{3,4}|1[89][06]0[ -]?\d{3}[ -]?\d{3,4}|1-8\d\d-\d{3}-\d{4})(?![\d,]|\.\d)"

    def extra_rules(self) -> list[Rule]:
        number = r"\d[\d,]*(?:\.\d+)?"
        signs = "|".join(re.escape(s) for s in sorted({*_MONEY_SIGNS, *self.money_symbols}, key=lambda s: (-len(s), s)))
        words = "|".join(re.escape(s) for s in sorted(self.code_words, key=lambda s: (-len(s), s)))
        pin = "|".join(f"(?<=[{_LETTER}]{a}{dash}{b})" for a in ("", " ") for dash in "-–" for b in ("", " "))
        return [
            Rule("moneyrange", rf"(?<!\w)(?P<sign>{signs}) ?(?P<a>{number}) ?[-–~] ?(?P<b>{number})(?![\w/-])", _read_money_range, "any"),
            Rule("score", r"(?<![\w./:,–-])(?P<a>\d{1,3})[-–](?P<b>\d{1,3})(?![0-9a-z%°./:–-]|,\d| ?=)", _read_score),
            Rule("less", r"(?<=[\d ])-(?= ?\d)", _read_less),
            Rule("numbersign", r"#(?=\d)", _read_number_sign),
            Rule("stops", r"(?<![\w.,])\d{1,3}(?:\.\d{1,3}){2,}(?![\w.]|[,/-]\d)", _read_stops),
            Rule("hoursminutes", r"(?P<h>\d{1,2}) ?h(?:rs?)? ?(?P<m>[0-5]?\d) ?m(?:ins?)?(?!\w)", _read_hours_minutes),
            Rule("codenumber", rf"(?<![{_LETTER}])(?P<word>{words})(?P<gap>[ :.-]{{0,3}})(?P<n>\d{{3,}}(?:[ -]\d+)*)(?![\w%]|[.,:/]\d)", _read_code, "letter"),
            Rule("pin", rf"(?:{pin})[1-9]\d\d ?\d{{3}}(?![\w,]|\.\d)", _read_pin),
            Rule("plate", r"(?P<a>[a-z]{2})[ -]?(?P<b>\d{1,2})[ -]?(?P<c>[a-z]{1,3})[ -]?(?P<d>\d{4})(?!\w)", _read_plate, "letter"),
        ]  # fmt: skip

    def amount(self, a: Amount, gender: str | None = None) -> str:
        quarters, whole = halves.QUARTERS.get(a.decimals or ""), int(a.whole or 0)
        if a.scale not in self.halved_scales or quarters not in self.halved_quarters or not self.halved_from <= whole < 100:
            return super().amount(a, gender)
        return f"{self.minus if a.negative else ''} {halves.mixed(self, whole, quarters)} {a.scale}"

    def date(self, day: int | None, month: int, year: int | None, *, month_first: bool = False, before: str = "") -> str:
        """The month stands before the day where it is written so."""
        if not month_first or day is None:
            return super().date(day, month, year)
        return " ".join([self.month(month), self.day(day), *([self.year(year)] if year is not None else [])])

    def meridiem(self, suffix: str) -> str:
        """a.m. and p.m., in the letters of the language as people say them."""
        return f" {self.meridiems[suffix]}" if suffix in self.meridiems else ""

    def telephone(self, number: str) -> str:
        digits = self.digits("".join(c for c in number if c.isdecimal()))
        return f"{self.plus} {digits}" if number.startswith("+") else digits

    def hours_minutes(self, hours: Amount, minutes: Amount) -> str:
        """A duration in hours and minutes."""
        return f"{self.measure(hours, 'duration-hour')} {self.measure(minutes, 'duration-minute')}"

    def score(self, a: int, b: int) -> str:
        """The result of a game."""
        return f"{self.cardinal(a)} {self.cardinal(b)}"


def is_year(text: str, end: int) -> bool:
    """Whether the four digits that end here are the number of a year rather than of things."""
    digits = text[max(end - 5, 0) : end]
    return (
        digits[-4:].isdecimal() and digits[-4:-2] in ("18", "19", "20") and not (len(digits) == 5 and digits[0] in "0123456789,.")
    )


def _amount(written: str) -> Amount:
    whole, _, decimals = written.replace(",", "").partition(".")
    return Amount(whole, decimals or None)


def _read_money_range(m: Match[str], text: str, locale: Locale) -> str | None:
    assert isinstance(locale, Indic)
    if len(m["a"]) > 16 or len(m["b"]) > 16:
        return None
    highest = locale.money(_amount(m["b"]), locale.money_symbols.get(m["sign"]) or _MONEY_SIGNS[m["sign"]])
    lowest = _amount(m["a"])
    lowest_words = locale.amount(lowest, None if lowest.integer == 1 else "m")
    return None if highest is None else f"{lowest_words} {locale.to} {highest} {locale.until}"


def _read_score(m: Match[str], text: str, locale: Locale) -> str | None:
    """A range goes up: two numbers that do not are the result of a game, as are those followed by a word for it."""
    assert isinstance(locale, Indic)
    a, b = int(m["a"]), int(m["b"])
    followed = re.match(rf" ?(?:{locale.score_words})(?![{_LETTER}])", m.string[m.end() : m.end() + 24])
    return locale.score(a, b) if a >= b or followed else None


def _read_less(m: Match[str], text: str, locale: Locale) -> str | None:
    """A minus between numbers: on one side of an equation, or after a space and not going up (that is a range)."""
    assert isinstance(locale, Indic)
    left = _LEFT.search(m.string[max(m.start() - 16, 0) : m.start()])
    right = _RIGHT.match(m.string[m.end() : m.end() + 18])
    if left is None or right is None:
        return None
    up = int(left[1]) < int(right[2])
    if right[3] or (left[2] and not up and len(left[1]) < 4):
        return locale.less
    return locale.to if left[2] and not right[1] and up and len(left[1]) == len(right[2]) else None


def _read_number_sign(m: Match[str], text: str, locale: Locale) -> str | None:
    assert isinstance(locale, Indic)
    return locale.number_sign


def _read_stops(m: Match[str], text: str, locale: Locale) -> str | None:
    """A version: numbers, with the full stop read between them; not an internet address and not a date."""
    assert isinstance(locale, Indic)
    parts = m.group().split(".")
    if len(parts) == 4 or (len(parts) == 3 and len(parts[2]) == 2 and 1 <= int(parts[0]) <= 31 and 1 <= int(parts[1]) <= 12):
        return None
    return f" {locale.stop} ".join(locale.cardinal(int(p)) for p in parts)


def _read_hours_minutes(m: Match[str], text: str, locale: Locale) -> str | None:
    assert isinstance(locale, Indic)
    return locale.hours_minutes(Amount(m["h"]), Amount(m["m"]))


def _read_code(m: Match[str], text: str, locale: Locale) -> str | None:
    return f"{m['word']} {locale.digits(''.join(c for c in m['n'] if c.isdecimal()))}"


def _read_pin(m: Match[str], text: str, locale: Locale) -> str | None:
    """The six digits behind the name of a place: "चेन्नई-600007"."""
    return locale.digits("".join(c for c in m.group() if c.isdecimal()))


def _read_plate(m: Match[str], text: str, locale: Locale) -> str | None:
    """The plate of a vehicle, letter by letter and digit by digit."""
    return " ".join([*m["a"], locale.digits(m["b"]), *m["c"], locale.digits(m["d"])])
