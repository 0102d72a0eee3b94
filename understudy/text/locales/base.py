"""What a language has to say about numbers, dates, times, money and measures.

`Locale` holds the tables and the default (European) grammar; each language overrides what differs. All results are words;
the formatter lower-cases them and removes punctuation, so that a table may quote CLDR as it stands.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cached_property
from re import Match
from typing import ClassVar, Literal, NamedTuple

from understudy.text.locales import cldr, numbers
from understudy.text.locales.parts import Amount, Money

__all__ = ["Amount", "Locale", "Money", "Rule"]

_BY = re.compile(r"\dx$")
# Symbols that may stand behind a time or a date as well, or are words.
_NO_MEASURES = frozenset({"h", "hr", "hrs", "a", "v", "n", "w", "j", "k", "d", "q", "s", "t"})
_THOUSANDS = ("mil", "mille", "mila")  # "Mil euros", but "un millón de euros".
_COMMON_UNITS = ("length-meter", "length-kilometer", "length-centimeter", "mass-kilogram", "mass-gram", "volume-liter", "duration-day",
                 "duration-hour", "duration-year", "duration-minute", "duration-second", "duration-week", "duration-month")  # fmt: skip


class Rule(NamedTuple):
    """A semiotic class: a pattern over prepared text and its reading. `read(match, text, locale)` is None for "not this".

    `start` tells where it begins: at the first letter of a word, at a digit or sign, or at any of these.
    """

    name: str
    pattern: str
    read: Callable[[Match[str], str, Locale], str | None]
    start: Literal["letter", "sign", "any"] = "sign"


class Locale:
    """The English-free middle: grammar shared by most European languages. See the class variables for a language's tables."""

    lang: ClassVar[str]
    decimal: ClassVar[str] = ","
    groups: ClassVar[str] = ". "
    indian_groups: ClassVar[bool] = False
    month_first: ClassVar[bool] = False
    largest: ClassVar[int] = 10**15
    rules_cardinal: ClassVar[str] = "spellout-numbering"
    rules_gender: ClassVar[Mapping[str, str]] = {}
    rules_ordinal: ClassVar[Mapping[str, str]] = {}
    point: ClassVar[str] = ""
    minus: ClassVar[str] = ""
    percent: ClassVar[str] = ""
    to: ClassVar[str] = ""
    range_signs: ClassVar[tuple[str, ...]] = ("-", "–", "—", "~")
    per: ClassVar[str] = "per"
    mixed_link: ClassVar[str] = ""
    over: ClassVar[str] = ""
    extension: ClassVar[str] = "extension"
    date_link: ClassVar[str] = " "
    scale_link: ClassVar[str] = ""
    first_of_month: ClassVar[str] = ""
    symbols: ClassVar[Mapping[str, str]] = {}
    address: ClassVar[Mapping[str, str]] = {}
    abbreviations: ClassVar[Mapping[str, str]] = {}
    words: ClassVar[Mapping[str, str]] = {}
    before_number: ClassVar[Mapping[str, str]] = {}  # Abbreviations that are one only before digits ("p. 5").
    before_name: ClassVar[Mapping[str, str]] = {}  # Titles that are one only in capitals before a capital ("M. Dupont").
    host_names: ClassVar[bool] = False  # Whether small letters around a full stop are an address, whatever its ending.
    other_signs: ClassVar[str] = ""  # Signs that only rules of this language begin with.
    month_aliases: ClassVar[Mapping[str, int]] = {}
    scales: ClassVar[Mapping[str, str]] = {}
    single_scales: ClassVar[Mapping[str, str]] = {}  # One of it, where `scales` has an abbreviation: "1 mln", "2 mln".
    single_below_two: ClassVar[bool] = False  # Whether 1.5 of it is in the singular.
    money_scales: ClassVar[Mapping[str, str]] = {}
    money_names: ClassVar[Mapping[str, Money]] = {}
    money_symbols: ClassVar[Mapping[str, str]] = {}
    money_joint: ClassVar[str] = " "
    unit_names: ClassVar[Mapping[str, tuple[str, str]]] = {}
    unit_genders: ClassVar[Mapping[str, str]] = {}
    local_units: ClassVar[Mapping[str, str]] = {}  # The language's own unit symbols -> CLDR unit.
    no_units: ClassVar[frozenset[str]] = frozenset({"in", "d", "st"})
    no_codes: ClassVar[frozenset[str]] = frozenset({"all", "top"})  # "All 8", "TOP 10", "dall'8 all'11"
    time_suffixes: ClassVar[str] = r"a\. ?m\.?|p\. ?m\.?|am|pm"
    hour_letter: ClassVar[bool] = False
    ordinal_pattern: ClassVar[str] = ""
    telephone_pattern: ClassVar[str] = ""
    roman_after: ClassVar[str] = ""
    called: ClassVar[str] = ""  # Plain words that a rule of the language reads.
    centuries: ClassVar[frozenset[str]] = frozenset()  # After these a Roman numeral may be in small letters.
    elided: ClassVar[re.Pattern[str] | None] = None  # Words that are one with a reading behind them: "d'" and "un".
    elided_before: ClassVar[tuple[str, ...]] = ()  # What such a reading begins with.
    articles: ClassVar[tuple[str, ...]] = ()  # After these the degree sign is that of an ordinal.
    said_so: ClassVar[frozenset[tuple[int, int]]] = frozenset()  # No fractions: round the clock is (24, 7).
    by: ClassVar[str] = ""  # The x between two numbers, where it is said in another way than the sign of times.
    decimal_alone: ClassVar[bool] = False  # Whether "$2,000" is decimal where nothing else stands in the line.
    years_bare: ClassVar[range] = range(0)  # Numbers of four digits that are read as years wherever they stand.

    @cached_property
    def digit_words(self) -> tuple[str, ...]:
        """The names of the ten digits."""
        return tuple(self.cardinal(n) for n in range(10))

    @cached_property
    def months(self) -> tuple[dict[str, int], tuple[str, ...]]:
        """Written forms of months -> 1 to 12, and the spoken names."""
        written, names = cldr.month_names(self.lang)
        return {**written, **self.month_aliases}, names

    @cached_property
    def measured(self) -> re.Pattern[str]:
        """What stands behind an amount and behind no date or time: percent, scales, names of money, symbols and names of units."""
        words = {u.lower() for u in cldr.UNITS} - self.no_units - _NO_MEASURES | set(self.scales)
        words |= {name for money in self.money_names.values() for name in money[:2] if name}
        for unit in _COMMON_UNITS:
            words |= {(self.measure(Amount(n), unit) or "").partition(" ")[2].lower() for n in ("1", "2")} - {""}
        return re.compile(rf" ?(?:[%°$€£¥]|(?:{'|'.join(map(re.escape, sorted(words)))})(?!\w))")

    def extra_rules(self) -> list[Rule]:
        """Classes of this language only, tried before the common ones."""
        return []

    def joined(self, text: str, start: int, end: int, name: str, spoken: str, *, ranged: bool = False) -> tuple[int, str]:
        """The reading of class `name` from `start` to `end` of `text`, in the form that suits what stands around it.

        Returns where it now ends (endings of a case may be taken in) and its words; `ranged`: it is the second end of a range.
        """
        return end, spoken

    # Numbers

    def cardinal(self, n: int) -> str:
        """`n` in words, as when counting; digit by digit beyond the language's rules."""
        return self._spelled(self.rules_cardinal, n)

    def counted(self, n: int, gender: str = "m") -> str:
        """`n` before a noun of `gender`."""
        return self._spelled(self.rules_gender.get(gender, self.rules_cardinal), n)

    def _spelled(self, ruleset: str, n: int) -> str:
        return numbers.spell(self.lang, ruleset, n) or self.digits(str(n))

    def digits(self, digits: str) -> str:
        """Digit by digit."""
        return " ".join(self.digit_words[int(d)] for d in digits)

    def ordinal(self, n: int, mark: str = "", *, before: str = "") -> str | None:
        """`n` as an ordinal. The written ending `mark` and the text `before` it choose the form; None where nothing fits."""
        return numbers.spell(self.lang, self.rules_ordinal[mark], n) if mark in self.rules_ordinal else None

    def is_roman(self, word: str, numeral: str, after: str) -> bool:
        """Whether letters behind `word` (as written) are a numeral and not an initial: "Pedro V. Silva", "Mary L"."""
        return numeral != "l" and not (len(numeral) == 1 and after[:2] == ". " and after[2:3].isupper())

    def roman(self, word: str, n: int) -> str:
        """A Roman numeral after the `word` that calls for it."""
        return f"{word} {self.cardinal(n)}"

    def code(self, digits: str, left: str, right: str) -> str | None:
        """Digits of a serial number, `left` and `right` being what they touch of it; None where they are read as a number."""
        return self.digits(digits) if len(digits) >= 4 and left[-1:].isalpha() and not _BY.search(left) else None

    def bare_range(self, left: str, right: str, before: str, after: str) -> bool:
        """Whether a dash between two numbers without units is a range; `before` and `after` are what stands around."""
        return True

    def year(self, n: int) -> str:
        """`n` as the number of a year."""
        return self.cardinal(n)

    def decimal_words(self, whole: str, decimals: str) -> str:
        """A number with decimals, by default digit by digit after the point."""
        return f"{self.cardinal(int(whole or 0))} {self.point} {self.digits(decimals)}"

    def denominator(self, d: int, many: bool) -> str | None:
        """The name of a `d`-th part; None where the language says "n over d"."""
        return None

    def fraction(self, n: int, d: int) -> str:
        """A fraction without a whole number."""
        if (n, d) in self.said_so:
            return f"{self.cardinal(n)} {self.cardinal(d)}"
        name = self.denominator(d, n != 1)
        return f"{self.cardinal(n)} {self.over} {self.cardinal(d)}" if name is None else f"{self.counted(n)} {name}"

    def mixed(self, whole: int, n: int, d: int) -> str:
        """A whole number and a fraction."""
        return f"{self.cardinal(whole)} {self.mixed_link} {self.fraction(n, d)}"

    def amount(self, a: Amount, gender: str | None = None) -> str:
        """A number; `gender` is that of the noun that follows, None where none does."""
        if a.fraction is not None:
            words = self.mixed(int(a.whole), *a.fraction) if a.whole else self.fraction(*a.fraction)
        elif a.decimals is not None:
            words = self.decimal_words(a.whole, a.decimals)
        else:
            n = int(a.whole)
            words = self.cardinal(n) if gender is None else self.counted(n, gender)
        if a.scale is not None:
            words = f"{words} {self.scale(a)}"
        return f"{self.minus} {words}" if a.negative else words

    def scale(self, a: Amount) -> str:
        """The word for the scale of an amount that has one."""
        written = a.scale or ""
        single = (a.whole == "1" and a.decimals is None) or (self.single_below_two and int(a.whole or 0) < 2)
        return self.single_scales.get(written, self.scales[written]) if single else self.scales[written]

    # Money, measures

    def money(self, a: Amount, code: str) -> str | None:
        """An amount of the currency `code` (ISO, lower-case)."""
        names = self.money_names.get(code)
        if names is None:
            name = cldr.currency_name(self.lang, code, cldr.plural(self.lang, a.value))
            if name is None:
                return None
            names = Money(name, name)
        if a.decimals is not None and a.scale is None:
            cents = a.decimals.rstrip("0")
            if len(cents) <= 2 and (names.minor_one or not cents):
                return self._major_minor(a, int(cents.ljust(2, "0")), names)
            a = Amount(a.whole, cents.ljust(2, "0"), negative=a.negative)
        large = (a.integer or 1) % 1_000_000 == 0 if a.scale is None else self.scales[a.scale] not in _THOUSANDS
        link = self.scale_link if large else ""
        return f"{self.amount(a, names.gender)} {link} {names.one if a.integer == 1 else names.many}"

    def _major_minor(self, a: Amount, cents: int, names: Money) -> str:
        whole, parts = int(a.whole or 0), []
        if whole or not cents:
            link = self.scale_link if whole and whole % 1_000_000 == 0 else ""
            parts.append(f"{self.counted(whole, names.gender)} {link} {names.one if whole == 1 else names.many}")
        if cents:
            parts.append(f"{self.counted(cents, names.minor_gender)} {names.minor_one if cents == 1 else names.minor_many}")
        words = self.money_joint.join(parts)
        return f"{self.minus} {words}" if a.negative else words

    def measure(self, a: Amount, unit: str) -> str | None:
        """An amount of the CLDR unit `unit`."""
        gender = self.unit_genders.get(unit, "m")
        if unit in self.unit_names:
            return f"{self.amount(a, gender)} {self.unit_names[unit][a.value != 1]}"
        pattern = cldr.unit_pattern(self.lang, unit, cldr.plural(self.lang, a.value))
        return pattern and pattern.replace("{0}", self.amount(a, gender))

    def unit_noun(self, unit: str) -> str | None:
        """The name of one unit, without its number: "kilometer"."""
        if unit in self.unit_names:
            return self.unit_names[unit][0]
        pattern = cldr.unit_pattern(self.lang, unit, "one")
        return pattern and pattern.replace("{0}", "").strip()

    def percentage(self, a: Amount) -> str:
        """A percentage."""
        return f"{self.amount(a)} {self.percent}"

    # Dates, times

    def month(self, number: int) -> str:
        """The name of a month as it stands in a date."""
        return self.months[1][number - 1]

    def day(self, day: int, *, month_first: bool = False) -> str:
        """The number of a day in a date."""
        return self.first_of_month if day == 1 and self.first_of_month else self.cardinal(day)

    def date(self, day: int | None, month: int, year: int | None, *, month_first: bool = False, before: str = "") -> str:
        """A date of the parts that are given; `month_first` tells how it was written, `before` what stands before it."""
        parts = [] if day is None else [self.day(day, month_first=month_first)]
        parts.append(self.month(month))
        if year is not None:
            parts.append(self.year(year))
        return self.date_link.join(parts)

    def decade(self, n: int) -> str | None:
        """The decade written "1980s" or "80s"; None where the language does not write so."""
        return None

    def short_year(self, n: int) -> str:
        """A year written with two digits."""
        return self.cardinal(n)

    def time(self, hour: int, minute: int | None, second: int | None, suffix: str) -> str:
        """A clock time; `suffix` is what was written behind it ("am", "uhr", "h", ...) without full stops and spaces."""
        parts = [hour, *(n for n in (minute, second) if n)]
        return " ".join(map(self.cardinal, parts)) + self.meridiem(suffix)

    def meridiem(self, suffix: str) -> str:
        """a.m. and p.m. read as letters, each with its full stop (the paper's spelling)."""
        return f" {suffix[0]}. m." if suffix in ("am", "pm") else ""

    def telephone(self, number: str) -> str:
        """A telephone number: a plus where written, then digit by digit."""
        digits = self.digits("".join(c for c in number if c.isdecimal()))
        return f"{self.symbols['+']} {digits}" if number.startswith("+") else digits

    def letters(self, text: str) -> str:
        """Latin letters of an address as this language writes them; by default the word itself."""
        return text
