"""What a vocabulary is learnt from: an even sample of corpus files as words with their counts (A 2.3)."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from understudy.errors import DataError
from understudy.progress import progress
from understudy.text.words import UNSPACED, split
from understudy.tokenizer import memory
from understudy.tokenizer.backend import SPACE, bare, pretokens
from understudy.tokenizer.rows import characters, read_rows, row_count

__all__ = ["DISTINCT_WORDS", "LONGEST_WORD", "Sample", "sample_words"]

log = logging.getLogger(__name__)

LONGEST_WORD = 100  # characters; longer "words" are addresses and debris
DISTINCT_WORDS = 4_000_000  # beyond, the rarest are forgotten
_SINGLE = re.compile(f"[{UNSPACED}]")


@dataclass(frozen=True, slots=True)
class Sample:
    """What was read: `words` without their "▁" and `singles` (characters of unspaced scripts) with their counts.

    `characters`: length of the text read. `too_long`: words left out for their length. `forgotten`: occurrences of rare words
    that had to make room.
    """

    words: Counter[str]
    singles: Counter[str]
    characters: int
    too_long: int = 0
    forgotten: int = 0


def sample_words(paths: Sequence[Path], *, characters_wanted: int, seed: int) -> Sample:
    """Words of an even sample of about so many characters of the corpus files, a row of count k being k rows.

    Each of a row's k copies is drawn with the same probability, so no more than a batch of rows is in memory. Words are
    normalised as the tokenizer will. Raises DataError where there is no word at all, and RecipeError, before it reads, where a
    vocabulary from so much text would not fit into memory.
    """
    available = sum(characters(path) for path in paths)
    share = min(1.0, characters_wanted / available) if available else 0.0
    memory.require_for_sample(int(available * share))
    raw: Counter[str] = Counter()
    seen, rarest, forgotten = 0, 1, 0
    with progress("tokenizer sample", sum(row_count(path) for path in paths)) as advance:
        for index, path in enumerate(paths):
            for number, rows in enumerate(read_rows(path)):
                drawn = np.random.default_rng([seed, index, number]).binomial(rows.counts, share)
                for text, times in zip(rows.texts, drawn.tolist(), strict=True):
                    seen += times * len(text)
                    if times == 1:
                        raw.update(split(text))
                    elif times:
                        for word in split(text):
                            raw[word] += times
                if len(raw) > DISTINCT_WORDS:
                    before = raw.total()
                    raw = Counter({word: count for word, count in raw.items() if count > rarest})
                    rarest += 1
                    forgotten += before - raw.total()
                advance(len(rows.texts))
    if not raw:
        raise DataError(
            "there is no text to learn a vocabulary from", where=", ".join(map(str, paths)), got=f"{available} characters"
        )
    return _normalized(raw, seen, forgotten)


def _normalized(raw: Counter[str], seen: int, forgotten: int) -> Sample:
    words: Counter[str] = Counter()
    singles: Counter[str] = Counter()
    too_long = 0
    tokenizer = bare()
    for word, count in raw.items():
        if len(word) > LONGEST_WORD:
            too_long += count
            continue
        if word.isascii() and word.isprintable():
            words[word] += count
            continue
        for token in pretokens(tokenizer, word.encode("utf-8", "replace").decode("utf-8")):
            if token.startswith(SPACE):
                words[token[1:]] += count
            elif _SINGLE.fullmatch(token):
                singles[token] += count
    del words[""], words[SPACE]
    if too_long or forgotten:
        log.warning(
            "left out of the vocabulary's sample: %d words of more than %d characters, %d occurrences of the rarest words",
            too_long,
            LONGEST_WORD,
            forgotten,
        )
    return Sample(words, singles, seen, too_long, forgotten)
