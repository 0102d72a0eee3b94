"""Arabic: number words as they are said today, without case endings (مئة apart from its unit: ثلاث مئة)."""

from __future__ import annotations

from functools import lru_cache
from typing import ClassVar

from understudy.text.locales.base import Amount, Locale, Money

__all__ = ["Arabic"]

_ONES = ("صفر", "واحد", "اثنان", "ثلاثة", "أربعة", "خمسة", "ستة", "سبعة", "ثمانية", "تسعة", "عشرة", "أحد عشر", "اثنا عشر",
         "ثلاثة عشر", "أربعة عشر", "خمسة عشر", "ستة عشر", "سبعة عشر", "ثمانية عشر", "تسعة عشر")  # fmt: skip
_TENS = ("", "", "عشرون", "ثلاثون", "أربعون", "خمسون", "ستون", "سبعون", "ثمانون", "تسعون")
_HUNDREDS = ("", "مئة", "مئتان", "ثلاث مئة", "أربع مئة", "خمس مئة", "ست مئة", "سبع مئة", "ثمان مئة", "تسع مئة")
# Scale: one, two, three to ten, eleven and more.
_SCALES = (
    (10**12, "تريليون", "تريليونان", "تريليونات", "تريليون"), (10**9, "مليار", "ملياران", "مليارات", "مليار"),
    (10**6, "مليون", "مليونان", "ملايين", "مليون"), (1000, "ألف", "ألفان", "آلاف", "ألف"),
)  # fmt: skip
_PARTS = {2: ("نصف", "نصفين", "أنصاف"), 3: ("ثلث", "ثلثين", "أثلاث"), 4: ("ربع", "ربعين", "أرباع"), 5: ("خمس", "خمسين", "أخماس"),
          6: ("سدس", "سدسين", "أسداس"), 7: ("سبع", "سبعين", "أسباع"), 8: ("ثمن", "ثمنين", "أثمان"), 9: ("تسع", "تسعين", "أتساع"),
          10: ("عشر", "عشرين", "أعشار")}  # fmt: skip
_TENTHS = {1: "من عشرة", 2: "من مئة", 3: "من ألف", 4: "من عشرة آلاف", 5: "من مئة ألف", 6: "من مليون"}
_ORDINALS = ("", "الأول", "الثاني", "الثالث", "الرابع", "الخامس", "السادس", "السابع", "الثامن", "التاسع", "العاشر")
_HOURS = ("الثانية عشرة", "الواحدة", "الثانية", "الثالثة", "الرابعة", "الخامسة", "السادسة", "السابعة", "الثامنة", "التاسعة", "العاشرة",
          "الحادية عشرة")  # fmt: skip


