"""Tamil. Number words are joined as they are written: இருபத்தைந்து, இரண்டாயிரத்து, நூற்று ஐந்து."""

from __future__ import annotations

import re
from re import Match
from typing import ClassVar

from understudy.text.locales import cldr, halves, numbers
from understudy.text.locales.base import Amount, Locale, Money, Rule
from understudy.text.locales.indic import Indic, is_year

__all__ = ["Tamil"]

_ONES = ("பூஜ்ஜியம்", "ஒன்று", "இரண்டு", "மூன்று", "நான்கு", "ஐந்து", "ஆறு", "ஏழு", "எட்டு", "ஒன்பது", "பத்து", "பதினொன்று", "பன்னிரண்டு",
         "பதின்மூன்று", "பதினான்கு", "பதினைந்து", "பதினாறு", "பதினேழு", "பதினெட்டு", "பத்தொன்பது")  # fmt: skip
_TENS = ("", "பத்து", "இருபது", "முப்பது", "நாற்பது", "ஐம்பது", "அறுபது", "எழுபது", "எண்பது", "தொண்ணூறு")
_TENS_JOINED = ("", "", "இருபத்து", "முப்பத்து", "நாற்பத்து", "ஐம்பத்து", "அறுபத்து", "எழுபத்து", "எண்பத்து", "தொண்ணூற்று")
# Ones that begin with a vowel melt into the tens before them, in place of the final u.
_ONES_JOINED = {1: "ொன்று", 2: "ிரண்டு", 5: "ைந்து", 6: "ாறு", 7: "ேழு", 8: "ெட்டு", 9: "ொன்பது"}
_HUNDREDS = ("", "நூறு", "இருநூறு", "முந்நூறு", "நானூறு", "ஐநூறு", "அறுநூறு", "எழுநூறு", "எண்ணூறு", "தொள்ளாயிரம்")
_UNITS = {10_000_000: ("கோடி", "கோடியே"), 100_000: ("லட்சம்", "லட்சத்து"), 1000: ("ஆயிரம்", "ஆயிரத்து")}
_LETTER = r"\u0b80-\u0be5"
_MARK = r"(?P<mark>-?(?:ஆவது|வது|ஆம்|ம்)| (?:ஆவது|வது|ஆம்|ம்))"
_ORDINAL = re.compile(rf"{_MARK}(?![\w{_LETTER}])")
# Written ending -> the ending as it is joined: locative, dative, accusative, instrumental, genitive, plural.
_ENDINGS = {
    "இல்": "ல்", "ல்": "ல்", "இலிருந்து": "லிருந்து", "லிருந்து": "லிருந்து", "இற்கு": "கு", "ற்கு": "கு", "க்கு": "கு", "க்குள்": "குள்", "க்கும்": "கும்",
    "ஐ": "ை", "ஆல்": "ால்", "உடன்": "ுடன்", "இன்": "ன்", "ன்": "ன்", "கள்": "கள்", "களில்": "களில்", "களின்": "களின்", "களுக்கு": "களுக்கு",
}  # fmt: skip
_SPACED = "க்கும்|க்கு|இலிருந்து|இல்|இற்கு|இன்|ஆல்|உடன்"
_ENDING = re.compile(
    rf"(?:[.]?-?(?P<ending>{'|'.join(sorted(_ENDINGS, key=len, reverse=True))})| (?P<spaced>{_SPACED}))(?![\w{_LETTER}])"
)
_NEXT = re.compile(rf" (?P<word>[{_LETTER}]+)")
# Behind these a number stands for itself; any other word is what is counted.
_NO_NOUN = re.compile(r"(?:முதல்|வரை|அன்று|மற்றும்|அல்லது|என்|ஆக|ஆன|இருந்து|இல்|உள்ள|கூட்டல்|கழித்தல்|பெருக்கல்|வகுத்தல்|சமம்|புள்ளி|படி)")
# Beginnings of what is counted in halves and quarters also where they are written as decimals.
_HALVED = (
    "மணி ?நேர|நாள்|நாட்கள்|நாளில்|வார|மாத|ஆண்டு|வருட|வயது|நிமிட|கிலோ(?!மீ)|லிட்டர்|லிட்டரு|கப்|ஏக்கர்|அடி|மடங்கு|டன்|பவுன்|சவரன்|லட்ச|இலட்ச|கோடி|ஆயிர"
)
_PATTERNS = {
    "speed-kilometer-per-hour": "மணிக்கு {0} கிலோமீட்டர்", "speed-meter-per-second": "வினாடிக்கு {0} மீட்டர்", "speed-mile-per-hour": "மணிக்கு {0} மைல்",
    "digital-megabit-per-second": "வினாடிக்கு {0} மெகாபிட்", "mass-quintal": "{0} குவிண்டால்", "mass-tonne": "{0} டன்",
    "duration-hour": "{0} மணி நேரம்", "concentr-permillion": "மில்லியனில் {0} பகுதி", "pressure-pound-force-per-square-inch": "சதுர அங்குலத்திற்கு {0} பவுண்டு",
}  # fmt: skip


