"""Written to spoken form in English, Italian, French, German, Spanish, Portuguese and Japanese: worked examples, class by class."""

from __future__ import annotations

import pytest

from understudy.text.locales.numbers import roman
from understudy.text.spoken import Formatter

ENGLISH = [
    # Addresses, serial numbers, ranges.
    ("123 Laguna Ave", "one twenty three laguna avenue"),
    ("2788 San Tomas Expy, Santa Clara, CA 95051", "twenty seven eighty eight san tomas expressway santa clara california nine five zero five one"),
    ("1600 Pennsylvania Ave NW", "sixteen hundred pennsylvania avenue northwest"),
    ("St. Louis, on Main St. It rained", "saint louis on main st it rained"),
    ("A320 and abc123", "a three two zero and abc one two three"),
    ("737-ABC", "seven hundred thirty seven abc"),
    ("123/261788/2021", "one hundred twenty three two six one seven eight eight two thousand twenty one"),
    ("they won 3-2, 7-11", "they won three two seven eleven"),
    ("2-5 days, pages 10-20", "two to five days pages ten to twenty"),
    ("1500-2000 kg", "one thousand five hundred to two thousand kilograms"),
    ("pre-1990, 1960-80", "pre nineteen ninety nineteen sixty to eighty"),
    ("4x4, 1920x1080", "four by four nineteen twenty by one thousand and eighty"),
    ("24/7 or 50/50", "twenty four seven or fifty fifty"),
    ("5-7 May", "the fifth to the seventh of may"),
    # Money, measures, scales.
    ("CA$20, 20¢", "twenty canadian dollars twenty cents"),
    ("1.5M, 200K, a 4K screen, flat 4B", "one point five million two hundred thousand a four k screen flat four b"),
    ("5 mg/dl, 5 sq ft, 8 kb, 1 mV", "five milligrams per deciliter five square feet eight kilobits one millivolt"),
    ("5G", "five g"),
    # Telephones, versions, addresses of the net.
    ("1-800-555-1234", "one eight hundred five five five one two three four"),
    ("iOS 16.5.1", "ios sixteen point five point one"),
    ("test.abc but end.Next", "test dot abc but end next"),
    # Roman numerals, titles, references.
    ("Henry VIII in World War II", "henry the eighth in world war two"),
    ("Chapter IV, pp. 5-6", "chapter four pages five to six"),
    ("Gen. Lee at Mt. Everest", "general lee at mount everest"),
    ("No. 5", "number five"),
    ("the book I read, Paul I think, John V. Lindsay", "the book i read paul i think john v lindsay"),
    ("Elizabeth I of England", "elizabeth the first of england"),
]  # fmt: skip
OTHERS = [
    ("it", "XX secolo, secolo XIX", "ventesimo secolo secolo diciannovesimo"),
    ("it", "nel secolo i romani", "nel secolo i romani"),
    ("it", "Luigi XIV", "luigi quattordicesimo"),
    ("it", "nel 100 d.C.", "nel cento dopo cristo"),
    ("it", "la A.C. Milan, J. S. Bach, S. Pietro", "la a. c. milan j. s. bach san pietro"),
    ("it", "il 20° piano a 20°", "il ventesimo piano a venti gradi"),
    ("it", "1 milione, 1 h, 15:01", "un milione un'ora quindici e un minuto"),
    ("it", "alle 8.30, 333 1234567", "alle otto e trenta minuti tre tre tre uno due tre quattro cinque sei sette"),
    ("it", "dott.ssa Neri, art. 3", "dottoressa neri articolo tre"),
    ("fr", "XXe siècle, Napoléon Ier, Louis XIV", "vingtième siècle napoléon premier louis quatorze"),
    ("fr", "la Vie, le VIe", "la vie le sixième"),
    ("fr", "71e, 81e, 101e, 2ᵈˢ", "soixante et onzième quatre-vingt-unième cent unième seconds"),
    ("fr", "17/18 mars", "dix-sept dix-huit mars"),
    ("fr", "01 23 45 67 89", "zéro un vingt-trois quarante-cinq soixante-sept quatre-vingt-neuf"),
    ("fr", "5 Go, 2 1/2, 3.14", "cinq gigaoctets deux et demi trois point quatorze"),
    ("fr", "52 av. J.-C., Mᵍʳ, Sᵗᵉ", "cinquante-deux avant jésus-christ monseigneur sainte"),
    ("de", "Ludwig XIV. und Kapitel IV", "ludwig der vierzehnte und kapitel vier"),
    ("de", "80er Jahre, 5-mal, 12-jährig", "achtziger jahre fünfmal zwölfjährig"),
    ("de", "im Jahr 1492, am 3. 10. 1990", "im jahr vierzehnhundertzweiundneunzig am dritten oktober neunzehnhundertneunzig"),
    ("de", "1 Mio. €, 5 €/m², 1 %", "eine million euro fünf euro pro quadratmeter ein prozent"),
    ("de", "500 v. Chr., z. T., S. 5", "fünfhundert vor christus zum teil seite fünf"),
    ("es", "siglo xix, siglo x e. c., 500 a. C.", "siglo diecinueve siglo diez era común quinientos antes de cristo"),
    ("es", "Carlos V y Alfonso XIII", "carlos quinto y alfonso trece"),
    ("es", "30 julio del 2020, 5/4/98", "treinta de julio del dos mil veinte cinco de abril de noventa y ocho"),
    ("es", "10 h utc+1:30", "diez u t c más una treinta"),
    ("es", "1990-2000, 123-1234", "mil novecientos noventa a dos mil uno dos tres uno dos tres cuatro"),
    ("es", "1era, 2do, 90°", "primera segundo noventa grados"),
    ("es", "D. Juan, JJ. OO., cap. 3", "don juan juegos olímpicos capítulo tres"),
    ("pt", "século V, D. Pedro II, Luís XIV", "século quinto dom pedro segundo luís catorze"),
    ("pt", "20:00 da noite, 18h da tarde", "oito horas da noite seis horas da tarde"),
    ("pt", "US$ 5, 2 t, 1 mph", "cinco dólares duas toneladas uma milha por hora"),
    ("pt", "01310-100, 0800 123 4567", "zero um três um zero um zero zero zero oito zero zero um dois três quatro cinco seis sete"),
    ("pt", "1001º, 3.14", "milésimo primeiro três ponto catorze"),
    ("ja", "1-3月, 4月1日-5日", "一から三月 四月一日から五日"),
    ("ja", "1/2(木)", "一月二日木曜日"),
    ("ja", "AM5:30", "午前五時三十分"),
    ("ja", "￥1,000、¥1,000円", "千円 千円"),
    ("ja", "5㎏、第Ⅲ章", "五キログラム 第三章"),
    ("ja", "千代田区1-1-1", "千代田区一の一の一"),
    ("ja", "0120-123-456", "零一二零一二三四五六"),
]  # fmt: skip


@pytest.mark.parametrize(("written", "wanted"), ENGLISH)
def test_english(written: str, wanted: str) -> None:
    assert Formatter("en")(written) == wanted


@pytest.mark.parametrize(("lang", "written", "wanted"), OTHERS)
def test_other_languages(lang: str, written: str, wanted: str) -> None:
    assert Formatter(lang)(written) == wanted


@pytest.mark.parametrize(
    ("lang", "written"), [("es", "a.C.a.C."), ("es", "d. C.a."), ("es", "-a.a.C."), ("ja", "www.Ⅲ"), ("es", "S.i")]
)
def test_initials_beside_abbreviations_are_read_once(lang: str, written: str) -> None:
    once = Formatter(lang)(written)
    assert Formatter(lang)(once) == once


def test_roman_numerals_by_hand() -> None:
    assert [roman(r) for r in ("i", "iv", "ix", "xiv", "xl", "xcix")] == [1, 4, 9, 14, 40, 99]
    assert [roman(r) for r in ("", "iix", "il", "c", "vv", "x1")] == [None] * 6
