"""Arabic: numbers as they are read out, measures and times agreeing with their nouns (see ar_numbers.py)."""

from __future__ import annotations

import re
from functools import cached_property
from re import Match
from typing import ClassVar

from understudy.text.locales import ar_numbers, cldr
from understudy.text.locales.base import Amount, Locale, Money, Rule

__all__ = ["Arabic"]

_PARTS = {2: ("نصف", "نصفين", "أنصاف"), 3: ("ثلث", "ثلثين", "أثلاث"), 4: ("ربع", "ربعين", "أرباع"), 5: ("خمس", "خمسين", "أخماس"),
          6: ("سدس", "سدسين", "أسداس"), 7: ("سبع", "سبعين", "أسباع"), 8: ("ثمن", "ثمنين", "أثمان"), 9: ("تسع", "تسعين", "أتساع"),
          10: ("عشر", "عشرين", "أعشار")}  # fmt: skip
_TENTHS = ("", "من عشرة", "من مئة", "من ألف", "من عشرة آلاف", "من مئة ألف", "من مليون")
# Syriac and Islamic months, and those of the Maghreb: each keeps its own name, so each counts as a month of its own.
_OTHER_MONTHS = (
    "كانون الثاني", "شباط", "آذار", "نيسان", "أيار", "حزيران", "تموز", "آب", "أيلول", "تشرين الأول", "تشرين الثاني", "كانون الأول",
    "محرم", "ربيع الأول", "ربيع الآخر", "ربيع الثاني", "جمادى الأولى", "جمادى الآخرة", "جمادى الثانية", "رجب", "شعبان", "رمضان", "شوال",
    "ذو القعدة", "ذي القعدة", "ذو الحجة", "ذي الحجة", "جانفي", "فيفري", "أفريل", "ماي", "جوان", "جويلية", "أوت", "غشت", "شتنبر", "نونبر", "دجنبر",
)  # fmt: skip
_END = r"(?![\w\u064b-\u065f])"
_NUMBER = r"\d+(?:[.,]\d+)?"
# Nouns before which "the 3" is "the third", not "the three".
_RANKED = "القرن|المركز|المرتبة|الدورة|الأسبوع|الشهر|العام|السنة|اليوم|الذكرى|الطبعة|الجولة|الحلقة|الفصل|الجيل|المادة|النسخة|الموسم|الدور|الطابق|الصف|المستوى|الدقيقة"
# Plurals of feminine nouns, which ask for the feminine numeral after three to ten.
_FEMININE_PLURALS = (
    "دقائق|ثوان|ثواني|ساعات|سنوات|سنين|مرات|درجات|ليال|ليالي|غرف|صفحات|مدن|دول|نقاط|بنات|نساء|سيارات|شركات|كلمات|خطوات|حلقات|رحلات|مباريات|محطات"
    "|طائرات|رسائل|قصص|صور|جامعات|مدارس"
)
_PREPOSITION = re.compile(r"(?<!\S)(?:[ول]?(?:في|من|إلى|حتى|منذ|قبل|بعد|بين|يوم|بتاريخ|تاريخ|مساء|صباح)) $")
# What governs the number behind it: prepositions, and nouns that a number follows as their genitive.
_GOVERNED = re.compile(
    r"(?<![\w\u064b-\u065f])[وف]?(?:بعد|قبل|لمدة|لمده|مدة|في|من|إلى|الى|حتى|منذ|خلال|كل|على|مع|عن|عند|بين|حوالي|نحو|بسعر|بقيمة|بنسبة|بمعدل|بمقدار|بحوالي|لحوالي) $"
    r"|(?<![\w\u064b-\u065f])[وف]?[بل]ـ? ?$"
)
_NUMBERED = frozenset(
    {"number", "feminine", "measure", "money", "price", "percent", "percentbefore", "unitbefore", "meters", "few"}
)
_EVENING = re.compile(r"الساعة|\d ?ص(?!\w)")
_ERAS = {"م": "ميلادي", "ه": "هجري", "هـ": "هجري"}
_LATIN_UNITS = {"f": "temperature-fahrenheit", "c": "temperature-celsius"} | {
    u: cldr.UNITS[u] for u in ("°f", "°c", "km", "cm", "mm", "kg", "mg", "ml", "gb", "mb")
}


