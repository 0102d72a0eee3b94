"""Telugu. Words of 0 to 99 by indic-num2words; thousands and more with their joining forms (వెయ్యి, వేలు, లక్షల)."""

from __future__ import annotations

from typing import ClassVar

from understudy.text.locales import numbers
from understudy.text.locales.base import Locale, Money

__all__ = ["Telugu"]

_SMALL = tuple(
    w.replace("ఒక్కటి", "ఒకటి").replace("ఎనిమ్మిది", "ఎనిమిది").replace("అయిదు", "ఐదు").replace("ఎనభై", "ఎనబై")
    for w in numbers.below_hundred("te")
)
# Unit: (one and nothing after, one and more after, many and nothing after, many and more after).
_UNITS = {
    10_000_000: ("ఒక కోటి", "ఒక కోటి", "కోట్లు", "కోట్ల"), 100_000: ("ఒక లక్ష", "ఒక లక్ష", "లక్షలు", "లక్షల"),
    1000: ("వెయ్యి", "వెయ్యి", "వేలు", "వేల"), 100: ("వంద", "నూట", "వందలు", "వందల"),
}  # fmt: skip


class Telugu(Locale):
    lang = "te"
    decimal = "."
    groups = ","
    indian_groups = True
    largest = 10**13
    point = "పాయింట్"
    minus = "మైనస్"
    percent = "శాతం"
    to = "నుండి"
    per = "ప్రతి"
    over = "బై"
    mixed_link = "మరియు"
    symbols: ClassVar = {
        "&": "మరియు", "+": "ప్లస్", "=": "సమానం", "@": "ఎట్", "%": "శాతం", "°": "డిగ్రీలు", "×": "గుణించు", "÷": "భాగించు", "₹": "రూపాయలు",
        "$": "డాలర్", "€": "యూరో", "£": "పౌండ్",
    }  # fmt: skip
    address: ClassVar = {"@": "ఎట్", ".": "డాట్", "/": "స్లాష్", "-": "హైఫన్", ":": "కోలన్", "_": "అండర్‌స్కోర్", "com": "కామ్", "gmail": "జీమెయిల్"}
    abbreviations: ClassVar = {"డా.": "డాక్టర్", "శ్రీ.": "శ్రీ", "రూ.": "రూపాయలు", "ప్రొ.": "ప్రొఫెసర్"}
    scales: ClassVar = {w: w for w in ("వేలు", "వేల", "లక్ష", "లక్షలు", "లక్షల", "కోటి", "కోట్లు", "కోట్ల", "మిలియన్", "బిలియన్")}
    money_names: ClassVar = {
        "inr": Money("రూపాయి", "రూపాయలు", "పైసా", "పైసలు"), "usd": Money("డాలర్", "డాలర్లు", "సెంట్", "సెంట్లు"),
        "eur": Money("యూరో", "యూరోలు", "సెంట్", "సెంట్లు"), "gbp": Money("పౌండ్", "పౌండ్లు", "పెన్నీ", "పెన్స్"), "jpy": Money("యెన్", "యెన్"),
    }  # fmt: skip
    money_symbols: ClassVar = {"rs.": "inr", "rs": "inr", "రూ.": "inr", "రూ": "inr"}
    local_units: ClassVar = {
        "కి.మీ": "length-kilometer",
        "కిమీ": "length-kilometer",
        "సెం.మీ": "length-centimeter",
        "కిలో": "mass-kilogram",
    }
    no_units = frozenset({"in", "d", "st"})
    time_suffixes = r"a\. ?m\.?|p\. ?m\.?|am|pm|గంటలకు|గంటల|గంటలు|గం\."
    ordinal_pattern = r"(?<![\w.,])(?P<n>\d+)-?(?P<mark>వ)(?![\w\u0c00-\u0c7f])"

    def cardinal(self, n: int) -> str:
        return self.digits(str(n)) if n >= self.largest else _spelled(n)

    def counted(self, n: int, gender: str = "m") -> str:
        return "ఒక" if n == 1 else self.cardinal(n)

    def ordinal(self, n: int, mark: str = "", *, before: str = "") -> str | None:
        return "మొదటి" if n == 1 else f"{self.cardinal(n)}వ"

    def time(self, hour: int, minute: int | None, second: int | None, suffix: str) -> str:
        """Hours, minutes and seconds by name; the written word for the hour is kept where there is one and no minutes."""
        word = suffix if suffix.startswith("గంట") and not minute else "గంట" if hour == 1 else "గంటలు" if not minute else "గంటల"
        words = f"{'ఒంటి' if hour == 1 else self.cardinal(hour)} {word}"
        words += f" {self.cardinal(minute)} నిమిషాలు" if minute else ""
        words += f" {self.cardinal(second)} సెకన్లు" if second else ""
        if minute and suffix == "గంటలకు":
            words = words.removesuffix("లు") + "లకు"
        return words + self.meridiem(suffix)


def _spelled(n: int) -> str:
    if n < 100:
        return _SMALL[n]
    parts = numbers.indian(n)
    words = []
    for i, (count, unit) in enumerate(parts):
        more = i + 1 < len(parts)
        if unit == 1:
            words.append(_SMALL[count])
        elif count == 1:
            words.append(_UNITS[unit][more])
        else:
            words.append(f"{_spelled(count)} {_UNITS[unit][2 + more]}")
    return " ".join(words)
