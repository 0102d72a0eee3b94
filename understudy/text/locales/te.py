"""Telugu. Tens and ones are words of their own; hundreds and more join what follows them with ల (రెండు వేల ఐదు వందలు)."""

from __future__ import annotations

import re
from typing import ClassVar

from understudy.text.locales import halves, numbers
from understudy.text.locales.base import Amount, Money, Rule
from understudy.text.locales.indic import Indic, is_year

__all__ = ["Telugu"]

_ONES = (
    "సున్నా", "ఒకటి", "రెండు", "మూడు", "నాలుగు", "ఐదు", "ఆరు", "ఏడు", "ఎనిమిది", "తొమ్మిది", "పది", "పదకొండు", "పన్నెండు", "పదమూడు",
    "పద్నాలుగు", "పదిహేను", "పదహారు", "పదిహేడు", "పద్దెనిమిది", "పంతొమ్మిది",
)  # fmt: skip
_TENS = ("", "", "ఇరవై", "ముప్పై", "నలభై", "యాభై", "అరవై", "డెబ్బై", "ఎనభై", "తొంభై")
# Unit: (one and nothing after, one and more after, many and nothing after, many and more after).
_UNITS = {
    10_000_000: ("ఒక కోటి", "ఒక కోటి", "కోట్లు", "కోట్ల"), 100_000: ("ఒక లక్ష", "ఒక లక్ష", "లక్షలు", "లక్షల"),
    1000: ("వెయ్యి", "వెయ్యి", "వేలు", "వేల"), 100: ("వంద", "నూట", "వందలు", "వందల"),
}  # fmt: skip
_MANY = ("లు", "ల", "లలో", "లలోని", "లకు", "లకి", "లతో", "లను", "లుగా")
_ENDINGS = re.compile(
    rf"[.]?(?P<ending>{'|'.join(sorted(_MANY, key=len, reverse=True))}|లోపల|లోపు|లోగా|లోని|లోనే|లో|కల్లా|కే|కి|కు|న|ని|ను|తో|గా|నే|నుండి|నుంచి|వరకు)(?![\w\u0c00-\u0c63])"
)
_NEXT = re.compile(r"[. ]{0,2} (?P<word>[\u0c00-\u0c63]+)")
# Behind these a number stands for itself; any other word is what is counted.
_NO_NOUN = re.compile(
    r"(?:ఉంద|ఉన్నా|ఉంట|ఉండ|ఉన్న|అయి|అయ్య|అవు|కావ|కాద|అని|అన|మరియు|లేదా|మాత్రమే|కూడా|వచ్చ|ఇచ్చ|ఇవ్వ|చెల్లి|కట్ట|తీసుక|ప్లస్|మైనస్|ఇంటూ|సమానం|తేదీ|తారీ|కాగా|చెప్ప|పెట్ట)"
)
# Beginnings of what is counted in halves also where they are written as decimals.
_HALVED = "గంట|రోజు|వార|నెల|సంవత్సర|ఏళ్ల|ఏళ్లు|ఏండ్ల|నిమిష|కిలో(?!మీ)|లీటర|కప్పు|ఎకర|అడుగు|టన్ను|రెట్లు|డజన్"
# Before these even money and measures are oblique.
_OBLIQUE_BEFORE = re.compile(
    r"(?:దూర|వర(?:కు|కూ)|నుండి|నుంచి|పై|కంటే|లోపు|లోపల|లో(?![\u0c00-\u0c63])|విలువ|ధర|నోటు|జీత|బిల్లు|వేగ|ఎత్తు|పొడవు|బరువు|లోతు|తర్వాత|తరువాత|ముందు|క్రిత|పాటు|మేర|చొప్పున|కోస|వద్ద|(?:కి|కు|కే|తో|ను)(?![\u0c00-\u0c63]))"
)


