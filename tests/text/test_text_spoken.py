"""Written to spoken form: the promises that hold for every text, and worked examples in every language."""

from __future__ import annotations

import csv
import unicodedata
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.errors import DataError
from understudy.text.characters import SAME
from understudy.text.spoken import LANGUAGES, Formatter, convert, spoken
from understudy.text.words import Word, words

FORMATTERS = {lang: Formatter(lang) for lang in LANGUAGES}

# Pieces that meet in real text, glued in every order, find more than characters drawn one by one.
FRAGMENTS = [
    "a.", "m.", "p.m.", "A.M.", "7:30", "12", ".", ",", "-", "–", "'", "’", "_", "5", "007", "1/2", "½", "²", "x", "siglo",
    "XIX", "mme", "Dr.", "$", "€", "¥", "%", "°", "&", "@", "www.", ".com", ":", "/", "(", ")", "月", "日", "〜", "3", "年",
    "第", "th", "º", "1990s", "+49", "kg", "h", "uhr", "U.S.A", "e.g.", "İ", "Σ", "ß", "😀", "1️⃣", "١٢", "१२", "３", "ー", "が",
    "्", "मी", "usd", "EUR", "0", "1,000", "1.000", "million", "mai", "3.", "mᵐᵉ", "ip", "b.", "c", "#", "=", "−", "８", "Ａ",
    "．", "rock'n'roll", "x-ray", "M.", "Dupont", "\u00ad", "\u200d", "\u0301", "\ufe0f", "\u3099", "\u2028",
]  # fmt: skip
texts = st.one_of(
    st.text(max_size=30),
    st.lists(st.one_of(st.sampled_from(FRAGMENTS), st.sampled_from([" ", "", "\n"]), st.characters()), max_size=10).map("".join),
)
languages = st.sampled_from(LANGUAGES)


class TestPromises:
    @settings(max_examples=400, deadline=None)
    @given(texts, languages)
    def test_the_spoken_form_of_a_spoken_form_is_itself(self, text: str, lang: str) -> None:
        once = FORMATTERS[lang](text)
        assert FORMATTERS[lang](once) == once

    @settings(max_examples=300, deadline=None)
    @given(texts, languages)
    def test_align_gives_the_words_of_the_string(self, text: str, lang: str) -> None:
        assert [w.text for w in FORMATTERS[lang].align(text)] == [w.text for w in words(FORMATTERS[lang](text))]

    @settings(max_examples=300, deadline=None)
    @given(texts, languages)
    def test_spans_lie_in_the_text_and_never_go_back(self, text: str, lang: str) -> None:
        aligned = FORMATTERS[lang].align(text)
        assert all(0 <= w.start < w.end <= len(text) for w in aligned)
        assert all(a.start <= b.start and a.end <= b.end for a, b in pairwise(aligned))

    @settings(max_examples=200, deadline=None)
    @given(texts, languages)
    def test_no_decimal_digit_is_left(self, text: str, lang: str) -> None:
        assert not any(unicodedata.category(c) == "Nd" for c in FORMATTERS[lang](text))

    @settings(max_examples=200, deadline=None)
    @given(st.lists(st.text(st.characters(categories=("Ll", "Lu", "Lo", "Mn")), min_size=1, max_size=8), max_size=6))
    def test_words_of_letters_are_only_lower_cased(self, written: list[str]) -> None:
        text = " ".join(written)
        got = spoken(text, "en").replace(" ", "").replace(".", "")  # Acronyms are spelled.
        # Variation selectors are no part of a word; U+0130 becomes a plain i.
        kept = "".join(w.text for w in words(text.replace("İ", "i").lower())).translate(
            dict.fromkeys([0x34F, *range(0xFE00, 0xFE10)])
        )
        assert got == kept.translate(dict.fromkeys(range(0xE0100, 0xE01F0))).translate(SAME)  # Full-width letters are letters.

    @settings(max_examples=100, deadline=None)
    @given(texts, languages)
    def test_another_formatter_says_the_same(self, text: str, lang: str) -> None:
        assert spoken(text, lang) == FORMATTERS[lang](text)

    def test_lower_case_has_the_length_of_the_text(self) -> None:
        assert [hex(c) for c in range(0x110000) if len(chr(c).lower()) != 1] == ["0x130"]
        assert FORMATTERS["en"].align("İzmir İ") == [Word("izmir", 0, 5), Word("i", 6, 7)]


