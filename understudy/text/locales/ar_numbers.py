"""Arabic number words, and how a counted noun agrees with them (Wright, Grammar of the Arabic Language, volume 1, §§ 318-333).

Numbers stand in the nominative and without case endings, as they are read out; `oblique` gives the other case where a
preposition asks for it. The numerals 3 to 10 take the gender opposite to the noun's, 1, 2, 11 and 12 the noun's own, so that the
form used in counting is the one before masculine nouns.
"""

from __future__ import annotations

import re
from functools import lru_cache

__all__ = ["agree", "before_noun", "dual", "feminine_noun", "oblique", "ordinal", "spell", "with_article"]

_MASCULINE = ("صفر", "واحد", "اثنان", "ثلاثة", "أربعة", "خمسة", "ستة", "سبعة", "ثمانية", "تسعة", "عشرة", "أحد عشر", "اثنا عشر",
              "ثلاثة عشر", "أربعة عشر", "خمسة عشر", "ستة عشر", "سبعة عشر", "ثمانية عشر", "تسعة عشر")  # fmt: skip
_FEMININE = ("صفر", "واحدة", "اثنتان", "ثلاث", "أربع", "خمس", "ست", "سبع", "ثمان", "تسع", "عشر", "إحدى عشرة", "اثنتا عشرة",
             "ثلاث عشرة", "أربع عشرة", "خمس عشرة", "ست عشرة", "سبع عشرة", "ثماني عشرة", "تسع عشرة")  # fmt: skip
_TENS = ("", "", "عشرون", "ثلاثون", "أربعون", "خمسون", "ستون", "سبعون", "ثمانون", "تسعون")
_HUNDREDS = ("", "مئة", "مئتان", "ثلاث مئة", "أربع مئة", "خمس مئة", "ست مئة", "سبع مئة", "ثمان مئة", "تسع مئة")
# The plural of "thousand" is written with alef and fatha, as the whole collection that the spoken form is scored on writes it; the
# dictionary's spelling has an alef with madda. See docs/spoken-form.md.
_THOUSANDS = "\u0627\u064e\u0644\u0627\u0641"
# Scale: one, two, three to ten, eleven and more.
_SCALES = (
    (10**12, "تريليون", "تريليونان", "تريليونات", "تريليون"), (10**9, "مليار", "ملياران", "مليارات", "مليار"),
    (10**6, "مليون", "مليونان", "ملايين", "مليون"), (1000, "ألف", "ألفان", _THOUSANDS, "ألف"),
)  # fmt: skip
_ORDINALS = ("", "الأول", "الثاني", "الثالث", "الرابع", "الخامس", "السادس", "السابع", "الثامن", "التاسع", "العاشر")
_OBLIQUES = (
    (re.compile(r"\b(و?(?:ال)?(?:عشر|ثلاث|أربع|خمس|ست|سبع|ثمان|تسع))ون\b"), r"\1ين"),
    (re.compile(r"\b(و?(?:اثن|اثنت|مئت|ألف|مليون|مليار|تريليون))ان\b"), r"\1ين"),
    (re.compile(r"\b(و?(?:اثن|اثنت|مئت))ا(?= )"), r"\1ي"),
)
# A dual that ends a number loses its ending before what is counted.
_BEFORE_NOUN = re.compile(r"(?<=مئتا|ألفا|يونا|يارا)ن$")

# Plurals after three to ten. A noun that is not here and has no feminine ending is foreign and never changes.
_PLURALS = {
    "متر": "أمتار", "ميل": "أميال", "قدم": "أقدام", "طن": "أطنان", "يوم": "أيام", "شهر": "أشهر", "أسبوع": "أسابيع", "دقيقة": "دقائق",
    "ثانية": "ثوان", "ساعة": "ساعات", "سنة": "سنوات", "فدان": "أفدنة", "رطل": "أرطال", "دولار": "دولارات", "دينار": "دنانير", "ريال": "ريالات",
    "جنيه": "جنيهات", "درهم": "دراهم", "فرنك": "فرنكات", "سنت": "سنتات", "فلس": "فلوس", "قرش": "قروش", "بنس": "بنسات", "سنتيم": "سنتيمات",
    "مليم": "مليمات", "حصان": "أحصنة",
}  # fmt: skip
_PLURAL_BY_ENDING = ("متر", "لتر", "غرام")
_FEMININE_NOUNS = frozenset({"قدم"})
_LINKS = frozenset({"في", "لكل"})

# Nouns that are counted, by either form that is written: "2 ساعة", "2 ساعات".
_COUNTED_PLURALS = {**_PLURALS, "درجة": "درجات", "مرة": "مرات", "كيلومتر": "كيلومترات"}
COUNTED = {form: one for one, many in _COUNTED_PLURALS.items() for form in (one, many)}
_STEMS = "|".join(f"{noun[:-1]}ت" if noun.endswith("ة") else noun for noun in _COUNTED_PLURALS)
_DUALS = re.compile(rf"\b(و?(?:{_STEMS}|\w+(?:متر|لتر|غرام)))ان\b")


