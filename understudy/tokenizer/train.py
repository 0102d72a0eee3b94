"""Train a vocabulary: a sample of a corpus -> words and their counts -> SentencePiece unigram -> `tokenizer.json` (A 2.3).

SentencePiece sees distinct words with their counts, already normalised and cut, so no piece can cross a word, and memory
depends on the number of distinct words, not on the length of the sample. Characters of unspaced scripts are words by
themselves: they need no training, only a place in the vocabulary, and are added beside SentencePiece's pieces.
"""

from __future__ import annotations

import io
import json
import logging
import math
import re
import string
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import numpy as np
import sentencepiece
from pydantic import Field, model_validator

from understudy.artifact import Artifact, Draft
from understudy.config import CorpusRef, StageConfig
from understudy.errors import DataError, RecipeError
from understudy.progress import progress
from understudy.text.words import UNSPACED, split
from understudy.tokenizer.backend import BOS, BYTES, EOS, MASK, PAD, SPACE, SPECIALS, UNK, bare, build, pretokens
from understudy.tokenizer.metrics import fit_file
from understudy.tokenizer.rows import characters, read_rows, row_count
from understudy.tokenizer.runtime import FILE, Tokenizer

__all__ = ["Sample", "TokenizerConfig", "joyo_kanji", "kana", "run", "sample_words", "save", "train_pieces"]

log = logging.getLogger(__name__)
Piece = tuple[str, float]

THREADS = 4  # fixed: sums over threads are in floating point, and equal seeds must give equal vocabularies
LONGEST_WORD = 100  # characters; longer "words" are addresses and debris
DISTINCT_WORDS = 4_000_000  # beyond, the rarest are forgotten
ASCII = string.digits + string.ascii_letters + string.punctuation
# Everyday forms of four Joyo kanji whose official forms lie outside the older character sets.
VARIANTS = "叱填剥頬"
_SINGLE = re.compile(f"[{UNSPACED}]")


class TokenizerConfig(StageConfig):
    """Settings of a tokenizer stage.

    `corpus` or `corpora`: what to learn from. `vocab_size`: number of ids, control symbols included; where the text has fewer
    distinct pieces the tokenizer is smaller and its metrics say so. `sample_characters`: how much text is read, drawn evenly
    over the corpora. `character_coverage`: share of the characters of the sample that get a piece. `byte_fallback`: spell
    unknown characters as bytes instead of `<unk>` (takes 256 ids). `kanji`: guarantee the 2,136 Joyo kanji and all kana
    (takes about 2,300 ids). `max_length`: the length transformers truncates to by default.
    """

    kind: Literal["tokenizer"] = "tokenizer"
    corpus: CorpusRef | None = None
    corpora: tuple[CorpusRef, ...] = ()
    vocab_size: int = Field(ge=len(SPECIALS) + 1, le=4_000_000)
    sample_characters: int = Field(default=100_000_000, ge=1)
    character_coverage: float = Field(default=0.9995, gt=0, le=1)
    byte_fallback: bool = False
    kanji: bool = True
    max_length: int = Field(default=512, ge=8)

    @model_validator(mode="after")
    def _one_source(self) -> TokenizerConfig:
        if (self.corpus is None) == (not self.corpora):
            raise ValueError("a tokenizer learns from either 'corpus' or 'corpora'")
        return self


@dataclass(frozen=True, slots=True)
class Sample:
    """What was read: `words` without their "▁" and `singles` (characters of unspaced scripts) with their counts."""

    words: Counter[str]
    singles: Counter[str]
    characters: int


def run(config: TokenizerConfig, inputs: Mapping[str, Artifact], draft: Draft, *, seed: int) -> None:
    """Write `tokenizer.json` and `tokenizer_config.json`; metrics: size, and fit to the corpora's held-out text (A 2.3).

    Raises DataError for corpora without text and RecipeError for a vocabulary too small for its characters.
    """
    artifacts = [inputs[ref] for ref in (config.corpora or (config.corpus,)) if ref is not None]
    sample = sample_words([a.path / "train.parquet" for a in artifacts], characters_wanted=config.sample_characters, seed=seed)
    pieces = train_pieces(
        sample,
        vocab_size=config.vocab_size,
        coverage=config.character_coverage,
        byte_fallback=config.byte_fallback,
        guaranteed=set(ASCII) | (set(joyo_kanji() + kana() + VARIANTS) if config.kanji else set()),
    )
    save(draft.path, pieces, byte_fallback=config.byte_fallback, max_length=config.max_length)
    tokenizer = Tokenizer.load(draft.path)
    if tokenizer.size < config.vocab_size:
        log.warning("the corpus has %d distinct pieces, fewer than vocab_size = %d", tokenizer.size, config.vocab_size)
    overall, languages = fit_file(tokenizer, [a.path / "valid.parquet" for a in artifacts])
    draft.tokenizer = tokenizer.hash
    draft.metrics.update(
        vocab_size=tokenizer.size,
        wanted=config.vocab_size,
        sample={"characters": sample.characters, "distinct_words": len(sample.words), "distinct_singles": len(sample.singles)},
        overall=overall.to_dict(),
        languages={lang: fit.to_dict() for lang, fit in languages.items()},
    )


