"""Marathi. Words of 0 to 99 by indic-num2words, corrected; hundreds are written together (सातशे)."""

from __future__ import annotations

import re
from typing import ClassVar

from understudy.text.locales import halves, numbers
from understudy.text.locales.base import Amount, Money, Rule
from understudy.text.locales.indic import Indic

__all__ = ["Marathi"]

# Where a second list (AI4Bharat's indic-numtowords) and the language's own texts have another spelling.
_CORRECTED = {
    26: "सव्वीस", 33: "तेहतीस", 61: "एकसष्ट", 62: "बासष्ट", 63: "त्रेसष्ट", 64: "चौसष्ट", 65: "पासष्ट", 66: "सहासष्ट", 67: "सदुसष्ट",
    68: "अडुसष्ट", 71: "एकाहत्तर", 72: "बाहत्तर", 74: "चौऱ्याहत्तर", 75: "पंचाहत्तर", 81: "एक्याऐंशी", 85: "पंच्याऐंशी", 86: "शहाऐंशी",
    87: "सत्त्याऐंशी", 91: "एक्याण्णव",
}  # fmt: skip
_SMALL = tuple(_CORRECTED.get(n, word) for n, word in enumerate(numbers.below_hundred("mr")))
_UNITS = {10_000_000: "कोटी", 100_000: "लाख", 1000: "हजार"}
_FIRST = {
    1: ("पहिला", "पहिली", "पहिले", "पहिल्या"), 2: ("दुसरा", "दुसरी", "दुसरे", "दुसऱ्या"),
    3: ("तिसरा", "तिसरी", "तिसरे", "तिसऱ्या"), 4: ("चौथा", "चौथी", "चौथे", "चौथ्या"),
}  # fmt: skip
_CONSONANT = re.compile(r"[क-ह]$")
# A quarter and three quarters have names of their own before measures only.
_MEASURES = re.compile(r" ?(?:किलो|लिटर|लीटर|तास|कप|मीटर|मिनिट|चमच|ग्लास|वाट|इंच|डझन|टन|एकर|पाव|दिवस|वर्ष)")
# Beginnings of what is counted in halves and quarters also where they are written as decimals; endings of a case may follow.
_HALVED = "तास|दिवस|आठवड|महिन|वर्ष|मिनि|किलो|लिटर|लीटर|मीटर|कप|चमच|डझन|टन|एकर|इंच|फूट|पट|लाख|कोटी|हजार"
# Half of something agrees with it: the feminine, and the oblique before endings of a case.
_HALF = re.compile(
    r" (?:(?P<f>वाटी|बाटली|भाकरी|पोळी|गोळी|चिमूट|प्लेट|रात्र)|(?P<o>तासा|दिवसा|महिन्या|वर्षा|आठवड्या|मिनिटा|लिटरा|लीटरा|कपा))"
)
_CASES = "चा|ची|चे|च्या|चं|ला|ने|नी|त"
_ENDING = re.compile(
    rf"[.]?(?P<gap> ?)(?:(?P<case>{_CASES})|(?P<after>मध्ये|पासून|पर्यंत|पेक्षा|साठी|वर|हून|वरून|मधील|मधून|चेच|तील))(?![\w\u0900-\u0963])"
)
_END = r"(?![\w\u0900-\u0963\u200d])"
_AFTER = rf"(?:{_CASES}|ंदा|मध्ये|साठी|पर्यंत|पासून)"  # What may follow an ordinal at once.
_AFTER_ORDINAL = re.compile(_AFTER + _END)
_OBLIQUE = {
    "रुपये": "रुपयां", "पैसे": "पैशां", "पैसा": "पैशा", "टक्के": "टक्क्यां", "टक्का": "टक्क्या", "मिनिटे": "मिनिटां", "वर्षे": "वर्षां", "तास": "तासां",
}  # fmt: skip
_PLURAL = {"ला": "ना", "ने": "नी"}  # Endings that differ in the plural.


