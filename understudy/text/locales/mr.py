"""Marathi. Words of 0 to 99 by indic-num2words; hundreds are written together (सातशे)."""

from __future__ import annotations

from typing import ClassVar

from understudy.text.locales import numbers
from understudy.text.locales.base import Locale, Money

__all__ = ["Marathi"]

_SMALL = numbers.below_hundred("mr")
_UNITS = {10_000_000: "कोटी", 100_000: "लाख", 1000: "हजार"}


class Marathi(Locale):
    lang = "mr"
    decimal = "."
    groups = ","
    indian_groups = True
    largest = 10**13
    point = "पूर्णांक"
    minus = "उणे"
    percent = "टक्के"
    to = "ते"
    per = "प्रति"
    over = "छेद"
    mixed_link = "पूर्णांक"
    symbols: ClassVar = {
        "&": "आणि", "+": "अधिक", "=": "बरोबर", "@": "ॲट", "%": "टक्के", "°": "अंश", "×": "गुणिले", "÷": "भागिले", "₹": "रुपये",
        "$": "डॉलर", "€": "युरो", "£": "पाउंड",
    }  # fmt: skip
    address: ClassVar = {
        "@": "ॲट",
        ".": "डॉट",
        "/": "स्लॅश",
        "-": "हायफन",
        ":": "कोलन",
        "_": "अंडरस्कोर",
        "com": "कॉम",
        "gmail": "जीमेल",
    }
    abbreviations: ClassVar = {
        "डॉ.": "डॉक्टर",
        "प्रा.": "प्राध्यापक",
        "श्री.": "श्री",
        "सौ.": "सौभाग्यवती",
        "इ.स.": "इसवी सन",
        "इ. स.": "इसवी सन",
        "रु.": "रुपये",
    }
    scales: ClassVar = {w: w for w in ("शे", "हजार", "लाख", "कोटी", "अब्ज")}
    money_names: ClassVar = {
        "inr": Money("रुपया", "रुपये", "पैसा", "पैसे"), "usd": Money("डॉलर", "डॉलर", "सेंट", "सेंट"), "eur": Money("युरो", "युरो", "सेंट", "सेंट"),
        "gbp": Money("पाउंड", "पाउंड", "पेनी", "पेन्स"), "jpy": Money("येन", "येन"),
    }  # fmt: skip
    money_symbols: ClassVar = {"rs.": "inr", "rs": "inr", "रु": "inr"}
    local_units: ClassVar = {"किमी": "length-kilometer", "सेमी": "length-centimeter", "किग्रॅ": "mass-kilogram"}
    no_units = frozenset({"in", "d", "st"})
    time_suffixes = r"a\. ?m\.?|p\. ?m\.?|am|pm|वाजता|वाजले"
    ordinal_pattern = r"(?<![\w.,])(?P<n>\d+)(?P<mark>वा|वी|वे|व्या|ला|ली|ले|रा|री|रे|था|थी|थे)(?![\w\u0900-\u0963])"

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
        irregular = {
            1: ("पहिला", "पहिली", "पहिले"),
            2: ("दुसरा", "दुसरी", "दुसरे"),
            3: ("तिसरा", "तिसरी", "तिसरे"),
            4: ("चौथा", "चौथी", "चौथे"),
        }
        form = 1 if mark.endswith("ी") else 2 if mark.endswith("े") else 0
        return irregular[n][form] if n in irregular else self.cardinal(n) + mark

    def time(self, hour: int, minute: int | None, second: int | None, suffix: str) -> str:
        """Hours, quarters and halves by name, the rest as minutes past the hour."""
        words = self.cardinal(hour)
        if minute or second:
            words += f" वाजून {self.cardinal(minute or 0)} मिनिटे"
            words += f" {self.cardinal(second)} सेकंद" if second else ""
        elif suffix not in ("वाजले",):
            words += " वाजता"
        return words + {"am": " ए एम", "pm": " पी एम"}.get(suffix, "")
