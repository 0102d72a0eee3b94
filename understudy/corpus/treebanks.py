"""Sentences with their nouns: as the treebanks of Universal Dependencies mark them, or as Stanza finds them in any text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from typing import NamedTuple

from understudy.corpus.files import brief, expand, language_of, language_of_path
from understudy.corpus.lines import BadLines, lines
from understudy.corpus.sources import Source
from understudy.errors import DataError, RecipeError

__all__ = ["NOUN", "Span", "Tagged", "read_conllu", "stanza_tagger", "treebank"]

Span = tuple[int, int]
NOUN = "NOUN"
_COLUMNS = 10


class Tagged(NamedTuple):
    """A sentence, its two-letter language, and the characters of each noun in it (start, end exclusive); None where not yet known."""

    text: str
    lang: str
    nouns: Sequence[Span] | None


def treebank(source: Source) -> Iterator[Tagged]:
    """The sentences of a source of CoNLL-U files, in their order.

    Raises DataError where it is something else, where a language cannot be told, and with file and line where one is malformed.
    """
    if source.path is None or source.format not in ("auto", "conllu"):
        raise DataError(
            "nouns are marked in CoNLL-U files only",
            where=source.path or source.builtin,
            got=source.format if source.path else "the built-in world",
            wanted="files of Universal Dependencies, such as de_gsd-dev.conllu",
            hint='With tagger = "stanza" nouns are found in any text',
        )
    taken = Counter[str]()
    for path in expand(source.path, (".conllu",)):
        named = language_of_path(path)
        lang = language_of(source.lang) if source.lang else named and named[0]
        if not lang:
            hint = "Say lang = CODE, or name the file as Universal Dependencies does, such as de_gsd-dev.conllu"
            raise DataError("the language of this file is not known", where=path, hint=hint)
        if source.wanted is None or lang in source.wanted:
            for text, nouns in read_conllu(path):
                if source.limit is None or taken[lang] < source.limit:
                    taken[lang] += 1
                    yield Tagged(text, lang, nouns)


def read_conllu(path: str) -> Iterator[tuple[str, list[Span]]]:
    """Text and nouns of each sentence of a CoNLL-U file (universaldependencies.org/format.html).

    The text is put together from its tokens. A noun inside a multiword token, as in Arabic with what is written onto it, has no
    letters that are its own alone, and is none here. Raises DataError with file and line.
    """
    tokens: list[list[str]] = []
    bad = BadLines(0.0, path)
    for number, line in lines(path, bad):
        if not line.strip():
            if tokens:
                yield _sentence(tokens)
            tokens = []
        elif not line.startswith("#"):
            columns = line.split("\t")
            if len(columns) != _COLUMNS or not columns[0][:1].isdigit():
                bad.report(number, f"this line is not CoNLL-U: {len(columns)} columns, not {_COLUMNS} that begin with a number")
            tokens.append(columns)
    if tokens:
        yield _sentence(tokens)


def _sentence(tokens: Sequence[Sequence[str]]) -> tuple[str, list[Span]]:
    text, nouns, covered = "", [], 0
    for columns in tokens:
        number, form, upos, misc = columns[0], columns[1], columns[3], columns[9]
        first, _, last = number.partition("-")
        if "." in number or (not last and int(first) <= covered):
            continue  # a word that is not written, or one of a multiword token, which stood before it
        covered = int(last or first)
        if upos == NOUN:
            nouns.append((len(text), len(text) + len(form)))
        text += form if "SpaceAfter=No" in misc.split("|") else f"{form} "
    return text.rstrip(), nouns


def stanza_tagger(lang: str) -> Callable[[str], list[Span]]:
    """What finds the nouns of a text in `lang`: Stanza (Qi et al. 2020), as in A 2.7. It fetches its model the first time.

    Raises RecipeError where it is not installed, DataError where it has no model or cannot get it.
    """
    try:
        stanza = import_module("stanza")
    except ImportError:
        raise RecipeError(
            "nouns of plain text are found by Stanza, which is not installed",
            where="tagger",
            hint="pip install 'understudy[stanza]', or give CoNLL-U files with tagger = \"gold\"",
        ) from None
    try:
        pipeline = stanza.Pipeline(lang, processors="tokenize,pos", tokenize_no_ssplit=True, verbose=False)
    except Exception as error:  # of many kinds: no such language, no network, a broken file
        raise DataError("Stanza has no model for this language here", where=lang, got=brief(error)) from None

    def nouns(text: str) -> list[Span]:
        tokens = [token for sentence in pipeline(text).sentences for token in sentence.tokens]
        return [(t.start_char, t.end_char) for t in tokens if [word.upos for word in t.words] == [NOUN]]

    return nouns
