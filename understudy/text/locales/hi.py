"""Hindi."""

from __future__ import annotations

import re
from functools import cached_property, lru_cache
from re import Match
from typing import ClassVar

from understudy.text.locales import halves, hi_quarters
from understudy.text.locales.base import Amount, Locale, Money, Rule

__all__ = ["Hindi"]

_LETTERS = dict(
    zip(
        "abcdefghijklmnopqrstuvwxyz",
        ("ए", "बी", "सी", "डी", "ई", "एफ", "जी", "एच", "आई", "जे", "के", "एल", "एम", "एन", "ओ", "पी", "क्यू",
         "आर", "एस", "टी", "यू", "वी", "डब्ल्यू", "एक्स", "वाई", "ज़ेड"),
        strict=True,
    )
)  # fmt: skip
# The first, second, ... in the masculine, feminine and oblique form, and the endings they are written with.
_ORDINALS = {
    1: ("पहला", "पहली", "पहले"), 2: ("दूसरा", "दूसरी", "दूसरे"), 3: ("तीसरा", "तीसरी", "तीसरे"),
    4: ("चौथा", "चौथी", "चौथे"), 6: ("छठा", "छठी", "छठे"),
}  # fmt: skip
_REGULAR = ("वां", "वाँ", "वीं", "वी", "वें")
# English ordinals as they are said in Hindi.
_ENGLISH = (
    "", "फ़र्स्ट", "सेकंड", "थर्ड", "फ़ोर्थ", "फ़िफ्थ", "सिक्स्थ", "सेवंथ", "एटथ", "नाइंथ", "टेंथ", "इलेवंथ", "ट्वेल्फ्थ", "थर्टींथ", "फोर्टींथ", "फिफ्टींथ",
    "सिक्सटींथ", "सेवेंटींथ", "एटींथ", "नाइनटींथ",
)  # fmt: skip
_ENGLISH_TENS = ("", "", "ट्वेंटी", "थर्टी", "फोर्टी", "फिफ्टी", "सिक्सटी", "सेवेंटी", "एटी", "नाइनटी")
# Other spellings of months; each is kept as it is written.
_MONTH_SPELLINGS = ("फरवरी", "\u095eरवरी", "सितम्बर", "अक्तूबर", "नवम्बर", "दिसम्बर")
_END = r"(?![\w\u0900-\u0963])"
_ADDRESS = re.compile(
    r"स्ट्रीट|रोड|फ्लैट|प्लॉट|सेक्टर|पार्कवे|कॉम्प्लेक्स|प्लाज़ा|फ्लोर|एवेन्यू|पिन कोड|मार्ग|अपार्टमेंट|कॉलोनी|मकान|हाउस|बिल्डिंग|वार्ड|गली|ब्लॉक|विहार|शॉप|यूनिट|नगर[ ,]|नंबर"
    r"|[\u0900-\u097f],? \d{6}$"
)
# An address is no sentence: these words are in hardly any, and in most sentences.
_SENTENCE = re.compile(r"(?<!\S)(?:है|हैं|हूँ|था|थे|थी|में|पर|पे|ने|को|गए|गया|गई|हुए|हुआ|हुई|करो|करें|रहे|होगा|चाहिए|मिले)(?![^\s।,.!?])")
# What is called so is read digit by digit.
_CODES = ("पिन", "पिनकोड", "कोड", "ओटीपी", "otp", "pin", "पासवर्ड", "नंबर", "नम्बर", "डिजिट", "अंक", "हेल्पलाइन")
# What stands behind a day and a month in digits; anything else is counted ("10-12 मिनट").
_DATED = rf"(?= (?:को|से|तक|का|की|के(?! बीच)){_END}| ?(?:[.,:](?!\d)|[;!?।)\]\"'…]|$))"
_INDIAN_SCALES = ("सौ", "हज़ार", "हजार", "लाख", "करोड़", "अरब", "खरब")


@lru_cache(maxsize=16)
def _is_address(text: str) -> bool:
    return _ADDRESS.search(text) is not None and _SENTENCE.search(text) is None


