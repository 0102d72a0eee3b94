"""German."""

from __future__ import annotations

import re
from re import Match
from typing import ClassVar

from understudy.text.locales import de_everyday, declined
from understudy.text.locales.base import Amount, Locale, Money, Rule
from understudy.text.locales.kings import KINGS, QUEENS

__all__ = ["German"]


_ARTICLES, _PREPOSITIONS = "der|die|das", "am|vom|zum|dem|den|des|im|beim|bis|ab|seit|zur|einer|eines|einem"
_WEAK, _NOMINATIVE = re.compile(rf"\b(?:{_PREPOSITIONS}) $"), re.compile(rf"\b(?:{_ARTICLES}) $")  # "oder" is no article.
_KINGS = KINGS["de"]
_DECLINED = frozenset({"counted", "measure", "money", "price", "evenprice", "percent", "number", "half"})
# What is written together with the number before it, with or without a hyphen.
_TAILS = (
    r"er[ns]?|mal(?:ig\w*)?|fach\w*|jährig\w*|jährlich\w*|tägig\w*|stündig\w*|minütig\w*|monatig\w*|wöchig\w*|prozentig\w*|köpfig\w*"
    r"|stellig\w*|teilig\w*|seitig\w*|stöckig\w*|geschossig\w*|zeilig\w*|bändig\w*|bettzimmer|zylinder|meter|kilometer"
)
_MILLIONTH = re.compile(r"millionen(?=st)")


# What stands before a day and month without the second full stop: nothing, a sign or one of these.
_DATED = re.compile(rf"(?:^|[^\w\s] ?|\b(?:und|oder|{_ARTICLES}|{_PREPOSITIONS}|\w+tag|mittwoch) )$")
# The days before the last of several: "3.-5. Mai", "am 1., 2. und 3. Mai".
_AND = r",? (?:und|oder) |, "
_SPAN = re.compile(rf"(?:\d+\.? ?[-–/] ?|\d+\.(?:{_AND}))+$")
_NEUTER = "jahrhundert|jh\\.|jhdt\\.|jahrtausend|mal|kapitel|semester|quartal|halbjahr|lebensjahr|stockwerk|obergeschoss|bataillon|regiment"


def _before(m: Match[str]) -> str:
    return m.string[max(0, m.start() - 24) : m.start()]


def _short_date(m: Match[str], text: str, locale: Locale) -> str | None:
    """ "2.3." is a day and a month, where it can be one; "2.3" only where nothing speaks for a version or an amount."""
    day, month, before = int(m["d"]), int(m["m"]), _before(m)
    if not m.group().endswith(".") and (not _DATED.search(before) or locale.measured.match(m.string, m.end())):
        return None
    return locale.date(day, month, None, before=before) if 1 <= day <= 31 and 1 <= month <= 12 else None


def _days(m: Match[str], text: str, locale: Locale) -> str | None:
    """The first day of "3.-5. Mai", the first two of "1., 2. und 3. Mai"."""
    return locale.ordinal(int(m["n"]), before=_before(m)) if 0 < int(m["n"]) < 32 else None


def _neuter(m: Match[str], text: str, locale: Locale) -> str | None:
    """ "20. Jahrhundert" without an article."""
    before = _before(m)
    return locale.ordinal(int(m["n"]), "" if _WEAK.search(before) or _NOMINATIVE.search(before) else "tes", before=before)


def _dotted_time(m: Match[str], text: str, locale: Locale) -> str | None:
    """ "um 10.30"."""
    return None if locale.measured.match(m.string, m.end()) else locale.time(int(m["h"]), int(m["m"]), None, "")


def _compound(m: Match[str], text: str, locale: Locale) -> str | None:
    """ "80er", "5-mal", "12-jährig": one word with the number."""
    n = int(m["n"])
    words = locale.year(n) if m["tail"].startswith("er") else "ein" if n == 1 else locale.cardinal(n)
    return words + m["tail"]


def _dated(m: Match[str], text: str, locale: Locale) -> str | None:
    """The number after "im Jahr"."""
    return locale.year(int(m.group()))


def _spaced_date(m: Match[str], text: str, locale: Locale) -> str | None:
    """ "3. 10. 1990"."""
    day, month = int(m["d"]), int(m["m"])
    known = 1 <= day <= 31 and 1 <= month <= 12
    return locale.date(day, month, int(m["y"]), before=_before(m)) if known else None


