"""Tamil. Number words with the joining forms of tens, hundreds and thousands (இருபத்து ஒன்று, நூற்று ஐந்து, ஆயிரத்து)."""

from __future__ import annotations

from typing import ClassVar

from understudy.text.locales import numbers
from understudy.text.locales.base import Locale, Money

__all__ = ["Tamil"]

_ONES = ("பூஜ்ஜியம்", "ஒன்று", "இரண்டு", "மூன்று", "நான்கு", "ஐந்து", "ஆறு", "ஏழு", "எட்டு", "ஒன்பது", "பத்து", "பதினொன்று", "பன்னிரண்டு",
         "பதிமூன்று", "பதினான்கு", "பதினைந்து", "பதினாறு", "பதினேழு", "பதினெட்டு", "பத்தொன்பது")  # fmt: skip
_TENS = ("", "பத்து", "இருபது", "முப்பது", "நாற்பது", "ஐம்பது", "அறுபது", "எழுபது", "எண்பது", "தொண்ணூறு")
_TENS_JOINED = ("", "", "இருபத்து", "முப்பத்து", "நாற்பத்து", "ஐம்பத்து", "அறுபத்து", "எழுபத்து", "எண்பத்து", "தொண்ணூற்று")
_HUNDREDS = ("", "நூறு", "இருநூறு", "முந்நூறு", "நானூறு", "ஐநூறு", "அறுநூறு", "எழுநூறு", "எண்ணூறு", "தொள்ளாயிரம்")
_UNITS = {10_000_000: ("கோடி", "கோடியே"), 100_000: ("லட்சம்", "லட்சத்து"), 1000: ("ஆயிரம்", "ஆயிரத்து")}


class Tamil(Locale):
    lang = "ta"
    decimal = "."
    groups = ","
    indian_groups = True
    largest = 10**13
    point = "புள்ளி"
    minus = "மைனஸ்"
    percent = "சதவீதம்"
    to = "முதல்"
    per = "ஒரு"
    over = "கீழ்"
    mixed_link = "மற்றும்"
    symbols: ClassVar = {
        "&": "மற்றும்", "+": "கூட்டல்", "=": "சமம்", "@": "அட்", "%": "சதவீதம்", "°": "டிகிரி", "×": "பெருக்கல்", "÷": "வகுத்தல்", "₹": "ரூபாய்",
        "$": "டாலர்", "€": "யூரோ", "£": "பவுண்டு",
    }  # fmt: skip
    address: ClassVar = {
        "@": "அட்",
        ".": "டாட்",
        "/": "ஸ்லாஷ்",
        "-": "ஹைபன்",
        ":": "கோலன்",
        "_": "அண்டர்ஸ்கோர்",
        "com": "காம்",
        "gmail": "ஜிமெயில்",
    }
    abbreviations: ClassVar = {
        "டாக்டர்.": "டாக்டர்",
        "திரு.": "திரு",
        "ரூ.": "ரூபாய்",
        "கி.மு.": "கிமு",
        "கி.பி.": "கிபி",
        "எ.கா.": "எடுத்துக்காட்டாக",
    }
    scales: ClassVar = {w: w for w in ("ஆயிரம்", "லட்சம்", "கோடி", "மில்லியன்", "பில்லியன்")}
    money_names: ClassVar = {
        "inr": Money("ரூபாய்", "ரூபாய்", "பைசா", "பைசா"), "usd": Money("டாலர்", "டாலர்கள்", "சென்ட்", "சென்ட்கள்"),
        "eur": Money("யூரோ", "யூரோக்கள்", "சென்ட்", "சென்ட்கள்"), "gbp": Money("பவுண்டு", "பவுண்டுகள்", "பென்னி", "பென்ஸ்"),
        "jpy": Money("யென்", "யென்"),
    }  # fmt: skip
    money_symbols: ClassVar = {"rs.": "inr", "rs": "inr", "ரூ.": "inr", "ரூ": "inr"}
    local_units: ClassVar = {
        "கி.மீ": "length-kilometer",
        "கிமீ": "length-kilometer",
        "செ.மீ": "length-centimeter",
        "கி.கி": "mass-kilogram",
    }
    no_units = frozenset({"in", "d", "st"})
    time_suffixes = r"a\. ?m\.?|p\. ?m\.?|am|pm|மணிக்கு|மணி"
    ordinal_pattern = r"(?<![\w.,])(?P<n>\d+)(?P<mark>[-]?(?:ஆவது|வது|ஆம்|ம்))(?![\w\u0b80-\u0bff])"

    def cardinal(self, n: int) -> str:
        return self.digits(str(n)) if n >= self.largest else _spelled(n)

    def counted(self, n: int, gender: str = "m") -> str:
        return "ஒரு" if n == 1 else self.cardinal(n)

    def ordinal(self, n: int, mark: str = "", *, before: str = "") -> str | None:
        first = mark.strip("-") in ("வது", "ஆவது")
        if n == 1 and first:
            return "முதலாவது"
        words = self.cardinal(n)
        ending = "ாவது" if first else "ாம்"
        if words.endswith("ம்"):
            return f"{words[:-2]}ம{ending}"
        return f"{words[:-1]}{ending}" if words.endswith("ு") else f"{words}ய{ending}"

    def time(self, hour: int, minute: int | None, second: int | None, suffix: str) -> str:
        if suffix == "மணிக்கு":
            return f"{self.cardinal(hour)} {self.cardinal(minute) if minute else ''} மணிக்கு"
        words = f"{self.cardinal(hour)} மணி"
        words += f" {self.cardinal(minute)} நிமிடம்" if minute else ""
        words += f" {self.cardinal(second)} வினாடி" if second else ""
        return words + self.meridiem(suffix)


def _spelled(n: int, joined: bool = False) -> str:
    """`n` in words; `joined` gives the form before a further number."""
    if n < 20:
        return _ONES[n]
    if n < 100:
        return f"{_TENS_JOINED[n // 10]} {_ONES[n % 10]}" if n % 10 else _TENS[n // 10]
    parts = numbers.indian(n)
    words = []
    for i, (count, unit) in enumerate(parts):
        more = i + 1 < len(parts)
        if unit == 1:
            words.append(_spelled(count))
        elif unit == 100:
            name = _HUNDREDS[count]
            words.append(name if not more else "தொள்ளாயிரத்து" if count == 9 else f"{name[:-2]}ற்று")
        else:
            head = "" if (count, unit) == (1, 1000) else "ஒரு " if count == 1 else f"{_spelled(count)} "
            words.append(head + _UNITS[unit][more])
    return " ".join(words)
