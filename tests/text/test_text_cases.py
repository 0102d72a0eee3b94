"""Worked cases of the spoken form in the languages that have no public ones, and the number words behind them."""

from __future__ import annotations

import csv
import unicodedata
from collections import Counter
from pathlib import Path

import pytest
from num_to_words import num_to_word
from unicode_rbnf import RbnfEngine

from understudy.text.characters import SAME
from understudy.text.locales import locale
from understudy.text.spoken import spoken

LANGS = ("mr", "ta", "te")
CLASSES = {
    "cardinal", "ordinal", "decimal", "fraction", "negative", "range", "year", "decade", "date", "time", "duration", "money",
    "percent", "measure", "telephone", "serial", "version", "score", "roman", "abbreviation", "acronym", "electronic", "symbol",
    "emoji", "plain",
}  # fmt: skip
# Where another spelling than that of indic-num2words is followed; docs/spoken-form.md says whose.
ANOTHER = {
    "mr": {"सहावीस": "सव्वीस", "बहात्तर": "बाहत्तर", "पंच्याऐशी": "पंच्याऐंशी", "सष्ठ": "सष्ट", "पंच्याहत्तर": "पंचाहत्तर", "तेहेतीस": "तेहतीस"},
    "te": {
        "ఒక్కటి": "ఒకటి", "పధ్నాలుగు": "పద్నాలుగు", "పందొమ్మిది": "పంతొమ్మిది", "యాబై": "యాభై", "ఎనబై": "ఎనభై", "తొంబై": "తొంభై", "ఆరవై": "అరవై",
        "ఎనిమ్మిది": "ఎనిమిది", "వంద,": "వందల",
    },
}  # fmt: skip


def _cases(lang: str) -> list[dict[str, str]]:
    with (Path(__file__).parent / "cases" / f"{lang}.tsv").open(encoding="utf8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def _loose(s: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKC", s).casefold() if unicodedata.category(c)[0] not in "PZSC")


def _plain_numbers(lang: str) -> dict[int, str]:
    numbers = {
        row["written"].translate(SAME).replace(",", ""): row["spoken"] for row in _cases(lang) if row["class"] == "cardinal"
    }
    return {int(written): words for written, words in numbers.items() if written.isdecimal()}


@pytest.mark.parametrize("lang", LANGS)
def test_at_least_95_percent_are_read_as_written_here(lang: str) -> None:
    rows = _cases(lang)
    wrong = [
        f"{r['class']}: {r['written']} -> {got}, wanted {r['spoken']}"
        for r in rows
        if _loose(got := spoken(r["written"], lang)) != _loose(r["spoken"])
    ]
    assert 1 - len(wrong) / len(rows) >= 0.95, "\n".join(wrong)


@pytest.mark.parametrize("lang", LANGS)
def test_every_class_has_three_cases_and_none_stands_twice(lang: str) -> None:
    rows = _cases(lang)
    count = Counter(r["class"] for r in rows)
    assert len(rows) >= 150
    assert set(count) == CLASSES
    assert {name for name, n in count.items() if n < 3} == set()
    assert [w for w, n in Counter(r["written"] for r in rows).items() if n > 1] == []
    assert {r["lang"] for r in rows} == {lang}


@pytest.mark.parametrize("lang", ["mr", "te"])
def test_cardinals_agree_with_indic_num2words(lang: str) -> None:
    for n, words in _plain_numbers(lang).items():
        theirs = num_to_word(n, lang)
        for old, new in ANOTHER[lang].items():
            theirs = theirs.replace(old, new)
        assert _loose(words) == _loose(theirs), n


def test_tamil_number_words_are_those_of_cldr_before_they_are_joined() -> None:
    # CLDR's rules set words side by side (இருபது ஐந்து); three of its words are spelled otherwise everywhere else.
    engine = RbnfEngine.for_language("ta")
    otherwise = {0: "பூஜ்ஜியம்", 400: "நானூறு", 800: "எண்ணூறு"}
    for n in (*range(20), *range(20, 100, 10), *range(100, 1000, 100)):
        words = engine.format_number(n, ruleset_names=["spellout-cardinal"]).text
        assert locale("ta").cardinal(n) == otherwise.get(n, words)


@pytest.mark.parametrize("lang", LANGS)
def test_the_thousand_smallest_numbers_have_their_own_words(lang: str) -> None:
    assert len({locale(lang).cardinal(n) for n in range(1000)}) == 1000