class German(Locale):
    lang = "de"
    largest = 10**18
    rules_cardinal = "spellout-numbering"
    rules_gender: ClassVar = {"m": "spellout-cardinal-masculine", "f": "spellout-cardinal-feminine"}
    rules_ordinal: ClassVar = {".": "spellout-ordinal-r", "ter": "spellout-ordinal-r", "te": "spellout-ordinal", "ten": "spellout-ordinal-n",
                               "tes": "spellout-ordinal-s", "tem": "spellout-ordinal-m", "ste": "spellout-ordinal",
                               "sten": "spellout-ordinal-n", "ster": "spellout-ordinal-r", "stem": "spellout-ordinal-m"}  # fmt: skip
    years_bare = range(1900, 2000)
    decimal_alone = True
    point = "komma"
    minus = "minus"
    percent = "prozent"
    to = "bis"
    per = "pro"
    over = "durch"
    said_so = frozenset({(24, 7)})
    symbols: ClassVar = {
        "&": "und", "+": "plus", "=": "gleich", "@": "at", "%": "prozent", "°": "grad", "×": "mal", "÷": "geteilt durch",
        "§": "paragraf", "$": "dollar", "€": "euro", "£": "pfund", "¥": "yen", "#": "raute",
    }  # fmt: skip
    address: ClassVar = {
        "@": "at", ".": "punkt", "/": "slash", "-": "minus", ":": "doppelpunkt", "_": "unterstrich", "?": "fragezeichen",
        "www": "w w w", "https": "h t t p s", "http": "h t t p", "=": "gleich", "&": "und",
    }  # fmt: skip
    abbreviations: ClassVar = {
        "dr.": "doktor", "prof.": "professor", "hr.": "herr", "fr.": "frau", "mr.": "mister", "ms.": "miss", "mrs.": "misses",
        "z.b.": "zum beispiel", "z. b.": "zum beispiel", "d.h.": "das heißt", "d. h.": "das heißt", "usw.": "und so weiter",
        "bzw.": "beziehungsweise", "ca.": "circa", "nr.": "nummer", "str.": "straße", "u.a.": "unter anderem", "evtl.": "eventuell",
        "inkl.": "inklusive", "st.": "sankt", "vgl.": "vergleiche", "tel.": "telefon", "ggf.": "gegebenenfalls", "exkl.": "exklusive",
        "zzgl.": "zuzüglich", "bspw.": "beispielsweise",
        "jh.": "jahrhundert", "jhdt.": "jahrhundert", "std.": "stunden", "hrn.": "herrn", "geb.": "geboren", "gest.": "gestorben", "etc.": "et cetera",
        "usf.": "und so fort", "sog.": "sogenannte", "jr.": "junior", "dipl.": "diplom",
        "ing.": "ingenieur", "univ.": "universität", "mwst.": "mehrwertsteuer", "o.ä.": "oder ähnliches", "o. ä.": "oder ähnliches",
        "i.d.r.": "in der regel", "i. d. r.": "in der regel", "u.u.": "unter umständen", "u. u.": "unter umständen", "z.t.": "zum teil",
        "z. t.": "zum teil", "v.a.": "vor allem", "v. a.": "vor allem", "e.v.": "eingetragener verein", "e. v.": "eingetragener verein",
        "v. chr.": "vor christus", "v.chr.": "vor christus", "n. chr.": "nach christus", "n.chr.": "nach christus", "u.v.m.": "und vieles mehr",
        "u. v. m.": "und vieles mehr", "s.o.": "siehe oben", "s. o.": "siehe oben", "s.u.": "siehe unten", "s. u.": "siehe unten",
        "i.a.": "im auftrag", "i. a.": "im auftrag", "z.zt.": "zurzeit", "z.hd.": "zu händen", "u.ä.": "und ähnliches", "u. ä.": "und ähnliches",
        "§§": "paragrafen",
    }  # fmt: skip
    before_number: ClassVar = {
        "mind.": "mindestens", "max.": "maximal", "abs.": "absatz", "bd.": "band", "kap.": "kapitel", "abb.": "abbildung", "s.": "seite", "art.": "artikel", "fig.": "figur", "aufl.": "auflage", "ziff.": "ziffer", "rn.": "randnummer",
    }  # fmt: skip
    month_aliases: ClassVar = {"mrz": 3, "sept": 9, "jän": 1, "jänner": 1}
    scales: ClassVar = {
        "tausend": "tausend", "million": "million", "millionen": "millionen", "milliarde": "milliarde", "milliarden": "milliarden",
        "billion": "billion", "billionen": "billionen", "billiarde": "billiarde", "billiarden": "billiarden", "tsd.": "tausend", "tsd": "tausend", "mio.": "millionen", "mio": "millionen", "mrd.": "milliarden",
        "mrd": "milliarden",
    }  # fmt: skip
    single_scales: ClassVar = {"mio": "million", "mio.": "million", "mrd": "milliarde", "mrd.": "milliarde"}
    money_names: ClassVar = {
        "usd": Money("dollar", "dollar", "cent", "cent"), "eur": Money("euro", "euro", "cent", "cent"),
        "gbp": Money("pfund", "pfund", "penny", "pence"), "jpy": Money("yen", "yen"), "chf": Money("franken", "franken", "rappen", "rappen"),
        "ct": Money("cent", "cent"), "krw": Money("won", "won"), "rub": Money("rubel", "rubel", "kopeke", "kopeken", "m", "f"), "inr": Money("rupie", "rupien", "paisa", "paise", "f"),
    }  # fmt: skip
    unit_names: ClassVar = {
        "speed-kilometer-per-hour": ("kilometer pro stunde", "kilometer pro stunde"),
        "length-foot": ("fuß", "fuß"), "kilobit-per-second": ("kilobit pro sekunde", "kilobit pro sekunde"),
        "megabit-per-second": ("megabit pro sekunde", "megabit pro sekunde"), "gigabit-per-second": ("gigabit pro sekunde", "gigabit pro sekunde"),
        "decibel": ("dezibel", "dezibel"), "megawatt-hour": ("megawattstunde", "megawattstunden"), "gigawatt-hour": ("gigawattstunde", "gigawattstunden"),
        "square-millimeter": ("quadratmillimeter", "quadratmillimeter"),
    }  # fmt: skip
    local_units: ClassVar = {
        "ps": "power-horsepower", "std": "duration-hour", "std.": "duration-hour", "min.": "duration-minute", "sek": "duration-second",
        "sek.": "duration-second", "kbps": "kilobit-per-second", "kbit/s": "kilobit-per-second", "mbit/s": "megabit-per-second",
        "gbit/s": "gigabit-per-second", "db": "decibel", "mwh": "megawatt-hour", "gwh": "gigawatt-hour", "qm": "area-square-meter",
        "mm²": "square-millimeter", "el": "volume-tablespoon", "tl": "volume-teaspoon", "bar": "pressure-bar",
    }  # fmt: skip
    unit_genders: ClassVar = {
        "duration-hour": "f",
        "duration-minute": "f",
        "duration-second": "f",
        "mass-tonne": "f",
        "length-mile": "f",
        "speed-mile-per-hour": "f",
        "megawatt-hour": "f",
        "gigawatt-hour": "f",
        "energy-kilowatt-hour": "f",
        "mass-ounce": "f",
        "energy-kilocalorie": "f",
    }
    money_symbols: ClassVar = {"ct": "ct"}
    no_units = frozenset({"in", "d", "pt", "st", "ac"})
    roman_after = "|".join(["kapitel|band|akt|teil|artikel|buch|abschnitt|weltkrieg|klasse|typ|stufe|phase", *_KINGS])
    time_suffixes = r"uhr|a\. ?m\.?|p\. ?m\.?"
    ordinal_pattern = r"(?<![\w.,])(?P<n>\d{1,3}(?:\.\d{3})+|\d+)(?P<mark>\.(?=\s*$|\s+[a-zäöü])|s?te[nrsm]?(?!\w))"

    def amount(self, a: Amount, gender: str | None = None) -> str:
        if a.scale and a.whole == "1" and a.decimals is None:
            scale = self.scale(a)
            return f"{'minus ' if a.negative else ''}{'ein' if scale == 'tausend' else 'eine'} {scale}"
        return super().amount(a, gender)

    def counted(self, n: int, gender: str = "m") -> str:
        """Only one is inflected; the rules would also say "einhundertein"."""
        return {"m": "ein", "f": "eine"}[gender] if n == 1 else self.cardinal(n)

    def extra_rules(self) -> list[Rule]:
        months = "|".join(sorted(self.months[0], key=len, reverse=True))
        return [
            *declined.rules(),
            *de_everyday.rules(),
            Rule("days", rf"(?<![\w.,/-])(?P<n>\d\d?)\.(?=(?:(?: ?[-–/] ?|{_AND})\d\d?\.){{1,4}} ?(?:{months}|\d\d?\.))", _days),
            Rule("neuter", rf"(?<![\w.,])(?P<n>\d+)\.(?= (?:{_NEUTER})(?!\w))", _neuter),
            Rule(
                "dottedtime",
                r"(?:(?<=\bum )|(?<=\bgegen ))(?P<h>2[0-3]|1\d|0?\d)\.(?P<m>[0-5]\d)(?![\d%]|[.,]\d| ?uhr)",
                _dotted_time,
            ),
            Rule("spaceddate", r"(?<![\w.,])(?P<d>\d\d?)\. (?P<m>\d\d?)\. (?P<y>[12]\d{3})(?![\w.])", _spaced_date),
            Rule("shortdate", r"(?<![\w.,])(?P<d>\d\d?)\.(?P<m>\d\d?)(?:\.(?!\d)|(?![\d.,%]| ?uhr))", _short_date),
            Rule("compound", rf"(?<![\w.,/-])(?P<n>\d+)-?(?P<tail>{_TAILS})(?![^\W\d_])", _compound),
            Rule("inyear", r"(?:(?<=\bjahr )|(?<=\bjahre )|(?<=\banno ))1[1-9]\d\d(?![\w-]|[.,]\d)", _dated),
        ]

    def is_roman(self, word: str, numeral: str, after: str) -> bool:
        return numeral != "l"  # The full stop belongs to the numeral.

    def roman(self, word: str, n: int) -> str:
        """ "Ludwig XIV.": the article is said and the ordinal follows it."""
        return (
            f"{word} {'die' if word in QUEENS else 'der'} {self.ordinal(n, 'te')}" if word in _KINGS else super().roman(word, n)
        )

    def joined(self, text: str, start: int, end: int, name: str, spoken: str, *, ranged: bool = False) -> tuple[int, str]:
        """One thing is declined behind a preposition."""
        return end, declined.declined(text, start, end, spoken) if name in _DECLINED and spoken.startswith("ein") else spoken

    def measure(self, a: Amount, unit: str) -> str | None:
        if a.fraction == (1, 2) and not a.whole:
            noun = (super().measure(Amount("1"), unit) or "").lower().rpartition(" ")[2]
            if (words := declined.half(noun)) is not None:
                return f"{'minus ' if a.negative else ''}{words} {noun}"
        return super().measure(a, unit)

    def percentage(self, a: Amount) -> str:
        return super().percentage(a) if a.integer != 1 else f"{'minus ' if a.negative else ''}ein prozent"

    def ordinal(self, n: int, mark: str = "", *, before: str = "") -> str | None:
        """Declined by the written ending or, without one, by the article or preposition before it."""
        if mark in ("", "."):
            before = _SPAN.sub("", before)
            mark = "ten" if _WEAK.search(before) else "te" if _NOMINATIVE.search(before) else "."
        words = super().ordinal(n, mark)
        return None if words is None else _MILLIONTH.sub("million", words)

    def date(self, day: int | None, month: int, year: int | None, *, month_first: bool = False, before: str = "") -> str:
        words = [self.ordinal(day, before=before) or ""] if day is not None else []
        return " ".join([*words, self.month(month), "" if year is None else self.year(year)])

    def year(self, n: int) -> str:
        if 1100 <= n <= 1999:
            high, low = divmod(n, 100)
            return f"{self.cardinal(high)}hundert{self.cardinal(low) if low else ''}"
        return self.cardinal(n)

    def denominator(self, d: int, many: bool) -> str | None:
        if d == 2:
            return "halbe" if many else "halb"
        words = self.ordinal(d, "te")
        return None if words is None or d < 2 else f"{words.removesuffix('e')}el"

    def mixed(self, whole: int, n: int, d: int) -> str:
        if (n, d) == (1, 2):
            return f"{self.counted(whole)}einhalb"
        part = self.fraction(n, d)
        return f"{self.counted(whole)}{part.replace(' ', '')}" if d == 4 else f"{self.counted(whole)} {part}"

    def time(self, hour: int, minute: int | None, second: int | None, suffix: str) -> str:
        tail = self.meridiem(suffix)
        if second is not None:
            minutes = f"{self.counted(minute or 0, 'f')} minute{'' if minute == 1 else 'n'}"
            return f"{self.counted(hour)} uhr {minutes} {self.counted(second, 'f')} sekunde{'' if second == 1 else 'n'}{tail}"
        return f"{self.counted(hour)} uhr {self.cardinal(minute) if minute else ''}{tail}"

    def telephone(self, number: str) -> str:
        if number.startswith("+") and not number[1:].isdecimal():
            code, _, rest = number[1:].replace("-", " ").partition(" ")
            return f"plus {self.cardinal(int(code))} {self.digits(''.join(c for c in rest if c.isdecimal()))}"
        return super().telephone(number)
