"""Hindi."""

from __future__ import annotations

import re
from re import Match
from typing import ClassVar

from understudy.text.locales.base import Amount, Locale, Money, Rule

__all__ = ["Hindi"]

_LETTERS = dict(
    zip(
        "abcdefghijklmnopqrstuvwxyz",
        (
            "ए",
            "बी",
            "सी",
            "डी",
            "ई",
            "एफ",
            "जी",
            "एच",
            "आई",
            "जे",
            "के",
            "एल",
            "एम",
            "एन",
            "ओ",
            "पी",
            "क्यू",
            "आर",
            "एस",
            "टी",
            "यू",
            "वी",
            "डब्ल्यू",
            "एक्स",
            "वाई",
            "ज़ेड",
        ),
        strict=True,
    )
)
_ORDINALS = {
    1: ("पहला", "पहली", "पहले"), 2: ("दूसरा", "दूसरी", "दूसरे"), 3: ("तीसरा", "तीसरी", "तीसरे"),
    4: ("चौथा", "चौथी", "चौथे"), 6: ("छठा", "छठी", "छठे"),
}  # fmt: skip
# English ordinals as they are said in Hindi.
_ENGLISH = {
    1: "फ़र्स्ट", 2: "सेकंड", 3: "थर्ड", 4: "फ़ोर्थ", 5: "फ़िफ्थ", 6: "सिक्स्थ", 7: "सेवंथ", 8: "एटथ", 9: "नाइंथ", 10: "टेंथ",
    11: "इलेवंथ", 12: "ट्वेल्फ्थ", 13: "थर्टींथ", 14: "फोर्टींथ", 15: "फिफ्टींथ",
}  # fmt: skip
_ADDRESS = re.compile(r"स्ट्रीट|रोड|नंबर|फ्लैट|प्लॉट|सेक्टर|पार्कवे|कॉम्प्लेक्स|प्लाज़ा|फ्लोर|एवेन्यू|पिन कोड|मार्ग|[\u0900-\u097f] \d{6}$")


def _address_number(m: Match[str], text: str, locale: Locale) -> str | None:
    """House numbers, flats and postal codes are read digit by digit, in texts that are addresses."""
    if _ADDRESS.search(m.string) is None:
        return None
    signs = {"/": "बटा", "-": "हाइफ़न"}
    parts = re.findall(r"\d+|[/-]|[a-z]", m.group())
    return " ".join(locale.digits(p) if p.isdecimal() else signs.get(p) or locale.letters(p) for p in parts)


def _telephone(m: Match[str], text: str, locale: Locale) -> str | None:
    """Digit by digit; nothing is said that is not written."""
    digits = "".join(c for c in m.group() if c.isdecimal())
    if m.group().startswith("+"):
        return f"प्लस {locale.digits(digits)}"
    return locale.digits(digits)


def _short_date(m: Match[str], text: str, locale: Locale) -> str | None:
    day, month = int(m["d"]), int(m["m"])
    return locale.date(day, month, None) if 1 <= day <= 31 and 1 <= month <= 12 and not _ADDRESS.search(m.string) else None


def _year(m: Match[str], text: str, locale: Locale) -> str | None:
    return locale.year(int(m["n"]))


def _by(m: Match[str], text: str, locale: Locale) -> str | None:
    return "बाई"


