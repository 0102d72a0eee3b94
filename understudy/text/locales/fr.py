"""French."""

from __future__ import annotations

import re
from re import Match
from typing import ClassVar

from understudy.text.locales.base import Amount, Locale, Money, Rule

__all__ = ["French"]


_ELISION = re.compile(r"\bde (?=[aeiouyéèê])")


class French(Locale):
    lang = "fr"
    groups = " ."
    largest = 10**15
    rules_gender: ClassVar = {"m": "spellout-cardinal-masculine", "f": "spellout-cardinal-feminine"}
    point = "virgule"
    minus = "moins"
    percent = "pour cent"
    to = "à"
    per = "par"
    over = "sur"
    mixed_link = "et"
    scale_link = "de"
    first_of_month = "premier"
    symbols: ClassVar = {
        "&": "et", "+": "plus", "=": "égale", "@": "arobase", "%": "pour cent", "°": "degrés", "×": "fois", "÷": "divisé par",
        "$": "dollar", "€": "euro", "£": "livre", "¥": "yen", "#": "dièse",
    }  # fmt: skip
    address: ClassVar = {
        "@": "arobase", ".": "point", "/": "barre oblique", "-": "tiret", ":": "deux points", "_": "tiret bas",
        "www": "w w w", "https": "h t t p s", "http": "h t t p",
    }  # fmt: skip
    abbreviations: ClassVar = {
        "etc.": "et cetera",
        "av.": "avenue",
        "n°": "numéro",
        "p. ex.": "par exemple",
        "p.ex.": "par exemple",
    }
    before_name: ClassVar = {"m.": "monsieur", "mm.": "messieurs", "me": "maître", "pr": "professeur"}
    words: ClassVar = {
        "dr": "docteur", "dʳ": "docteur", "mᵐᵉ": "madame", "mˡˡᵉ": "mademoiselle", "mˡˡᵉˢ": "mesdemoiselles", "mme": "madame",
        "mlle": "mademoiselle", "mmes": "mesdames", "mlles": "mesdemoiselles", "mᵐᵉˢ": "mesdames", "mgr": "monseigneur",
    }  # fmt: skip
    scales: ClassVar = {
        "mille": "mille", "million": "million", "millions": "millions", "milliard": "milliard", "milliards": "milliards",
        "billion": "billion", "billions": "billions",
    }  # fmt: skip
    money_names: ClassVar = {
        "usd": Money("dollar", "dollars", "cent", "cents"), "eur": Money("euro", "euros", "centime", "centimes"),
        "gbp": Money("livre", "livres", "penny", "pence", "f"), "jpy": Money("yen", "yens"),
        "chf": Money("franc suisse", "francs suisses", "centime", "centimes"), "rub": Money("rouble", "roubles", "kopeck", "kopecks"),
        "inr": Money("roupie", "roupies", "paisa", "paisas", "f"),
    }  # fmt: skip
    unit_genders: ClassVar = {
        "duration-hour": "f", "duration-minute": "f", "duration-second": "f", "mass-tonne": "f", "mass-pound": "f", "mass-ounce": "f",
    }  # fmt: skip
    no_units = frozenset({"in", "d", "h", "st", "pt", "ac", "s", "hrs", "hr"})
    time_suffixes = r"heures?|h(?!\d)|a\. ?m\.?|p\. ?m\.?|am|pm"
    hour_letter = True
    ordinal_pattern = r"(?<![\w,])(?P<n>\d{1,3}(?: \d{3})+|\d+)(?P<mark>ère|ere|er|re|ème|eme|ième|nde|nd|e)(?!\w)"
    roman_after = r"siècle"

    def cardinal(self, n: int) -> str:
        return _spaced(super().cardinal(n))

    def counted(self, n: int, gender: str = "m") -> str:
        return _spaced(super().counted(n, gender))

    def ordinal(self, n: int, mark: str = "", *, before: str = "") -> str | None:
        if n == 1:
            return "première" if mark in ("ère", "ere", "re") else "premier"
        if n == 2 and mark in ("nd", "nde"):
            return "second" + mark[2:]
        words = self._spelled("spellout-ordinal", n)
        if n and n % 10**6 == 0:
            words = f"{self.cardinal(n).removesuffix('s')}ième"
        return _spaced(words)

    def denominator(self, d: int, many: bool) -> str | None:
        name = {2: "demi", 3: "tiers", 4: "quart"}.get(d) or self.ordinal(d, "e")
        return f"{name}s" if many and name and not name.endswith("s") else name

    def money(self, a: Amount, code: str) -> str | None:
        words = super().money(a, code)
        return None if words is None else _ELISION.sub("d'", words)

    def decimal_words(self, whole: str, decimals: str) -> str:
        """Leading zeros one by one, the rest in pairs where even and long, as a number where short."""
        zeros = len(decimals) - len(decimals.lstrip("0"))
        rest = decimals[zeros:]
        parts = [rest] if len(rest) <= 3 else [rest[max(i, 0) : i + 2] for i in range(-(len(rest) % 2), len(rest), 2)]
        spoken = [self.cardinal(0)] * zeros + [self.digits(p) if p.startswith("0") else self.cardinal(int(p)) for p in parts if p]
        return f"{self.cardinal(int(whole or 0))} {self.point} {' '.join(spoken)}"

    def time(self, hour: int, minute: int | None, second: int | None, suffix: str) -> str:
        words = f"{self.counted(hour, 'f')} heure{'s' if hour > 1 else ''}"
        if minute:
            words += f" {self.counted(minute, 'f')}"
        if second:
            words += f" et {self.counted(second, 'f')} seconde{'s' if second > 1 else ''}"
        return words + self.meridiem(suffix)


def _spaced(words: str) -> str:
    """Hyphens inside a number below hundred only, without those of "et": vingt et un, quatre-vingt-dix."""
    return words.replace("-et-", " et ")
