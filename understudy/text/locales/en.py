"""English (US, with "and" before the last two digits)."""

from __future__ import annotations

import re
from functools import lru_cache
from re import Match
from typing import ClassVar

from understudy.text.locales import addresses, en_everyday, numbers
from understudy.text.locales.base import Amount, Locale, Money, Rule
from understudy.text.locales.cldr import UNITS
from understudy.text.locales.kings import KINGS

__all__ = ["English"]

_ENDINGS = {1: "st", 2: "nd", 3: "rd"}
_PER = {
    "wk": "week", "d": "day", "day": "day", "hr": "hour", "h": "hour", "mo": "month", "month": "month", "yr": "year", "week": "week",
    "year": "year", "hour": "hour", "min": "minute", "s": "s", "sec": "second",
}  # fmt: skip
# A Roman numeral after these is a plain number, after a monarch's or a pope's name an ordinal.
_PARTS = "chapter|part|volume|book|act|scene|section|article|appendix|phase|stage|type|class|war|bowl|title|episode|level|grade|world war"
_KINGS = KINGS["en"]
# A range of bare numbers: what it counts or numbers stands around it. Alone the dash is that of a score or a serial number.
_COUNTED = re.compile(r" ?[a-z]{2}")
_COUNTING = re.compile(
    r"(?:from|between|about|around|approximately|ages|aged|pages|chapters|lines|verses|years|pp\.|nos\.|figs\.) $"
)
_AFTER_FIRST = re.compile(r"\W*$|[^\w\s]| (?:of|was|and)\b")
_BY, _DATED = re.compile(r"\dx$"), re.compile(r"[a-z]+-")
_AREA_CODE = re.compile(r"\b800\b(?=.*\d)")


def _capital_scale(m: Match[str], text: str, locale: Locale) -> str | None:
    """ "1.5M", "200K": in capitals; not a 4K screen, a 5K run, or the flat 4B."""
    whole, _, decimals = m["n"].partition(".")
    if not text[m.end() - 1].isupper() or (m["scale"] == "k" and int(whole) < 10) or (m["scale"] == "b" and not decimals):
        return None
    scale = locale.money_scales[m["scale"]]
    return f"{locale.decimal_words(whole, decimals) if decimals else locale.cardinal(int(whole))} {scale}"


def _era(m: Match[str], text: str, locale: Locale) -> str | None:
    """A year before or after Christ, in capitals: "340 AD"."""
    if not text[m.start("era") : m.end("era")].replace(".", "").isupper():
        return None
    return f"{locale.year(int(m['n']))} {' '.join(m['era'].replace('.', ''))}"


