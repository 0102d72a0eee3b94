"""Arabic and Hindi spoken form: each class by hand-worked examples, and what holds for every number and text of theirs."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.text.locales import ar_numbers
from understudy.text.spoken import Formatter
from understudy.text.words import words

ARABIC = Formatter("ar")
HINDI = Formatter("hi")

ARABIC_READINGS = [
    # Numbers. One comma is a decimal sign, unless zeros alone follow or another sign is the decimal one.
    ("8009", "ثمانية اَلاف وتسعة"),
    ("10,000", "عشرة اَلاف"),
    ("12,000,000", "اثنا عشر مليون"),
    ("200000", "مئتا ألف"),
    ("102000", "مئة ألف وألفان"),
    ("12,345", "اثنا عشر وثلاث مئة وخمسة وأربعون من ألف"),
    ("1,234.5", "ألف ومئتان وأربعة وثلاثون وخمسة من عشرة"),
    ("١٢٬٣٤٥", "اثنا عشر ألف وثلاث مئة وخمسة وأربعون"),
    ("١٫٥", "واحد وخمسة من عشرة"),
    ("-0,25", "سالب خمسة وعشرون من مئة"),
    ("3.1415926", "ثلاثة فاصلة واحد أربعة واحد خمسة تسعة اثنان ستة"),
    ("007", "صفر صفر سبعة"),
    # Fractions.
    ("2/5", "خمسين"),
    ("7/8", "سبعة أثمان"),
    ("11/3", "أحد عشر ثلث"),
    ("3/20", "ثلاثة على عشرين"),
    ("7/100", "سبعة من مئة"),
    ("4 1/3", "أربعة وثلث"),
    # Percent and units, on either side of the number, and agreeing with it.
    ("٪١٢", "اثنا عشر في المائة"),
    ("% 3,5", "ثلاثة وخمسة من عشرة في المائة"),
    ("f100", "مئة فهرنهايت"),
    ("1 كم", "كيلومتر واحد"),
    ("2 كم", "كيلومتران"),
    ("3 كم", "ثلاثة كيلومترات"),
    ("15 كم/س", "خمسة عشر كيلومتر في الساعة"),
    ("200 كم²", "مئتا كيلومتر مربع"),
    ("4 m²", "أربعة أمتار مربعة"),
    ("8 °C", "ثماني درجات مئوية"),
    ("-3 °C", "سالب ثلاث درجات مئوية"),
    ("21 min", "واحدة وعشرون دقيقة"),
    ("1.5 kg", "واحد وخمسة من عشرة كيلوغرام"),
    ("الجيل 5G", "الجيل خمسة g"),
    # Numbers before nouns of the text.
    ("5 دقائق", "خمس دقائق"),
    ("15 سيارة", "خمس عشرة سيارة"),
    ("5 أسئلة", "خمسة أسئلة"),
    ("15 كتابا", "خمسة عشر كتابا"),
    # Money.
    ("$1.01", "دولار واحد وسنت واحد"),
    ("$2.02", "دولاران وسنتان"),
    ("€3.11", "ثلاثة يورو وأحد عشر سنت"),
    ("$1,500", "ألف وخمس مئة دولار"),
    ("د.ك1.250", "دينار كويتي واحد ومئتان وخمسون فلس"),
    ("0.05 ر.س", "خمس هللات"),
    ("$5 ملايين", "خمسة ملايين دولار"),
    ("3 TRY", "ثلاث ليرة تركية"),
    # Dates and years.
    ("3/5/2024", "الثالث من مايو ألفين وأربعة وعشرين"),
    ("15 كانون الثاني 2021", "الخامس عشر من كانون الثاني ألفين وواحد وعشرين"),
    ("1 رمضان 1445 هـ", "الأول من رمضان ألف وأربع مئة وخمسة وأربعين هجري"),
    ("في 25 ديسمبر", "في الخامس والعشرين من ديسمبر"),
    ("عام 1990م", "عام ألف وتسع مئة وتسعين ميلادي"),
    # Times.
    ("الساعة 5", "الساعة الخامسة"),
    ("الساعة 5 م", "الساعة الخامسة مساء"),
    ("5 م", "خمسة أمتار"),
    ("7:15 ص", "السابعة والربع صباحا"),
    ("14:05", "الرابعة عشرة وخمس دقائق"),
    ("1:02:11", "الواحدة ودقيقتان وإحدى عشرة ثانية"),
    # The ranked and the counted.
    ("القرن الـ21", "القرن الحادي والعشرون"),
    ("المرتبة الـ3", "المرتبة الثالثة"),
    ("الدول الـ22", "الدول الاثنان والعشرون"),
    # Behind a preposition, and one and two of a noun.
    ("بعد 20 دقيقة ولمدة 45 دقيقة", "بعد عشرين دقيقة ولمدة خمس وأربعين دقيقة"),
    ("من 10 إلى 20 أو 30", "من عشرة إلى عشرين أو ثلاثون"),
    ("بسعر $22 على 50%", "بسعر اثنين وعشرين دولار على خمسين في المائة"),
    ("بعد 2 كم، خلال 2 دقائق", "بعد كيلومترين خلال دقيقتين"),
    ("1 ساعة، 2 يوم، 2 كتاب", "ساعة واحدة يومان اثنان كتاب"),
    ("كل 5 دقائق حتى 12", "كل خمس دقائق حتى اثني عشر"),
    ("ب20 دولار", "ب عشرين دولار"),
    # The rest.
    ("5-10", "خمسة إلى عشرة"),
    ("5-20", "خمسة إلى عشرين"),
    ("+966 50 123", "زائد تسعة ستة ستة خمسة صفر واحد اثنان ثلاثة"),
    ("أ.د. أحمد", "أستاذ دكتور أحمد"),
    ("5\u200f كم\u200e", "خمسة كيلومترات"),
    ("ali@gmail.com", "ali آت جيميل نقطة كوم"),
]  # fmt: skip
HINDI_READINGS = [
    # Ordinals.
    ("1ला", "पहला"),
    ("6वां", "छठवां"),
    ("102रा", "एक सौ दूसरा"),
    ("7 वें", "सातवें"),
    ("1001वीं", "एक हज़ार एकवीं"),
    ("21st", "ट्वेंटी फ़र्स्ट"),
    ("30th", "थर्टीथ"),
    ("100th", "एक सौवां"),
    # A half, a quarter more and a quarter less.
    ("1.5 hr", "डेढ़ घंटे"),
    ("3.25 hr", "सवा तीन घंटे"),
    ("3.5 घंटे", "साढ़े तीन घंटे"),
    ("₹2.75 करोड़", "पौने तीन करोड़ रुपए"),
    ("2.5 kg", "दो दशमलव पाँच किलोग्राम"),
    ("1/2 घंटा, 1/2 घंटे में, ½ कटोरी", "आधा घंटा आधे घंटे में आधी कटोरी"),
    ("1 1/2, 2 1/2, 3 1/2, 5½ फीट", "डेढ़ ढाई साढ़े तीन साढ़े पाँच फीट"),
    ("1 1/4 कप, 3 1/4 घंटे, 2 3/4 किलो", "सवा कप सवा तीन घंटे पौने तीन किलो"),
    ("1/4 किलो, 1/4 कप, 3/4 घंटा, 3/4", "पाव किलो एक चौथाई कप पौन घंटा तीन चौथाई"),
    ("1.5 किलो, 1.25 लीटर, 0.5 घंटा", "डेढ़ किलो सवा लीटर आधा घंटा"),
    ("3 2/5, 2/3, 22 3/4%", "तीन और दो बटा पाँच दो बटा तीन पौने तेईस प्रतिशत"),
    # Dates and years.
    ("15 सितम्बर 1857", "पंद्रह सितम्बर अठारह सौ सत्तावन"),
    ("1853 ई.", "अठारह सौ तिरेपन ईसवी"),
    ("1500 ई.पू.", "पंद्रह सौ ईसा पूर्व"),
    ("साल 1857", "साल अठारह सौ सत्तावन"),
    # A day and a month before what follows a date; a range before what is counted.
    ("10-12 को, 15-08 से 10-12 तक, 10-12।", "दस दिसंबर को पंद्रह अगस्त से दस दिसंबर तक दस दिसंबर"),
    ("10-12", "दस दिसंबर"),
    ("10-12 मिनट, 10-12 लोग, 10-12 साल, 10-12 दिन", "दस से बारह मिनट दस से बारह लोग दस से बारह साल दस से बारह दिन"),
    ("10-12 बजे, 11-12 अगस्त, 15-20 मिनट", "दस से बारह बजे ग्यारह से बारह अगस्त पंद्रह से बीस मिनट"),
    ("10-12 के बीच, 10-12%, 2-2.5 घंटे", "दस से बारह के बीच दस से बारह प्रतिशत दो से ढाई घंटे"),
    # Times.
    ("5:00:30", "पाँच बजकर तीस सेकंड"),
    ("5 बजकर 10 मिनट", "पाँच बजकर दस मिनट"),
    # Money and measures.
    ("रु. 500", "पाँच सौ रुपए"),
    ("₫500", "पाँच सौ वियतनामी डोंग"),
    ("$5 million", "पाँच मिलियन डॉलर"),
    ("5 mm³", "पाँच घन मिलीमीटर"),
    ("5 कि.मी.", "पाँच किलोमीटर"),
    ("7 d, 3d", "सात दिन तीन d"),
    # Codes, telephone numbers, addresses.
    ("पिन 1234 है", "पिन एक दो तीन चार है"),
    ("1800-123-4567", "एक आठ शून्य शून्य एक दो तीन चार पाँच छह सात"),
    ("98765 43210", "नौ आठ सात छह पाँच चार तीन दो एक शून्य"),
    ("A-12, लाजपत नगर, दिल्ली", "ए हाइफ़न एक दो लाजपत नगर दिल्ली"),
    ("12/ए मार्ग", "एक दो बटा ए मार्ग"),
    ("रोड पर 500 लोग हैं", "रोड पर पाँच सौ लोग हैं"),
    ("info@outlook.com", "आई एन एफ ओ एट आउटलुक डॉट कॉम"),
    ("पं. नेहरू", "पंडित नेहरू"),
]
FRAGMENTS = [
    "الـ", "ال", "القرن", "القرن ال", "الساعة", "عام", "سنة", "م", "ص", "هـ", "كم", "كم/س", "°م", "%", "٪", "f", "c", "km", "د.ك", "ر.س", "$", "ـ", "٬", "٫",
    "١٢", "5", "2020", "1,000", "1,234", ".5", "من", "في", "مايو", "رمضان", "كانون الثاني", "دقائق", "سيارة", "ملايين", "ألف", "م.", "ق.م.", "أ.د.", "/", ":", "-",
    "पिन", "नंबर", "रोड", "नगर,", "में", "सन", "साल", "ई.", "ई.पू.", "का", "वां", "वें", "रा", "बजे", "बजकर", "घंटे", "लाख", "रु.", "रु", "x", "d", "st", "th", "मार्च", "सितम्बर",
    "कि.मी.", "sq ft", "mm³", "1.5", "2.25", "९८", "1234", "9876543210", "a", "ए", "ी", "्", "\u064e", "ة",
]  # fmt: skip
texts = st.lists(st.one_of(st.sampled_from(FRAGMENTS), st.sampled_from([" ", "", ","])), max_size=12).map("".join)
VALUES = {w: n for n in range(20) for w in ar_numbers.spell(n).split(" ", 1)[:1] if " " not in ar_numbers.spell(n)}
VALUES |= {ar_numbers.spell(n): n for n in range(20, 100, 10)} | {"مئة": 100, "مئتان": 200, "مئتا": 200}
VALUES |= dict(zip(("ثلاث", "أربع", "خمس", "ست", "سبع", "ثمان", "تسع", "أحد", "اثنا"), (*range(3, 10), 1, 2), strict=True))
SCALES = {
    "ألف": 10**3,
    "اَلاف": 10**3,
    "مليون": 10**6,
    "ملايين": 10**6,
    "مليار": 10**9,
    "مليارات": 10**9,
    "تريليون": 10**12,
    "تريليونات": 10**12,
}


def value(spoken: str) -> int:
    """The number that Arabic words stand for, by a grammar of its own: ones, tens and hundreds gather until a scale takes them."""
    total = part = 0
    for word in spoken.split():
        w = word if word in VALUES or word in SCALES else word.removeprefix("و")
        stem = w.removesuffix("ان").removesuffix("ا")
        if w == "عشر":
            part += 10
        elif w == "مئة" and part % 10:
            part += part % 10 * 99
        elif w in VALUES:
            part += VALUES[w]
        elif w in SCALES:
            total, part = total + (part or 1) * SCALES[w], 0
        else:
            assert part == 0
            total += 2 * SCALES[stem]
    return total + part


class TestArabic:
    @pytest.mark.parametrize(("written", "wanted"), ARABIC_READINGS)
    def test_reading(self, written: str, wanted: str) -> None:
        assert ARABIC(written) == wanted

    @settings(max_examples=400, deadline=None)
    @given(st.one_of(st.integers(0, 3000), st.integers(0, 10**15 - 1), st.integers(0, 999).map(lambda n: n * 1000 + 2)))
    def test_number_words_stand_for_the_number(self, n: int) -> None:
        assert value(ar_numbers.spell(n)) == n

    @given(st.integers(0, 10**15 - 1))
    def test_gender_changes_the_last_two_digits_alone(self, n: int) -> None:
        head, same = ar_numbers.spell(n - n % 100), ar_numbers.spell(n, feminine=True)
        assert same == ar_numbers.spell(n) or same.startswith(head) or n < 100

    @given(st.integers(0, 10**12))
    def test_the_other_case_is_reached_once(self, n: int) -> None:
        once = ar_numbers.oblique(ar_numbers.spell(n))
        assert ar_numbers.oblique(once) == once

    @pytest.mark.parametrize(
        ("n", "wanted"), [(1, "الأولى"), (3, "الثالثة"), (11, "الحادية عشرة"), (20, "العشرون"), (22, "الثانية والعشرون")]
    )
    def test_feminine_ordinals(self, n: int, wanted: str) -> None:
        assert ar_numbers.ordinal(n, feminine=True) == wanted

    def test_ordinals_end_before_a_hundred(self) -> None:
        assert [ar_numbers.ordinal(n) for n in (0, 100)] == [None, None]


class TestHindi:
    @pytest.mark.parametrize(("written", "wanted"), HINDI_READINGS)
    def test_reading(self, written: str, wanted: str) -> None:
        assert HINDI(written) == wanted

    def test_english_ordinals_differ(self) -> None:
        assert len({HINDI(f"{n}th") for n in range(1, 100)}) == 99


class TestPromises:
    @settings(max_examples=500, deadline=None)
    @given(texts, st.sampled_from([ARABIC, HINDI]))
    def test_spoken_form_is_stable_aligned_and_without_digits(self, text: str, formatter: Formatter) -> None:
        once = formatter(text)
        assert formatter(once) == once
        assert [w.text for w in formatter.align(text)] == [w.text for w in words(once)]
        assert not any(unicodedata.category(c) == "Nd" for c in once)