def _address_number(m: Match[str], text: str, locale: Locale) -> str | None:
    """House numbers, flats and postal codes are read digit by digit, in texts that are addresses."""
    if not _is_address(m.string):
        return None
    signs = {"/": "बटा", "-": "हाइफ़न"}
    parts = re.findall(r"\d+|[/-]|[a-z]", m.group())
    return " ".join(locale.digits(p) if p.isdecimal() else signs.get(p) or locale.letters(p) for p in parts)


def _address_sign(m: Match[str], text: str, locale: Locale) -> str | None:
    if not _is_address(m.string):
        return None
    return "बटा" if m.group() == "/" else "हाइफ़न"


def _days(m: Match[str], text: str, locale: Locale) -> str | None:
    return locale.measure(Amount(m["n"], m["decimals"]), "duration-day")


def _telephone(m: Match[str], text: str, locale: Locale) -> str | None:
    """Digit by digit; nothing is said that is not written."""
    digits = "".join(c for c in m.group() if c.isdecimal())
    if m.group().startswith("+"):
        return f"प्लस {locale.digits(digits)}"
    return locale.digits(digits)


def _short_date(m: Match[str], text: str, locale: Locale) -> str | None:
    day, month = int(m["d"]), int(m["m"])
    return locale.date(day, month, None) if 1 <= day <= 31 and 1 <= month <= 12 and not _is_address(m.string) else None


