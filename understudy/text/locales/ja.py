"""Japanese: kanji numerals, dates and times as written with their counters, weekdays in brackets, ranges with から."""

from __future__ import annotations

import re
from functools import lru_cache
from re import Match
from typing import ClassVar

from understudy.text.locales.base import Amount, Locale, Money, Rule

__all__ = ["Japanese"]

_DIGITS = ("零", "一", "二", "三", "四", "五", "六", "七", "八", "九")
_SCALES = ((10**16, "京"), (10**12, "兆"), (10**8, "億"), (10**4, "万"))
_ROMAN = re.compile("[ⅰ-ⅻ]+")
_DAYS = "月火水木金土日"


@lru_cache(maxsize=65_536)
def _spelled(n: int) -> str:
    """`n` in kanji: 一 is left out before 十, 百 and a leading 千, but said in 一千億."""
    if n == 0:
        return _DIGITS[0]
    words = ""
    for unit, name in _SCALES:
        count, n = divmod(n, unit)
        if count:
            thousand = "一" if count // 1000 == 1 else ""
            words += f"{thousand}{_below(count)}{name}"
    return words + _below(n)


def _below(n: int) -> str:
    words = ""
    for unit, name in ((1000, "千"), (100, "百"), (10, "十")):
        count, n = divmod(n, unit)
        words += ("" if count == 1 else _DIGITS[count]) + name if count else ""
    return words + (_DIGITS[n] if n else "")


def _fraction(m: Match[str], text: str, locale: Locale) -> str | None:
    minus = "マイナス" if m["sign"] else ""
    root = "ルート" if m["root"] else ""
    if m["de"]:
        return f"{minus}{root}{locale.cardinal(int(m['de']))}分の"
    whole = f"{root}{locale.cardinal(int(m['whole']))}{m['unit'] or ''}" if m["whole"] else ""
    part = root if root and not whole else ""
    inner = "ルート" if m["inner"] else ""
    return f"{minus}{whole}{locale.cardinal(int(m['d']))}分の{inner}{part}{locale.cardinal(int(m['n']))}"


def _weekdays(m: Match[str], text: str, locale: Locale) -> str | None:
    out = []
    for c in m.group():
        out.append(f"{c}曜日" if c in _DAYS else {"祝": "祝日", "〜": "から", "~": "から"}.get(c, ""))
    return "".join(out)


def _date_before_weekday(m: Match[str], text: str, locale: Locale) -> str | None:
    """ "1/2(木)": a month and a day, as the weekday behind them tells."""
    return locale.date(int(m["day"]), int(m["month"]), None)


def _half_of_day(m: Match[str], text: str, locale: Locale) -> str | None:
    """ "AM5:30", "PM5時"."""
    return "午前" if m.group() == "am" else "午後"


def _yen(m: Match[str], text: str, locale: Locale) -> str | None:
    """The sign of a price that ends in 円 is not said."""
    return " "


def _lot(m: Match[str], text: str, locale: Locale) -> str | None:
    """ "1-2-3": the number of a house, block by block."""
    return "の".join(locale.cardinal(int(n)) for n in m.group().split("-"))


def _roman(m: Match[str], text: str, locale: Locale) -> str:
    """The Roman numerals that are one character."""
    return "".join(locale.cardinal(ord(c) - 0x216F) for c in m.group())


def _circled(m: Match[str], text: str, locale: Locale) -> str:
    """Numbers in circles, each by itself."""
    return "".join(locale.cardinal(ord(c) - 0x245F) for c in m.group())


def _to(m: Match[str], text: str, locale: Locale) -> str | None:
    return "から"