# Written with n digits, grouped or not. Python itself refuses to read an integer of more than 4300.
LONG = (
    "{}",
    "{}%",
    "${}",
    "{} €",
    "{} km",
    "{}/2",
    "2/{}",
    "1 {}/2",
    "{}th",
    "{}.",
    "1.{}",
    "1,{}%",
    "{}年",
    "{}:30",
    "mai {}",
    "{}º",
    "₹{}.50",
)
# A line of one of these would take a time that grows with its square if each beginning looked to the end of the line.
DULL = (
    "1",
    "1.",
    "1,",
    "1/",
    "1-",
    "1:",
    "1 ",
    "½",
    ".",
    "-",
    "a.",
    "a. ",
    "a-",
    "a@",
    "@",
    "/a",
    "$",
    "+1 ",
    "1mai ",
    "siglo ",
    "年",
    "1年",
    "_",
    "1%",
)


class TestLongLines:
    @pytest.mark.parametrize(
        ("lang", "group"), [*((lang, "111") for lang in LANGUAGES), ("en", ",000"), ("de", ".000"), ("fr", " 000")]
    )
    def test_numbers_too_long_to_be_one_are_read_by_their_digits(self, lang: str, group: str) -> None:
        for written in LONG:
            assert not any(c.isdecimal() for c in FORMATTERS[lang](written.format("1" + group * 1500)))

    @pytest.mark.parametrize(("lang", "piece"), [(LANGUAGES[i % 12], piece) for i, piece in enumerate(DULL)])
    def test_a_long_line_of_the_same_is_read_to_its_end(self, lang: str, piece: str) -> None:
        line = piece * (20_000 // len(piece)) + " zzz"
        assert FORMATTERS[lang](line).endswith("zzz")


ENGLISH = [
    ("Can you set an alarm for 7:30AM?", "can you set an alarm for seven thirty a. m."),
    ("What's up, mother-in-law?! 😀", "what's up mother-in-law"),
    ("the year 1905, 2005 and 2012", "the year nineteen oh five two thousand five and twenty twelve"),
    ("1,234 people", "one thousand two hundred and thirty four people"),
    ("-2.05", "minus two point zero five"),
    ("3/4 and 2 1/2", "three quarters and two and a half"),
    ("the 1st, 22nd and 103rd", "the first twenty second and one hundred third"),
    ("at 10:05 or 12:00", "at ten oh five or twelve o'clock"),
    ("from 5-7 p.m.", "from five to seven p. m."),
    ("on 12/25/2023", "on december twenty fifth twenty twenty three"),
    ("on the 4th of July 2020", "on the fourth of july twenty twenty"),
    ("Mar. 3, 2024", "march third twenty twenty four"),
    ("$5.20, $0.01 and €3 million", "five dollars twenty cents one cent and three million euros"),
    ("5% of 10 km at 90 km/h", "five percent of ten kilometers at ninety kilometers per hour"),
    ("25°C", "twenty five degrees celsius"),
    ("555-123-4567", "five five five one two three four five six seven"),
    ("the '80s and 1990s", "the eighties and nineteen nineties"),
    ("Dr. Who & Mrs. Bell", "doctor who and misses bell"),
    ("jo.b1@mail.com", "jo dot b one at mail dot com"),
    ("the U.S.A. team", "the u. s. a. team"),
    ("B2B", "b two b"),
    ("٣ and ３ and ३", "three and three and three"),
]
OTHERS = [
    ("ar", "٧٠ شخص", "سبعون شخص"),
    ("ar", "3,000,000", "ثلاثة ملايين"),
    ("ar", "12.5%", "اثنا عشر وخمسة من عشرة في المائة"),
    ("de", "Um 14:30 Uhr kostet es 3,50 €.", "um vierzehn uhr dreißig kostet es drei euro fünfzig cent"),
    ("de", "am 3. Mai 1989", "am dritten mai neunzehnhundertneunundachtzig"),
    ("de", "der 2. Versuch, z. B. 1.234", "der zweite versuch zum beispiel eintausendzweihundertvierunddreißig"),
    ("es", "a las 7:15 a.m.", "a las siete y cuarto de la mañana"),
    ("es", "el 3/5/2024", "el tres de mayo de dos mil veinticuatro"),
    ("es", "21 km y 21 mi", "veintiún kilómetros y veintiuna millas"),
    ("es", "el siglo XIX", "el siglo diecinueve"),
    ("fr", "à 14h30 le 1er mai", "à quatorze heures trente le premier mai"),
    ("fr", "M. Dupont a 91 ans", "monsieur dupont a quatre-vingt-onze ans"),
    ("fr", "1 000 000 €", "un million d'euros"),
    ("hi", "₹250.50", "दो सौ पचास रुपए पचास पैसे"),
    ("hi", "सुबह 7:30 बजे", "सुबह सात बजकर तीस मिनट"),
    ("hi", "1,00,000", "एक लाख"),
    ("it", "il 1 maggio 2020", "il primo maggio duemilaventi"),
    ("it", "23 km", "ventitre chilometri"),
    ("ja", "午前7時30分に3,500円", "午前七時三十分に三千五百円"),
    ("ja", "1月1日(月)〜3日(水)", "一月一日月曜日から三日水曜日"),
    ("ja", "7:30に5kg", "七時三十分に五キログラム"),
    ("mr", "₹२५० आणि ९९%", "दोनशे पन्नास रुपये आणि नव्व्याण्णव टक्के"),
    ("pt", "às 14h30, R$ 3,50", "às catorze horas e trinta três reais e cinquenta centavos"),
    ("pt", "1º de maio de 2001", "primeiro de maio de dois mil e um"),
    ("ta", "1999", "ஆயிரத்து தொள்ளாயிரத்து தொண்ணூற்றொன்பது"),
    ("ta", "₹105", "நூற்று ஐந்து ரூபாய்"),
    ("te", "2024", "రెండు వేల ఇరవై నాలుగు"),
    ("te", "5 km", "ఐదు కిలోమీటర్లు"),
]


ACRONYMS = [
    ("en", "Turn on the BBC and NPR", "turn on the b. b. c. and n. p. r."),
    ("en", "NASA in the USA, IV and XX", "nasa in the u. s. a. iv and xx"),
    ("en", "play the MP3 on TV", "play the m. p. three on t. v."),
    ("en", "the BBC's X-FM", "the bbc's x-fm"),
    ("en", "MR DVD GO HOME", "mr d. v. d. go home"),
    ("de", "Nachrichten von ZDF und ARD", "nachrichten von z. d. f. und a. r. d."),
    ("fr", "le TGV et la LA", "le t. g. v. et la la"),
    ("hi", "BBC सुनाओ", "bbc सुनाओ"),
]


class TestReadings:
    @pytest.mark.parametrize(("lang", "written", "wanted"), ACRONYMS)
    def test_acronyms_are_spelled(self, lang: str, written: str, wanted: str) -> None:
        assert FORMATTERS[lang](written) == wanted

    def test_all_letters_of_an_acronym_point_to_it(self) -> None:
        assert FORMATTERS["en"].align("on BBC") == [Word("on", 0, 2), Word("b.", 3, 6), Word("b.", 3, 6), Word("c.", 3, 6)]

    @pytest.mark.parametrize(("written", "wanted"), ENGLISH)
    def test_english(self, written: str, wanted: str) -> None:
        assert FORMATTERS["en"](written) == wanted

    @pytest.mark.parametrize(("lang", "written", "wanted"), OTHERS)
    def test_other_languages(self, lang: str, written: str, wanted: str) -> None:
        assert FORMATTERS[lang](written) == wanted

    @pytest.mark.parametrize("lang", LANGUAGES)
    def test_every_number_has_its_own_words(self, lang: str) -> None:
        numbers = [*range(1100), 1234, 1999, 2024, 99_999, 10**5, 1_234_567, 10**9]
        assert len({FORMATTERS[lang](f"({n})") for n in numbers}) == len(numbers)

    @pytest.mark.parametrize("lang", LANGUAGES)
    def test_numbers_beyond_all_names_are_read_digit_by_digit(self, lang: str) -> None:
        nine = FORMATTERS[lang]("9")
        assert FORMATTERS[lang]("9" * 60).replace(" ", "") == nine.replace(" ", "") * 60


class TestAlign:
    def test_words_of_one_reading_share_its_span(self) -> None:
        got = FORMATTERS["en"].align("Wake me at 7:30AM!")
        assert [w.text for w in got] == ["wake", "me", "at", "seven", "thirty", "a.", "m."]
        assert {(w.start, w.end) for w in got[3:]} == {(11, 17)}
        assert got[0] == Word("wake", 0, 4)

    def test_a_range_keeps_its_two_ends_apart(self) -> None:
        got = FORMATTERS["en"].align("5pm-7pm")
        assert [(w.text, w.start, w.end) for w in got] == [
            ("five", 0, 3), ("p.", 0, 3), ("m.", 0, 3), ("to", 3, 4), ("seven", 4, 7), ("p.", 4, 7), ("m.", 4, 7),
        ]  # fmt: skip

    def test_japanese_words_are_characters(self) -> None:
        got = FORMATTERS["ja"].align("7時に")
        assert got == [Word("七", 0, 1), Word("時", 1, 2), Word("に", 2, 3)]

    def test_characters_that_are_skipped_are_counted(self) -> None:
        assert FORMATTERS["en"].align("so\u00adft 3") == [Word("soft", 0, 5), Word("three", 6, 7)]

    def test_nothing_gives_nothing(self) -> None:
        assert FORMATTERS["en"].align(" \n…😀") == []
        assert FORMATTERS["en"]("") == ""


class TestConvert:
    def test_a_line_out_for_each_line_in(self) -> None:
        assert list(convert(["7 Äpfel\n", "\n", "\u2028x"], "de")) == ["sieben äpfel", "", "x"]

    def test_both_writes_the_pair(self) -> None:
        assert list(convert(["No. 5!\n"], "en", both=True)) == ["No. 5!\tnumber five"]

    def test_an_unknown_language_is_told_at_once(self) -> None:
        with pytest.raises(DataError, match="'?xx"):
            convert([], "xx")
        with pytest.raises(DataError, match="ar, de, en"):
            Formatter("english")


def _loose(s: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKC", s).casefold() if unicodedata.category(c)[0] not in "PZSC")


# Least share of right readings, kept a little under what was measured; raise them as the rules grow.
FLOORS = {"ar": 95.0, "de": 96.0, "en": 96.0, "es": 99.0, "fr": 97.0, "hi": 97.0, "it": 92.0, "ja": 99.0, "pt": 99.0}


@pytest.mark.parametrize("lang", FLOORS)
def test_accuracy_on_real_pairs_does_not_fall(lang: str, data_root: Path) -> None:
    path = data_root / "text_norm" / "written_spoken.tsv"
    if not path.is_file():
        pytest.skip(f"no {path}")
    with path.open(encoding="utf8", newline="") as file:
        rows = [r for r in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE) if r["lang"] == lang]
    rows = [r for r in rows if r["direction"] == "written-to-spoken"]
    right = sum(_loose(FORMATTERS[lang](r["written"])) == _loose(r["spoken"]) for r in rows)
    assert 100 * right / len(rows) >= FLOORS[lang]
