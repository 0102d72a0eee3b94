"""French."""

from __future__ import annotations

import re
from re import Match
from typing import ClassVar

from understudy.text.locales import numbers
from understudy.text.locales.base import Amount, Locale, Money, Rule
from understudy.text.locales.cldr import UNITS
from understudy.text.locales.counted import NOUNS
from understudy.text.locales.kings import KINGS

__all__ = ["French"]

_KINGS = KINGS["fr"]
_PARTS = "siècle|chapitre|tome|livre|acte|scène|article|volume|partie|titre|guerre mondiale"
_ROMAN_ORDINAL = r"(?P<roman>[ivx]+)(?P<mark>ᵉʳ|er|ʳᵉ|re|ᵉ|e|ème|ième)"
_SUPERSCRIPTS = str.maketrans("ᵉʳᵈˢ", "erds")
_JOINED = re.compile(r"(quatre-vingt|cent|mille)(?:-et-|[ ]et[ ])((?:un|onz)ième)")
_ELISION = re.compile(r"\bde (?=[aeiouyéèê])")
_FEMININE = frozenset(NOUNS["fr"]["f"].split())


def _roman_ordinal(m: Match[str], text: str, locale: Locale) -> str | None:
    """ "XXe siècle": numeral in capitals, ending in small letters."""
    n, roman = numbers.roman(m["roman"]), text[m.start("roman") : m.end("roman")]
    if (
        n is None
        or not roman.isupper()
        or text[m.start("mark") : m.end()].isupper()
        or (n == 1) != (m["mark"] in ("er", "ᵉʳ", "re", "ʳᵉ"))
    ):
        return None
    return locale.ordinal(n, m["mark"])


def _elision(m: Match[str], text: str, locale: Locale) -> str | None:
    """ "d'1 heure" is one word with the number; a unit is read along with it."""
    noun = m["noun"] or "h"
    unit = locale.local_units.get(noun) or UNITS.get(noun)
    if noun == "h":
        words: str | None = locale.time(1, int(m["m"]) if m["m"] else None, None, "h")
    elif unit is not None:
        words = locale.measure(Amount("1"), unit)
    else:
        words = f"{locale.counted(1, 'f' if noun in _FEMININE else 'm')} {noun}"
    return None if words is None else f"{m['a']}'{words}"


def _round(m: Match[str], text: str, locale: Locale) -> str | None:
    """ "24h/24" and "7j/7"."""
    return "vingt-quatre heures sur vingt-quatre" if m.group().startswith("24") else "sept jours sur sept"


def _days(m: Match[str], text: str, locale: Locale) -> str | None:
    """The first days of "17/18 mars"."""
    return locale.day(int(m["n"])) if int(m["n"]) < 32 else None


