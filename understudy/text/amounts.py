"""Written numbers: their pattern in a language, and what they stand for."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from understudy.text.characters import FRACTIONS
from understudy.text.locales import Amount, Locale
from understudy.text.words import UNSPACED

__all__ = ["NOT_AFTER", "NOT_INSIDE", "SCRIPTS", "Amounts", "alternatives", "either"]

# \w has no combining marks, so those of the twelve languages' scripts are named.
SCRIPTS = r"\u0300-\u036f\u064b-\u065f\u0900-\u0963\u0b80-\u0bff\u0c00-\u0c7f"
# No word goes on here, none goes on to here. Kanji and kana are words of their own and never go on.
NOT_INSIDE = rf"(?![^\W{UNSPACED}]|[{SCRIPTS}])"
NOT_AFTER = rf"(?<![^\W{UNSPACED}])(?<![{SCRIPTS}])"
_SIGN = rf"(?:(?<![^\W{UNSPACED}])(?<!\d\.)(?<![)\]/%°{SCRIPTS}])-)?"
_FOREIGN = re.compile(r"\d{1,9}\.\d{1,2}")
_PLAIN = re.compile(rf"[\w {SCRIPTS}]+")
# What is sold at prices with thousandths, behind one of them: "€1,879/l", "€ 1,879 al litro".
_FUEL = r" ?/| (?:\w{1,3} )?(?:l|litro|litre|liter|kwh|kilowattstunde)(?!\w)"
_ARABIC_GROUP = "\u066c"  # Arabic thousands sign: it groups in any language.
_VULGAR = {c: unicodedata.normalize("NFKD", c).split("⁄") for c in FRACTIONS}


def either(strings: Iterable[str]) -> str:
    """A pattern for any of `strings`, the longest first; empty for none.

    Common beginnings are shared ("a(?:ed|fn)|b(?:am|bd)"), or each of hundreds of strings would be tried at every word of a text.
    """
    endings: dict[str, list[str]] = {}
    for s in sorted(strings):
        endings.setdefault(s[:1], []).append(s[1:])
    branches = [re.escape(first) + _group(either(rest), "" in rest) for first, rest in endings.items() if first]
    return "|".join(branches)


def alternatives(pattern: str) -> tuple[set[str], list[str]]:
    """The alternatives of a pattern: those that are plain words, and the others."""
    parts = [part for part in pattern.split("|") if part]
    plain = {part for part in parts if _PLAIN.fullmatch(part)}
    return plain, [part for part in parts if part not in plain]


def _group(pattern: str, optional: bool) -> str:
    if optional:
        return f"(?:{pattern})?" if pattern else ""
    return f"(?:{pattern})" if "|" in pattern else pattern


class Amounts:
    """The numbers of one language. `pattern` (without groups) matches what `parse` understands, `measured` before a unit or price."""

    def __init__(self, locale: Locale) -> None:
        self.locale = locale
        self._clean = str.maketrans("", "", f"{locale.groups}{_ARABIC_GROUP}" + ("," if locale.indian_groups else ""))
        whole, point = _whole(locale), f"[{re.escape(locale.decimal)}]"
        scales = either(locale.scales) or "(?!)"
        number = rf"(?:{whole}(?:{point}\d++)?|(?<![\w.{SCRIPTS}]){point}\d++)"
        self.pattern = rf"{_SIGN}(?:(?<![\d/])(?:\d+ )?{whole} ?/ ?{whole}(?![\d/])|\d* ?[{FRACTIONS}]|{number}(?: ?(?:{scales}){NOT_INSIDE})?)"
        # Before a unit or a price "1.5" is a decimal in every language.
        self.measured = (
            self.pattern if "." in locale.decimal else rf"{_SIGN}(?<![\d.,]){_FOREIGN.pattern}(?!\d|[.,]\d)|{self.pattern}"
        )
        # What is American behind the sign of a currency: no price has thousandths, but that of fuel and some with a scale.
        end, cents = r"(?!\d|[.,]\d)", r"\.\d\d"
        one = rf",\d{{3}}(?:{cents}{end}|{end}(?! ?(?:{scales}){NOT_INSIDE}|{_FUEL}))"
        self.grouped = rf"[1-9]\d{{0,2}}(?:(?:,\d{{3}}){{2,}}(?:{cents})?{end}|{one})"
        self._whole = re.compile(whole)
        self.least = re.compile(rf"{number}|\d+")
        self._amount = re.compile(
            rf"(?P<sign>-)?(?:(?:(?P<mixed>\d+) )?(?P<n>{whole}) ?/ ?(?P<d>{whole})|(?P<part>\d*) ?(?P<vulgar>[{FRACTIONS}])"
            rf"|(?P<whole>{whole})?(?:{point}(?P<decimals>\d+))?(?: ?(?P<scale>{scales}))?)"
        )

    def parse(self, written: str) -> Amount | None:
        """The Amount that `written` stands for; None where it is none."""
        m = self._amount.fullmatch(written)
        if m is None:
            foreign = "." not in self.locale.decimal and _FOREIGN.fullmatch(written.removeprefix("-"))
            return self.parse(written.replace(".", self.locale.decimal[0])) if foreign else None
        negative = m["sign"] is not None
        if m["d"] is not None:
            return Amount(m["mixed"] or "", fraction=(self.integer(m["n"]), self.integer(m["d"])), negative=negative)
        if m["vulgar"] is not None:
            n, d = _VULGAR[m["vulgar"]]
            return Amount(m["part"], fraction=(int(n), int(d)), negative=negative)
        return Amount((m["whole"] or "").translate(self._clean), m["decimals"], None, m["scale"], negative)

    def price(self, american: str | None, written: str | None, *, alone: bool) -> Amount | None:
        """The Amount of a price: as it is written with anywhere ("$2,000", "€1,000.50"), or as the language writes.

        `alone`: nothing else stands in the line.
        """
        if american is None:
            return None if written is None else self.parse(written)
        own = self.parse(american) if alone and self.locale.decimal_alone else None
        whole, _, decimals = american.replace(",", "").partition(".")
        return own or Amount(whole, decimals or None)

    def groups(self, written: str) -> bool:
        """Whether it is one whole number in groups of digits."""
        return self._whole.fullmatch(written) is not None

    def integer(self, digits: str) -> int:
        """The value of grouped digits."""
        return int(digits.translate(self._clean))

    def read(self, written: str) -> str:
        """A number that stands alone; what cannot be taken as a quantity is read digit by digit."""
        a, locale = self.parse(written), self.locale
        if a is None or len(a.whole) > len(str(locale.largest)):
            return locale.digits("".join(c for c in written if c.isdecimal()))
        if len(a.whole) > 1 and a.whole[0] == "0" and a.decimals is None and a.fraction is None:
            return locale.digits(a.whole)
        n = a.integer
        if n is not None and n in locale.years_bare and n % 1000 and len(written) == 4:
            return locale.year(n)
        return locale.amount(a)


def _whole(locale: Locale) -> str:
    """The pattern of a whole number with the locale's grouping.

    A sign that is also a decimal sign groups only where it cannot be one: twice, before another decimal sign, before zeros alone.
    """
    groups = []
    for g in (*locale.groups, _ARABIC_GROUP):
        sign, more = re.escape(g), "+(?!\\d)"
        if locale.groups == "," and g in locale.decimal:
            more = rf"{{2,}}(?!\d)|\d{{1,3}}(?:{sign}\d{{3}})+(?=[.]\d)|[1-9]\d{{0,2}}{sign}000(?!\d)"
        groups.append(rf"\d{{1,3}}(?:{sign}\d{{3}}){more}")
    if locale.indian_groups:
        groups.append(r"\d{1,2}(?:,\d{2})*,\d{3}(?!\d)")
    return rf"(?:{'|'.join([*groups, r'[0-9]++'])})"
