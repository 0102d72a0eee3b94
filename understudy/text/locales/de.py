"""German."""

from __future__ import annotations

from re import Match
from typing import ClassVar

from understudy.text.locales.base import Amount, Locale, Money, Rule

__all__ = ["German"]


_WEAK = (
    "am ",
    "vom ",
    "zum ",
    "dem ",
    "den ",
    "des ",
    "im ",
    "beim ",
    "bis ",
    "ab ",
    "seit ",
    "zur ",
    "einer ",
    "eines ",
    "einem ",
)
_NOMINATIVE = ("der ", "die ", "das ")


def _short_date(m: Match[str], text: str, locale: Locale) -> str | None:
    """ "2.3." is a day and a month, where it can be one."""
    day, month = int(m["d"]), int(m["m"])
    return locale.date(day, month, None, before=m.string[: m.start()]) if 1 <= day <= 31 and 1 <= month <= 12 else None


class German(Locale):
    lang = "de"
    largest = 10**18
    rules_cardinal = "spellout-numbering"
    rules_gender: ClassVar = {"m": "spellout-cardinal-masculine", "f": "spellout-cardinal-feminine"}
    rules_ordinal: ClassVar = {".": "spellout-ordinal-r", "ter": "spellout-ordinal-r", "te": "spellout-ordinal", "ten": "spellout-ordinal-n",
                               "tes": "spellout-ordinal-s", "tem": "spellout-ordinal-m", "ste": "spellout-ordinal",
                               "sten": "spellout-ordinal-n", "ster": "spellout-ordinal-r", "stem": "spellout-ordinal-m"}  # fmt: skip
    years_bare = range(1900, 2000)
    point = "komma"
    minus = "minus"
    percent = "prozent"
    to = "bis"
    per = "pro"
    over = "durch"
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
        "inkl.": "inklusive", "st.": "sankt", "vgl.": "vergleiche", "tel.": "telefon",
    }  # fmt: skip
    scales: ClassVar = {
        "tausend": "tausend", "million": "million", "millionen": "millionen", "milliarde": "milliarde", "milliarden": "milliarden",
        "billion": "billion", "billionen": "billionen", "mio.": "millionen", "mio": "millionen", "mrd.": "milliarden",
        "mrd": "milliarden",
    }  # fmt: skip
    money_names: ClassVar = {
        "usd": Money("dollar", "dollar", "cent", "cent"), "eur": Money("euro", "euro", "cent", "cent"),
        "gbp": Money("pfund", "pfund", "penny", "pence"), "jpy": Money("yen", "yen"), "chf": Money("franken", "franken", "rappen", "rappen"),
        "rub": Money("rubel", "rubel", "kopeke", "kopeken", "m", "f"), "inr": Money("rupie", "rupien", "paisa", "paise", "f"),
    }  # fmt: skip
    unit_names: ClassVar = {
        "speed-kilometer-per-hour": ("kilometer pro stunde", "kilometer pro stunde"),
        "length-foot": ("fuß", "fuß"),
    }
    unit_genders: ClassVar = {
        "duration-hour": "f",
        "duration-minute": "f",
        "duration-second": "f",
        "mass-tonne": "f",
        "length-mile": "f",
    }
    no_units = frozenset({"in", "d", "pt", "st", "ac"})
    time_suffixes = r"uhr|a\. ?m\.?|p\. ?m\.?"
    ordinal_pattern = r"(?<![\w.,])(?P<n>\d{1,3}(?:\.\d{3})+|\d+)(?P<mark>\.(?=\s*$|\s+[a-zäöü])|s?te[nrsm]?(?!\w))"

    def amount(self, a: Amount, gender: str | None = None) -> str:
        if a.scale and a.whole == "1" and a.decimals is None:
            return (
                f"{'minus ' if a.negative else ''}{'ein' if self.scales[a.scale] == 'tausend' else 'eine'} {self.scales[a.scale]}"
            )
        return super().amount(a, gender)

    def counted(self, n: int, gender: str = "m") -> str:
        """Only one is inflected; the rules would also say "einhundertein"."""
        return {"m": "ein", "f": "eine"}[gender] if n == 1 else self.cardinal(n)

    def extra_rules(self) -> list[Rule]:
        return [Rule("shortdate", r"(?<![\w.,])(?P<d>\d\d?)\.(?P<m>\d\d?)(?:\.(?!\d)|(?![\d.,%]| ?uhr))", _short_date)]

    def ordinal(self, n: int, mark: str = "", *, before: str = "") -> str | None:
        """Declined by the written ending or, without one, by the article or preposition before it."""
        if mark in ("", "."):
            mark = "ten" if before.endswith(_WEAK) else "te" if before.endswith(_NOMINATIVE) else "."
        return super().ordinal(n, mark)

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
        return f"{self.counted(whole)} {self.fraction(n, d)}"

    def time(self, hour: int, minute: int | None, second: int | None, suffix: str) -> str:
        tail = self.meridiem(suffix)
        if second is not None:
            minutes = f"{self.counted(minute or 0, 'f')} minute{'' if minute == 1 else 'n'}"
            return f"{self.counted(hour)} uhr {minutes} {self.counted(second, 'f')} sekunde{'' if second == 1 else 'n'}{tail}"
        return f"{self.counted(hour)} uhr {self.cardinal(minute) if minute else ''}{tail}"

    def telephone(self, number: str) -> str:
        if number.startswith("+"):
            code, _, rest = number[1:].replace("-", " ").partition(" ")
            return f"plus {self.cardinal(int(code))} {self.digits(''.join(c for c in rest if c.isdecimal()))}"
        return super().telephone(number)
