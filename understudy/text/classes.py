"""The semiotic classes that all languages share, as rules filled with a locale's signs and names."""

from __future__ import annotations

import re
import unicodedata
from re import Match

from understudy.text.amounts import NOT_AFTER, NOT_INSIDE, Amounts, alternatives, either
from understudy.text.characters import FRACTIONS, MARKS
from understudy.text.locales import Amount, Locale, Rule, numbers
from understudy.text.locales.cldr import CODE_WORDS, CODES, UNITS
from understudy.text.words import UNSPACED

__all__ = ["ADDRESS_SIGN", "NO_LETTER", "NO_LETTER_BEFORE", "Classes", "abbreviation_pattern"]

# Around words that are looked up although they are nothing but letters. Digits and underscores will be gone from the spoken form,
# so they are boundaries here: a word must be found the first time or never, or the spoken form would change once more.
NO_LETTER = rf"(?![^\W\d_{FRACTIONS}{UNSPACED}]|[{MARKS}])"
NO_LETTER_BEFORE = rf"(?<![^\W\d_{FRACTIONS}{UNSPACED}])(?<![{MARKS}])"
# Endings of addresses; those in the second set are words of some language and count only where no capital follows the stop.
_TLD = "com|org|net|edu|gov|info|biz|html?|php|jpe?g|png|csv|pdf|json|txt|mp3|mp4|uk|fr|br|jp|ru|ch|pl|eu|cn|tv|ca|io"
_WEAK_TLD = "de|es|it|in|me|us|pt|at|be|nl|ai|co"
_WEAK_ENDING = re.compile(rf"\.(?:{_WEAK_TLD})$")
# RFC 5321, 4.5.3.1.1: no name before @ is longer than 64. Without a limit each sign of "1-1-1-..." would look to the end of it.
_ADDRESS = (
    r"(?:https?|ftp|file)://[^\s]*[\w/]|www\.[^\s]*\w|[\w.+-]{1,64}+@[\w-]+(?:\.[\w-]+)*(?:/[^\s]*\w)?|(?<![\w@])@[^\W\d][\w.]*(?<=\w)"
    r"|[a-z]:\\[^\s]*|(?<![\w/<])(?:/[a-z][\w.-]*){2,}"
    rf"|(?<![\w.-])[\w-]+(?:\.[\w-]+)*\.(?:{_TLD}|{_WEAK_TLD})(?!\w|-\w)(?:/[^\s]*[\w/])?"
)
_ENDING, _HOST = re.compile(rf"\.(?:{_TLD})$"), re.compile(r"[a-z.]+")
ADDRESS_SIGN = re.compile(r"[@/\\]|\.\w|www\.")  # An address has at least one of these.
_ADDRESS_PART = re.compile(rf"\d+|[{FRACTIONS}]|(?:[^\W\d_{FRACTIONS}{UNSPACED}]|[{MARKS}])+|.")
_TELEPHONE = (
    r"\+\d{1,3}[ -](?:\(\d+\)[ -]?)?\d+(?:[ -]\d+)*|(?<!\d)\+\d{8,15}(?![\w%]|[.,]\d| ?[€$£])|\(\d{2,5}\)[ -]?\d+(?:[ -]\d+)*|(?<![\d-])\d{3}-\d{3}-\d{4}(?![\d-])"
    r"|(?<![\d.])\d{3}\.\d{3}\.\d{4}(?!\d)|(?<![\d-])\d{3}-\d\d-\d{4}(?!\d)|(?<![\d-])0\d{1,4}[-/ ]\d{5,8}(?!\d)"
    r"|(?<![\d.,-])0\d{2,4}(?:[ -]\d{2,4}){2,4}(?![\d-]|[.,]\d)"
)
_SIGNS = {"$": "usd", "€": "eur", "£": "gbp", "¥": "jpy", "₹": "inr", "₩": "krw", "₽": "rub", "₺": "try", "us$": "usd", "r$": "brl", "ca$": "cad", "au$": "aud", "nz$": "nzd", "hk$": "hkd"}  # fmt: skip
# Symbols of units are lower-case, a capital is another thing: 5G, 3D, 10M (and 4K, without a space); the litre alone is written both ways.
_NO_SYMBOLS = frozenset("GMTSHD")
_NO_INITIAL_BEFORE = "".join(rf"(?<!(?<![^\W_])(?<!['\-])[a-zà-öø-ÿ]\.{space})" for space in ("", " "))
_INITIAL_BEFORE = re.compile(r"(?:^|\W)[^\W\d_]\. ?$")
_CODE_SIGNS = frozenset("abcdefghijklmnopqrstuvwxyz-/")
_CODE_LEFT, _CODE_RIGHT = re.compile(r"[a-z\d/-]+$"), re.compile(r"[a-z\d/-]+")
_INITIALS = re.compile(r"(?:[^\W\d_]\. ?)+")