class Hindi(Locale):
    lang = "hi"
    decimal = "."
    groups = ","
    indian_groups = True
    largest = 10**19
    rules_cardinal = "spellout-cardinal"
    years_bare = range(1900, 2000)
    point = "दशमलव"
    minus = "माइनस"
    percent = "प्रतिशत"
    to = "से"
    per = "प्रति"
    over = "बटा"
    mixed_link = "और"
    symbols: ClassVar = {
        "&": "और", "+": "प्लस", "=": "बराबर", "@": "एट", "%": "प्रतिशत", "°": "डिग्री", "×": "गुणा", "÷": "भागा",
        "₹": "रुपए", "$": "डॉलर", "€": "यूरो", "£": "पाउंड", "#": "हैश",
    }  # fmt: skip
    address: ClassVar = {
        "@": "एट", ".": "डॉट", "/": "फॉरवर्ड स्लैश", "\\": "बैकवर्ड स्लैश", "-": "हाइफ़न", ":": "कोलन", "_": "अंडरस्कोर", "com": "कॉम",
        "org": "ऑर्ग", "net": "नेट", "in": "इन", "gmail": "जीमेल", "yahoo": "याहू", "google": "गूगल", "hotmail": "हॉटमेल", "live": "लाइव",
        "github": "गिटहब", "wikipedia": "विकिपीडिया", "data": "डेटा", "search": "सर्च", "users": "यूज़र्स",
        "downloads": "डाउनलोड्स", "documents": "डॉक्युमेंट्स", "var": "वार",
    }  # fmt: skip
    abbreviations: ClassVar = {
        "डॉ.": "डॉक्टर", "प्रो.": "प्रोफेसर", "इं.": "इंजीनियर", "मा.": "मास्टर", "वै.": "वैज्ञानिक", "श्री.": "श्री", "ई. पू.": "ईसा पूर्व",
        "ई.पू.": "ईसा पूर्व", "रु.": "रुपए",
    }  # fmt: skip
    words: ClassVar = {"ip": "आई पी", "address": "एड्रेस"}
    scales: ClassVar = {w: w for w in ("सौ", "हज़ार", "हजार", "लाख", "करोड़", "अरब", "खरब", "मिलियन", "बिलियन")}
    money_names: ClassVar = {
        "inr": Money("रुपया", "रुपए", "पैसा", "पैसे"), "usd": Money("डॉलर", "डॉलर", "सेंट", "सेंट"), "eur": Money("यूरो", "यूरो", "सेंट", "सेंट"),
        "gbp": Money("पाउंड", "पाउंड", "पेंस", "पेंस"), "jpy": Money("येन", "येन", "सेन", "सेन"), "krw": Money("वॉन", "वॉन", "जिओन", "जिओन"),
        "try": Money("लीरा", "लीरा", "कुरस", "कुरस"), "bdt": Money("टका", "टका", "पैसा", "पैसे"), "ngn": Money("नाइरा", "नाइरा", "कोबो", "कोबो"),
    }  # fmt: skip
    money_symbols: ClassVar = {"৳": "bdt", "₦": "ngn", "rs.": "inr", "rs": "inr"}
    unit_names: ClassVar = {
        "duration-year": ("वर्ष", "वर्ष"), "mass-centigram": ("सेंटीग्राम", "सेंटीग्राम"), "mass-decigram": ("डेसीग्राम", "डेसीग्राम"),
        "mass-quintal": ("क्विंटल", "क्विंटल"), "mass-stone": ("स्टोन", "स्टोन"), "length-foot": ("फीट", "फीट"), "mass-tonne": ("टन", "टन"),
        "volume-gallon": ("गैलन", "गैलन"), "volume-pint": ("पिंट", "पिंट"), "volume-quart": ("क्वार्ट", "क्वार्ट"), "mass-ounce": ("आउन्स", "आउन्स"),
        "temperature-kelvin": ("केल्विन", "केल्विन"), "length-mile": ("मील", "मील"), "mass-pound": ("पाउंड", "पाउंड"),
        "temperature-celsius": ("डिग्री सेल्सियस", "डिग्री सेल्सियस"),
    }  # fmt: skip
    local_units: ClassVar = {
        "किमी": "length-kilometer",
        "सेमी": "length-centimeter",
        "मिमी": "length-millimeter",
        "किग्रा": "mass-kilogram",
    }
    no_units = frozenset({"d"})
    time_suffixes = r"a\. ?m\.?|p\. ?m\.?|am|pm|बजे|बजकर"
    ordinal_pattern = (
        r"(?<![\w.,])(?P<n>\d+)(?P<mark>वां|वाँ|वीं|वी|वें|रा|री|रे|ला|ली|ले|था|थी|थे|ठा|ठी|ठे|st|nd|rd|th)(?![\w\u0900-\u0963])"
    )

    def cardinal(self, n: int) -> str:
        """By CLDR's rules below 10^11; above, in hundreds of the old units, which the rules do not have."""
        if n < 10**11 or n >= 10**19:
            return super().cardinal(n).replace("पन्द्रह", "पंद्रह")
        words = []
        for unit, name in ((10**17, "शंख"), (10**15, "पद्म"), (10**13, "नील"), (10**11, "खरब")):
            count, n = divmod(n, unit)
            if count:
                words.append(f"{self.cardinal(count)} {name}")
        return " ".join([*words, self.cardinal(n)] if n else words)

    def counted(self, n: int, gender: str = "m") -> str:
        return self.cardinal(n)

    def extra_rules(self) -> list[Rule]:
        return [
            Rule("daymonthonly", r"(?<![\w.,-])(?P<d>\d\d)-(?P<m>\d\d)(?![\w-])", _short_date),
            Rule("bareyear", r"(?<![\w.,])(?P<n>1[1-9]\d\d)(?= (?:में|का|की|के|से|तक)(?![\w\u0900-\u0963]))", _year),
            Rule("by", r"(?<=\d)x(?=\d)", _by, "letter"),
            Rule("phone", r"\+\d{1,3} ?\d{10}(?: \d{3})?(?!\d)|(?<![\d-])\d{3,5}-\d{6}(?!\d)|(?<!\d)[6-9]\d{9}(?!\d)|(?<!\d)0 \(\d{2,4}\) \d{6,8}(?!\d)", _telephone),
            Rule("addressnumber", r"(?<![\w.,])\d+[a-z]?(?:[/-]\d+)?(?: -(?= ))?(?![\w:%]|[.,]\d)", _address_number),
        ]  # fmt: skip

    def ordinal(self, n: int, mark: str = "", *, before: str = "") -> str | None:
        if mark in ("st", "nd", "rd", "th"):
            return _ENGLISH.get(n)
        form = 1 if mark.endswith(("ी", "ीं")) else 2 if mark.endswith(("े", "ें")) else 0
        if n in _ORDINALS:
            return _ORDINALS[n][form]
        return self.cardinal(n) + ("वां" if mark == "वाँ" else mark)

    def year(self, n: int) -> str:
        if 1100 <= n <= 1999:
            high, low = divmod(n, 100)
            return f"{self.cardinal(high)} सौ {self.cardinal(low) if low else ''}"
        return self.cardinal(n)

    def date(self, day: int | None, month: int, year: int | None, *, month_first: bool = False, before: str = "") -> str:
        words = super().date(day, month, year)
        if month_first and day is not None:
            words = f"{self.month(month)} {self.cardinal(day)} {self.year(year) if year else ''}"
        return words

    def measure(self, a: Amount, unit: str) -> str | None:
        if a.decimals == "5" and a.whole in ("1", "2") and unit.startswith("duration") and not a.negative:
            half = "डेढ़" if a.whole == "1" else "ढाई"
            return f"{half} {'साल' if unit.endswith('year') else self._noun(unit)}"
        if unit == "duration-year" and a.integer is not None and a.integer < 10:
            return f"{self.amount(a)} साल"
        return super().measure(a, unit)

    def _noun(self, unit: str) -> str:
        return (super().measure(Amount("2"), unit) or "").split(" ", 1)[-1]

    def time(self, hour: int, minute: int | None, second: int | None, suffix: str) -> str:
        tail = self.meridiem(suffix)
        if not minute and not second:
            return f"{self.cardinal(hour)} बजे{tail}"
        words = f"{self.cardinal(hour)} बजकर {self.cardinal(minute or 0)} मिनट"
        return words + (f" {self.cardinal(second)} सेकंड" if second else "") + tail

    def meridiem(self, suffix: str) -> str:
        return {"am": " ए एम", "pm": " पी एम"}.get(suffix, "")

    def letters(self, text: str) -> str:
        return " ".join(_LETTERS.get(c, c) for c in text)