def _year(m: Match[str], text: str, locale: Locale) -> str | None:
    return locale.year(int(m["n"] or m["before"]))


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
    by = "बाई"
    mixed_link = "और"
    symbols: ClassVar = {
        "&": "और", "+": "प्लस", "=": "बराबर", "@": "एट", "%": "प्रतिशत", "°": "डिग्री", "×": "गुणा", "÷": "भागा",
        "₹": "रुपए", "$": "डॉलर", "€": "यूरो", "£": "पाउंड", "#": "हैश",
    }  # fmt: skip
    address: ClassVar = {
        "@": "एट", ".": "डॉट", "/": "फॉरवर्ड स्लैश", "\\": "बैकवर्ड स्लैश", "-": "हाइफ़न", ":": "कोलन", "_": "अंडरस्कोर", "com": "कॉम",
        "org": "ऑर्ग", "net": "नेट", "in": "इन", "gmail": "जीमेल", "yahoo": "याहू", "google": "गूगल", "youtube": "यूट्यूब", "facebook": "फेसबुक", "twitter": "ट्विटर", "instagram": "इंस्टाग्राम", "linkedin": "लिंक्डइन",
        "amazon": "अमेज़न", "flipkart": "फ्लिपकार्ट", "microsoft": "माइक्रोसॉफ्ट", "outlook": "आउटलुक", "icloud": "आईक्लाउड", "rediffmail": "रेडिफमेल",
        "desktop": "डेस्कटॉप", "pictures": "पिक्चर्स", "music": "म्यूज़िक", "videos": "वीडियोज़", "home": "होम", "hotmail": "हॉटमेल", "live": "लाइव",
        "github": "गिटहब", "wikipedia": "विकिपीडिया", "data": "डेटा", "search": "सर्च", "users": "यूज़र्स",
        "downloads": "डाउनलोड्स", "documents": "डॉक्युमेंट्स", "var": "वार",
    }  # fmt: skip
    abbreviations: ClassVar = {
        "डॉ.": "डॉक्टर", "प्रो.": "प्रोफेसर", "इं.": "इंजीनियर", "मा.": "मास्टर", "वै.": "वैज्ञानिक", "श्री.": "श्री", "स्मि.": "श्रीमती",
        "कु.": "कुमारी", "पं.": "पंडित", "स्व.": "स्वर्गीय", "न्या.": "न्यायमूर्ति", "लि.": "लिमिटेड", "प्रा.": "प्राइवेट", "ई. पू.": "ईसा पूर्व",
        "ई.पू.": "ईसा पूर्व", "रु.": "रुपए",
    }  # fmt: skip
    words: ClassVar = {"ip": "आई पी", "address": "एड्रेस"}
    scales: ClassVar = {w: w for w in (*_INDIAN_SCALES, "मिलियन", "बिलियन")} | {"million": "मिलियन", "billion": "बिलियन"}
    money_names: ClassVar = {
        "inr": Money("रुपया", "रुपए", "पैसा", "पैसे"), "usd": Money("डॉलर", "डॉलर", "सेंट", "सेंट"), "eur": Money("यूरो", "यूरो", "सेंट", "सेंट"),
        "gbp": Money("पाउंड", "पाउंड", "पेंस", "पेंस"), "jpy": Money("येन", "येन", "सेन", "सेन"), "krw": Money("वॉन", "वॉन", "जिओन", "जिओन"),
        "try": Money("लीरा", "लीरा", "कुरस", "कुरस"), "bdt": Money("टका", "टका", "पैसा", "पैसे"), "ngn": Money("नाइरा", "नाइरा", "कोबो", "कोबो"),
    }  # fmt: skip
    money_symbols: ClassVar = {
        "rs.": "inr", "rs": "inr", "रु.": "inr", "रु": "inr", "रू.": "inr", "रू": "inr", "৳": "bdt", "₦": "ngn", "₫": "vnd", "₱": "php", "₪": "ils",
        "₴": "uah", "₸": "kzt", "₼": "azn", "₾": "gel", "฿": "thb", "֏": "amd",
    }  # fmt: skip
    unit_names: ClassVar = {
        unit: (name, name)
        for unit, name in {
            "duration-year": "वर्ष", "mass-centigram": "सेंटीग्राम", "mass-decigram": "डेसीग्राम", "mass-quintal": "क्विंटल", "mass-stone": "स्टोन",
            "length-foot": "फीट", "mass-tonne": "टन", "volume-gallon": "गैलन", "volume-pint": "पिंट", "volume-quart": "क्वार्ट", "mass-ounce": "आउन्स",
            "temperature-kelvin": "केल्विन", "length-mile": "मील", "mass-pound": "पाउंड", "temperature-celsius": "डिग्री सेल्सियस",
            "temperature-fahrenheit": "डिग्री फ़ारेनहाइट", "area-square-foot": "वर्ग फीट", "volume-cubic-foot": "घन फीट", "power-horsepower": "हॉर्सपावर",
            "volume-fluid-ounce": "फ्लूइड आउन्स", "area-square-millimeter": "वर्ग मिलीमीटर", "area-square-micrometer": "वर्ग माइक्रोमीटर",
            "area-square-nanometer": "वर्ग नैनोमीटर", "area-square-decimeter": "वर्ग डेसीमीटर", "volume-cubic-millimeter": "घन मिलीमीटर",
            "volume-cubic-decimeter": "घन डेसीमीटर", "volume-cubic-micrometer": "घन माइक्रोमीटर", "volume-kiloliter": "किलोलीटर",
            "length-hectometer": "हेक्टोमीटर", "length-decameter": "डेकामीटर", "mass-hectogram": "हेक्टोग्राम", "mass-decagram": "डेकाग्राम",
            "mass-nanogram": "नैनोग्राम", "speed-kilometer-per-second": "किलोमीटर प्रति सेकंड", "speed-centimeter-per-second": "सेंटीमीटर प्रति सेकंड",
            "speed-foot-per-second": "फीट प्रति सेकंड", "speed-meter-per-minute": "मीटर प्रति मिनट", "electric-kilovolt": "किलोवोल्ट",
        }.items()
    }  # fmt: skip
    local_units: ClassVar = {
        "किमी": "length-kilometer", "सेमी": "length-centimeter", "मिमी": "length-millimeter", "किग्रा": "mass-kilogram", "मिली": "volume-milliliter",
        "कि.मी.": "length-kilometer", "कि. मी.": "length-kilometer", "से.मी.": "length-centimeter", "मि.मी.": "length-millimeter",
        "कि.ग्रा.": "mass-kilogram", "कि. ग्रा.": "mass-kilogram", "मि.ग्रा.": "mass-milligram", "मि.ली.": "volume-milliliter",
        "किमी/घंटा": "speed-kilometer-per-hour", "°से": "temperature-celsius", "mo": "duration-month", "wk": "duration-week",
        "mm²": "area-square-millimeter", "µm²": "area-square-micrometer", "μm²": "area-square-micrometer", "nm²": "area-square-nanometer",
        "dm²": "area-square-decimeter", "in²": "area-square-inch", "yd²": "area-square-yard", "sq ft": "area-square-foot", "sq km": "area-square-kilometer",
        "mm³": "volume-cubic-millimeter", "dm³": "volume-cubic-decimeter", "µm³": "volume-cubic-micrometer", "μm³": "volume-cubic-micrometer",
        "in³": "volume-cubic-inch", "yd³": "volume-cubic-yard", "mi³": "volume-cubic-mile", "hl": "volume-hectoliter", "kl": "volume-kiloliter",
        "tbsp": "volume-tablespoon", "tsp": "volume-teaspoon", "fl oz": "volume-fluid-ounce", "hm": "length-hectometer", "dam": "length-decameter",
        "hg": "mass-hectogram", "dag": "mass-decagram", "ng": "mass-nanogram", "ct": "mass-carat", "km/s": "speed-kilometer-per-second",
        "cm/s": "speed-centimeter-per-second", "ft/s": "speed-foot-per-second", "m/min": "speed-meter-per-minute",
        "kmph": "speed-kilometer-per-hour", "cal": "energy-calorie", "pa": "pressure-pascal", "bit": "digital-bit", "byte": "digital-byte",
        "kv": "electric-kilovolt", "lm": "light-lumen", "lx": "light-lux", "rad": "angle-radian",
    }  # fmt: skip
    no_units = frozenset({"d"})
    time_suffixes = r"a\. ?m\.?|p\. ?m\.?|am|pm|बजे|बजकर"
    ordinal_pattern = (
        r"(?<![\w.,])(?P<n>\d+)(?: (?=वां|वाँ|वीं|वें))?(?P<mark>वां|वाँ|वीं|वी|वें|रा|री|रे|ला|ली|ले|था|थी|थे|ठा|ठी|ठे|st|nd|rd|th)" + _END
    )

    @cached_property
    def months(self) -> tuple[dict[str, int], tuple[str, ...]]:
        written, names = super().months
        return written | {name: 13 + i for i, name in enumerate(_MONTH_SPELLINGS)}, names + _MONTH_SPELLINGS

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
        after = "|".join(f"(?<={word} )" for word in ("सन", "सन्", "साल", "वर्ष"))
        before = rf"(?= (?:में|का|की|के|से|तक|ईसवी|ईस्वी){_END}| ?ई\.)"
        phone = (
            r"\+\d{1,3} ?\d{10}(?: \d{3})?(?!\d)|(?<![\d-])\d{3,5}-\d{6}(?!\d)|(?<!\d)0 \(\d{2,4}\) \d{6,8}(?!\d)"
            r"|(?<![\d-])(?:0?[6-9]\d{9}|0?[6-9]\d{4}[ -]\d{5}|0\d{2,4}[ -]\d{3,4}[ -]\d{3,4}|1[89]00[ -]\d{3,4}[ -]\d{3,4}|\d{4}(?:[ -]\d{4}){2,3})(?![\d-])"
        )
        called = "|".join(f"(?<={code}{link} )" for code in _CODES for link in ("", ":", " है", " था"))
        house = r"(?<![\w.,/-])(?:[a-z][/-])?\d+[a-z]?(?:[/-](?:\d+|[a-z](?!\w))){0,4}(?: -(?= )|[/-](?=[\u0904-\u0939])|(?![\w:%]|[.,]\d))"
        return [
            Rule("daymonthonly", rf"(?<![\w.,-])(?P<d>\d\d)-(?P<m>\d\d){_DATED}", _short_date),
            Rule("bareyear", rf"(?:{after})(?P<n>1[1-9]\d\d)(?![\w.,:/%])|(?<![\w.,])(?P<before>1[1-9]\d\d){before}", _year),
            Rule("era", r"(?:(?<=\d)|(?<=\d ))ई\.(?! ?पू)", lambda m, text, locale: "ईसवी", "letter"),
            Rule("phone", phone, _telephone),
            Rule("code", rf"(?=\d{{4}})(?:{called})\d+(?![\w%]|[.,:/-]\d)", lambda m, text, locale: locale.digits(m.group())),
            Rule("addressnumber", house, _address_number, "any"),
            Rule("addresssign", r"(?<=[a-z\u0900-\u0963])[/-](?=\d)", _address_sign),
            halves.rule(hi_quarters.HALVED),
            Rule("days", rf"(?<![\w.,])(?P<n>\d+)(?:\.(?P<decimals>\d+))? d{_END}", _days),
        ]  # fmt: skip

    def ordinal(self, n: int, mark: str = "", *, before: str = "") -> str | None:
        if mark in ("st", "nd", "rd", "th"):
            if 20 <= n < 100:
                return f"{_ENGLISH_TENS[n // 10]} {_ENGLISH[n % 10]}" if n % 10 else f"{_ENGLISH_TENS[n // 10]}थ"
            return _ENGLISH[n] if 0 < n < 20 else f"{self.cardinal(n)}वां"
        form = 1 if mark.endswith(("ी", "ीं")) else 2 if mark.endswith(("े", "ें")) else 0
        regular, rest = "वां" if mark == "वाँ" else mark, n % 100
        if rest not in _ORDINALS or (mark in _REGULAR and n != rest):
            return self.cardinal(n) + regular
        word = f"छठ{regular}" if rest == 6 and mark in _REGULAR else _ORDINALS[rest][form]
        return word if n == rest else f"{self.cardinal(n - rest)} {word}"

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

    def fraction(self, n: int, d: int) -> str:
        named = {(1, 2): "आधा", (1, 4): "एक चौथाई", (3, 4): "तीन चौथाई"}.get((n, d))
        return named or super().fraction(n, d)

    def mixed(self, whole: int, n: int, d: int) -> str:
        quarters = n * 4 // d if d in (2, 4) and 0 < n < d and 0 < whole < 100 else 0
        return hi_quarters.past(whole, quarters, self) if quarters else super().mixed(whole, n, d)

    def joined(self, text: str, start: int, end: int, name: str, spoken: str, *, ranged: bool = False) -> tuple[int, str]:
        parted = name in ("number", "andahalf") and spoken.endswith(("आधा", "चौथाई"))
        return end, hi_quarters.before_noun(spoken, text, end) if parted else spoken

    def amount(self, a: Amount, gender: str | None = None) -> str:
        quarters = hi_quarters.decimal(a.whole, a.decimals, self) if a.scale in _INDIAN_SCALES else None
        if quarters is None:
            return super().amount(a, gender)
        return f"{self.minus if a.negative else ''} {quarters} {a.scale}"

    def measure(self, a: Amount, unit: str) -> str | None:
        if (
            unit.startswith("duration")
            and not a.negative
            and (quarters := hi_quarters.decimal(a.whole, a.decimals, self)) is not None
        ):
            noun = (super().measure(Amount("2"), unit) or "").split(" ", 1)[-1]
            return f"{quarters} {'साल' if unit.endswith('year') else noun}"
        if unit == "duration-year" and a.integer is not None and a.integer < 10:
            return f"{self.amount(a)} साल"
        return super().measure(a, unit)

    def time(self, hour: int, minute: int | None, second: int | None, suffix: str) -> str:
        words, tail = self.cardinal(hour), self.meridiem(suffix)
        if not minute and not second:
            return f"{words} {'बजकर' if suffix == 'बजकर' else 'बजे'}{tail}"
        words += " बजकर" + (f" {self.cardinal(minute)} मिनट" if minute else "")
        return words + (f" {self.cardinal(second)} सेकंड" if second else "") + tail

    def meridiem(self, suffix: str) -> str:
        return {"am": " ए एम", "pm": " पी एम"}.get(suffix, "")

    def letters(self, text: str) -> str:
        return " ".join(_LETTERS.get(c, c) for c in text)