def _amount(written: str) -> Amount:
    whole, *decimals = re.split("[.,]", written)
    return Amount(whole, decimals[0] if decimals else None)


def _unit_before(m: Match[str], text: str, locale: Locale) -> str | None:
    """The sign of a unit or a percent sign that was typed on the side of the number on which it is seen."""
    amount = _amount(m["n"])
    return locale.percentage(amount) if m["unit"] == "%" else locale.measure(amount, _LATIN_UNITS[m["unit"]])


def _meters(m: Match[str], text: str, locale: Locale) -> str | None:
    """Meters, not "p.m." or "A.D.", which have the same letter."""
    if _EVENING.search(text, max(0, m.start() - 40), m.end() + 20) is not None or (
        len(m["n"]) == 4 and m["n"][:2] in ("18", "19", "20")
    ):
        return None
    return locale.measure(_amount(m["n"]), "length-meter")


def _year(m: Match[str], text: str, locale: Locale) -> str | None:
    era = m.groupdict().get("era")
    return f"{locale.year(int(m['n']))} {_ERAS[era] if era else ''}"


def _hour(m: Match[str], text: str, locale: Locale) -> str | None:
    n = int(m["n"])
    return locale.time(n, None, None, "") if 1 <= n <= 24 else None


def _ranked(m: Match[str], text: str, locale: Locale) -> str | None:
    noun = m["noun"]
    words = ar_numbers.ordinal(int(m["n"]), feminine=noun.endswith(("ة", "ى")) and noun != "المستوى")
    return None if words is None else f"{noun} {words}"


def _definite(m: Match[str], text: str, locale: Locale) -> str | None:
    return f"{m['before']}{ar_numbers.with_article(int(m['n']))}"


def _feminine(m: Match[str], text: str, locale: Locale) -> str | None:
    """A number before a feminine noun: a known plural after three to ten, a noun in -a after eleven and more."""
    n, plural = int(m["n"]), m["plural"] is not None
    return locale.counted(n, "f") if n > 2 and plural == (3 <= n % 100 <= 10) else None


def _few(m: Match[str], text: str, locale: Locale) -> str | None:
    """One and two of a noun that is known: "2 ساعة" are two hours in one word."""
    return ar_numbers.agree(int(m["n"]), ar_numbers.COUNTED[m["noun"]])


