"""Written general text of the built-in world: encyclopedic and narrative sentences over names, numbers and dates of CLDR.

Each language has a TOML file in `prose/`: patterns with placeholders, lists of everyday words, and which of CLDR's names
fit the patterns without inflection (countries without an article, weekdays of one gender). Numbers, dates, prices and
measures are written as the locale writes them, so that the formatter has something to speak.
"""

from __future__ import annotations

import datetime
import random
import re
import tomllib
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from importlib import resources
from typing import Any, TypeVar

from babel import Locale
from babel.dates import format_date, format_time, get_day_names, get_month_names
from babel.numbers import format_currency, format_decimal, format_percent
from babel.units import format_unit

from understudy.errors import DataError

__all__ = ["sentences"]

T = TypeVar("T")
# {name} and, for another one of the same kind in the same sentence, {name_b}.
_PLACE = re.compile(r"\{([a-z_]+?)(_b)?\}")
_BIDI = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_CJK_SPACE = re.compile(r"(?<=[\d,.]) (?=[^\x00-\x7f])")


def sentences(lang: str, *, seed: int) -> Iterator[str]:
    """Endless written sentences in one language, the same ones for the same seed (A 2.1: public text of the demo).

    Args:
        lang: two-letter code of one of the twelve languages.
        seed: any whole number.

    Raises:
        DataError: for a language without sentences.
    """
    prose = _prose(lang)
    rng = random.Random(f"{lang}/{seed}")  # seeded with text, which Python hashes by SHA-512, the same in any process
    while True:
        yield prose.sentence(rng)


@cache
def _prose(lang: str) -> _Prose:
    file = resources.files(__package__) / "prose" / f"{lang}.toml"
    if not re.fullmatch("[a-z]{2}", lang) or not file.is_file():
        raise DataError(
            f"the built-in world has no sentences in '{lang}'", wanted="ar, de, en, es, fr, hi, it, ja, mr, pt, ta or te"
        )
    return _Prose(tomllib.loads(file.read_text(encoding="utf-8")))


