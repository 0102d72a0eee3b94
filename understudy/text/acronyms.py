"""Acronyms in capitals that are said letter by letter: "BBC" -> "b. b. c.", as utterances to assistants have them (MASSIVE).

Without a vowel a word in capitals cannot be said otherwise; with one it may be a word ("NASA"), so that only well-known ones are
spelled. Roman numerals and abbreviations without their full stop ("MR") are neither.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from understudy.text.classes import NO_LETTER, NO_LETTER_BEFORE

__all__ = ["with_acronyms"]

_CAPITALS = re.compile(rf"{NO_LETTER_BEFORE}(?<![^\W\d_]['’\-])[A-Z]{{2,5}}(?!['’\-][^\W\d_]){NO_LETTER}")
_VOWEL = re.compile("[aeiouy]")
_ROMAN = re.compile("m{0,3}(?:cm|cd|d?c{0,3})(?:xc|xl|l?x{0,3})(?:ix|iv|v?i{0,3})")
_WORDS = frozenset(["dr", "jr", "ltd", "mme", "mlle", "mr", "mrs", "ms", "mt", "nr", "sgt", "sr", "st", "str", "vs"])
_COMMON = frozenset(
    [
        "abc",
        "ai",
        "aol",
        "cd",
        "cia",
        "cv",
        "dc",
        "dna",
        "eu",
        "fbi",
        "ibm",
        "id",
        "ip",
        "la",
        "mba",
        "ny",
        "nyc",
        "ui",
        "uk",
        "usa",
        "usb",
        "usd",
        "uv",
    ]
)
_SPELLED = {
    "de": _COMMON - {"la"} | frozenset(["adac", "ard", "brd", "ec", "ekg", "gmbh", "ice", "lkw", "pkw"]),
    "en": _COMMON
    | frozenset(
        ["aa", "aka", "atm", "ceo", "cfo", "eta", "gop", "hiv", "iq", "mia", "msu", "nba", "ps", "pta", "tba", "uae", "un"]
    ),
    "es": _COMMON - {"la", "ny"} | frozenset(["ave", "ee", "uu", "ue"]),
    "fr": _COMMON - {"la", "ai", "eu"} | frozenset(["adn", "pib", "ue"]),
    "it": _COMMON - {"la", "ai"} | frozenset(["ue"]),
    "pt": _COMMON - {"la", "ai", "eu"} | frozenset(["pib", "ue"]),
}

Reading = tuple[int, int, str]


def with_acronyms(readings: Iterable[Reading], text: str, lang: str) -> Iterable[Reading]:
    """`readings` of a text, with those of its acronyms between them, in order. Languages in other scripts have none."""
    if lang not in _SPELLED or _CAPITALS.search(text) is None:
        return readings
    return _between(readings, text, _SPELLED[lang] if not text.isupper() else frozenset())


def _between(readings: Iterable[Reading], text: str, spelled: frozenset[str]) -> Iterator[Reading]:
    last = 0
    for reading in (*readings, (len(text), len(text), "")):
        for m in _CAPITALS.finditer(text, last, reading[0]):
            word = m.group().lower()
            if word in spelled or not (_VOWEL.search(word) or _ROMAN.fullmatch(word) or word in _WORDS):
                yield m.start(), m.end(), " ".join(f"{c}." for c in word)
        if reading[0] < len(text):
            yield reading
        last = reading[1]