class Arabic(Locale):
    lang = "ar"
    decimal = ".,"
    groups = ","
    largest = 10**14
    minus = "سالب"
    percent = "في المائة"
    to = "إلى"
    per = "لكل"
    over = "على"
    mixed_link = "و"
    money_joint = " و"
    symbols: ClassVar = {
        "&": "و", "+": "زائد", "=": "يساوي", "@": "آت", "%": "في المائة", "°": "درجة", "×": "ضرب", "÷": "على", "$": "دولار", "€": "يورو",
        "£": "جنيه", "#": "هاشتاغ",
    }  # fmt: skip
    address: ClassVar = {
        "@": "آت", ".": "نقطة", "/": "شرطة مائلة", "-": "شرطة", ":": "نقطتان", "_": "شرطة سفلية", "com": "كوم", "org": "أورغ", "net": "نت",
        "gmail": "جيميل", "yahoo": "ياهو", "hotmail": "هوتميل", "outlook": "آوتلوك", "google": "جوجل", "facebook": "فيسبوك",
        "youtube": "يوتيوب", "twitter": "تويتر",
    }  # fmt: skip
    abbreviations: ClassVar = {
        "د.": "دكتور", "أ.": "أستاذ", "م.": "مهندس", "أ.د.": "أستاذ دكتور", "ق.م.": "قبل الميلاد", "ص.ب.": "صندوق بريد",
    }  # fmt: skip
    words: ClassVar = {"هـ": "هجري"}
    scales: ClassVar = {w: w for w in ("ألف", "آلاف", "مليون", "ملايين", "مليار", "مليارات", "تريليون")}
    money_names: ClassVar = {
        "usd": Money("دولار", "", "سنت"), "eur": Money("يورو", "", "سنت"), "gbp": Money("جنيه إسترليني", "", "بنس"),
        "cad": Money("دولار كندي", "", "سنت"), "aud": Money("دولار أسترالي", "", "سنت"), "chf": Money("فرنك سويسري", "", "سنتيم"),
        "kwd": Money("دينار كويتي", "", "فلس"), "bhd": Money("دينار بحريني", "", "فلس"), "iqd": Money("دينار عراقي", "", "فلس"),
        "jod": Money("دينار أردني", "", "فلس"), "lyd": Money("دينار ليبي", "", "درهم"), "tnd": Money("دينار تونسي", "", "مليم"),
        "omr": Money("ريال عماني", "", "بيسة"), "sar": Money("ريال سعودي", "", "هللة"), "qar": Money("ريال قطري", "", "درهم"),
        "yer": Money("ريال يمني", "", "فلس"), "egp": Money("جنيه مصري", "", "قرش"), "sdg": Money("جنيه سوداني", "", "قرش"),
        "aed": Money("درهم إماراتي", "", "فلس"), "mad": Money("درهم مغربي", "", "سنتيم"), "dzd": Money("دينار جزائري", "", "سنتيم"),
        "lbp": Money("ليرة لبنانية", "", "قرش"), "syp": Money("ليرة سورية", "", "قرش"), "try": Money("ليرة تركية", "", "قرش"),
        "inr": Money("روبية هندية", "", "بيسة"),
    }  # fmt: skip
    thousandths: ClassVar = frozenset(
        {"kwd", "bhd", "iqd", "jod", "lyd", "tnd", "omr"}
    )  # Minor units, where others have hundredths.
    money_symbols: ClassVar = {
        "د.ك": "kwd", "د.ب": "bhd", "د.ع": "iqd", "د.أ": "jod", "د.ل": "lyd", "د.ت": "tnd", "د.ج": "dzd", "د.م": "mad", "د.إ": "aed", "ر.س": "sar",
        "ر.ق": "qar", "ر.ع": "omr", "ر.ي": "yer", "ج.م": "egp", "ج.س": "sdg", "ل.ل": "lbp", "ل.س": "syp",
    }  # fmt: skip
    unit_names: ClassVar = {
        unit: (name, name)
        for unit, name in {
            "temperature-fahrenheit": "فهرنهايت", "temperature-celsius": "درجة مئوية", "mass-tonne": "طن", "angle-degree": "درجة",
            "power-horsepower": "حصان", "area-hectare": "هكتار", "mass-pound": "رطل",
        }.items()
    }  # fmt: skip
    local_units: ClassVar = _LATIN_UNITS | {
        "كم": "length-kilometer", "كلم": "length-kilometer", "سم": "length-centimeter", "مم": "length-millimeter", "ملم": "length-millimeter",
        "كغ": "mass-kilogram", "كغم": "mass-kilogram", "كجم": "mass-kilogram", "كلغ": "mass-kilogram", "غ": "mass-gram", "غم": "mass-gram",
        "جم": "mass-gram", "ملغ": "mass-milligram", "ملغم": "mass-milligram", "مجم": "mass-milligram", "مل": "volume-milliliter",
        "م²": "area-square-meter", "م2": "area-square-meter", "كم²": "area-square-kilometer", "كم2": "area-square-kilometer",
        "سم²": "area-square-centimeter", "م³": "volume-cubic-meter", "م3": "volume-cubic-meter", "سم³": "volume-cubic-centimeter",
        "كم/س": "speed-kilometer-per-hour", "كم/سا": "speed-kilometer-per-hour", "كم/ساعة": "speed-kilometer-per-hour",
        "كلم/س": "speed-kilometer-per-hour", "كلم/ساعة": "speed-kilometer-per-hour", "م/ث": "speed-meter-per-second",
        "°م": "temperature-celsius", "° م": "temperature-celsius", "°ف": "temperature-fahrenheit",
    }  # fmt: skip
    no_units = frozenset({"in", "d", "st", "g"})  # "5G" is no mass.
    time_suffixes = r"صباحا|صباحًا|مساء|مساءً|ظهرا|ظهرًا|ص|م|a\. ?m\.?|p\. ?m\.?|am|pm"
    telephone_pattern = r"(?<![\d-])0\d{1,4}(?:[ -]\d{3,4}){2,3}(?![\d-])|(?<![\d-])\d{4}(?:[ -]\d{4}){3}(?![\d-])"
    # What is said of "the hour": the ordinal, feminine, but for one.
    hours: ClassVar = tuple("الواحدة" if n == 1 else ar_numbers.ordinal(n or 12, feminine=True) or "" for n in range(25))

    @cached_property
    def months(self) -> tuple[dict[str, int], tuple[str, ...]]:
        written, names = super().months
        return written | {name: 13 + i for i, name in enumerate(_OTHER_MONTHS)}, names + _OTHER_MONTHS

    def extra_rules(self) -> list[Rule]:
        end = r"(?![\w%]|[.,/:-]\d)"
        plain = rf"(?<![\w.,:/-])(?P<n>\d{{1,9}})(?= (?:(?P<plural>{_FEMININE_PLURALS})|[\u0621-\u064a]+ة){_END})"
        return [
            Rule("unitbefore", rf"(?P<unit>{'|'.join(map(re.escape, _LATIN_UNITS))})(?P<n>{_NUMBER}){end}", _unit_before, "any"),
            Rule("percentbefore", rf"(?P<unit>%) (?P<n>{_NUMBER}){end}", _unit_before),
            Rule("era", rf"(?:(?<=عام )|(?<=سنة ))(?P<n>\d{{3,4}})(?: ?(?P<era>هـ|[مه]){_END}|{end})", _year),
            Rule("eraletter", rf"(?:(?<=[12]\d{{3}})|(?<=[12]\d{{3}} ))م{_END}", lambda m, text, locale: "ميلادي", "letter"),
            Rule("meters", rf"(?P<n>{_NUMBER}) ?م{_END}", _meters),
            Rule("hour", rf"(?<=الساعة )(?P<n>\d{{1,2}})(?! ?(?:{self.time_suffixes}){_END}){end}", _hour),
            Rule("ranked", rf"(?P<noun>{_RANKED}) (?:ال(?:ـ+ ?)?|(?<=القرن ))(?P<n>\d{{1,2}}){end}", _ranked, "letter"),
            Rule("definite", rf"(?P<before>[وفبك]?)ال(?:ـ+ ?)?(?P<n>\d{{1,9}}){end}", _definite, "letter"),
            Rule("feminine", plain, _feminine),
            Rule("few", rf"(?<![\w.,:/-])(?<!\d )(?P<n>[12]) (?P<noun>{'|'.join(ar_numbers.COUNTED)}){_END}", _few),
        ]  # fmt: skip

    def joined(self, text: str, start: int, end: int, name: str, spoken: str, *, ranged: bool = False) -> tuple[int, str]:
        """Behind a preposition, written or said for a dash, tens and duals are oblique: بعد عشرين دقيقة."""
        governed = name in _NUMBERED and (ranged or _GOVERNED.search(text, max(0, start - 12), start))
        return end, ar_numbers.governed(spoken) if governed else spoken

    def cardinal(self, n: int) -> str:
        return ar_numbers.spell(n) if n < 10**15 else self.digits(str(n))

    def counted(self, n: int, gender: str = "m") -> str:
        return ar_numbers.before_noun(n, feminine=gender == "f") if n < 10**15 else self.digits(str(n))

    def decimal_words(self, whole: str, decimals: str) -> str:
        """So many "of a hundred"; zeros alone are left out, and decimals beyond the millionth are read digit by digit."""
        head, tenths = self.cardinal(int(whole or 0)), len(decimals)
        if not decimals.strip("0"):
            return head
        if tenths >= len(_TENTHS):
            return f"{head} فاصلة {self.digits(decimals)}"
        words = f"{self.cardinal(int(decimals))} {_TENTHS[tenths]}"
        return f"{head} و{words}" if int(whole or 0) else words

    def fraction(self, n: int, d: int) -> str:
        if d in (100, 1000):
            return f"{self.cardinal(n)} {_TENTHS[len(str(d)) - 1]}"
        if d not in _PARTS or n == 0:
            return f"{self.cardinal(n)} {self.over} {ar_numbers.oblique(self.cardinal(d))}"
        one, two, more = _PARTS[d]
        if n <= 2:
            return one if n == 1 else two
        return f"{self.cardinal(n)} {more if 3 <= n % 100 <= 10 else one}"

    def mixed(self, whole: int, n: int, d: int) -> str:
        return f"{self.cardinal(whole)} و{self.fraction(n, d)}"

    def money(self, a: Amount, code: str) -> str | None:
        """The major unit stays in the singular, as people say it ("seven dollar"); the minor one agrees ("five cents")."""
        name = self.money_names[code].one if code in self.money_names else cldr.currency_name(self.lang, code, "other")
        if name is None:
            return None
        places = 3 if code in self.thousandths else 2
        if places == 2 and len(a.decimals or "") == 3:  # No currency but those has three decimals: a sign that groups.
            a = Amount(f"{a.whole}{a.decimals}", None, None, a.scale, a.negative)
        minor = self.money_names[code].minor_one if code in self.money_names else ""
        cents = (a.decimals or "").rstrip("0")
        if a.scale is not None or a.fraction is not None or len(cents) > places or (cents and not minor):
            return f"{self.amount(a)} {name}"
        whole, part = int(a.whole or 0), int(cents.ljust(places, "0"))
        parts = [ar_numbers.agree(whole, name, plural=False)] if whole or not part else []
        if part:
            parts.append(ar_numbers.agree(part, minor))
        return (f"{self.minus} " if a.negative else "") + self.money_joint.join(parts)

    def measure(self, a: Amount, unit: str) -> str | None:
        noun = self.unit_noun(unit)
        if noun is None or a.integer is None:
            return None if noun is None else f"{self.amount(a)} {noun}"
        return (f"{self.minus} " if a.negative else "") + ar_numbers.agree(a.integer, noun)

    def unit_noun(self, unit: str) -> str | None:
        if unit in self.unit_names:
            return self.unit_names[unit][0]
        pattern = cldr.unit_pattern(self.lang, unit, "other")
        return None if pattern is None else pattern.replace("{0}", "").strip()

    def year(self, n: int) -> str:
        """In the case that "year" asks for, said or not."""
        return ar_numbers.oblique(self.cardinal(n))

    def date(self, day: int | None, month: int, year: int | None, *, month_first: bool = False, before: str = "") -> str:
        """ "The third of May"; after a preposition in the other case."""
        name = self.month(month)
        if day is None:
            words = name
        elif month_first:
            words = f"{name} {self.cardinal(day)}"
        else:
            nth = ar_numbers.ordinal(day) or ""
            words = f"{ar_numbers.oblique(nth) if _PREPOSITION.search(before, max(0, len(before) - 12)) else nth} من {name}"
        return f"{words} {self.year(year)}" if year is not None else words

    def time(self, hour: int, minute: int | None, second: int | None, suffix: str) -> str:
        words = self.hours[hour] if hour <= 24 else self.cardinal(hour)
        if minute in (15, 20, 30) and not second:
            words += {15: " والربع", 20: " والثلث", 30: " والنصف"}[minute]
        elif minute:
            words += f" و{ar_numbers.agree(minute, 'دقيقة')}"
        words += f" و{ar_numbers.agree(second, 'ثانية')}" if second else ""
        tail = {"ص": "صباحا", "م": "مساء", "am": "صباحا", "pm": "مساء"}.get(suffix, suffix)
        return f"{words} {tail}"
