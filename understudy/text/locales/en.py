"""English (US, with "and" before the last two digits)."""

from __future__ import annotations

from functools import lru_cache
from re import Match
from typing import ClassVar

from understudy.text.locales import numbers
from understudy.text.locales.base import Amount, Locale, Money, Rule

__all__ = ["English"]

_ENDINGS = {1: "st", 2: "nd", 3: "rd"}
_STREETS = {
    "st": "street",
    "ave": "avenue",
    "rd": "road",
    "blvd": "boulevard",
    "dr": "drive",
    "ln": "lane",
    "pl": "place",
    "ct": "court",
}
_PER = {
    "wk": "week",
    "d": "day",
    "day": "day",
    "hr": "hour",
    "h": "hour",
    "mo": "month",
    "month": "month",
    "yr": "year",
    "week": "week",
}


def _street(m: Match[str], text: str, locale: Locale) -> str | None:
    """ "1428 Elm St.": the house number as a year or digit by digit, the kind of street in full."""
    side = {"n": "north", "s": "south", "e": "east", "w": "west"}.get(m["side"] or "", "")
    n = m["n"]
    number = locale.year(int(n)) if len(n) == 4 else locale.digits(n) if len(n) > 2 else locale.cardinal(int(n))
    nth = locale.ordinal(int(m["nth"]), m["mark"]) if m["nth"] else m["name"]
    return None if nth is None else f"{number} {side} {nth} {_STREETS[m['kind']]}"


def _per(m: Match[str], text: str, locale: Locale) -> str | None:
    return f"per {_PER[m['unit']]}"


def _era(m: Match[str], text: str, locale: Locale) -> str | None:
    """A year before or after Christ, in capitals: "340 AD"."""
    if not text[m.start("era") : m.end("era")].replace(".", "").isupper():
        return None
    return f"{locale.year(int(m['n']))} {' '.join(m['era'].replace('.', ''))}"


def _nth_part(m: Match[str], text: str, locale: Locale) -> str | None:
    return locale.fraction(int(m["n"]), int(m["d"]))


