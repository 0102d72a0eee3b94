"""CoNLL-U, the format of Universal Dependencies (universaldependencies.org/format.html): sentences, their text and their nouns."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from understudy.corpus.lines import MAX_LINE, BadLines, lines

__all__ = ["NOUN", "Block", "Span", "blocks", "text_of", "tokens_of"]

Span = tuple[int, int]
Block = list[tuple[int, str]]
NOUN = "NOUN"
_COLUMNS = 10
_TEXT = "# text = "
_NUMBER = re.compile(r"\d+(?:[-.]\d+)?")  # of a word, of those of a multiword token, of one that is not written


def blocks(path: str, bad: BadLines, *, max_bytes: int = MAX_LINE) -> Iterator[Block]:
    """The lines of each sentence, comments included, with their numbers."""
    block: Block = []
    for number, line in lines(path, bad, max_bytes=max_bytes):
        if line.strip():
            block.append((number, line))
        elif block:
            yield block
            block = []
    if block:
        yield block


def text_of(block: Block, bad: BadLines) -> str:
    """The text of a sentence: as a comment gives it, and put together from its tokens where none does."""
    said = next((line.removeprefix(_TEXT) for _, line in block if line.startswith(_TEXT)), None)
    return tokens_of(block, bad)[0] if said is None else said


def tokens_of(block: Block, bad: BadLines) -> tuple[str, list[Span]]:
    """A sentence put together from its tokens, and its nouns. Lines that are not CoNLL-U go to `bad`.

    A noun inside a multiword token, as in Arabic with what is written onto it, has no letters that are its own alone, and is none
    here.
    """
    text, nouns, covered = "", [], 0
    for number, form, upos, misc in _columns(block, bad):
        first, _, last = number.partition("-")
        if "." in number or (not last and int(first) <= covered):
            continue  # a word that is not written, or one of a multiword token, which stood before it
        covered = int(last or first)
        if upos == NOUN:
            nouns.append((len(text), len(text) + len(form)))
        text += form if "SpaceAfter=No" in misc.split("|") else f"{form} "
    return text.rstrip(), nouns


def _columns(block: Block, bad: BadLines) -> Iterator[Sequence[str]]:
    """Number, form, part of speech and the last column of each token."""
    for at, line in block:
        if not line.startswith("#"):
            columns = line.split("\t")
            if len(columns) == _COLUMNS and _NUMBER.fullmatch(columns[0]):
                yield columns[0], columns[1], columns[3], columns[9]
            else:
                bad.report(at, f"this line is not CoNLL-U: {len(columns)} columns, wanted {_COLUMNS}, the first a number")
