"""Written to spoken form: "Can you set an alarm for 7:30AM?" -> "can you set an alarm for seven thirty a. m." (paper, A 2.2).

Speech recognition gives lower-case words without punctuation and with every number spelled; models that listen must be trained
on such text. The rules of the form: lower-case (length-preserving: dotted capital I becomes i); punctuation, emoji and other
symbols dropped except those that are read (% & + ...); apostrophes and hyphens kept inside words ("what's", "rendez-vous");
initials and spelled letters keep a full stop each ("a. m.", "u. s. a."); words parted by single spaces, Japanese unparted.
What cannot be read stays as it is, lower-cased. The form of a spoken form is itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from understudy.text import locales
from understudy.text.acronyms import with_acronyms
from understudy.text.characters import MARKS, SAME, SKIP
from understudy.text.locales import LANGUAGES
from understudy.text.semiotic import Reader
from understudy.text.words import UNSPACED, Word, words

__all__ = ["LANGUAGES", "Formatter", "convert", "spoken"]

# Letters and marks of spaced scripts, with signs inside; or a run of an unspaced script. The two never make one word.
_UNIT = rf"(?:[^\W\d_{UNSPACED}]++|[{MARKS}]++)++"
_WORD = rf"{_UNIT}(?:['\-\u200c\u200d]{_UNIT})*|(?:(?=\w)[{UNSPACED}]|[\u3099\u309a])++"
_NO_WORD, _NO_WORD_BEFORE = rf"(?![^\W{UNSPACED}]|[{MARKS}])", rf"(?<![^\W{UNSPACED}])(?<!['\-{MARKS}])"
_LETTER = "[a-zà-öø-ÿ]"
_INITIALS = rf"{_NO_WORD_BEFORE}(?:{_LETTER}\.(?: ?{_LETTER}\.)+|{_LETTER}(?:\.{_LETTER})+){_NO_WORD}"
_TOKEN = re.compile(rf"{_INITIALS}|{_WORD}")
# Any of these asks for the long way: signs, digits, fractions, superscript and full-width letters. Two plain classes search fastest.
_SIGN = re.compile(rf"[^\w\s{MARKS}]")
_DIGIT = re.compile(rf"[\d_²³¹¼-¾⁰-₉⅐-⅟↉\u02b0-\u02b8\u02e0-\u02e4\u1d2c-\u1d6a\uff21-\uff5a{SKIP}]")
_NOT_ASCII_PLAIN = re.compile(r"[^a-zA-Z\s]")
# The sign of ordinals in place of the degree's: "30ºC", "30º C"; but "2º C" is the second, a floor and a door.
_DEGREE = re.compile(r"º(?:(?:(?<=\dº)|(?<=\d º))(?=[cfk](?!\w))|(?<=\d\dº)(?= [cfk](?!\w)))")
_SHOUTED = re.compile("[A-Z]{2}")  # Only acronyms have two capitals side by side.
_SKIPPED = re.compile(f"[{SKIP}]")
_UNSPACED = re.compile(f"[{UNSPACED}]")

Piece = tuple[str, int, int]  # Spoken words, and the span of the text that they come from.


def _lower(text: str) -> str:
    """Lower case, character by character: U+0130 is the only one whose lower case is longer than itself."""
    lower = text.lower()
    return lower if len(lower) == len(text) else text.replace("\u0130", "i").lower()


def _plain(text: str) -> bool:
    """Nothing in it but letters, marks and white space."""
    if text.isascii():
        return _NOT_ASCII_PLAIN.search(text) is None
    return _SIGN.search(text) is None and _DIGIT.search(text) is None


def _prepared(text: str) -> str:
    """Lower case, with characters that are read as others replaced; of the same length."""
    lower = _lower(text)
    return lower if lower.isascii() else _DEGREE.sub("°", lower.translate(SAME))


def _initials(token: str) -> list[str]:
    """ "u.s.a" as it is spelled out: "u.", "s.", "a."."""
    return [f"{c}." for c in token if c not in ". "]


def _tokens(prepared: str, start: int, end: int) -> Iterator[Piece]:
    """Words and initials of a stretch in which nothing else is to be read."""
    for m in _TOKEN.finditer(prepared, start, end):
        token, a, b = m.group(), m.start(), m.end()
        if "." in token:
            yield from ((word, a, b) for word in _initials(token))
        else:
            yield token, a, b


def _words(prepared: str, start: int, end: int) -> list[str]:
    """The words of `_tokens` alone, three times as fast."""
    tokens = _TOKEN.findall(prepared, start, end)
    if prepared.find(".", start, end) < 0:
        return tokens
    return [word for token in tokens for word in (_initials(token) if "." in token else (token,))]


class Formatter:
    """The spoken form of one language.

    `formatter(text)` is the spoken form; `formatter.align(text)` its words with the characters each comes from.
    Never fails on any text; nothing but lower-casing happens to letters it does not know how to read.

    Raises:
        DataError: `lang` is none of LANGUAGES.
    """

    def __init__(self, lang: str) -> None:
        self.lang = lang
        self._reader = Reader(locales.locale(lang))

    def __call__(self, text: str) -> str:
        """The spoken form of `text`: lower-case words, single spaces."""
        prepared = _lower(text)
        shouted = _SHOUTED.search(text) is not None
        if not shouted and _plain(text):
            if not self._reader.calls_word(prepared):
                return " ".join(prepared.split())
        elif not shouted and prepared.isascii() and "." not in prepared and not self._reader.calls(prepared):
            return " ".join(_TOKEN.findall(prepared))
        if self.lang != "ja" and _UNSPACED.search(text) is None:
            return self._spaced(text)
        out: list[str] = []
        last = 0
        for spoken, start, end in self._pieces(text):
            # Scripts without spaces get none, except where the text has one or something was dropped.
            if out and (start > last or not (_UNSPACED.match(spoken) or _UNSPACED.match(out[-1][-1]))):
                out.append(" ")
            out.append(spoken)
            last = end
        return "".join(out)

    def align(self, text: str) -> list[Word]:
        """The words of the spoken form, in order, each with the span of `text` it comes from.

        Cut as `understudy.text.words.words` cuts the spoken form. Words of one reading ("7:30AM") share its span; spans never
        go backwards and lie within the text.
        """
        aligned = []
        for spoken, start, end in self._pieces(text):
            shared = len(spoken) != end - start or _lower(text[start:end]).translate(SAME) != spoken
            for w in words(spoken):
                aligned.append(Word(w.text, start, end) if shared else Word(w.text, start + w.start, start + w.end))
        return aligned

    def _pieces(self, text: str) -> list[Piece]:
        """Words and readings with their spans in `text`."""
        if _SKIPPED.search(text) is not None:
            # Read the text without them, then count them in again.
            at = [i for i, c in enumerate(text) if _SKIPPED.match(c) is None]
            return [(s, at[a], at[b - 1] + 1) for s, a, b in self._pieces("".join(text[i] for i in at))]
        prepared = _prepared(text)
        pieces: list[Piece] = []
        last = 0
        for start, end, spoken in self._readings(prepared, text):
            pieces += _tokens(prepared, last, start)
            if tidy := _tidy(spoken):
                pieces.append((tidy, start, end))
            last = end
        pieces += _tokens(prepared, last, len(prepared))
        return pieces

    def _spaced(self, text: str) -> str:
        """The spoken form of a text all of whose words are parted by spaces."""
        text = _SKIPPED.sub("", text)
        prepared = _prepared(text)
        found: list[str] = []
        last = 0
        for start, end, spoken in self._readings(prepared, text):
            found += _words(prepared, last, start)
            if tidy := _tidy(spoken):
                found.append(tidy)
            last = end
        found += _words(prepared, last, len(prepared))
        return " ".join(found)

    def _readings(self, prepared: str, text: str) -> Iterable[tuple[int, int, str]]:
        readings = self._reader.readings(prepared, text) if self._reader.calls(prepared) else ()
        return with_acronyms(readings, text, self.lang)


@lru_cache(maxsize=65_536)
def _tidy(spoken: str) -> str:
    """A reading as words in spoken form (tables may quote capitals and punctuation)."""
    prepared = _lower(spoken).translate(SAME)
    return " ".join(p[0] for p in _tokens(prepared, 0, len(prepared)))


@lru_cache(maxsize=len(LANGUAGES))
def _formatter(lang: str) -> Formatter:
    return Formatter(lang)


def spoken(text: str, lang: str) -> str:
    """The spoken form of `text` in `lang`; the formatter is kept. Raises DataError for an unknown language."""
    return _formatter(lang)(text)


def convert(lines: Iterable[str], lang: str, *, both: bool = False) -> Iterator[str]:
    """The spoken form of each line, one line out for each line in; with `both`, the line, a tab and its spoken form.

    Line ends are taken off. Raises DataError for an unknown language, before the first line is read.
    """
    return _lines(lines, _formatter(lang), both)


def _lines(lines: Iterable[str], formatter: Formatter, both: bool) -> Iterator[str]:
    for line in lines:
        written = line.rstrip("\r\n")
        yield f"{written}\t{formatter(written)}" if both else formatter(written)
