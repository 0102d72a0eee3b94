"""What words sound like, roughly, in any script: enough to say which of a vocabulary could be taken for one another.

Unicode's own names say how a letter sounds: HIRAGANA LETTER KA, DEVANAGARI VOWEL SIGN I, ARABIC LETTER SEEN. Of a letter's
name counts what it begins with, its consonants or else its vowels; a kana's counts wholly. Letters that are often confused
(b and p, m and n, e and i) are one. Tones, stress and the reading of kanji are not known.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import cache

from understudy.text.words import UNSPACED

__all__ = ["Sounds", "distance", "sound"]

_NAME = re.compile(
    r"(?P<script>.*?)\b(?P<kind>LETTER|VOWEL SIGN) (?:(?:SMALL|FINAL|SHORT|LONG|VOCALIC|CANDRA|DOTLESS) )*(?P<name>[A-Z]+)"
)
_BEGINNING = re.compile("[AEIOU]+|[^AEIOU]+")
_UNSPACED = re.compile(f"[{UNSPACED}]")
_NASAL = ("SIGN ANUSVARA", "SIGN CANDRABINDU")
_ONE_FOR_ANOTHER = str.maketrans({"b": "p", "d": "t", "g": "k", "c": "k", "q": "k", "v": "f", "z": "s", "x": "ks", "m": "n"})
_VOWELS = str.maketrans({"e": "i", "y": "i", "o": "u", "w": "u"})
_BREATHED = re.compile(r"(?<=[ptkfslrnj])h")
_TWICE = re.compile(r"([^0-9])\1+")
_LEAST_SKELETON = 4  # of which a consonant may be missing: shorter ones without it would be like all too many
MOST = 4  # words that one is taken for


def sound(word: str) -> str:
    """The sound of a word in a few Latin letters: `sound("sick") == sound("zig") == "sik"`. Empty where there is none."""
    letters = "".join(map(_letter, unicodedata.normalize("NFKC", word.casefold())))
    return _TWICE.sub(r"\1", _BREATHED.sub("", letters.translate(_ONE_FOR_ANOTHER)).translate(_VOWELS))


@cache
def _letter(char: str) -> str:
    if (digit := unicodedata.decimal(char, None)) is not None:
        return str(digit)
    name = unicodedata.name(char, "")
    if (found := _NAME.match(name)) is None:
        return "n" if name.endswith(_NASAL) else char if char.isalpha() else ""
    if found["kind"] == "VOWEL SIGN" or found["script"].startswith(("HIRAGANA", "KATAKANA")):
        return found["name"].lower()
    begins = _BEGINNING.match(found["name"])
    assert begins is not None
    # The C of Indic names is the one of "church".
    return begins[0].lower() if "LATIN" in found["script"] else begins[0].lower().replace("c", "j")


class Sounds:
    """A vocabulary by sound. Words with digits in them are like no others."""

    def __init__(self, vocabulary: Iterable[str]) -> None:
        heard = {word: sound(word) for word in sorted(set(vocabulary))}
        self._sounds = {word: s for word, s in heard.items() if s and not re.search(r"\d", s)}
        self._index: dict[str, list[str]] = {}
        self._found: dict[str, tuple[str, ...]] = {}
        for word, s in self._sounds.items():
            for key in _keys(word, s):
                self._index.setdefault(key, []).append(word)

    def __contains__(self, word: str) -> bool:
        return word in self._sounds

    def like(self, word: str) -> tuple[str, ...]:
        """At most four other words of the vocabulary that sound like `word`, the likest first.

        Their consonants are the same, or of four and more all but one; and no more than a third of their sounds differ, though
        always one may.
        """
        if word not in self._found:
            self._found[word] = self._alike(word)
        return self._found[word]

    def _alike(self, word: str) -> tuple[str, ...]:
        ours = sound(word)
        if not ours or re.search(r"\d", ours):
            return ()
        limit, letters = max(1, len(ours) // 3), set(ours)
        near = []
        for other in {other for key in _keys(word, ours) for other in self._index.get(key, ())} - {word}:
            theirs = self._sounds[other]
            # Two quick looks spare most of the reckoning.
            if abs(len(theirs) - len(ours)) <= limit and len(letters ^ set(theirs)) <= 2 * limit:
                apart = distance(ours, theirs)
                if apart <= limit:
                    near.append((apart, other))
        return tuple(other for _, other in sorted(near)[:MOST])


def _keys(word: str, of: str) -> set[str]:
    """The consonants of a sound, and where they are many, all but one of them; the vowels where there is nothing else.

    Unspaced scripts have keys of their own: no letter stands in the midst of kana for one that sounds the same.
    """
    consonants, script = re.sub("[aiu]", "", of) or of, "-" * bool(_UNSPACED.match(word))
    if len(consonants) < _LEAST_SKELETON:
        return {script + consonants}
    return {script + consonants} | {script + consonants[:at] + consonants[at + 1 :] for at in range(len(consonants))}


def distance(one: str, other: str) -> int:
    """How many letters must be put in, taken out or exchanged to make `other` of `one` (Levenshtein 1965)."""
    row = list(range(len(other) + 1))
    for done, a in enumerate(one, 1):
        before, row[0] = row[0], done
        for at, b in enumerate(other, 1):
            before, row[at] = row[at], min(row[at] + 1, row[at - 1] + 1, before + (a != b))
    return row[-1]