class Classes:
    """The common rules of one language, in the order in which they are tried."""

    def __init__(self, locale: Locale, amounts: Amounts) -> None:
        self.locale, self.amounts = locale, amounts
        self._currencies = {**locale.money_symbols, **{s: c for s, c in _SIGNS.items() if s not in locale.money_symbols}}
        self._short = {_letters(written): spoken for written, spoken in locale.abbreviations.items()}
        # What the symbols of measures do not say by themselves: short ones that are words in the language are left out.
        self._units = either(({u.lower() for u in UNITS} - locale.no_units) | set(locale.local_units))

    def rules(self) -> list[Rule]:
        """All rules; those with an empty pattern do not exist in this language."""
        return [*self._addresses(), *self._calendar(), *self._quantities(), *self._words()]

    def _addresses(self) -> list[Rule]:
        # Four groups of digits are an internet address, unless they are one large number.
        host = r"|(?<![\w.@-])[a-z]{2,}(?:\.[a-z]{2,})+(?![\w.-])" if self.locale.host_names else ""
        number = r"(?!\d+(?:[.]\d{3})+(?![.\d]))" if "." in self.locale.groups else ""
        return [Rule("address", rf"{_ADDRESS}{host}|{number}\d{{1,3}}(?:\.\d{{1,3}}){{3}}(?![\d.])", self._read_address, "any")]

    def _calendar(self) -> list[Rule]:
        lo = self.locale
        day, year = r"(?P<day>3[01]|[12]\d|0?[1-9])", r"(?P<year>[12]\d{3})"
        month = rf"(?P<month>{either(lo.months[0])})(?:\.(?= ?\d| de ))?"
        link = r"(?:\.?[ ]?(?:de |of |di |del |d')?)"
        hour, minute, second = r"(?P<h>2[0-9]|[01]?\d)", r"(?P<m>[0-5]\d)", r"(?P<s>[0-5]\d)"
        iso = r"(?P<iso>[12]\d{3})[./-](?P<imonth>\d\d?)[./-](?P<iday>\d\d?)"
        suffix = rf"(?P<suffix>{lo.time_suffixes}){NOT_INSIDE}"
        letter = rf"(?<![\d.:,]){hour} ?h ?{minute}m?(?:{second}s)?{NOT_INSIDE}"
        return [
            Rule("date", rf"(?<![\w./-])(?:{day}[./-](?P<b>\d\d?)[./-](?P<year>\d{{4}}|\d\d)|{iso})(?![\d/-]|\.\d)", self._read_date),
            Rule("daymonth", rf"(?<![\w./:,]){day}(?:st|nd|rd|th|er|º|°|\.)?{link}{month}{NOT_INSIDE}(?:(?: de[l]? |,? ?){year}(?!\d))?", self._read_month),
            Rule("monthday", rf"{NOT_AFTER}{month}(?: |-|(?<=\.)){day}(?:st|nd|rd|th)?(?![\w:/]|[.,]\d)(?:,? {year}(?!\d))?", self._read_month, "letter"),
            Rule("monthyear", rf"{NOT_AFTER}{month}(?: de[l]? |,? ){year}(?![\d%])", self._read_month, "letter"),
            Rule("decade", r"(?<![\w.,])'?(?P<n>(?:[12]\d)?\d0)'?s(?!\w)", _read_decade),
            Rule("time", rf"(?<![\d.:,]){hour}:{minute}(?::{second})?(?![\d:])(?: ?{suffix})?", _read_time),
            Rule("hours", rf"(?<![\d.:])(?<!\d,){hour}(?:[.:]{minute})?(?:[.:]{second})? ?{suffix}", _read_time),
            Rule("hourletter", letter if lo.hour_letter else "", _read_time),
        ]  # fmt: skip

    def _quantities(self) -> list[Rule]:
        lo, amount = self.locale, rf"(?P<amount>{self.amounts.measured})"
        american = rf"(?<!r\$)(?<!r\$ )(?P<american>{self.amounts.grouped})|" if lo.decimal == "," else ""
        signs = either(s for s in self._currencies if not s[0].isalpha())
        codes = either([s for s in self._currencies if s[0].isalpha()] + sorted(CODES - lo.no_codes))
        scale = rf"(?: ?(?P<scale>{either(lo.money_scales)}){NOT_INSIDE})?" if lo.money_scales else ""
        per_units = either({u.lower() for u in UNITS} | set(lo.local_units))
        phone = "|".join(p for p in (_TELEPHONE, lo.telephone_pattern) if p)
        return [
            Rule("money", rf"(?P<minus>(?<![\w])-)?(?P<before>{signs}|{NOT_AFTER}(?:{codes})(?=[\d ])) ?(?:{american}{amount}){scale}", self._read_money, "any"),
            Rule("price", rf"{amount} ?(?P<after>(?:{signs})(?!\d)|(?:{codes}){NOT_INSIDE})", self._read_money),
            Rule("percent", rf"{amount} ?%|%(?P<after>{self.amounts.pattern})", self._read_percent),
            Rule("ordinal", lo.ordinal_pattern, self._read_ordinal),
            Rule("measure", rf"{amount}(?:-| )?(?P<unit>{self._units}){NOT_INSIDE}(?!'|\.\w)(?:/(?P<by>{per_units}){NOT_INSIDE}|(?!/))", self._read_measure),
            Rule("telephone", rf"(?P<number>{phone})(?: ?ext\.? ?(?P<ext>\d+))?", self._read_telephone),
            Rule("rate", rf"(?<=[\d€$£¥₹])/ ?(?P<unit>{self._units}){NOT_INSIDE}|(?<=\d )/(?P<spaced>{self._units}){NOT_INSIDE}", self._read_rate),
            Rule("offset", r"(?<![\w])(?P<zone>gmt|utc) ?(?P<sign>[+-])(?P<h>\d\d?)(?::(?P<m>\d\d))?(?!\d)", _read_offset, "letter"),
            Rule("version", rf"(?<![\w.,])\d+(?:\.\d+){{{1 if '.' not in lo.decimal else 2},}}(?![\w%]|[.,]\d)", self._read_version),
            Rule("number", self.amounts.pattern, self._read_number),
        ]  # fmt: skip

    def _words(self) -> list[Rule]:
        lo = self.locale
        gap = rf"(?:_|[^\w{re.escape(''.join(lo.symbols))}])+"
        plain, others = alternatives(lo.roman_after)
        roman = rf"{NO_LETTER_BEFORE}(?P<word>{'|'.join([either(plain), *others])}){gap}(?P<roman>[ivxlc]+){NO_LETTER}"
        return [
            Rule("reference", rf"{NO_LETTER_BEFORE}(?P<word>{either(lo.before_number)}) ?(?=\d)" if lo.before_number else "", _read_reference, "letter"),
            Rule("title", rf"{NO_LETTER_BEFORE}(?:{either(lo.before_name)}) ?(?=[^\W\d_]{{2}})" if lo.before_name else "", _read_title, "letter"),
            Rule("abbreviation", abbreviation_pattern(lo), self._read_abbreviation, "any"),
            Rule("roman", roman if lo.roman_after else "", _read_roman, "letter"),
            Rule("word", rf"{NO_LETTER_BEFORE}(?:{either(lo.words)}){NO_LETTER}" if lo.words else "", lambda m, text, locale: locale.words[m.group()], "letter"),
            Rule("by", r"(?:(?<=\d)|(?<=\d ))x(?= ?\d)", lambda m, text, locale: locale.by or locale.symbols["×"], "letter"),
            Rule("symbol", either(lo.symbols), lambda m, text, locale: locale.symbols[m.group()]),
        ]  # fmt: skip

    def _read_abbreviation(self, m: Match[str], text: str, locale: Locale) -> str | None:
        return self._short[_letters(m.group())]

    def _read_number(self, m: Match[str], text: str, locale: Locale) -> str | None:
        written, s = m.group(), m.string
        if written.isdecimal():
            left, right = s[max(m.start() - 16, 0) : m.start()], s[m.end() : m.end() + 16]
            if left[-1:] in _CODE_SIGNS or right[:1] in _CODE_SIGNS:
                run = _CODE_LEFT.search(left), _CODE_RIGHT.match(right)
                code = locale.code(written, *(r.group() if r else "" for r in run))
                if code is not None:
                    return code
        return self.amounts.read(written)

    def _read_version(self, m: Match[str], text: str, locale: Locale) -> str | None:
        """ "1.2.3", or "3.14" where the full stop is no decimal sign: numbers with the full stop read between them."""
        parts, stop = m.group().split("."), locale.point if "." in locale.decimal else locale.address.get(".")
        if stop is None or self.amounts.groups(m.group()):
            return None
        return f" {stop} ".join(self.amounts.read(p) for p in parts)

    def _read_rate(self, m: Match[str], text: str, locale: Locale) -> str | None:
        unit = UNITS.get(m["unit"] or m["spaced"])
        noun = None if unit is None else locale.unit_noun(unit)
        return None if noun is None else f"{locale.per} {noun}"

    def _read_percent(self, m: Match[str], text: str, locale: Locale) -> str | None:
        a = self.amounts.parse(m["amount"] or m["after"])
        return None if a is None else locale.percentage(a)

    def _read_money(self, m: Match[str], text: str, locale: Locale) -> str | None:
        groups = m.groupdict()
        a = self.amounts.price(groups.get("american"), m["amount"], alone=len(m.group()) == len(m.string))
        side = "before" if groups.get("before") else "after"
        written = m[side]
        if a is None or (written in CODE_WORDS and not text[m.start(side) : m.end(side)].isupper()):
            return None
        scale = locale.money_scales[m["scale"]] if groups.get("scale") else a.scale
        a = Amount(a.whole, a.decimals, a.fraction, scale, a.negative or bool(groups.get("minus")))
        return locale.money(a, self._currencies.get(written, written))

    def _read_measure(self, m: Match[str], text: str, locale: Locale) -> str | None:
        a, symbol = self.amounts.parse(m["amount"]), m["unit"]
        given = text[m.start("unit") : m.end("unit")]
        if given in _NO_SYMBOLS or (given == "K" and text[m.start("unit") - 1].isdecimal()):
            return None
        unit = locale.local_units.get(symbol) or UNITS.get(given, UNITS.get(symbol))
        words = None if a is None or unit is None else locale.measure(a, unit)
        if words is None or m["by"] is None:
            return words
        by = locale.unit_noun(UNITS.get(m["by"]) or locale.local_units.get(m["by"], ""))
        return None if by is None or not locale.per else f"{words} {locale.per} {by}"

    def _read_ordinal(self, m: Match[str], text: str, locale: Locale) -> str | None:
        n, before = self.amounts.integer(m["n"]), _before(m)
        if m["mark"] == "°" and n > 9 and not before.endswith(locale.articles):
            return None  # "20°" are degrees, "il 20°" is the twentieth.
        return locale.ordinal(n, m["mark"], before=before)

    def _read_telephone(self, m: Match[str], text: str, locale: Locale) -> str | None:
        words = locale.telephone(m["number"])
        return f"{words} {locale.extension} {locale.digits(m['ext'])}" if m["ext"] else words

    def _read_date(self, m: Match[str], text: str, locale: Locale) -> str | None:
        """Numbers as a date: year first, or the day, or the month where the language writes so or nothing else is possible."""
        if m["iso"]:
            day, month, year, first = int(m["iday"]), int(m["imonth"]), m["iso"], locale.month_first
            swap = month > 12
        else:
            day, month, year = int(m["day"]), int(m["b"]), m["year"]
            swap = month > 12 if not locale.month_first or "." in m.group() else day <= 12
            first = swap or (locale.month_first and "." not in m.group())
        if swap:
            day, month = month, day
        if not (1 <= month <= 12 and 1 <= day <= 31):
            return None
        before = _before(m)
        if len(year) == 2:
            return f"{locale.date(day, month, None, month_first=first, before=before)}{locale.date_link}{locale.short_year(int(year))}"
        return locale.date(day, month, int(year), month_first=first, before=before)

    def _read_month(self, m: Match[str], text: str, locale: Locale) -> str | None:
        groups = m.groupdict()
        day, year = groups.get("day"), groups.get("year")
        first = day is None or m.start("day") > m.start("month")
        number, before = locale.months[0][m["month"]], _before(m)
        return locale.date(int(day) if day else None, number, int(year) if year else None, month_first=first, before=before)

    def _read_address(self, m: Match[str], text: str, locale: Locale) -> str | None:
        written = m.group()
        stop = m.start() + written.rfind(".") + 1
        loose = _WEAK_ENDING.search(written) or (_HOST.fullmatch(written) and not _ENDING.search(written))
        if loose and text[stop].isupper():
            return None  # A sentence that begins without a space, not an address.
        words = []
        for part in _ADDRESS_PART.findall(written):
            known = locale.address.get(part) or locale.words.get(part)
            if part.isdecimal():
                words.append(locale.digits(part))
            elif part in FRACTIONS:
                words.append(self.amounts.read(part))
            elif known is not None:
                words.append(known)
            else:
                words.append(locale.letters(part) if part[0].isalnum() or unicodedata.category(part[0])[0] == "M" else " ")
        return " ".join(words)


