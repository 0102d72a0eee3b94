"""Number words, amounts and CLDR names."""

from __future__ import annotations

from decimal import Decimal

import pytest

from understudy.text.amounts import Amounts
from understudy.text.locales import LANGUAGES, Amount, locale
from understudy.text.locales.cldr import currency_name, plural, unit_pattern
from understudy.text.locales.numbers import below_hundred, indian, spell

CARDINALS = [
    ("ar", 342, "ثلاث مئة واثنان وأربعون"),
    ("ar", 2_000_011, "مليونان وأحد عشر"),
    ("de", 21, "einundzwanzig"),
    ("en", 1101, "one thousand one hundred and one"),
    ("en", 1_000_001, "one million one"),
    ("es", 16, "dieciséis"),
    ("es", 10**18, "un trillón"),
    ("fr", 71, "soixante et onze"),
    ("hi", 12_34_567, "बारह लाख चौंतीस हज़ार पाँच सौ सड़सठ"),
    ("hi", 10**13, "एक नील"),
    ("it", 33, "trentatre"),
    ("ja", 10_010_001, "一千一万一"),
    ("mr", 8003, "आठ हजार तीन"),
    ("mr", 100, "शंभर"),
    ("pt", 2100, "dois mil e cem"),
    ("pt", 2110, "dois mil cento e dez"),
    ("ta", 21, "இருபத்தொன்று"),
    ("ta", 900, "தொள்ளாயிரம்"),
    ("te", 1100, "వెయ్యి వంద"),
    ("te", 105, "నూట ఐదు"),
]


@pytest.mark.parametrize(("lang", "n", "wanted"), CARDINALS)
def test_cardinals(lang: str, n: int, wanted: str) -> None:
    assert locale(lang).cardinal(n) == wanted


@pytest.mark.parametrize("lang", LANGUAGES)
def test_digit_words_are_ten_and_different(lang: str) -> None:
    assert len(set(locale(lang).digit_words)) == 10


def test_spell_is_none_where_the_rules_end() -> None:
    assert spell("en", "spellout-cardinal", 10**30) is None
    assert spell("en", "no-such-rules", 1) is None
    assert spell("en", "spellout-cardinal", 12) == "twelve"


def test_indian_grouping_by_hand() -> None:
    assert indian(12_345_678) == [(1, 10_000_000), (23, 100_000), (45, 1000), (6, 100), (78, 1)]
    assert len(below_hundred("te")) == 100


def test_amounts_are_parsed_by_the_locale() -> None:
    english, german = Amounts(locale("en")), Amounts(locale("de"))
    assert english.parse("-1,234.50") == Amount("1234", "50", negative=True)
    assert german.parse("1.234,5 Mio.".lower()) == Amount("1234", "5", scale="mio.")
    assert english.parse("2 3/4") == Amount("2", fraction=(3, 4))
    assert english.parse("1½") == Amount("1", fraction=(1, 2))
    assert english.parse("x") is None


def test_amount_values_choose_the_plural() -> None:
    assert Amount("1").value == 1
    assert Amount("1", "5").value == Decimal("1.5")
    assert Amount("", fraction=(1, 2)).value == 1
    assert Amount("2", scale="million").integer is None


def test_cldr_names() -> None:
    assert unit_pattern("en", "length-kilometer", "other") == "{0} kilometers"
    assert unit_pattern("en", "no-such-unit", "other") is None
    assert currency_name("de", "pln", "other") == "polnische złoty"
    assert currency_name("de", "xyz", "other") is None
    assert plural("ar", Decimal(10**40)) == "other"