@lru_cache(maxsize=65_536)
def _spelled(n: int) -> str:
    if n < 20:
        return _ONES[n]
    if n < 100:
        return f"{_ONES[n % 10]} و{_TENS[n // 10]}" if n % 10 else _TENS[n // 10]
    if n < 1000:
        return _HUNDREDS[n // 100] + (f" و{_spelled(n % 100)}" if n % 100 else "")
    unit, one, two, few, many = next(s for s in _SCALES if n >= s[0])
    count, rest = divmod(n, unit)
    head = one if count == 1 else two if count == 2 else f"{_spelled(count)} {few if 3 <= count % 100 <= 10 else many}"
    return head + (f" و{_spelled(rest)}" if rest else "")


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
        "@": "آت",
        ".": "نقطة",
        "/": "شرطة مائلة",
        "-": "شرطة",
        ":": "نقطتان",
        "_": "شرطة سفلية",
        "com": "كوم",
        "gmail": "جيميل",
    }
    abbreviations: ClassVar = {"د.": "دكتور", "أ.": "أستاذ", "م.": "مهندس", "ق.م.": "قبل الميلاد"}
    words: ClassVar = {"هـ": "هجري"}
    scales: ClassVar = {w: w for w in ("ألف", "آلاف", "مليون", "ملايين", "مليار", "مليارات", "تريليون")}
    money_names: ClassVar = {
        "usd": Money("دولار", "دولار", "سنت", "سنت"), "eur": Money("يورو", "يورو", "سنت", "سنت"), "gbp": Money("جنيه", "جنيه", "بنس", "بنس"),
        "kwd": Money("دينار كويتي", "دينار كويتي", "فلس", "فلس"), "sar": Money("ريال سعودي", "ريال سعودي", "هللة", "هللة"),
        "egp": Money("جنيه مصري", "جنيه مصري", "قرش", "قرش"), "aed": Money("درهم إماراتي", "درهم إماراتي", "فلس", "فلس"),
    }  # fmt: skip
    money_symbols: ClassVar = {"د.ك": "kwd", "ر.س": "sar", "ج.م": "egp", "د.إ": "aed"}
    unit_names: ClassVar = {
        "temperature-fahrenheit": ("فهرنهايت", "فهرنهايت"),
        "temperature-celsius": ("درجة مئوية", "درجة مئوية"),
    }
    local_units: ClassVar = {"كم": "length-kilometer", "سم": "length-centimeter", "كغ": "mass-kilogram", "كجم": "mass-kilogram"}
    no_units = frozenset({"in", "d", "st"})
    time_suffixes = r"صباحا|صباحًا|مساء|مساءً|ص|م|a\. ?m\.?|p\. ?m\.?|am|pm"

    def cardinal(self, n: int) -> str:
        return _spelled(n) if n < 10**15 else self.digits(str(n))

    def counted(self, n: int, gender: str = "m") -> str:
        return self.cardinal(n)

    def decimal_words(self, whole: str, decimals: str) -> str:
        """So many "of a hundred"; zeros alone are left out."""
        head = self.cardinal(int(whole or 0))
        short = decimals[:6]
        if not int(short or 0):
            return head
        words = f"{self.cardinal(int(short))} {_TENTHS[len(short)]}"
        return f"{head} و{words}" if int(whole or 0) else words

    def denominator(self, d: int, many: bool) -> str | None:
        return None

    def fraction(self, n: int, d: int) -> str:
        if d not in _PARTS or n > 10:
            return f"{self.cardinal(n)} {self.over} {self.cardinal(d)}"
        one, two, more = _PARTS[d]
        return one if n == 1 else two if n == 2 else f"{self.cardinal(n)} {more}"

    def mixed(self, whole: int, n: int, d: int) -> str:
        return f"{self.cardinal(whole)} و{self.fraction(n, d)}"

    def money(self, a: Amount, code: str) -> str | None:
        names = self.money_names.get(code)
        if names is not None and a.scale is None and a.fraction is None and len(a.decimals or "") <= 2:
            whole, cents = int(a.whole or 0), int((a.decimals or "0").ljust(2, "0"))
            parts = []
            if whole or not cents:
                parts.append(f"{names.one} واحد" if whole == 1 else f"{self.cardinal(whole)} {names.one}")
            if cents:
                few = f"{names.minor_one}ات" if 3 <= cents <= 10 and names.minor_one == "سنت" else names.minor_one
                parts.append(f"{self.cardinal(cents)} {few}")
            return (f"{self.minus} " if a.negative else "") + " و".join(parts)
        return super().money(a, code)

    def time(self, hour: int, minute: int | None, second: int | None, suffix: str) -> str:
        words = f"{_HOURS[hour % 12] if hour <= 12 and hour else self.cardinal(hour)}"
        if minute in (15, 30, 20):
            words += {15: " والربع", 30: " والنصف", 20: " والثلث"}[minute]
        elif minute:
            words += f" و{self.cardinal(minute)} دقيقة"
        words += f" و{self.cardinal(second)} ثانية" if second else ""
        tail = {"ص": "صباحا", "م": "مساء", "am": "صباحا", "pm": "مساء", "صباحً": "صباحا"}.get(suffix, suffix)
        return f"{words} {tail}"