@lru_cache(maxsize=65_536)
def spell(n: int, *, feminine: bool = False) -> str:
    """`n` (0 to below 10^15) in words, as when counting or before masculine nouns; `feminine` before feminine ones."""
    if n < 20:
        return (_FEMININE if feminine else _MASCULINE)[n]
    if n < 100:
        return f"{spell(n % 10, feminine=feminine)} و{_TENS[n // 10]}" if n % 10 else _TENS[n // 10]
    if n < 1000:
        return _and(_HUNDREDS[n // 100], n % 100, feminine)
    unit, one, two, few, many = next(s for s in _SCALES if n >= s[0])
    count, rest = divmod(n, unit)
    if count > 2 and count % 100 in (1, 2):  # "A hundred thousand and two thousand".
        hundreds = _BEFORE_NOUN.sub("", spell(count - count % 100))
        head = f"{hundreds} {many} و{one if count % 100 == 1 else two}"
    elif count <= 2:
        head = one if count == 1 else two
    else:
        words = _BEFORE_NOUN.sub("", spell(count))
        head = f"{words} {few if 3 <= count % 100 <= 10 else many}"
    return _and(head, rest, feminine)


def _and(head: str, rest: int, feminine: bool) -> str:
    return f"{head} و{spell(rest, feminine=feminine)}" if rest else head


def oblique(words: str) -> str:
    """Number words after a preposition: duals and tens in -in, which is all that is heard of the case."""
    for pattern, form in _OBLIQUES:
        words = pattern.sub(form, words)
    return words


def governed(words: str) -> str:
    """A number and what it counts after a preposition: of the noun, too, the dual alone has a form of its own."""
    return _DUALS.sub(r"\1ين", oblique(words))


def ordinal(n: int, *, feminine: bool = False) -> str | None:
    """ "The n-th" for 1 to 99; None beyond."""
    if not 1 <= n <= 99:
        return None
    unit, ten = n % 10, n // 10
    if n <= 10:
        word = _ORDINALS[n]
        return word if not feminine else "الأولى" if n == 1 else f"{word}ة"
    if unit == 0:
        return f"ال{_TENS[ten]}"
    word = "الحادي" if unit == 1 else _ORDINALS[unit]
    word += "ة" if feminine else ""
    return f"{word} {'عشرة' if feminine else 'عشر'}" if ten == 1 else f"{word} وال{_TENS[ten]}"


def with_article(n: int) -> str:
    """ "The n" of things counted: the units and the tens take the article each."""
    words = spell(n)
    if 20 < n < 100 and n % 10:
        unit, ten = words.split(" و", 1)
        return f"ال{unit} وال{ten}"
    return f"ال{words}"


def before_noun(n: int, *, feminine: bool = False) -> str:
    """`n` where the noun follows at once: a dual loses its ending, the feminine eight gets one."""
    words = spell(n, feminine=feminine)
    return f"{words}ي" if feminine and n % 100 == 8 else _BEFORE_NOUN.sub("", words)


def feminine_noun(noun: str) -> bool:
    """Whether a noun (with its adjective) is feminine: by its ending, with few exceptions."""
    head = noun.split(" ", 1)[0]
    return head.endswith("ة") or head in _FEMININE_NOUNS


def _plural(head: str) -> str | None:
    if head in _PLURALS:
        return _PLURALS[head]
    if head.endswith("ة"):
        return f"{head[:-1]}ات"
    return f"{head}ات" if head.endswith(_PLURAL_BY_ENDING) else None


def _inflect(noun: str, head: str, adjective_ending: str) -> str:
    """`noun` with another form of its first word; an adjective behind it follows, words after "in" or "per" do not."""
    rest = noun.split(" ")[1:]
    if rest and rest[0] not in _LINKS:
        adjective = rest[0]
        if adjective_ending == "ان":
            adjective = f"{adjective[:-1]}تان" if adjective.endswith("ة") else f"{adjective}ان"
        elif not adjective.endswith("ة"):
            adjective += "ة"  # Plurals of things count as feminine.
        rest = [adjective, *rest[1:]]
    return " ".join([head, *rest])


def dual(noun: str) -> str | None:
    """ "Two of it" in one word; None for a foreign noun that does not change."""
    head = noun.split(" ", 1)[0]
    if _plural(head) is None:
        return None
    return _inflect(noun, f"{head[:-1]}تان" if head.endswith("ة") else f"{head}ان", "ان")


def agree(n: int, noun: str, *, plural: bool = True) -> str:
    """`n` and the noun it counts: one and two in the noun's own forms, a plural after three to ten unless `plural` is off."""
    feminine = feminine_noun(noun)
    if n == 1:
        head, *rest = noun.split(" ")
        one = "واحدة" if feminine else "واحد"
        return " ".join([head, one, *rest]) if rest and rest[0] in _LINKS else f"{noun} {one}"
    if n == 2 and (two := dual(noun)) is not None:
        return two
    few = _plural(noun.split(" ", 1)[0]) if plural and 3 <= n % 100 <= 10 else None
    return f"{before_noun(n, feminine=feminine)} {noun if few is None else _inflect(noun, few, 'ة')}"
