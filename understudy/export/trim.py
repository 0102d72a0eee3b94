"""Which words of a vocabulary an export keeps: those of texts, as the model would see them, and what spells all others.

Shapes: V ids of the trimmed vocabulary.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from understudy.artifact import Artifact
from understudy.config import Config, TextRef
from understudy.corpus.files import language_of
from understudy.corpus.utterances import read_labels
from understudy.errors import ArtifactError, ExportError
from understudy.model.nlu import NLUSettings
from understudy.text.spoken import LANGUAGES, spoken
from understudy.text.words import split
from understudy.tokenizer import Tokenizer
from understudy.tokenizer.rows import read_rows
from understudy.tokenizer.runtime import ID
from understudy.tokenizer.trim import kept_ids, trim

__all__ = ["TrimConfig", "Trimmed", "coverage", "trimmed"]

log = logging.getLogger(__name__)

Texts = Iterable[tuple[str, str]]  # text and its language or locale
TOGETHER = 4096


class TrimConfig(Config):
    """Which words an exported vocabulary keeps.

    corpora: what corpus or labels stages made; the pieces that their texts need are kept. partitions: which of theirs to read,
    where one has them. languages: texts of these languages or locales only. min_count: pieces met less often are not kept.
    """

    corpora: tuple[TextRef, ...] = Field(min_length=1)
    partitions: tuple[str, ...] = Field(default=("train",), min_length=1)
    languages: tuple[str, ...] | None = None
    min_count: int = Field(default=1, ge=1)


class Trimmed(NamedTuple):
    """A trimmed vocabulary: its `tokenizer.json`, the tokenizer of it, and the model's id of each of its ids, [V]."""

    serialized: bytes
    tokenizer: Tokenizer
    kept: NDArray[np.int64]


def trimmed(
    config: TrimConfig, inputs: Mapping[str, Artifact], file: Path, tokenizer: Tokenizer, settings: NLUSettings
) -> Trimmed:
    """The vocabulary of the `tokenizer.json` at `file` without what the texts do not use.

    Raises ArtifactError where an input has none of the partitions, ExportError where no text is left or no such vocabulary can be
    trimmed.
    """
    used: Counter[int] = Counter()
    texts = chain.from_iterable(_texts(inputs[name].path, config) for name in config.corpora)
    while some := list(islice(texts, TOGETHER)):
        ids = tokenizer.encode_split([forms for text, lang in some for forms in _forms(text, lang, settings)])
        found, counts = np.unique(np.frombuffer(b"".join(ids), ID), return_counts=True)
        used.update(dict(zip(found.tolist(), counts.tolist(), strict=True)))
    if not used:
        wanted = ", ".join(config.languages or ())
        raise ExportError("there is no text to trim the vocabulary by", got=f"none in {wanted}" if wanted else "empty corpora")
    serialized = file.read_bytes()
    kept = kept_ids(serialized, [i for i, n in used.items() if n >= config.min_count], where=file)
    smaller = trim(serialized, kept)
    log.info("the vocabulary keeps %d of %d words", len(kept), tokenizer.size)
    return Trimmed(smaller, Tokenizer(smaller), kept)


def coverage(found: Trimmed, whole: Tokenizer, settings: NLUSettings, texts: Texts) -> dict[str, Any]:
    """Percentage of the words of `texts` whose pieces are all kept, over all and by locale.

    Raises ExportError where such a word is spelled otherwise than before, which is a fault of the trimming.
    """
    words: dict[str, Counter[str]] = {}
    for text, locale in texts:
        for forms in _forms(text, locale, settings):
            words.setdefault(locale, Counter()).update(forms)
    kept = np.zeros(whole.size, np.bool_)
    kept[found.kept] = True
    covered: set[str] = set()
    different = sorted(set().union(*words.values()))
    spelled = (each.encode_split([[word] for word in different]) for each in (whole, found.tokenizer))
    for word, before, after in zip(different, *spelled, strict=True):
        ids = np.frombuffer(before, ID)
        if kept[ids].all():
            covered.add(word)
            if not np.array_equal(ids, found.kept[np.frombuffer(after, ID)]):
                raise ExportError(
                    "a trimmed vocabulary spells a word otherwise than the whole one",
                    got=word,
                    hint="This is a fault of the trimming, not of the settings; export without trim",
                )
    return {
        "words": _share(words.values(), covered),
        "by_locale": {l: _share([c], covered) for l, c in sorted(words.items()) if l},
    }


def _share(counts: Iterable[Counter[str]], covered: set[str]) -> float:
    total = [(n, word in covered) for each in counts for word, n in each.items()]
    return round(100 * sum(n for n, is_kept in total if is_kept) / max(1, sum(n for n, _ in total)), 2)


def _forms(text: str, lang: str, settings: NLUSettings) -> list[list[str]]:
    """The words of a text as a model may see them: as they stand, and where it reads typed text as spoken, so too."""
    forms = [split(text)]
    if settings.spoken and (code := language_of(lang) or "") in LANGUAGES:
        forms.append(split(spoken(text, code)))
    return [[word.lower() for word in words] for words in forms] if settings.lower else forms


def _texts(folder: Path, config: TrimConfig) -> Iterator[tuple[str, str]]:
    """Texts of a corpus, or of labels, and their languages."""
    files = [f for p in config.partitions for f in (folder / f"{p}.jsonl", folder / f"{p}.parquet") if f.is_file()]
    if not files:
        there = ", ".join(sorted({f.stem for f in [*folder.glob("*.jsonl"), *folder.glob("*.parquet")]})) or "none"
        raise ArtifactError(
            "this has no such partition", where=folder, got=", ".join(config.partitions), wanted=f"one of {there}"
        )
    for file in files:
        rows = ((row.text, row.locale) for row in read_labels(file)) if file.suffix == ".jsonl" else _rows(file)
        for text, lang in rows:
            if config.languages is None or lang in config.languages or language_of(lang) in config.languages:
                yield text, lang


def _rows(file: Path) -> Iterator[tuple[str, str]]:
    for rows in read_rows(file):
        yield from zip(rows.texts, rows.langs, strict=True)