class English(Locale):
    lang = "en"
    decimal = "."
    groups = ","
    month_first = True
    largest = 10**14
    years_bare = range(1100, 2100)
    point = "point"
    minus = "minus"
    percent = "percent"
    to = "to"
    per = "per"
    mixed_link = "and"
    over = "over"
    symbols: ClassVar = {
        "&": "and", "+": "plus", "=": "equals", "@": "at", "#": "hash", "%": "percent", "°": "degrees", "×": "times",
        "÷": "divided by", "§": "section", "$": "dollar", "€": "euro", "£": "pound", "¥": "yen", "₩": "won", "₹": "rupee",
    }  # fmt: skip
    address: ClassVar = {
        "@": "at", ".": "dot", "/": "slash", "-": "dash", ":": "colon", "_": "underscore", "?": "question mark", "=": "equals",
        "&": "and", "jpg": "jpeg", "#": "hash", "%": "percent", "+": "plus", "~": "tilde",
    }  # fmt: skip
    abbreviations: ClassVar = {
        "dr.": "doctor", "mr.": "mister", "mrs.": "misses", "ms.": "miss", "prof.": "professor", "vs.": "versus",
        "etc.": "et cetera", "e.g.": "for example", "i.e.": "that is", "approx.": "approximately", "ft.": "feet",
        "sgt.": "sergeant", "capt.": "captain", "gov.": "governor", "sen.": "senator", "jr.": "junior", "sr.": "senior",
    }  # fmt: skip
    scales: ClassVar = {
        "hundred": "hundred", "thousand": "thousand", "million": "million", "billion": "billion", "trillion": "trillion",
        "quadrillion": "quadrillion",
    }  # fmt: skip
    money_names: ClassVar = {
        "usd": Money("dollar", "dollars", "cent", "cents"), "eur": Money("euro", "euros", "cent", "cents"),
        "gbp": Money("pound", "pounds", "penny", "pence"), "jpy": Money("yen", "yen"), "krw": Money("won", "won"),
        "inr": Money("rupee", "rupees", "paisa", "paise"), "cny": Money("yuan", "yuan"), "rub": Money("ruble", "rubles", "kopeck", "kopecks"),
        "usdollar": Money("us dollar", "us dollars", "cent", "cents"), "chf": Money("swiss franc", "swiss francs"),
    }  # fmt: skip
    money_symbols: ClassVar = {"us$": "usdollar", "yuan": "cny"}
    money_scales: ClassVar = {"k": "thousand", "m": "million", "mn": "million", "b": "billion", "bn": "billion", "tn": "trillion"}
    unit_names: ClassVar = {
        "mass-tonne": ("ton", "tons"),
        "digital-megabit-per-second": ("megabit per second", "megabits per second"),
    }
    no_units = frozenset({"in", "d", "st", "s", "h", "t", "ac", "pt", "hp"})
    no_codes = frozenset(
        {"all", "top", "mad", "try", "cup", "pen", "gel", "bam", "ron", "sos", "mop", "lak", "cop", "ern", "mur"}
    )
    time_suffixes = r"a\. ?m\.?|p\. ?m\.?|am|pm|o'clock"
    ordinal_pattern = r"(?<![\w.,])(?P<n>\d{1,3}(?:,\d{3})+|\d+)(?P<mark>st|nd|rd|th)(?!\w)"

    def extra_rules(self) -> list[Rule]:
        kinds, units = "|".join(_STREETS), "|".join(_PER)
        street = rf"(?<![\w.,$-])(?P<n>\d{{1,5}}) (?:(?P<side>[nsew])\.? )?(?:(?P<nth>\d+)(?P<mark>st|nd|rd|th)|(?P<name>[a-z]+)) (?P<kind>{kinds})(?:\.(?!\w)|(?![\w.]))"
        return [
            Rule("street", street, _street),
            Rule("every", rf"(?<=\d)/(?P<unit>{units})(?!\w)", _per),
            Rule("era", r"(?<![\w.,])(?P<n>\d{1,4}) ?(?P<era>a\.?d|b\.?c(?:\.?e)?|c\.?e)\.?(?!\w)", _era),
            Rule("nthpart", r"(?<![\w./])(?P<n>\d+)/(?P<d>\d+)(?:st|nd|rd|th)s?(?!\w)", _nth_part),
        ]

    def cardinal(self, n: int) -> str:
        return _cardinal(n) or self.digits(str(n))

    @property
    def digit_words(self) -> tuple[str, ...]:
        return _DIGITS

    def counted(self, n: int, gender: str = "m") -> str:
        return self.cardinal(n)

    def bare(self, n: int) -> str:
        """Without "and", as before a scale word, in a fraction, or in a year."""
        return (numbers.spell("en", "spellout-cardinal", n) or self.digits(str(n))).replace("-", " ")

    def amount(self, a: Amount, gender: str | None = None) -> str:
        if a.scale is not None and a.decimals is None and a.fraction is None:
            words = f"{self.bare(int(a.whole))} {a.scale}"
            return f"{self.minus} {words}" if a.negative else words
        return super().amount(a, gender)

    def decimal_words(self, whole: str, decimals: str) -> str:
        return f"{self.cardinal(int(whole)) if whole else ''} point {self.digits(decimals)}"

    def money(self, a: Amount, code: str) -> str | None:
        if a.decimals is not None and a.scale is None and not a.whole:
            a = Amount("0", a.decimals, None, None, a.negative)
        return super().money(a, code)

    def ordinal(self, n: int, mark: str = "", *, before: str = "") -> str | None:
        wanted = "th" if 10 < n % 100 < 20 else _ENDINGS.get(n % 10, "th")
        if mark and mark != wanted:
            return None
        words = numbers.spell("en", "spellout-ordinal", n)
        return None if words is None else words.replace("-", " ")

    def year(self, n: int) -> str:
        high, low = divmod(n, 100)
        if n % 1000 < 10 or n < 100 or n > 9999:
            return self.bare(n)
        if n < 1000 and low == 0:
            return self.bare(n)
        if low == 0:
            return f"{self.bare(high)} hundred"
        return f"{self.bare(high)} {'oh ' if low < 10 else ''}{self.bare(low)}"

    def decade(self, n: int) -> str | None:
        """The decade that begins with `n`: "nineteen eighties"."""
        words = self.year(n)
        return f"{words[:-1]}ies" if words.endswith("y") else f"{words}s"

    def denominator(self, d: int, many: bool) -> str | None:
        if d in (2, 4):
            return {2: ("half", "halves"), 4: ("quarter", "quarters")}[d][many]
        words = self.ordinal(d)
        return None if words is None or d < 2 else f"{words}s" if many else words

    def fraction(self, n: int, d: int) -> str:
        name = self.denominator(d, n != 1)
        return f"{self.bare(n)} {name or f'over {self.bare(d)}'}"

    def mixed(self, whole: int, n: int, d: int) -> str:
        return f"{self.cardinal(whole)} and {'a half' if (n, d) == (1, 2) else self.fraction(n, d)}"

    def date(self, day: int | None, month: int, year: int | None, *, month_first: bool = False, before: str = "") -> str:
        name, tail = self.month(month), "" if year is None else self.year(year)
        if day is None:
            return f"{name} {tail}"
        nth = self.ordinal(day)
        return f"{name} {nth} {tail}" if month_first else f"{'' if before.endswith('the ') else 'the '}{nth} of {name} {tail}"

    def time(self, hour: int, minute: int | None, second: int | None, suffix: str) -> str:
        if second is not None:
            parts = [(hour, "hour"), (minute or 0, "minute"), (second, "second")]
            words = [f"{self.cardinal(n)} {name}{'' if n == 1 else 's'}" for n, name in parts]
            return " ".join([*words[:-1], "and", words[-1]]) + self.meridiem(suffix)
        if not minute:
            clock = suffix == "o'clock" or (minute == 0 and not suffix)
            return self.cardinal(hour) + (" o'clock" if clock else self.meridiem(suffix))
        return f"{self.cardinal(hour)} {'oh ' if minute < 10 else ''}{self.cardinal(minute)}{self.meridiem(suffix)}"


_DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


@lru_cache(maxsize=65_536)
def _cardinal(n: int) -> str | None:
    """In words, with "and" in the last three digits: "one hundred and one", "two thousand and five"."""
    rest = n % 100
    head = n % 1000 - rest or (n - rest if n < 10**6 else 0)
    words = numbers.spell("en", "spellout-cardinal", n)
    if words is None or n < 100 or not rest or not head:
        return None if words is None else words.replace("-", " ")
    high, low = numbers.spell("en", "spellout-cardinal", n - rest), numbers.spell("en", "spellout-cardinal", rest)
    return f"{high} and {low}".replace("-", " ")
