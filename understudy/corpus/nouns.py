"""The nouns stage: sentences of held-out text, each with a noun that an encoder is to guess (A 2.7)."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import Field

from understudy.artifact import Artifact, Draft
from understudy.config import StageConfig
from understudy.corpus.conllu import Span
from understudy.corpus.files import Languages, language_of
from understudy.corpus.sampling import fraction, normal
from understudy.corpus.sources import Source
from understudy.corpus.treebanks import Tagged, stanza_tagger, treebank
from understudy.corpus.units import rows
from understudy.errors import ArtifactError, DataError
from understudy.text.spoken import Formatter
from understudy.text.words import Word

__all__ = ["FILE", "Noun", "NounsConfig", "read_nouns", "run", "to_spoken"]

FILE = "nouns.jsonl"
Tagger = Callable[[str], list[Span]]


class Noun(NamedTuple):
    """A sentence and the characters `start` to `end` (exclusive) of one noun in it."""

    lang: str
    text: str
    start: int
    end: int


class NounsConfig(StageConfig):
    """Settings of a nouns stage.

    Attributes:
        sources: where the sentences come from: for "gold" CoNLL-U files of Universal Dependencies, whose names begin with the
            language (de_gsd-dev.conllu). Name them under `exclude` of every corpus too, so that no model has seen them.
        tagger: "gold" takes the nouns that are marked in the files; "stanza" finds them in texts of any format
            (`pip install '.[stanza]'`; it fetches its models the first time).
        spoken: sentences in spoken form, each noun where it went.
        limit: sentences per language at most, drawn by the seed; those of a lower limit are among those of a higher one.
        per_sentence: nouns taken from a sentence, each to be guessed by itself, drawn by the seed; 0 takes all.
        languages: keep these languages only.
    """

    kind: Literal["nouns"] = "nouns"
    sources: tuple[Source, ...] = Field(min_length=1)
    tagger: Literal["gold", "stanza"] = "gold"
    spoken: bool = False
    limit: int = Field(default=1000, gt=0)
    per_sentence: int = Field(default=1, ge=0)
    languages: Languages | None = None

    def reads(self) -> list[Path]:
        return [file for source in self.sources for file in source.files()]

    def named(self) -> list[str]:
        return [source.path for source in self.sources if source.path]


def run(config: NounsConfig, inputs: Mapping[str, Artifact], draft: Draft, *, seed: int) -> None:
    """Writes nouns.jsonl: lang, text, start and end of each noun to be guessed. Metrics: sentences and nouns by language.

    Raises DataError for sources that cannot be used or that leave no noun, RecipeError where Stanza is wanted and missing.
    """
    wanted = None if config.languages is None else {language_of(code) for code in config.languages}
    pools: dict[str, dict[str, Tagged]] = {}
    for source in (one.located(inputs) for one in config.sources):
        for sentence in treebank(source) if config.tagger == "gold" else _plain(source, seed):
            if wanted is None or sentence.lang in wanted:
                pools.setdefault(sentence.lang, {}).setdefault(normal(sentence.text), sentence)
    found: list[Noun] = []
    for lang, pool in sorted(pools.items()):
        tagger = stanza_tagger(lang) if config.tagger == "stanza" else None
        formatter = Formatter(lang) if config.spoken else None
        order = sorted(pool, key=lambda form: (fraction("nouns", seed, form), form))
        each = (_nouns(pool[form], tagger, formatter, most=config.per_sentence, seed=seed) for form in order)
        found += itertools.chain.from_iterable(itertools.islice(filter(None, each), config.limit))
    if not found:
        raise DataError(
            "these sources hold no noun that can be guessed",
            where=", ".join(str(s.path or s.builtin) for s in config.sources),
            got=f"{sum(map(len, pools.values()))} sentences" + (f" in {', '.join(sorted(pools))}" if pools else ""),
        )
    content = "".join(json.dumps(noun._asdict(), ensure_ascii=False) + "\n" for noun in found)
    (draft.path / FILE).write_text(content, encoding="utf-8")
    draft.metrics.update(
        nouns=dict(sorted(Counter(n.lang for n in found).items())),
        sentences=dict(sorted(Counter(lang for lang, _ in {(n.lang, n.text) for n in found}).items())),
    )


def read_nouns(folder: Path) -> list[Noun]:
    """The nouns of an artifact, in their order: languages one after another. Raises ArtifactError where the file cannot be read."""
    try:
        with (folder / FILE).open(encoding="utf-8", newline="\n") as lines:  # a sentence may hold other ends of lines
            return [Noun(**json.loads(line)) for line in lines]
    except (OSError, ValueError, TypeError) as error:
        raise ArtifactError(
            "the nouns cannot be read", where=folder / FILE, got=error, wanted="what a nouns stage wrote"
        ) from None


def _plain(source: Source, seed: int) -> Iterator[Tagged]:
    return (Tagged(row.text.strip(), row.lang, None) for row in rows(source, seed=seed))


def _nouns(sentence: Tagged, tagger: Tagger | None, formatter: Formatter | None, *, most: int, seed: int) -> list[Noun]:
    """The nouns of a sentence that can be guessed: those with a letter, beside which something is left to guess them from."""
    text, spans = sentence.text, sentence.nouns
    if spans is None:
        assert tagger is not None, "sentences that are not tagged come with a tagger"
        spans = tagger(text)
    if formatter is not None:
        text, spans = to_spoken(text, spans, formatter)
    can = [(start, end) for start, end in spans if normal(text[start:end]) and normal(text[:start] + text[end:])]
    can = [(start, end) for start, end in can if any(map(str.isalpha, text[start:end]))]
    drawn = sorted(can, key=lambda span: fraction("noun", seed, f"{span} {text}"))[: most or None]
    return [Noun(sentence.lang, text, start, end) for start, end in sorted(drawn)]


def to_spoken(text: str, nouns: Sequence[Span], formatter: Formatter) -> tuple[str, list[Span]]:
    """The spoken form of a sentence and where its nouns stand in it, to the letter: "heure" of "l'heure" stays that.

    A noun that is read as one with other words, as the "kg" of "5 kg" is, or not at all, has no place of its own and is left out.
    """
    said, at = formatter(text), 0
    placed: list[tuple[Word, int]] = []
    aligned = formatter.align(text)
    sharing = Counter((word.start, word.end) for word in aligned)
    for word in aligned:
        at = said.index(word.text, at)
        placed.append((word, at))
        at += len(word.text)
    moved = (_moved(noun, placed, sharing) for noun in nouns)
    return said, [span for span in moved if span is not None]


def _moved(noun: Span, placed: Sequence[tuple[Word, int]], sharing: Mapping[Span, int]) -> Span | None:
    ends: list[int] = []
    for word, at in placed:
        start, end = max(noun[0], word.start), min(noun[1], word.end)
        letter_by_letter = len(word.text) == word.end - word.start and sharing[word.start, word.end] == 1
        if start >= end:
            continue
        if letter_by_letter:
            ends += [at + start - word.start, at + end - word.start]
        elif (start, end) == (word.start, word.end):
            ends += [at, at + len(word.text)]
        else:
            return None
    return (min(ends), max(ends)) if ends else None