def joyo_kanji() -> str:
    """The 2,136 kanji for common use (Agency for Cultural Affairs, Japan, 2010), in the order of the official table."""
    return "".join(resources.files("understudy.tokenizer").joinpath("joyo.txt").read_text(encoding="utf-8").split())


def kana() -> str:
    """All hiragana and katakana with their voicing, length and iteration marks and the iteration mark of kanji."""
    ranges = [(0x3041, 0x3096), (0x3099, 0x309A), (0x309D, 0x309E), (0x30A1, 0x30FE)]
    return "々" + "".join(chr(c) for first, last in ranges for c in range(first, last + 1))


def sample_words(paths: Sequence[Path], *, characters_wanted: int, seed: int) -> Sample:
    """Words of an even sample of about so many characters of the corpus files, a row of count k being k rows.

    Each of a row's k copies is drawn with the same probability, so no more than a batch of rows is in memory. Words are
    normalised as the tokenizer will. Raises DataError where there is no word at all.
    """
    available = sum(characters(path) for path in paths)
    share = min(1.0, characters_wanted / available) if available else 0.0
    raw: Counter[str] = Counter()
    seen, rarest = 0, 1
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
                    raw = Counter({word: count for word, count in raw.items() if count > rarest})
                    rarest += 1
                advance(len(rows.texts))
    if not raw:
        raise DataError(
            "there is no text to learn a vocabulary from", where=", ".join(map(str, paths)), got=f"{available} characters"
        )
    return _normalized(raw, seen)


def _normalized(raw: Counter[str], seen: int) -> Sample:
    words: Counter[str] = Counter()
    singles: Counter[str] = Counter()
    tokenizer = bare()
    for word, count in raw.items():
        if len(word) > LONGEST_WORD:
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
    return Sample(words, singles, seen)


def train_pieces(
    sample: Sample, *, vocab_size: int, coverage: float = 0.9995, byte_fallback: bool = False, guaranteed: Set[str] = frozenset()
) -> list[Piece]:
    """The pieces of a vocabulary of `vocab_size` ids less control symbols and bytes, with log-probabilities, likeliest first.

    Characters that make up `coverage` of the sample and all `guaranteed` ones are pieces. Raises RecipeError where they alone
    do not fit into `vocab_size`.
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
    usable = {w: c for w, c in sample.words.items() if letters_kept.issuperset(w)}
    pieces = _unigram(usable, letters_kept, vocab_size - fixed) if usable else _uniform({*letters_kept, SPACE})
    total = sum(sample.words.values()) + sum(sample.singles.values())
    floor = min(score for _, score in pieces)
    # Single characters never compete with other pieces, so their score is not learnt: it is their share of the words.
    pieces += [(char, math.log(sample.singles[char] / total) if sample.singles[char] else floor) for char in singles]
    return sorted(pieces, key=lambda piece: (-piece[1], piece[0]))


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
    model = io.BytesIO()

    def lines() -> Iterator[str]:
        for word, count in sorted(words.items()):
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


def save(directory: Path, pieces: Sequence[Piece], *, byte_fallback: bool = False, max_length: int = 512) -> None:
    """Write `tokenizer.json` and the `tokenizer_config.json` that transformers' AutoTokenizer reads beside it."""
    text = build(pieces, byte_fallback=byte_fallback).to_str()
    (directory / FILE).write_text(text, encoding="utf-8")
    settings: dict[str, Any] = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": max_length,
        "model_input_names": ["input_ids", "attention_mask"],
        "clean_up_tokenization_spaces": False,
        "bos_token": BOS,
        "cls_token": BOS,
        "eos_token": EOS,
        "sep_token": EOS,
        "pad_token": PAD,
        "unk_token": UNK,
        "mask_token": MASK,
    }
    (directory / "tokenizer_config.json").write_text(json.dumps(settings, indent=2), encoding="utf-8")
