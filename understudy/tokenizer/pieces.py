"""Words and their counts -> SentencePiece unigram -> pieces with scores (A 2.3).

SentencePiece sees distinct words with their counts, already normalised and cut, so no piece can cross a word. Its memory grows
with the length of the sample all the same (`understudy.tokenizer.memory`). Characters of unspaced scripts are words by
themselves: they need no training, only a place in the vocabulary, and are added beside SentencePiece's pieces.
"""

from __future__ import annotations

import io
import math
import re
import string
from collections import Counter
from collections.abc import Iterator, Mapping, Set
from importlib import resources

import sentencepiece

from understudy.errors import RecipeError
from understudy.text.words import UNSPACED
from understudy.tokenizer import memory
from understudy.tokenizer.backend import BYTES, SPACE, SPECIALS
from understudy.tokenizer.sample import Sample

__all__ = ["ALWAYS", "KANJI_AND_KANA", "STEP", "joyo_kanji", "kana", "train_pieces"]

Piece = tuple[str, float]

THREADS = 4  # fixed: sums over threads are in floating point, and equal seeds must give equal vocabularies
# Scores are multiples of this. Sums of them are exact, in SentencePiece's 32 bits too, as long as they stay above -16,384
# (words of about a thousand characters): every reader then finds the same best spelling, also where two are equally good.
STEP = 1 / 1024
# Everyday forms of four Joyo kanji whose official forms lie outside the older character sets.
VARIANTS = "叱填剥頬"
_SINGLE = re.compile(f"[{UNSPACED}]")


def joyo_kanji() -> str:
    """The 2,136 kanji for common use (Agency for Cultural Affairs, Japan, 2010), in the order of the official table."""
    return "".join(resources.files("understudy.tokenizer").joinpath("joyo.txt").read_text(encoding="utf-8").split())


def kana() -> str:
    """All hiragana and katakana with their voicing, length and iteration marks and the iteration mark of kanji."""
    ranges = [(0x3041, 0x3096), (0x3099, 0x309A), (0x309D, 0x309E), (0x30A1, 0x30FE)]
    return "々" + "".join(chr(c) for first, last in ranges for c in range(first, last + 1))


ALWAYS = frozenset(string.digits + string.ascii_letters + string.punctuation)
KANJI_AND_KANA = frozenset(joyo_kanji() + kana() + VARIANTS)


def train_pieces(
    sample: Sample, *, vocab_size: int, coverage: float = 0.9995, byte_fallback: bool = False, guaranteed: Set[str] = frozenset()
) -> list[Piece]:
    """The pieces of a vocabulary of `vocab_size` ids less control symbols and bytes, with log-probabilities, likeliest first.

    Characters that make up `coverage` of the sample and all `guaranteed` ones are pieces. Raises RecipeError where they alone
    do not fit into `vocab_size`, or where training would not fit into memory.
    """
    letters: Counter[str] = Counter()
    for word, count in sample.words.items():
        for char in word:
            letters[char] += count
    kept = _covering(letters + sample.singles, coverage) | guaranteed
    singles = {char for char in kept if _SINGLE.fullmatch(char)}
    letters_kept = kept - singles - {SPACE}
    fixed = len(SPECIALS) + len(BYTES) * byte_fallback + len(singles)
    needed = fixed + len(letters_kept) + 1
    if vocab_size < needed:
        raise RecipeError(
            "the vocabulary is too small for its characters",
            where="vocab_size",
            got=vocab_size,
            wanted=f"at least {needed}: {len(singles)} kanji and kana, {len(letters_kept)} other characters, control symbols",
            hint="Raise vocab_size, lower character_coverage or set kanji = false",
        )
    usable = {word: count for word, count in sorted(sample.words.items()) if letters_kept.issuperset(word)}
    pieces = _unigram(usable, letters_kept, vocab_size - fixed) if usable else _uniform({*letters_kept, SPACE})
    total = sum(sample.words.values()) + sum(sample.singles.values())
    floor = min(score for _, score in pieces)
    # Single characters never compete with other pieces, so their score is not learnt: it is their share of the words.
    pieces += [(char, math.log(sample.singles[char] / total) if sample.singles[char] else floor) for char in singles]
    return sorted(((piece, round(score / STEP) * STEP) for piece, score in pieces), key=lambda piece: (-piece[1], piece[0]))


def _covering(counts: Counter[str], coverage: float) -> set[str]:
    """The most frequent characters that together make up `coverage` of all."""
    wanted, covered, kept = coverage * counts.total(), 0, set()
    for char, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        if covered >= wanted:
            break
        covered += count
        kept.add(char)
    return kept


def _unigram(words: Mapping[str, int], letters: Set[str], size: int) -> list[Piece]:
    """SentencePiece's unigram pieces with "▁" before each word; at most `size` (fewer where the words have no more)."""
    memory.require_for_training(words)
    model = io.BytesIO()

    def lines() -> Iterator[str]:
        for word, count in words.items():
            yield f"{word}\t{count}"

    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=lines(),
        model_writer=model,
        model_type="unigram",
        input_format="tsv",
        vocab_size=size + 1,  # its own <unk>
        hard_vocab_limit=False,
        character_coverage=1.0,
        required_chars="".join(sorted(letters)),
        split_by_unicode_script=True,  # so "<s>" in a text never becomes a piece: signs and letters do not mix
        normalization_rule_name="identity",
        add_dummy_prefix=True,
        num_threads=THREADS,
        unk_id=0,
        bos_id=-1,
        eos_id=-1,
        pad_id=-1,
        minloglevel=2,
    )
    trained = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    pieces = [(trained.id_to_piece(i), float(trained.get_score(i))) for i in range(1, trained.get_piece_size())]
    return pieces if any(piece == SPACE for piece, _ in pieces) else [*pieces, (SPACE, min(s for _, s in pieces))]


def _uniform(pieces: Set[str]) -> list[Piece]:
    return [(piece, -math.log(len(pieces))) for piece in sorted(pieces)]
