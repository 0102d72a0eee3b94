"""What kinds of characters there are, for the regexes of this room: Python's `re` knows letters and digits, but no marks."""

from __future__ import annotations

import unicodedata

__all__ = ["FRACTIONS", "MARKS", "SAME", "SKIP"]

# In a word but not of it: soft hyphen, word joiner, marks of writing direction, variation selectors. A regex class without its brackets, as are the others.
SKIP = "\u00ad\u034f\u061c\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufe00-\ufe0f\ufeff\U000e0100-\U000e01ef"
FRACTIONS = "¼½¾⅐⅑⅒⅓⅔⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞↉"


def _marks() -> str:
    """All combining marks of spaced scripts, without those of SKIP and the enclosing ones (keycaps of emoji)."""
    ranges: list[list[int]] = []
    for c in range(0x300, 0x1E950):
        if unicodedata.category(chr(c)) in ("Mn", "Mc") and not (0xFE00 <= c <= 0xFE0F or c in (0x34F, 0x3099, 0x309A)):
            if ranges and ranges[-1][1] == c - 1:
                ranges[-1][1] = c
            else:
                ranges.append([c, c])
    return "".join(chr(a) if a == b else f"{chr(a)}-{chr(b)}" for a, b in ranges)


def _same() -> dict[int, str]:
    """Characters read as others: decimal digits of all scripts, full-width forms, kinds of dashes, spaces and apostrophes."""
    table = {
        0x2212: "-",
        0x2010: "-",
        0x2011: "-",
        0x2012: "-",
        0x2018: "'",
        0x2019: "'",
        0xB4: "'",
        0x66B: ".",
        0x66A: "%",
        0x301C: "~",
        0x2044: "/",
    }
    table |= {0xFFE0: "¢", 0xFFE1: "£", 0xFFE5: "¥"}
    table |= dict.fromkeys((0xA0, 0x2007, 0x2009, 0x202F, 0x3000), " ")
    table |= {c: chr(c - 0xFEE0).lower() for c in range(0xFF01, 0xFF5F)}
    for c in range(0x660, 0x1FBFA):
        if unicodedata.category(chr(c)) == "Nd":
            table[c] = str(unicodedata.decimal(chr(c)))
    return table


MARKS = _marks()
SAME = _same()