class Tamil(Indic):
    lang = "ta"
    point = "புள்ளி"
    minus = "மைனஸ்"
    less = "கழித்தல்"
    plus = "பிளஸ்"
    stop = "புள்ளி"
    number_sign = "எண்"
    percent = "சதவீதம்"
    to = "முதல்"
    until = "வரை"
    per = "ஒரு"
    mixed_link = "மற்றும்"
    halved_scales = frozenset({"ஆயிரம்", "லட்சம்", "இலட்சம்", "கோடி"})
    meridiems: ClassVar = {"am": "ஏ எம்", "pm": "பி எம்"}
    code_words = (
        "பின்கோடு",
        "பின் கோடு",
        "பின்",
        "ஓடிபி",
        "ஓ.டி.பி",
        "குறியீடு",
        "அஞ்சல் குறியீடு",
        "கணக்கு எண்",
        "ஆதார் எண்",
        "pin",
        "pin code",
        "otp",
    )
    score_words = "என்ற|கோல்|செட்|கணக்கில்|எனும்"
    symbols: ClassVar = {
        "&": "மற்றும்", "+": "கூட்டல்", "=": "சமம்", "@": "அட்", "%": "சதவீதம்", "°": "டிகிரி", "×": "பெருக்கல்", "÷": "வகுத்தல்", "₹": "ரூபாய்",
        "$": "டாலர்", "€": "யூரோ", "£": "பவுண்டு", "#": "ஹேஷ்டேக்",
    }  # fmt: skip
    address: ClassVar = {
        "@": "அட்", ".": "டாட்", "/": "ஸ்லாஷ்", "-": "ஹைபன்", ":": "கோலன்", "_": "அண்டர்ஸ்கோர்", "www": "w w w", "com": "காம்", "org": "ஆர்க்",
        "net": "நெட்", "in": "இன்", "co": "கோ", "gmail": "ஜிமெயில்", "yahoo": "யாஹூ", "hotmail": "ஹாட்மெயில்",
    }  # fmt: skip
    abbreviations: ClassVar = {
        "டாக்டர்.": "டாக்டர்", "திரு.": "திரு", "திருமதி.": "திருமதி", "பேரா.": "பேராசிரியர்", "முனை.": "முனைவர்", "ரூ.": "ரூபாய்", "கி.மு.": "கிமு",
        "கி.பி.": "கிபி", "எ.கா.": "எடுத்துக்காட்டாக", "மு.ப.": "முற்பகல்", "பி.ப.": "பிற்பகல்", "dr.": "டாக்டர்", "mr.": "மிஸ்டர்", "mrs.": "மிஸஸ்",
        "ms.": "மிஸ்", "prof.": "புரொபசர்",
    }  # fmt: skip
    scales: ClassVar = {w: w for w in ("ஆயிரம்", "லட்சம்", "இலட்சம்", "கோடி", "மில்லியன்", "பில்லியன்", "ஆயிரம் கோடி", "லட்சம் கோடி")} | {
        "million": "மில்லியன்", "billion": "பில்லியன்",
    }  # fmt: skip
    money_names: ClassVar = {
        "inr": Money("ரூபாய்", "ரூபாய்", "பைசா", "பைசா"), "usd": Money("டாலர்", "டாலர்", "சென்ட்", "சென்ட்"),
        "eur": Money("யூரோ", "யூரோ", "சென்ட்", "சென்ட்"), "gbp": Money("பவுண்டு", "பவுண்டு", "பென்னி", "பென்ஸ்"), "jpy": Money("யென்", "யென்"),
    }  # fmt: skip
    money_symbols: ClassVar = {"rs.": "inr", "rs": "inr", "ரூ.": "inr", "ரூ": "inr"}
    unit_names: ClassVar = {"duration-second": ("வினாடி", "வினாடிகள்"), "duration-millisecond": ("மில்லி வினாடி", "மில்லி வினாடிகள்")}
    local_units: ClassVar = {
        "கி.மீ": "length-kilometer", "கிமீ": "length-kilometer", "செ.மீ": "length-centimeter", "செமீ": "length-centimeter",
        "மி.மீ": "length-millimeter", "மீ": "length-meter", "கி.கி": "mass-kilogram", "கிகி": "mass-kilogram", "கி": "mass-gram",
        "மி.லி": "volume-milliliter", "லி": "volume-liter", "ச.அடி": "area-square-foot", "ச.மீ": "area-square-meter",
        "நிமி": "duration-minute", "mins": "duration-minute", "secs": "duration-second",
    }  # fmt: skip
    time_suffixes = r"a\. ?m\.?|p\. ?m\.?|am|pm|மணிக்கு|மணிக்குள்|மணி(?! ?நேர)"
    ordinal_pattern = rf"(?<!\w)(?<!\d[.,])(?P<n>\d+(?:,\d+)*){_MARK}(?![\w{_LETTER}])"
    roman_after = "பகுதி|அத்தியாயம்|பாகம்|லூயி|ஜார்ஜ்|ஹென்றி|எட்வர்ட்|போப்"

    def extra_rules(self) -> list[Rule]:
        months = "|".join(sorted(self.months[0], key=lambda s: (-len(s), s)))
        day = rf"(?<![{_LETTER}])(?P<month>{months})\.? (?P<n>[0-3]?\d){_MARK}(?![\w{_LETTER}])"
        return [*super().extra_rules(), halves.rule(_HALVED), Rule("ordinalday", day, _read_ordinal_day, "letter")]

    def cardinal(self, n: int) -> str:
        return self.digits(str(n)) if n >= self.largest else _spelled(n)

    def counted(self, n: int, gender: str = "m") -> str:
        return _before_noun(self.cardinal(n))

    def amount(self, a: Amount, gender: str | None = None) -> str:
        """A scale is counted too."""
        return super().amount(a, "m" if a.scale and a.decimals is None else gender)

    def money(self, a: Amount, code: str) -> str | None:
        """Currencies stay singular."""
        words = super().money(a, code)
        one, many = (cldr.currency_name(self.lang, code, count) for count in ("one", "other"))
        return words if words is None or one is None or many is None else words.replace(many, one)

    def ordinal(self, n: int, mark: str = "", *, before: str = "") -> str | None:
        return "முதலாவது" if n == 1 and mark.endswith("வது") else _order(self.cardinal(n), mark)

    def fraction(self, n: int, d: int) -> str:
        """Halves and quarters by name, others as "of three, two"."""
        named = {(1, 2): "அரை", (1, 4): "கால்", (3, 4): "முக்கால்"}.get((n, d))
        return named or f"{_case(self.cardinal(d), 'ல்')} {self.cardinal(n)}"

    def mixed(self, whole: int, n: int, d: int) -> str:
        part = {(1, 2): "ரை", (1, 4): "ேகால்", (3, 4): "ேமுக்கால்"}.get((n, d))
        words = self.cardinal(whole)
        return f"{words[:-1]}{part}" if part and words.endswith("ு") else super().mixed(whole, n, d)

    def measure(self, a: Amount, unit: str) -> str | None:
        """What is measured stays singular behind a number; parts of an hour and days do not."""
        pattern = _PATTERNS.get(unit)
        if pattern is None and unit not in self.unit_names and not unit.startswith("duration"):
            pattern = cldr.unit_pattern(self.lang, unit, "one")
        return super().measure(a, unit) if pattern is None else pattern.replace("{0}", self.amount(a, "m"))

    def percentage(self, a: Amount) -> str:
        return f"{self.amount(a, 'm')} {self.percent}"

    def score(self, a: int, b: int) -> str:
        return f"{_case(self.cardinal(a), 'கு')} {self.cardinal(b)}"

    def time(self, hour: int, minute: int | None, second: int | None, suffix: str) -> str:
        """Hour and minute are two bare numbers; full hours and seconds have names."""
        if suffix in self.meridiems:
            return super().time(hour, minute, second, suffix)
        if second:
            return f"{self.counted(hour)} மணி {self.cardinal(minute or 0)} நிமிடம் {self.cardinal(second)} வினாடி"
        if minute:
            return f"{self.cardinal(hour)} {self.cardinal(minute)} {suffix}"
        return f"{self.counted(hour)} {suffix or 'மணி'}"

    def joined(self, text: str, start: int, end: int, name: str, spoken: str, *, ranged: bool = False) -> tuple[int, str]:
        """Endings of a case melt into the words (ஐந்தில்); one thing is ஒரு; a range ends with "until"."""
        if name not in (
            "number",
            "money",
            "price",
            "percent",
            "measure",
            "time",
            "hours",
            "monthday",
            "monthyear",
            "daymonth",
            "date",
        ):
            return end, spoken
        if m := _ENDING.match(text, end):
            return m.end(), _case(spoken.strip(), _ENDINGS[m["ending"] or m["spaced"]])
        if name.startswith(("month", "day", "date")) and (m := _ORDINAL.match(text, end)):
            return m.end(), _order(spoken, m["mark"])
        word = _NEXT.match(text, end)
        if ranged and word is None and not spoken.endswith("க்கு"):
            return end, f"{spoken} {self.until}"
        if name == "number" and word is not None and not (_NO_NOUN.match(word["word"]) or is_year(text, end)):
            return end, _before_noun(spoken)
        return end, spoken


