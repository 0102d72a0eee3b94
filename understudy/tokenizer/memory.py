"""Whether a vocabulary can be trained in the memory there is, judged before the work begins."""

from __future__ import annotations

from collections.abc import Mapping

from understudy.errors import RecipeError
from understudy.limits import available_memory

__all__ = ["require_for_sample", "require_for_training", "sample_bytes", "training_bytes"]

MIB = 1 << 20

# Measured and rounded up; docs/tokenizer.md has the figures.
LEAST = 192 * MIB  # reading the corpus, and what does not grow
PER_SAMPLED = 36  # bytes per character of the sample: counting it and training on it, for text of several languages
PER_OCCURRENCE = 24  # bytes per character of text inside SentencePiece, which lays out each word as often as it occurs
PER_DISTINCT = 45  # bytes per UTF-8 byte of distinct words: the words, candidate pieces and where these occur


def sample_bytes(characters: int) -> int:
    """Bytes that a vocabulary from a sample of so many characters takes, as far as can be told before it is read."""
    return LEAST + characters * PER_SAMPLED


def training_bytes(counts: Mapping[str, int]) -> int:
    """Bytes SentencePiece's unigram training takes at most for distinct words and their counts.

    The size of the vocabulary plays no part: training begins with the same candidate pieces for every size. SentencePiece
    puts "▁" before each word and takes words that occur once twice.
    """
    laid_out = sum((len(word) + 1) * max(2, count) for word, count in counts.items())
    distinct = sum(len(word.encode()) + len("▁".encode()) for word in counts)
    return LEAST + laid_out * PER_OCCURRENCE + distinct * PER_DISTINCT


def require_for_sample(characters: int) -> None:
    """Refuse, before anything is read, a sample that would not fit. Raises RecipeError with the estimate."""
    _require(sample_bytes(characters), f"a vocabulary from {characters:,} characters")


def require_for_training(counts: Mapping[str, int]) -> None:
    """Refuse to train on words that would not fit. Raises RecipeError with the estimate."""
    _require(training_bytes(counts), f"training on {len(counts):,} distinct words")


def _require(needed: int, what: str) -> None:
    available = available_memory()
    if available is not None and needed > available:
        raise RecipeError(
            "the vocabulary's sample does not fit into memory",
            where="sample_characters",
            got=f"{what} takes about {_mib(needed)}, {_mib(available)} are available",
            hint="Lower sample_characters, or train where there is more memory",
        )


def _mib(size: int) -> str:
    return f"{-(-size // MIB):,} MiB"
