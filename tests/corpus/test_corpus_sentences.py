"""The written text of the built-in world."""

from __future__ import annotations

import hashlib
import itertools
import re
import subprocess
import sys
import unicodedata

import pytest

from understudy.corpus.tinyworld import LOCALES, sentences
from understudy.errors import DataError
from understudy.text.spoken import LANGUAGES

SCRIPTS = {"ar": "ARABIC", "hi": "DEVANAGARI", "mr": "DEVANAGARI", "ta": "TAMIL", "te": "TELUGU"}


def some(lang: str, n: int = 300, seed: int = 7) -> list[str]:
    return list(itertools.islice(sentences(lang, seed=seed), n))


def test_there_are_sentences_in_every_language() -> None:
    assert set(LOCALES) == set(LANGUAGES)
    assert all(some(lang, 1) for lang in LOCALES)


@pytest.mark.parametrize("lang", sorted(LANGUAGES))
def test_sentences_are_whole_and_varied(lang: str) -> None:
    found = some(lang)
    for text in found:
        assert text == " ".join(text.split()) or " " in text or "\u202f" in text
        assert not re.search(r"[{}<>]|None|-(hour|minute|liter|meter|gram)\b", text), text
        assert text.endswith((".", "。", "।", "»", '"')), text
        assert not text[0].islower()
        assert not any(unicodedata.category(c) == "Cf" and c not in "\u200c\u200d" for c in text), text
    assert len(set(found)) > 285
    assert sum(any(c.isdigit() for c in text) for text in found) > 200


@pytest.mark.parametrize("lang", sorted(SCRIPTS))
def test_sentences_are_in_their_script(lang: str) -> None:
    letters = [c for text in some(lang) for c in text if c.isalpha()]
    own = sum(unicodedata.name(c, "").startswith(SCRIPTS[lang]) for c in letters)
    assert own / len(letters) > 0.97


def test_japanese_has_no_spaces_inside_measures() -> None:
    assert not any(re.search(r"\d [^\x00-\x7f]", text) for text in some("ja"))


def test_the_same_seed_gives_the_same_sentences_whatever_was_read_before() -> None:
    # Another process and another order of languages: Babel shares some data between locales once it has read them.
    program = "import hashlib, itertools\nfrom understudy.corpus.tinyworld import sentences\n"
    program += "for lang in 'ja hi te ta mr pt it fr es en de ar'.split():\n"
    program += "    text = chr(10).join(itertools.islice(sentences(lang, seed=7), 300))\n    print(lang, hashlib.sha256(text.encode()).hexdigest())\n"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    for lang, digest in (line.split() for line in found.splitlines()):
        assert hashlib.sha256("\n".join(some(lang)).encode()).hexdigest() == digest, lang


def test_seeds_and_languages_differ() -> None:
    assert some("de", 5, 1) != some("de", 5, 2)


def test_a_language_without_sentences_is_an_error() -> None:
    for lang in ("nl", "../de", ""):
        with pytest.raises(DataError, match="no sentences"):
            next(sentences(lang, seed=0))