def abbreviation_pattern(locale: Locale) -> str:
    """Any abbreviation. Those of single letters ("z. B.") are found with and without the spaces and the last full stop, as initials are."""
    written: set[str] = set()
    initials: set[str] = set()
    for s in locale.abbreviations:
        letters = s.replace(".", "").replace(" ", "")
        if len(letters) > 1 and _INITIALS.fullmatch(s) is not None:
            initials |= {". ".join(letters) + ".", ".".join(letters) + ".", ".".join(letters)}
        else:
            written.add(s)
    # Two of three initials are no abbreviation: all of them will stand apart in the spoken form, and must be found there or here.
    firsts = either({s[:2] for s in initials})
    of_initials = rf"(?={firsts}){_NO_INITIAL_BEFORE}(?:{either(initials)})(?!\.? ?[a-zà-öø-ÿ]\.)" if initials else ""
    patterns = [pattern for pattern in (either(written), of_initials) if pattern]
    return rf"{NO_LETTER_BEFORE}(?:{'|'.join(patterns)}){NO_LETTER}" if patterns else ""


def _letters(abbreviation: str) -> str:
    """What tells abbreviations apart."""
    return abbreviation.replace(".", "").replace(" ", "")


def _before(m: Match[str]) -> str:
    """The words just before a match: enough to choose a form by, and not a copy of a long text for each number in it."""
    return m.string[max(0, m.start() - 80) : m.start()]