class _Prose:
    """One language's patterns, and what may stand in their places."""

    def __init__(self, table: dict[str, Any]) -> None:
        self.locale = locale = Locale.parse(table["locale"])
        self.patterns: list[str] = table["patterns"]
        # "format" names, not "stand-alone" ones: those are aliases in CLDR's data, which Babel 2.18 resolves once for all locales.
        days, months = get_day_names("wide", "format", locale), get_month_names("wide", "format", locale)
        self.days: list[int] = table.get("days", list(range(2, 29)))  # "1er mai", "1º de mayo": the first day is often another
        self.currencies: list[str] = table["currencies"].split()
        self.names: dict[str, list[str]] = {
            "territory": [locale.territories[code] for code in table["territories"].split()],
            "language": [locale.languages[code] for code in table["languages"].split()],
            "weekday": [days[i] for i in table.get("weekdays", range(7))],
            "month": [months[i] for i in range(1, 13)],
            **table["lists"],
        }
        self.makers: dict[str, Callable[[random.Random], str]] = {
            "number": lambda r: self._number(_round(r, 3, 7)),
            "small": lambda r: self._number(_between(r, 3, 30)),
            "pct": lambda r: self._number(_between(r, 3, 95)),
            "percent": self._percent,
            "year": lambda r: str(_between(r, 1780, 2025)),
            "date": self._date,
            "time": self._time,
            "price": self._price,
            "amount": lambda r: self._money(r, _round(r, 3, 6), "name"),
            "temperature": lambda r: self._unit("temperature-celsius", _between(r, -9, 39), "short"),
            "speed": lambda r: self._unit("speed-kilometer-per-hour", _between(r, 40, 140), "short"),
            "distance": lambda r: self._unit("length-kilometer", _between(r, 12, 4000), "long"),
            "height": lambda r: self._unit("length-meter", _between(r, 11, 400), "long"),
            "area": lambda r: self._unit("area-square-kilometer", _round(r, 2, 6), "long"),
            "weight": self._weight,
            "volume": self._volume,
            "duration": self._duration,
        }

    def sentence(self, rng: random.Random) -> str:
        pattern = _pick(rng, self.patterns)
        used: set[str] = set()

        def fill(match: re.Match[str]) -> str:
            name = match[1]
            if name in self.makers:
                return self.makers[name](rng)
            value = _pick(rng, [v for v in self.names[name] if v not in used])
            used.add(value)
            return value

        text = _BIDI.sub("", _PLACE.sub(fill, pattern))
        if self.locale.language == "ja":
            text = _CJK_SPACE.sub("", text)
        return text[0].upper() + text[1:]

    def _number(self, value: float) -> str:
        return str(format_decimal(value, locale=self.locale))

    def _unit(self, unit: str, value: float, length: str) -> str:
        text = str(format_unit(value, unit, length, locale=self.locale))
        if unit in text:  # Babel has no long form of some units in some locales and falls back on the unit's identifier
            text = str(format_unit(value, unit, "short", locale=self.locale))
        return text

    def _percent(self, rng: random.Random) -> str:
        tenths = _between(rng, 30, 950) if rng.random() < 0.3 else 10 * _between(rng, 3, 95)
        return str(format_percent(tenths / 1000, locale=self.locale, decimal_quantization=False))

    def _date(self, rng: random.Random) -> str:
        day = datetime.date(_between(rng, 1880, 2026), _between(rng, 1, 12), _pick(rng, self.days))
        return str(format_date(day, "long", locale=self.locale))

    def _time(self, rng: random.Random) -> str:
        hour, minute = _between(rng, 2, 23), _pick(rng, (0, 5, 10, 15, 20, 30, 30, 40, 45, 50, 55))
        if self.locale.language == "en":
            return str(format_time(datetime.time(hour, minute), "short", locale=self.locale))
        return f"{hour}:{minute:02}"

    def _price(self, rng: random.Random) -> str:
        value = _between(rng, 3, 99) + (0 if rng.random() < 0.4 else _between(rng, 1, 19) * 0.05)
        return self._money(rng, value, "standard" if rng.random() < 0.7 else "name")

    def _money(self, rng: random.Random, value: float, form: str) -> str:
        currency = _pick(rng, self.currencies)
        value = round(value * 100) if currency == "JPY" and form == "standard" else value
        whole = value == round(value)
        text = format_currency(
            round(value) if whole else value, currency, locale=self.locale, format_type=form, currency_digits=not whole
        )
        # Without `currency_digits` the pattern's own two decimals come back; whole prices are written whole.
        return re.sub(r"(?<=\d)[.,]00(?!\d)", "", str(text)) if whole else str(text)

    def _weight(self, rng: random.Random) -> str:
        if rng.random() < 0.5:
            return self._unit("mass-kilogram", _between(rng, 3, 20), "long")
        return self._unit("mass-gram", 50 * _between(rng, 1, 16), "long")

    def _volume(self, rng: random.Random) -> str:
        if rng.random() < 0.4:
            return self._unit("volume-liter", _between(rng, 3, 9), "long")
        return self._unit("volume-milliliter", 50 * _between(rng, 1, 16), "long")

    def _duration(self, rng: random.Random) -> str:
        if rng.random() < 0.4:
            return self._unit("duration-hour", _between(rng, 3, 12), "long")
        return self._unit("duration-minute", _between(rng, 5, 55), "long")


# Drawn with `random()` alone: of Python's generators only its sequence is promised to stay the same over versions.
def _pick(rng: random.Random, values: Sequence[T]) -> T:
    return values[int(rng.random() * len(values))]


def _between(rng: random.Random, low: int, high: int) -> int:
    return low + int(rng.random() * (high - low + 1))


def _round(rng: random.Random, low: int, high: int) -> int:
    """A number of `low + 1` to `high` digits, half of them rounded to two leading digits."""
    digits = _between(rng, low, high - 1)
    value = _between(rng, 10**digits, 10 ** (digits + 1) - 1)
    step: int = 10 ** max(0, digits - 1)
    return value // step * step if rng.random() < 0.5 else value
