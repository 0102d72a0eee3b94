"""Number words from unicode-rbnf and indic-num2words, spelled once and remembered.

Both libraries walk rules at each call (20 to 130 microseconds); text repeats its numbers, so results are kept by value.
"""

from __future__ import annotations

import re
from functools import lru_cache

from num_to_words.utils import NUM_DICT
from unicode_rbnf import RbnfEngine
from unicode_rbnf.engine import RbnfError

__all__ = ["below_hundred", "indian", "roman", "spell"]

_ROMAN = re.compile(r"(?=[ivxlc])(xc|xl|l?x{0,3})(ix|iv|v?i{0,3})")
_ROMAN_DIGITS = {"i": 1, "v": 5, "x": 10, "l": 50, "c": 100}


@lru_cache(maxsize=32)
def _engine(lang: str) -> RbnfEngine:
    return RbnfEngine.for_language(lang)


@lru_cache(maxsize=65_536)
def spell(lang: str, ruleset: str, n: int) -> str | None:
    """`n` by the CLDR rule set `ruleset` of `lang`, lower-case; None where the rules end (they then print digits)."""
    try:
        words = _engine(lang).format_number(n, ruleset_names=[ruleset]).text
    except RbnfError:
        return None
    if any(c.isdigit() for c in words):
        return None
    return " ".join(words.lower().split())


def below_hundred(lang: str) -> tuple[str, ...]:
    """The words of 0 to 99 in an Indian language, by indic-num2words."""
    table = NUM_DICT[lang]
    return tuple(str(table[str(n)]) for n in range(100))


def roman(written: str) -> int | None:
    """The value of a Roman numeral below 100 in small letters; None for other letters.

    >>> roman("xiv")
    14
    """
    if not _ROMAN.fullmatch(written):
        return None
    values = [_ROMAN_DIGITS[c] for c in written]
    return sum(-v if any(w > v for w in values[i + 1 : i + 2]) else v for i, v in enumerate(values))


def indian(n: int) -> list[tuple[int, int]]:
    """`n` in the Indian grouping, largest first: (count, unit) with units crore, lakh, thousand, hundred and one.

    >>> indian(12345678)
    [(1, 10000000), (23, 100000), (45, 1000), (6, 100), (78, 1)]
    """
    parts = []
    for unit in (10_000_000, 100_000, 1000, 100, 1):
        count, n = divmod(n, unit)
        if count:
            parts.append((count, unit))
    return parts