def _read_decade(m: Match[str], text: str, locale: Locale) -> str | None:
    return locale.decade(int(m["n"]))


def _read_time(m: Match[str], text: str, locale: Locale) -> str | None:
    groups = m.groupdict()
    suffix = (groups.get("suffix") or ("h" if "h" in m.group() else "")).replace(".", "").replace(" ", "")
    minute, second = groups.get("m"), groups.get("s")
    if minute is None and suffix == "h" and m["h"].startswith("0"):
        minute = "0"  # "01 h" is a time of day, "1 h" a duration.
    return locale.time(int(m["h"]), None if minute is None else int(minute), None if second is None else int(second), suffix)


def _read_offset(m: Match[str], text: str, locale: Locale) -> str | None:
    sign = locale.symbols["+"] if m["sign"] == "+" else locale.minus
    return f"{m['zone']} {sign} {locale.cardinal(int(m['h']))} {locale.cardinal(int(m['m'])) if m['m'] else ''}"


def _read_reference(m: Match[str], text: str, locale: Locale) -> str | None:
    return locale.before_number[m["word"]]


def _read_title(m: Match[str], text: str, locale: Locale) -> str | None:
    """Only in capitals before a capital, or any m ending a sentence would become a man; not among initials (J. S. Bach)."""
    if not (text[m.start()].isupper() and text[m.end()].isupper()) or _INITIAL_BEFORE.search(
        text[max(m.start() - 4, 0) : m.start()]
    ):
        return None
    return locale.before_name[m.group().strip()]


def _read_roman(m: Match[str], text: str, locale: Locale) -> str | None:
    """A Roman numeral below 100, after a word that calls for one; in capitals unless it follows a word for "century"."""
    n = numbers.roman(m["roman"])
    if n is None or not (text[m.start("roman") : m.end()].isupper() or m["word"] in locale.centuries):
        return None
    if not locale.is_roman(text[m.start() : m.end("word")], m["roman"], text[m.end() : m.end() + 6]):
        return None
    return locale.roman(m["word"], n)