def _read_ordinal_day(m: Match[str], text: str, locale: Locale) -> str | None:
    return f"{locale.month(locale.months[0][m['month']])} {locale.ordinal(int(m['n']), m['mark'])}"


def _before_noun(words: str) -> str:
    """A number before what it counts: ஒன்று -> ஒரு, பதினொன்று -> பதினொரு."""
    return f"{words.removesuffix('ன்று')}ரு" if words.endswith(("ஒன்று", "ொன்று")) else words


def _melt(word: str, ending: str) -> str:
    """`ending` begins with a vowel sign: a final u gives way to it, m and other bare consonants take it, vowels put y between."""
    if word.endswith("ு"):
        return word[:-1] + ending
    return word[:-1] + ending if word.endswith("்") else f"{word}ய{ending}"


def _order(words: str, mark: str) -> str:
    """The ordinal, with one of its two endings."""
    return _melt(words, "ாவது" if mark.endswith("வது") else "ாம்")


def _case(word: str, ending: str) -> str:
    """`word` with the ending of a case; words in -am have a stem of their own (ஆயிரம், ஆயிரத்தில்)."""
    if ending.startswith(("கள்", "களி", "களு")):
        return f"{word[:-2]}ங்{ending}" if word.endswith("ம்") else word + ending
    stem = f"{word[:-2]}த்து" if word.endswith("ம்") else f"{word[:-2]}ற்று" if word.endswith("நூறு") else word
    if ending in ("கு", "குள்", "கும்"):
        link = "" if stem.endswith(("ு", "ி", "ை", "ய்")) else "ு"
        return f"{stem[:-1] if link and stem.endswith('்') else stem}{link}க்{ending}"
    return _melt(stem, ending if ending[0] in "ைாு" else f"ி{ending}")


def _spelled(n: int) -> str:
    if n < 20:
        return _ONES[n]
    if n < 100:
        tens, ones = divmod(n, 10)
        if ones in _ONES_JOINED:
            return _TENS_JOINED[tens][:-1] + _ONES_JOINED[ones]
        return f"{_TENS_JOINED[tens]} {_ONES[ones]}" if ones else _TENS[tens]
    parts = numbers.indian(n)
    words = []
    for i, (count, unit) in enumerate(parts):
        more = i + 1 < len(parts)
        if unit == 1:
            words.append(_spelled(count))
        elif unit == 100:
            name = _HUNDREDS[count]
            words.append(name if not more else "தொள்ளாயிரத்து" if count == 9 else f"{name[:-2]}ற்று")
        elif unit == 1000:
            name = _UNITS[unit][more]
            words.append(name if count == 1 else f"{_spelled(count)[:-1]}ா{name[1:]}")
        else:
            words.append(f"{_before_noun(_spelled(count))} {_UNITS[unit][more]}")
    return " ".join(words)