class Japanese(Locale):
    lang = "ja"
    decimal = "."
    groups = ","
    largest = 10**20
    point = "点"
    minus = "マイナス"
    percent = "パーセント"
    to = "から"
    per = "毎"
    symbols: ClassVar = {
        "&": "アンド", "+": "プラス", "=": "イコール", "@": "アット", "%": "パーセント", "°": "度", "×": "かける", "÷": "割る", "$": "ドル", "€": "ユーロ",
        "£": "ポンド", "¥": "円", "√": "ルート", "℃": "度", "#": "シャープ",
    }  # fmt: skip
    address: ClassVar = {
        "@": "アット",
        ".": "ドット",
        "/": "スラッシュ",
        "-": "ハイフン",
        ":": "コロン",
        "_": "アンダーバー",
        "com": "コム",
        "gmail": "ジーメール",
    }
    before_number: ClassVar = {"no.": "ナンバー", "vol.": "ボリューム"}
    scales: ClassVar = {w: w for w in ("万", "億", "兆", "千万", "百万")}
    money_names: ClassVar = {
        "jpy": Money("円", "円"), "usd": Money("ドル", "ドル", "セント", "セント"), "eur": Money("ユーロ", "ユーロ", "セント", "セント"),
        "gbp": Money("ポンド", "ポンド", "ペンス", "ペンス"), "krw": Money("ウォン", "ウォン"), "inr": Money("ルピー", "ルピー"),
    }  # fmt: skip
    money_symbols: ClassVar = {"us$": "usd"}
    unit_names: ClassVar = {
        "temperature-celsius": ("度", "度"),
        "speed-kilometer-per-hour": ("キロメートル毎時", "キロメートル毎時"),
    }
    no_units = frozenset({"in", "d", "st"})
    range_signs = ("~", "–", "—")
    local_units: ClassVar = {
        "㎏": "mass-kilogram", "㎎": "mass-milligram", "㎞": "length-kilometer", "㎝": "length-centimeter", "㎜": "length-millimeter", "㎡": "area-square-meter",
        "㎥": "volume-cubic-meter", "㎢": "area-square-kilometer", "㏄": "volume-cubic-centimeter", "cc": "volume-cubic-centimeter", "ℓ": "volume-liter",
    }  # fmt: skip
    telephone_pattern = r"(?<![\d-])\d{2,4}-\d{2,4}-\d{4}(?![\d-])|(?<![\d-])0\d{3}-\d{3}-\d{3}(?![\d-])|(?<=〒)\d{3}-\d{4}(?!\d)"
    other_signs = "(~"
    called = "[ⅰ-ⅻ①-⑳]"
    time_suffixes = r"a\. ?m\.?|p\. ?m\.?|am|pm"

    def extra_rules(self) -> list[Rule]:
        sign = r"(?P<sign>(?<![\w])-)?"
        date = r"[年月日世紀代期頃旬半時分元\d)）初後前]"
        counted = r"[年月日時分秒円人個回度歳%枚本台名倍点]|世紀|週間|ヶ月|か月|カ月|ドル|キロ|メートル"
        return [
            Rule("weekdate", rf"(?<![\d/])(?P<month>1[0-2]|0?[1-9])/(?P<day>3[01]|[12]\d|0?[1-9])(?= ?\([{_DAYS}])", _date_before_weekday),
            Rule("half", r"(?<!\w)[ap]m(?= ?\d\d?(?:時|:\d\d))", _half_of_day, "letter"),
            Rule("sign", r"[¥](?=\d[\d,]*円)", _yen),
            Rule("lot", r"(?<![\d.,/-])(?:(?<=[^\W\da-z])|(?<=〒))\d{1,4}(?:-\d{1,4}){2}(?![\d-])", _lot),
            Rule("romanchar", r"[ⅰ-ⅻ]+", _roman, "any"),
            Rule("circled", r"[①-⑳]+", _circled, "any"),
            Rule("japanesedate", r"(?<!\d)(?P<year>[12]\d{3})[/-](?P<month>1[0-2]|0?[1-9])[/-](?P<day>3[01]|[12]\d|0?[1-9])(?!\d)", _date),
            Rule("japanesefraction", rf"{sign}(?P<root>√)?(?:(?:(?P<whole>\d+)(?P<unit>[荷と個]))?(?P<inner>√)?(?P<n>\d+)/(?P<d>\d+)(?![\d/])|(?P<de>\d+)分の)", _fraction),
            Rule("weekday", rf"\((?:[{_DAYS}][・~]?)+(?:祝)?\)", _weekdays),
            Rule("span", rf"(?<={date})~(?={date}|[同紀令平昭大明西翌来])|(?<=[年月日時分紀代])-(?=\d)|(?<=\d[円秒人個回度歳枚本台名倍点%])-(?=\d)|(?<=:\d\d)-(?=\d\d?:\d\d)|(?<=/\d\d)-(?=\d{{4}}/)|(?<=\d)-(?=\d+(?:\.\d+)?(?:{counted}))", _to),
        ]  # fmt: skip

    @property
    def months(self) -> tuple[dict[str, int], tuple[str, ...]]:
        """None by name: months are numbers with a counter."""
        return {"\0": 1}, tuple(f"{_spelled(n)}月" for n in range(1, 13))

    def cardinal(self, n: int) -> str:
        return _spelled(n) if n < 10**20 else self.digits(str(n))

    def counted(self, n: int, gender: str = "m") -> str:
        return self.cardinal(n)

    def letters(self, text: str) -> str:
        return _ROMAN.sub(lambda m: _roman(m, text, self), text)

    def decimal_words(self, whole: str, decimals: str) -> str:
        return f"{self.cardinal(int(whole or 0))}点{''.join(_DIGITS[int(d)] for d in decimals)}"

    def amount(self, a: Amount, gender: str | None = None) -> str:
        return super().amount(a, gender).replace(" ", "")

    def digits(self, digits: str) -> str:
        return "".join(_DIGITS[int(d)] for d in digits)

    def fraction(self, n: int, d: int) -> str:
        return f"{self.cardinal(d)}分の{self.cardinal(n)}"

    def mixed(self, whole: int, n: int, d: int) -> str:
        return f"{self.cardinal(whole)}と{self.fraction(n, d)}"

    def money(self, a: Amount, code: str) -> str | None:
        words = super().money(a, code)
        return None if words is None else words.replace(" ", "")

    def measure(self, a: Amount, unit: str) -> str | None:
        words = super().measure(a, unit)
        return None if words is None else words.replace(" ", "")

    def percentage(self, a: Amount) -> str:
        return super().percentage(a).replace(" ", "")

    def date(self, day: int | None, month: int, year: int | None, *, month_first: bool = False, before: str = "") -> str:
        words = f"{self.cardinal(year)}年" if year is not None else ""
        return f"{words}{self.months[1][month - 1]}" + (f"{self.cardinal(day)}日" if day is not None else "")

    def time(self, hour: int, minute: int | None, second: int | None, suffix: str) -> str:
        words = {"am": "午前", "pm": "午後"}.get(suffix, "") + f"{self.cardinal(hour)}時"
        words += f"{self.cardinal(minute)}分" if minute else ""
        return words + (f"{self.cardinal(second)}秒" if second else "")


def _date(m: Match[str], text: str, locale: Locale) -> str | None:
    return locale.date(int(m["day"]), int(m["month"]), int(m["year"]))