class French(Locale):
    lang = "fr"
    groups = " ."
    largest = 10**15
    single_below_two = True
    rules_gender: ClassVar = {"m": "spellout-cardinal-masculine", "f": "spellout-cardinal-feminine"}
    point = "virgule"
    minus = "moins"
    percent = "pour cent"
    to = "à"
    per = "par"
    over = "sur"
    said_so = frozenset({(24, 7)})
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
        "etc.": "et cetera", "av.": "avenue", "n°": "numéro", "nᵒ": "numéro", "nᵒˢ": "numéros", "n°s": "numéros", "p. ex.": "par exemple",
        "p.ex.": "par exemple", "av. j.-c.": "avant jésus-christ", "apr. j.-c.": "après jésus-christ", "ap. j.-c.": "après jésus-christ",
        "c.-à-d.": "c'est-à-dire", "tél.": "téléphone", "bd.": "boulevard", "boul.": "boulevard", "cf.": "confer", "env.": "environ",
        "s.v.p.": "s'il vous plaît", "r.-v.": "rendez-vous", "dép.": "département",
    }  # fmt: skip
    before_number: ClassVar = {
        "p.": "page", "pp.": "pages", "art.": "article", "chap.": "chapitre", "vol.": "volume", "fig.": "figure", "no": "numéro", "éd.": "édition",
    }  # fmt: skip
    before_name: ClassVar = {"m.": "monsieur", "mm.": "messieurs"}
    month_aliases: ClassVar = {"fév": 2, "jan": 1, "aou": 8, "déc": 12}
    called = r"[ivx]+(?:er|re|e|ème|ième)"
    articles = ("le ", "la ", "du ", "au ", "les ", "des ", "aux ")
    telephone_pattern = r"(?<![\d.,-])0[1-9](?:[ .-]\d\d){4}(?![\d-]|[.,]\d)"
    words: ClassVar = {
        "dr": "docteur", "dʳ": "docteur", "drs": "docteurs", "dʳˢ": "docteurs", "pʳ": "professeur", "pʳˢ": "professeurs", "mʳ": "monsieur",
        "mr": "monsieur", "mᵉ": "maître", "mᵉˢ": "maîtres", "mᵍʳ": "monseigneur", "vᵛᵉ": "veuve", "cⁱᵉ": "compagnie", "cie": "compagnie",
        "st": "saint", "sᵗ": "saint", "ste": "sainte", "sᵗᵉ": "sainte", "bᵈ": "boulevard", "nᵗ": "négociant", "mᵐᵉ": "madame", "mˡˡᵉ": "mademoiselle", "mˡˡᵉˢ": "mesdemoiselles", "mme": "madame",
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
        "inr": Money("roupie", "roupies", "paisa", "paisas", "f"), "krw": Money("won", "wons"), "cny": Money("yuan", "yuans"),
    }  # fmt: skip
    unit_genders: ClassVar = {
        "duration-hour": "f", "duration-minute": "f", "duration-second": "f", "mass-tonne": "f", "mass-pound": "f", "mass-ounce": "f",
    }  # fmt: skip
    unit_names: ClassVar = {"speed-kilometer-per-hour": ("kilomètre par heure", "kilomètres par heure")}
    local_units: ClassVar = {
        "ko": "digital-kilobyte", "mo": "digital-megabyte", "go": "digital-gigabyte", "to": "digital-terabyte", "mn": "duration-minute",
        "sec": "duration-second",
    }  # fmt: skip
    no_units = frozenset({"in", "d", "h", "st", "pt", "ac", "hrs", "hr"})
    time_suffixes = r"heures?|h(?!\d)|a\. ?m\.?|p\. ?m\.?|am|pm"
    hour_letter = True
    ordinal_pattern = r"(?<![\w,])(?P<n>\d{1,3}(?: \d{3})+|\d+)(?P<mark>(?:ère|ere|er|re|ème|eme|ième|nde|nd|e|ᵉʳ|ʳᵉ|ᵉ|ᵈᵉ|ᵈ)(?:s|ˢ)?(?!\w)|°(?!\s?[ckf\d]))"
    roman_after = "|".join([_PARTS, *_KINGS])
    elided = re.compile(r"(?<!\w)(?:d|qu|jusqu|lorsqu|puisqu)'\Z")
    elided_before = ("un",)  # Neither "onze" nor "huit".

    def extra_rules(self) -> list[Rule]:
        months = "|".join(sorted(self.months[0], key=len, reverse=True))
        return [
            Rule("round", r"(?<![\w.,/:-])(?:24 ?h ?/ ?24|7 ?j ?/ ?7)(?!\w|[.,]\d)", _round),
            Rule(
                "elision",
                r"(?P<a>d|qu)'1(?: ?h(?P<m>[0-5]\d)?(?!\w)| (?!milli)(?P<noun>[^\W\d_]+)(?![\w/]))",
                _elision,
                "letter",
            ),
            Rule("romanordinal", rf"(?<!\w){_ROMAN_ORDINAL}(?!\w)", _roman_ordinal, "letter"),
            Rule("days", rf"(?<![\w.,])(?P<n>\d\d?)(?=(?:[/-]\d\d?){{1,3}} (?:{months})(?!\w))", _days),
        ]

    def cardinal(self, n: int) -> str:
        return _spaced(super().cardinal(n))

    def counted(self, n: int, gender: str = "m") -> str:
        return _spaced(super().counted(n, gender))

    def roman(self, word: str, n: int) -> str:
        """The first of a name is "premier", all others are counted: "louis quatorze"."""
        return (
            f"{word} premier"
            if n == 1 and (word in _KINGS or word in ("chapitre", "tome", "livre", "acte"))
            else super().roman(word, n)
        )

    def ordinal(self, n: int, mark: str = "", *, before: str = "") -> str | None:
        mark = mark.translate(_SUPERSCRIPTS)
        plural = "s" if mark.endswith("s") else ""
        mark = mark.removesuffix("s")
        if n == 1:
            return f"{'première' if mark in ('ère', 'ere', 're') else 'premier'}{plural}"
        if n == 2 and mark in ("nd", "nde", "d", "de"):
            return f"second{'e' if mark.endswith('e') else ''}{plural}"
        words = self._spelled("spellout-ordinal", n)
        if n and n % 10**6 == 0:
            words = f"{self.cardinal(n).removesuffix('s')}ième"
        # "et" joins one and eleven to twenty to seventy only: vingt et unième, but quatre-vingt-unième and cent unième.
        return _spaced(_JOINED.sub(lambda m: f"{m[1]}{'-' if m[1] == 'quatre-vingt' else ' '}{m[2]}", words)) + plural

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

    def mixed(self, whole: int, n: int, d: int) -> str:
        return f"{self.cardinal(whole)} et demi" if (n, d) == (1, 2) else super().mixed(whole, n, d)

    def telephone(self, number: str) -> str:
        """Numbers written in pairs are read in pairs: zéro un vingt-trois."""
        pairs = re.fullmatch(r"(\+\d+[ -]\d|\d\d)((?:[ .-]\d\d){4})", number)
        if pairs is None:
            return super().telephone(number)
        code = re.fullmatch(r"\+(\d+)[ -](\d)", pairs[1])
        head = f"plus {self.cardinal(int(code[1]))} {self.digits(code[2])}" if code else self.digits(pairs[1])
        tail = re.findall(r"\d\d", pairs[2])
        return " ".join([head, *(self.digits(p) if p[0] == "0" else self.cardinal(int(p)) for p in tail)])

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