def _days(m: Match[str], text: str, locale: Locale) -> str | None:
    """The first day of "5-7 May", and the last one of "May 5-7"."""
    if m["last"]:
        first = re.search(r"(?P<month>[a-z]+)\.? \d\d?(?:st|nd|rd|th)? ?[-–] ?$", m.string[max(0, m.start() - 24) : m.start()])
        return locale.ordinal(int(m["last"])) if first and first["month"] in locale.months[0] and int(m["last"]) < 32 else None
    return f"the {locale.ordinal(int(m['n']))}" if 0 < int(m["n"]) < 32 else None


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
    said_so = frozenset({(24, 7), (9, 11)})  # Round the clock, and a day in September.
    by = "by"
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
        "etc.": "et cetera", "e.g.": "for example", "i.e.": "that is", "approx.": "approximately",
        "sgt.": "sergeant", "capt.": "captain", "gov.": "governor", "sen.": "senator", "jr.": "junior", "sr.": "senior",
        "a.k.a.": "also known as", "dept.": "department", "ltd.": "limited", "corp.": "corporation", "messrs.": "messieurs",
        "esq.": "esquire", "sq. ft.": "square feet", "sq. mi.": "square miles",
    }  # fmt: skip
    before_number: ClassVar = {
        "no.": "number", "nos.": "numbers", "p.": "page", "pp.": "pages", "vol.": "volume", "fig.": "figure", "figs.": "figures",
        "ch.": "chapter", "sec.": "section", "art.": "article", "apt.": "apartment", "apt": "apartment", "rm.": "room", "eq.": "equation",
    }  # fmt: skip
    before_name: ClassVar = {
        "mt.": "mount", "ft.": "fort", "gen.": "general", "col.": "colonel", "lt.": "lieutenant", "maj.": "major", "rev.": "reverend",
        "hon.": "honorable", "pres.": "president", "rep.": "representative", "cpl.": "corporal", "pvt.": "private", "adm.": "admiral",
        "cmdr.": "commander", "supt.": "superintendent",
    }  # fmt: skip
    host_names = True
    words: ClassVar = {"wwi": "world war one", "wwii": "world war two", "tues": "tuesday", "thurs": "thursday", "fri": "friday"}
    month_aliases: ClassVar = {"sept": 9}
    scales: ClassVar = {
        "hundred": "hundred", "thousand": "thousand", "million": "million", "billion": "billion", "trillion": "trillion",
        "quadrillion": "quadrillion",
    }  # fmt: skip
    money_names: ClassVar = {
        "usd": Money("dollar", "dollars", "cent", "cents"), "eur": Money("euro", "euros", "cent", "cents"),
        "gbp": Money("pound", "pounds", "penny", "pence"), "jpy": Money("yen", "yen"), "krw": Money("won", "won"),
        "inr": Money("rupee", "rupees", "paisa", "paise"), "cny": Money("yuan", "yuan"), "rub": Money("ruble", "rubles", "kopeck", "kopecks"),
        "usdollar": Money("us dollar", "us dollars", "cent", "cents"), "chf": Money("swiss franc", "swiss francs"),
        "¢": Money("cent", "cents"),
    }  # fmt: skip
    money_symbols: ClassVar = {
        "us$": "usdollar", "yuan": "cny", "c$": "cad", "ca$": "cad", "a$": "aud", "au$": "aud", "hk$": "hkd", "nz$": "nzd", "s$": "sgd",
        "r$": "brl", "¢": "¢",
    }  # fmt: skip
    money_scales: ClassVar = {"k": "thousand", "m": "million", "mn": "million", "b": "billion", "bn": "billion", "tn": "trillion"}
    unit_names: ClassVar = {
        "mass-tonne": ("ton", "tons"),
        "kilobit-per-second": ("kilobit per second", "kilobits per second"),
        "digital-megabit-per-second": ("megabit per second", "megabits per second"),
        "gigabit-per-second": ("gigabit per second", "gigabits per second"),
        "cc": ("c c", "c c"),
        "kiloliter": ("kiloliter", "kiloliters"),
        "megawatt-hour": ("megawatt hour", "megawatt hours"), "gigawatt-hour": ("gigawatt hour", "gigawatt hours"),
        "decibel": ("decibel", "decibels"), "revolution-per-minute": ("revolution per minute", "revolutions per minute"),
    }  # fmt: skip
    local_units: ClassVar = {
        "sq ft": "area-square-foot", "sq mi": "area-square-mile", "sq km": "area-square-kilometer", "sq m": "area-square-meter",
        "sq in": "area-square-inch", "sq yd": "area-square-yard", "cu ft": "volume-cubic-foot", "cu in": "volume-cubic-inch",
        "cu m": "volume-cubic-meter", "ft.": "length-foot", "lbs.": "mass-pound", "lb.": "mass-pound", "oz.": "mass-ounce",
        "hrs.": "duration-hour", "yrs": "duration-year", "mins": "duration-minute", "min.": "duration-minute", "secs": "duration-second",
        "hp": "power-horsepower", "cc": "cc", "tsp": "volume-teaspoon", "tbsp": "volume-tablespoon", "fl oz": "volume-fluid-ounce", "kl": "kiloliter", "mwh": "megawatt-hour", "gwh": "gigawatt-hour",
        "kbps": "kilobit-per-second", "gbps": "gigabit-per-second", "db": "decibel", "rpm": "revolution-per-minute", "nmi": "length-nautical-mile",
        "atm": "pressure-atmosphere", "mpg": "consumption-mile-per-gallon", "sq. ft.": "area-square-foot", "sq. mi.": "area-square-mile",
    }  # fmt: skip
    no_units = frozenset({"in", "d", "st", "s", "h", "t", "ac", "pt", "hp"})
    no_codes = frozenset(
        {"all", "top", "mad", "try", "cup", "pen", "gel", "bam", "ron", "sos", "mop", "lak", "cop", "ern", "mur"}
    )
    time_suffixes = r"a\. ?m\.?|p\. ?m\.?|am|pm|o'clock"
    telephone_pattern = r"(?:(?<=call )|(?<=dial )|(?<=phone ))[2-9]11(?![\w-]|[.,]\d)|(?<![\d-])1-\d{3}-\d{3}-\d{4}(?![\d-])|(?<![\d-])\d{3}-\d{4}(?![\d-])"
    called = r"st(?=\. )"
    roman_after = "|".join([_PARTS, *_KINGS])
    ordinal_pattern = r"(?<![\w.,])(?P<n>\d{1,3}(?:,\d{3})+|\d+)(?P<mark>st|nd|rd|th)(?!\w)"

    def extra_rules(self) -> list[Rule]:
        units, months = "|".join(_PER), "|".join(sorted(self.months[0], key=len, reverse=True))
        measured = "|".join(
            sorted(map(re.escape, {u for u in UNITS if u.isascii() and u.islower()} - self.no_units), key=len, reverse=True)
        )
        first = rf"(?<![\w.,/-])(?P<n>\d\d?)(?:st|nd|rd|th)?(?= ?[-–] ?\d\d?(?:st|nd|rd|th)? (?:of )?(?:{months})(?!\w))"
        last = r"(?:(?<=[\dthnrs][-–])|(?<=[-–] ))(?P<last>[1-9]\d?)(?:st|nd|rd|th)?(?![\w:/-]|[.,]\d)"
        return [
            *addresses.rules(),
            *en_everyday.rules(),
            Rule("capitalscale", r"(?<![\w.,$€£¥])(?P<n>\d+(?:\.\d+)?)(?P<scale>[kmb])(?![\w.'-])", _capital_scale),
            Rule("quantity", rf"(?<![\w.,])\d{{4}}(?= ?[-–] ?\d+ ?(?:{measured})(?!\w))", lambda m, text, locale: locale.cardinal(int(m.group()))),
            Rule("days", f"{first}|{last}", _days),
            Rule("every", rf"(?<=\d)/(?P<unit>{units})(?!\w)", lambda m, text, locale: f"per {_PER[m['unit']]}"),
            Rule("era", r"(?<![\w.,])(?P<n>\d{1,4}) ?(?P<era>a\.?d|b\.?c(?:\.?e)?|c\.?e)\.?(?!\w)", _era),
            Rule("nthpart", r"(?<![\w./])(?P<n>\d+)/(?P<d>\d+)(?:st|nd|rd|th)s?(?!\w)", lambda m, text, locale: locale.fraction(int(m["n"]), int(m["d"]))),
        ]  # fmt: skip

    def code(self, digits: str, left: str, right: str) -> str | None:
        """Digits next to letters are read one by one from three on; others of a serial number from six on, without "and"."""
        if (
            _BY.search(left)
            or _BY.match(right[::-1][-2:])
            or (int(digits) in self.years_bare and _DATED.fullmatch(left) and not right)
        ):
            return None  # Not serial: 1920x1080, pre-1990.
        if len(digits) > 2 and (left[-1:].isalpha() or right in ("st", "nd", "rd", "th")):
            return self.digits(digits)
        chain = f"{left}0{right}"
        if (
            not any(c.isalpha() for c in left.rpartition("/")[2] + right.partition("/")[0])
            and chain.count("-") + chain.count("/") < 2
        ):
            return None
        return self.digits(digits) if len(digits) > 5 or (len(digits) > 1 and digits[0] == "0") else self.bare(int(digits))

    def bare_range(self, left: str, right: str, before: str, after: str) -> bool:
        years = left.isdecimal() and int(left) in self.years_bare and right.isdecimal() and len(right) in (2, 4)
        return years or _COUNTED.match(after) is not None or _COUNTING.search(before) is not None

    def is_roman(self, word: str, numeral: str, after: str) -> bool:
        """ "I" after a part in capitals, and after a name where no verb can follow: "the book I read", "Paul I think"."""
        if numeral == "i" and (not word[0].isupper() or (word.lower() in _KINGS and not _AFTER_FIRST.match(after))):
            return False
        return super().is_roman(word, numeral, after)

    def roman(self, word: str, n: int) -> str:
        return f"{word} the {self.ordinal(n)}" if word in _KINGS else super().roman(word, n)

    def telephone(self, number: str) -> str:
        """Digit by digit; the toll-free 800 is said "eight hundred"."""
        parts = _AREA_CODE.split(number, maxsplit=1)
        return " eight hundred ".join(super(English, self).telephone(p) for p in parts)

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
        if n % 1000 < 10 or n < 100 or n > 9999 or (n < 1000 and low == 0):
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
        if n == d > 1 or (n, d) in self.said_so:
            return f"{self.bare(n)} {self.bare(d)}"
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