class Marathi(Indic):
    lang = "mr"
    years_bare = range(1100, 2000)
    point = "पूर्णांक"
    minus = "उणे"
    less = "वजा"
    plus = "प्लस"
    stop = "डॉट"
    number_sign = "नंबर"
    percent = "टक्के"
    to = "ते"
    per = "प्रति"
    over = "छेद"
    mixed_link = "पूर्णांक"
    halved_scales = frozenset({"हजार", "लाख", "कोटी"})
    meridiems: ClassVar = {"am": "ए एम", "pm": "पी एम"}
    code_words = (
        "पिन कोड",
        "पिनकोड",
        "पिन",
        "ओटीपी",
        "कोड",
        "खाते क्रमांक",
        "खाते नंबर",
        "आधार क्रमांक",
        "आधार नंबर",
        "pin",
        "pin code",
        "otp",
    )
    score_words = "ने|अशी|अशा|असा|असे|गोल|सेट|बरोबरी"
    symbols: ClassVar = {
        "&": "आणि", "+": "अधिक", "=": "बरोबर", "@": "ॲट", "%": "टक्के", "°": "अंश", "×": "गुणिले", "÷": "भागिले", "₹": "रुपये",
        "$": "डॉलर", "€": "युरो", "£": "पाउंड", "#": "हॅशटॅग",
    }  # fmt: skip
    address: ClassVar = {
        "@": "ॲट", ".": "डॉट", "/": "स्लॅश", "-": "हायफन", ":": "कोलन", "_": "अंडरस्कोर", "www": "w w w", "com": "कॉम", "org": "ऑर्ग",
        "net": "नेट", "in": "इन", "co": "को", "gmail": "जीमेल", "yahoo": "याहू", "hotmail": "हॉटमेल",
    }  # fmt: skip
    abbreviations: ClassVar = {
        "डॉ.": "डॉक्टर", "प्रा.": "प्राध्यापक", "श्री.": "श्री", "सौ.": "सौभाग्यवती", "कु.": "कुमारी", "पं.": "पंडित", "न्या.": "न्यायमूर्ती",
        "ॲड.": "ॲडव्होकेट", "इ.स.": "इसवी सन", "इ.स.पू.": "इसवी सन पूर्व", "रु.": "रुपये", "उदा.": "उदाहरणार्थ", "इ.": "इत्यादी",
        "क्र.": "क्रमांक", "जि.": "जिल्हा", "ता.": "तालुका", "पृ.": "पृष्ठ", "कै.": "कैलासवासी", "दि.": "दिनांक", "सा.": "सायंकाळी", "सायं.": "सायंकाळी", "दु.": "दुपारी", "ले.": "लेखक", "dr.": "डॉक्टर", "mr.": "मिस्टर",
        "mrs.": "मिसेस", "ms.": "मिस", "prof.": "प्रोफेसर",
    }  # fmt: skip
    scales: ClassVar = {
        **{w: w for w in ("शे", "हजार", "लाख", "कोटी", "अब्ज", "दशलक्ष", "हजार कोटी", "लाख कोटी", "मिलियन", "बिलियन")},
        "million": "मिलियन", "billion": "बिलियन",
    }  # fmt: skip
    money_names: ClassVar = {
        "inr": Money("रुपया", "रुपये", "पैसा", "पैसे"), "usd": Money("डॉलर", "डॉलर", "सेंट", "सेंट"), "eur": Money("युरो", "युरो", "सेंट", "सेंट"),
        "gbp": Money("पाउंड", "पाउंड", "पेनी", "पेन्स"), "jpy": Money("येन", "येन"),
    }  # fmt: skip
    money_symbols: ClassVar = {"rs.": "inr", "rs": "inr", "रु.": "inr", "रु": "inr", "रू.": "inr", "रू": "inr"}
    unit_names: ClassVar = {
        "digital-megabit-per-second": ("मेगाबिट प्रति सेकंद", "मेगाबिट प्रति सेकंद"), "mass-quintal": ("क्विंटल", "क्विंटल"),
        "mass-tonne": ("टन", "टन"),
    }  # fmt: skip
    local_units: ClassVar = {
        "कि.मी": "length-kilometer", "किमी": "length-kilometer", "से.मी": "length-centimeter", "सेमी": "length-centimeter",
        "मि.मी": "length-millimeter", "मिमी": "length-millimeter", "मी": "length-meter", "कि.ग्रॅ": "mass-kilogram", "किग्रॅ": "mass-kilogram",
        "ग्रॅ": "mass-gram", "मि.ली": "volume-milliliter", "मिली": "volume-milliliter", "ली": "volume-liter", "लि": "volume-liter", "मि": "duration-minute",
        "से": "duration-second", "mins": "duration-minute", "secs": "duration-second", "चौ.मी": "area-square-meter",
    }  # fmt: skip
    time_suffixes = r"a\. ?m\.?|p\. ?m\.?|am|pm|वाजता|वाजले|वाजून|वाजेपर्यंत|वाजेपासून|वा\."
    ordinal_pattern = (
        r"(?<!\w)(?<!\d[.,])(?P<n>\d+(?:,\d+)*)(?P<mark>(?:वा|वी|वे|व्या|ला|ली|ले|ल्या|रा|री|रे|ऱ्या|र्\u200dया|था|थी|थे|थ्या)"
        rf"(?={_AFTER}?{_END})|(?: |-)(?:वा(?!\.)|वी|वे|व्या|रा|री|रे|था|थी|थे){_END})"
    )
    roman_after = "भाग|खंड|अध्याय|टप्पा|प्रकरण|लुई|जॉर्ज|हेन्री|एडवर्ड|पोप"

    def extra_rules(self) -> list[Rule]:
        return [*super().extra_rules(), halves.rule(_HALVED)]

    def cardinal(self, n: int) -> str:
        if n < 100:
            return _SMALL[n]
        if n >= self.largest:
            return self.digits(str(n))
        words = []
        for count, unit in numbers.indian(n):
            if unit == 1:
                words.append(_SMALL[count])
            elif unit == 100:
                words.append("शंभर" if n == 100 else f"{_SMALL[count]}शे")
            else:
                words.append(f"{self.cardinal(count)} {_UNITS[unit]}")
        return " ".join(words)

    def counted(self, n: int, gender: str = "m") -> str:
        return self.cardinal(n)

    def year(self, n: int) -> str:
        if 1100 <= n <= 1999:
            high, low = divmod(n, 100)
            return f"{_SMALL[high]}शे {_SMALL[low] if low else ''}"
        return self.cardinal(n)

    def ordinal(self, n: int, mark: str = "", *, before: str = "") -> str | None:
        """With the ending of a noun (वा, वी, वे, व्या): a consonant takes आ before it, and a long ई becomes short (एकविसावा)."""
        mark = mark.lstrip(" -")
        if n in _FIRST:
            return _FIRST[n][
                3 if mark.endswith("्या") or "\u200d" in mark else 1 if mark.endswith("ी") else 2 if mark.endswith("े") else 0
            ]
        words = self.cardinal(n)
        if not mark.startswith("व"):
            return words + mark
        if words.endswith("नऊ"):
            return f"{words[:-1]}व{mark}"
        if words.endswith("ीस"):
            return f"{words[:-2]}िसा{mark}"
        plain = _CONSONANT.search(words) is None or words.endswith(("पाच", "सात", "आठ"))
        return words + mark if plain else f"{words}ा{mark}"

    def fraction(self, n: int, d: int) -> str:
        if (n, d) == (1, 2):
            return "अर्धा"
        part = {3: "तृतीयांश", 4: "चतुर्थांश"}.get(d)
        return f"{self.cardinal(n)} {part}" if part else super().fraction(n, d)

    def mixed(self, whole: int, n: int, d: int) -> str:
        if (whole, n, d) == (1, 1, 4):
            return "सव्वा"
        return self._quarters(whole, n * 4 // d) if d in (2, 4) and 0 < n < d else super().mixed(whole, n, d)

    def _quarters(self, whole: int, quarters: int) -> str:
        """One, two or three quarters past `whole`: सव्वा, साडे (दीड, अडीच), पावणे."""
        if quarters == 2:
            return {1: "दीड", 2: "अडीच"}.get(whole) or f"साडे{self.cardinal(whole)}"
        return f"सव्वा{self.cardinal(whole)}" if quarters == 1 else f"पावणे{self.cardinal(whole + 1)}"

    def percentage(self, a: Amount) -> str:
        return f"{self.amount(a)} {'टक्का' if a.integer == 1 else self.percent}"

    def time(self, hour: int, minute: int | None, second: int | None, suffix: str) -> str:
        """Quarters and halves of the twelve hours by name, the rest as minutes past the hour; a.m. and p.m. after bare numbers."""
        suffix = "वाजता" if suffix == "वा" else suffix
        if suffix in self.meridiems:
            return super().time(hour, minute, second, suffix)
        if minute and minute % 15 == 0 and not second and 1 <= hour <= 12:
            return f"{self._quarters(0 if (hour, minute) == (12, 45) else hour, minute // 15)} {suffix}"
        if not minute and not second:
            return f"{self.cardinal(hour)} {suffix or 'वाजता'}"
        words = f"{self.cardinal(hour)} वाजून {self.cardinal(minute or 0)} {'मिनिट' if minute == 1 else 'मिनिटे'}"
        words += f" {self.cardinal(second)} सेकंद" if second else ""
        if suffix == "वाजता":
            return f"{words[:-1]}ांनी" if words.endswith("मिनिटे") else f"{words}ांनी"
        return words if suffix in ("", "वाजून") else f"{words} {suffix}"

    def joined(self, text: str, start: int, end: int, name: str, spoken: str, *, ranged: bool = False) -> tuple[int, str]:
        """Endings of a case are joined to the words, and the noun before them is oblique (शंभर रुपयांची)."""
        if name in ("number", "andahalf") and spoken.endswith("अर्धा") and (m := _HALF.match(text, end)):
            return end, f"{spoken[:-1]}{'ी' if m['f'] else '्या'}"
        if name in ("number", "andahalf") and spoken.endswith("चतुर्थांश") and _MEASURES.match(text, end):
            return end, {"एक चतुर्थांश": "पाव", "तीन चतुर्थांश": "पाऊण"}.get(spoken, spoken)
        if name == "ordinal" and (m := _AFTER_ORDINAL.match(text, end)):
            return m.end(), spoken + m.group()
        if name not in ("number", "money", "price", "percent", "measure", "moneyrange", "time", "daymonth", "monthyear", "date"):
            return end, spoken
        m = _ENDING.match(text, end)
        if m is None:
            return end, spoken
        head, _, noun = spoken.rpartition(" ")
        if noun in _OBLIQUE:
            oblique, ending = _OBLIQUE[noun], m["case"] or m["after"]
            if oblique.endswith("ां"):
                ending = _PLURAL.get(ending, ending)
            return m.end(), f"{head} {oblique}{ending}"
        if m["gap"] and m["after"]:
            return end, spoken
        return m.end(), spoken.strip() + (m["case"] or m["after"])
