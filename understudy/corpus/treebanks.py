"""Sentences with their nouns: as the treebanks of Universal Dependencies mark them, or as Stanza finds them in any text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from typing import NamedTuple

from understudy.corpus.conllu import NOUN, Span, blocks, tokens_of
from understudy.corpus.files import brief, expand, language_of, language_of_path
from understudy.corpus.lines import BadLines
from understudy.corpus.sources import Source
from understudy.errors import DataError, RecipeError

__all__ = ["Tagged", "read_conllu", "stanza_tagger", "treebank"]


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
    """Text and nouns of each sentence of a CoNLL-U file, see `conllu.tokens_of`. Raises DataError with file and line."""
    bad = BadLines(0.0, path)
    return (tokens_of(block, bad) for block in blocks(path, bad))


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
            hint="In a clone of understudy: pip install '.[stanza]', or give CoNLL-U files with tagger = \"gold\"",
        ) from None
    try:
        pipeline = stanza.Pipeline(lang, processors="tokenize,pos", tokenize_no_ssplit=True, verbose=False)
    except Exception as error:  # of many kinds: no such language, no network, a broken file
        raise DataError("Stanza has no model for this language here", where=lang, got=brief(error)) from None

    def nouns(text: str) -> list[Span]:
        tokens = [token for sentence in pipeline(text).sentences for token in sentence.tokens]
        return [(t.start_char, t.end_char) for t in tokens if [word.upos for word in t.words] == [NOUN]]

    return nouns