class Telugu(Indic):
    lang = "te"
    years_bare = range(1100, 2000)
    point = "పాయింట్"
    minus = "మైనస్"
    less = "మైనస్"
    plus = "ప్లస్"
    stop = "పాయింట్"
    number_sign = "నంబర్"
    percent = "శాతం"
    to = "నుండి"
    per = "ప్రతి"
    over = "బై"
    mixed_link = "మరియు"
    halved_scales = frozenset({"వేలు", "వేల", "లక్షలు", "లక్షల", "కోట్లు", "కోట్ల"})
    halved_from, halved_quarters = 2, frozenset({2})
    meridiems: ClassVar = {"am": "ఏ ఎం", "pm": "పి ఎం"}
    code_words = ("పిన్ కోడ్", "పిన్‌కోడ్", "పిన్", "ఓటీపీ", "ఓటిపి", "కోడ్", "ఖాతా నంబర్", "ఖాతా సంఖ్య", "ఆధార్ నంబర్", "pin", "pin code", "otp")
    score_words = "తేడాతో|గోల్స్|సెట్ల|స్కోరుతో|స్కోర్‌తో|ఆధిక్యం"
    symbols: ClassVar = {
        "&": "మరియు", "+": "ప్లస్", "=": "సమానం", "@": "ఎట్", "%": "శాతం", "°": "డిగ్రీలు", "×": "ఇంటూ", "÷": "బై", "₹": "రూపాయలు",
        "$": "డాలర్", "€": "యూరో", "£": "పౌండ్", "#": "హ్యాష్ ట్యాగ్",
    }  # fmt: skip
    address: ClassVar = {
        "@": "ఎట్", ".": "డాట్", "/": "స్లాష్", "-": "హైఫన్", ":": "కోలన్", "_": "అండర్‌స్కోర్", "www": "w w w", "com": "కాం", "org": "ఆర్గ్",
        "net": "నెట్", "in": "ఇన్", "co": "కో", "gmail": "జిమెయిల్", "yahoo": "యాహూ", "hotmail": "హాట్‌మెయిల్",
    }  # fmt: skip
    abbreviations: ClassVar = {
        "డా.": "డాక్టర్", "శ్రీ.": "శ్రీ", "రూ.": "రూపాయలు", "ప్రొ.": "ప్రొఫెసర్", "చి.": "చిరంజీవి", "కు.": "కుమారి", "ఉదా.": "ఉదాహరణకు",
        "మొ.": "మొదలైనవి", "క్రీ.శ.": "క్రీస్తు శకం", "క్రీ.పూ.": "క్రీస్తు పూర్వం", "నం.": "నంబర్", "జి.": "జిల్లా", "పే.": "పేజీ", "dr.": "డాక్టర్",
        "mr.": "మిస్టర్", "mrs.": "మిసెస్", "ms.": "మిస్", "prof.": "ప్రొఫెసర్",
    }  # fmt: skip
    scales: ClassVar = {w: w for w in ("వేలు", "వేల", "లక్ష", "లక్షలు", "లక్షల", "కోటి", "కోట్లు", "కోట్ల", "మిలియన్", "బిలియన్", "వేల కోట్లు", "లక్షల కోట్లు", "వేల కోట్ల", "లక్షల కోట్ల")} | {
        "million": "మిలియన్", "billion": "బిలియన్",
    }  # fmt: skip
    money_names: ClassVar = {
        "inr": Money("రూపాయి", "రూపాయలు", "పైసా", "పైసలు"), "usd": Money("డాలర్", "డాలర్లు", "సెంట్", "సెంట్లు"),
        "eur": Money("యూరో", "యూరోలు", "సెంట్", "సెంట్లు"), "gbp": Money("పౌండ్", "పౌండ్లు", "పెన్నీ", "పెన్స్"), "jpy": Money("యెన్", "యెన్‌లు"),
    }  # fmt: skip
    money_symbols: ClassVar = {"rs.": "inr", "rs": "inr", "రూ.": "inr", "రూ": "inr"}
    unit_names: ClassVar = {
        "digital-megabit-per-second": ("సెకనుకు మెగాబిట్", "మెగాబిట్స్ ప్రతి సెకనుకు"), "mass-quintal": ("క్వింటాల్", "క్వింటాళ్లు"),
        "mass-tonne": ("టన్ను", "టన్నులు"),
    }  # fmt: skip
    local_units: ClassVar = {
        "కి.మీ": "length-kilometer", "కిమీ": "length-kilometer",
        "కి.మి": "length-kilometer", "సెం.మీ": "length-centimeter", "సెంమీ": "length-centimeter",
        "మి.మీ": "length-millimeter", "మీ": "length-meter", "కి.గ్రా": "mass-kilogram", "కేజీ": "mass-kilogram", "గ్రా": "mass-gram",
        "మి.లీ": "volume-milliliter", "లీ": "volume-liter", "ని": "duration-minute", "నిమి": "duration-minute", "సె": "duration-second",
        "చ.మీ": "area-square-meter", "చ.అ": "area-square-foot", "mins": "duration-minute", "secs": "duration-second",
    }  # fmt: skip
    time_suffixes = r"a\. ?m\.?|p\. ?m\.?|am|pm|గంటలకు|గంటలకి|గంటకు|గంటకి|గంటల|గంటలు|గం\."
    ordinal_pattern = r"(?<!\w)(?<!\d[.,])(?P<n>\d+(?:,\d+)*)[ -]?(?P<mark>వది|వసారి|వ|ో)(?![\w\u0c00-\u0c7f])"

    roman_after = "భాగం|అధ్యాయం|లూయీ|లూయి|జార్జ్|హెన్రీ|ఎడ్వర్డ్|పోప్"

    def extra_rules(self) -> list[Rule]:
        return [*super().extra_rules(), halves.rule(_HALVED, decimals="5")]

    def cardinal(self, n: int) -> str:
        return self.digits(str(n)) if n >= self.largest else _spelled(n)

    def counted(self, n: int, gender: str = "m") -> str:
        return _before_noun(self.cardinal(n))

    def amount(self, a: Amount, gender: str | None = None) -> str:
        """What is counted stands behind the oblique form; a scale is counted too."""
        words = super().amount(a, "m" if a.scale and a.decimals is None else gender)
        return words if gender is None else _oblique(words)

    def percentage(self, a: Amount) -> str:
        return f"{self.amount(a, 'm')} {self.percent}"

    def year(self, n: int) -> str:
        if 1100 <= n <= 1999:
            high, low = divmod(n, 100)
            return f"{_spelled(high)} వందల {_spelled(low)}" if low else f"{_spelled(high)} వందలు"
        return self.cardinal(n)

    def ordinal(self, n: int, mark: str = "", *, before: str = "") -> str | None:
        """The ending వ takes the place of a final u or i (రెండవ, పదవ)."""
        words = _oblique(self.cardinal(n))
        return (words[:-1] if words.endswith(("ు", "ి")) else words) + mark

    def fraction(self, n: int, d: int) -> str:
        return {(1, 2): "అర", (1, 4): "పావు", (3, 4): "ముప్పావు"}.get((n, d)) or super().fraction(n, d)

    def mixed(self, whole: int, n: int, d: int) -> str:
        part = {(1, 2): "న్నర", (1, 4): "ంపావు", (3, 4): "ంముప్పావు"}.get((n, d))
        return f"{self.cardinal(whole)}{part}" if part else super().mixed(whole, n, d)

    def hours_minutes(self, hours: Amount, minutes: Amount) -> str:
        return f"{_oblique(self.measure(hours, 'duration-hour') or '')} {self.measure(minutes, 'duration-minute')}"

    def _major_minor(self, a: Amount, cents: int, names: Money) -> str:
        return super()._major_minor(a, cents, names).replace(f"{names.many} ", f"{_oblique(names.many)} ", 1)

    def time(self, hour: int, minute: int | None, second: int | None, suffix: str) -> str:
        """Half past one of the twelve hours is one word, the rest hours and minutes by name; a.m. and p.m. after bare numbers."""
        if suffix in self.meridiems:
            return super().time(hour, minute, second, suffix)
        if minute == 30 and not second and 1 <= hour <= 12:
            return f"{self.cardinal(hour)}న్నర {'గంటలు' if suffix == 'గం' else suffix}"
        if not minute and not second:
            return f"{'ఒంటి' if hour == 1 else self.cardinal(hour)} {suffix if suffix.startswith('గంట') else 'గంట' if hour == 1 else 'గంటలు'}"
        words = f"{'ఒంటి' if hour == 1 else self.cardinal(hour)} {'గంట' if hour == 1 else 'గంటల'}"
        words += f" {self.counted(minute)} {'నిమిషం' if minute == 1 else 'నిమిషాలు'}" if minute else ""
        words = _oblique(words) if second else words
        words += f" {self.counted(second)} {'సెకను' if second == 1 else 'సెకన్లు'}" if second else ""
        if suffix.endswith(("కు", "కి")):
            words = f"{words[:-2]}ల{suffix[-2:]}" if words.endswith("లు") else f"{words.removesuffix('ం')}ాని{suffix[-2:]}"
        return words

    def joined(self, text: str, start: int, end: int, name: str, spoken: str, *, ranged: bool = False) -> tuple[int, str]:
        """Endings are joined to the words (నలభై ఏడులో); numbers before what they count, and nouns before others, are oblique."""
        if name not in (
            "number",
            "money",
            "price",
            "percent",
            "measure",
            "moneyrange",
            "time",
            "hours",
            "monthday",
            "monthyear",
            "daymonth",
            "date",
        ):
            return end, spoken
        spoken = spoken.strip()
        if m := _ENDINGS.match(text, end):
            stem = spoken.removesuffix("లు") if m["ending"] in _MANY else _oblique(spoken)
            return m.end(), stem + m["ending"]
        if not spoken.endswith(("ఒకటి", "లు")):
            return end, spoken
        if (
            name == "number"
            and spoken.endswith("లు")
            and text[end : end + 1] in self.range_signs
            and text[end + 1 : end + 2].isdigit()
        ):
            return end, _oblique(spoken)
        m = _NEXT.match(text, end)
        if m is None or _NO_NOUN.match(m["word"]) or (spoken.endswith("ఒకటి") and is_year(text, end)):
            return end, spoken
        if name != "number":
            return end, _oblique(spoken) if _OBLIQUE_BEFORE.match(m["word"]) else spoken
        return end, _oblique(spoken) if _OBLIQUE_BEFORE.match(m["word"]) else _before_noun(spoken)


def _oblique(words: str) -> str:
    """The form before a noun or an ending: వందలు -> వందల."""
    return f"{words[:-1]}" if words.endswith("లు") else words


def _before_noun(words: str) -> str:
    """A number before what it counts: ఒకటి -> ఒక, ఇరవై ఒకటి -> ఇరవై ఒక్క, వందలు -> వందల."""
    if words == "ఒకటి":
        return "ఒక"
    return f"{words.removesuffix('ఒకటి')}ఒక్క" if words.endswith(" ఒకటి") else _oblique(words)


def _spelled(n: int) -> str:
    if n < 20:
        return _ONES[n]
    if n < 100:
        return f"{_TENS[n // 10]} {_ONES[n % 10]}" if n % 10 else _TENS[n // 10]
    parts = numbers.indian(n)
    words = []
    for i, (count, unit) in enumerate(parts):
        more = i + 1 < len(parts)
        if unit == 1:
            words.append(_spelled(count))
        elif count == 1:
            words.append(_UNITS[unit][more])
        else:
            words.append(f"{_oblique(_spelled(count))} {_UNITS[unit][2 + more]}")
    return " ".join(words)
