"""The tokenizer as everyone uses it: words to ids with the place of each word's first piece."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from itertools import accumulate, chain, pairwise
from pathlib import Path
from typing import Any
from unicodedata import is_normalized

import numpy as np
import numpy.typing as npt
import tokenizers

from understudy.errors import ArtifactError
from understudy.text.words import UNSPACED, split, words
from understudy.tokenizer.backend import CHANGED, SPACE, pretokens
from understudy.tokenizer.specials import find
from understudy.tokenizer.spm import FILE as MODEL

__all__ = ["FILE", "ID", "Encoding", "Tokenizer"]

FILE = "tokenizer.json"
ID = np.dtype("<u4")
"""Ids of many words are kept and joined as bytes of this type: an integer of Python's takes ten times as much, all over memory."""
CACHED_WORDS = 1 << 18  # per generation; two generations of ordinary words are about 100 MB
LONG_WORD = 64  # characters; longer ones seldom come twice
BYTE_SPACE = "Ġ"  # what byte-level vocabularies write for a space

_SINGLE = re.compile(f"[{UNSPACED}]")
_CHANGED = re.compile(f"[{CHANGED}]")
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Encoding:
    """Ids of a sequence, control symbols included; `first[w]` is the index in `ids` of word w's first piece."""

    ids: list[int]
    first: list[int]


class Tokenizer:
    """Words to piece ids and back, with a bounded cache of words; safe to share between threads.

    Made by `Tokenizer.load`. `size` is the number of ids; `bos pad eos unk mask` are the control symbols' ids, `specials` has
    them all; `hash` is the SHA-256 of the `tokenizer.json` it was read from: models and shards of one tokenizer carry the same
    hash. Files that others made are read as well: a word is encoded as it stands in their running text, after a space.
    """

    def __init__(self, serialized: bytes, *, where: Path | None = None) -> None:
        try:
            self._backend = tokenizers.Tokenizer.from_str(serialized.decode("utf-8"))
        except Exception as error:  # the library raises bare Exception for a file it cannot read
            raise ArtifactError(
                "the tokenizer cannot be read", where=where, got=str(error)[:200], wanted=f"a {FILE} of the tokenizers library"
            ) from None
        self._backend.encode_special_tokens = True  # "<s>" in a user's text is text
        self._backend.no_truncation()
        self._backend.no_padding()
        vocabulary: dict[str, int] = self._backend.get_vocab()
        self.specials = s = find(self._backend, vocabulary, where=where)
        self.bos, self.pad, self.eos, self.unk, self.mask = s.bos, s.pad, s.eos, s.unk, s.mask
        self._control = frozenset(s.all) - {s.unk}
        self.size = len(vocabulary)
        if (highest := max(vocabulary.values())) >= self.size:
            got, wanted = f"{self.size} ids up to {highest}", "each number from 0 on"
            raise ArtifactError("the tokenizer's ids have gaps", where=where, got=got, wanted=wanted)
        self.hash = hashlib.sha256(serialized).hexdigest()
        self._words = _Words(self._encode_word, {})
        self._folder = None if where is None else where.parent

    @classmethod
    def load(cls, path: Path | str) -> Tokenizer:
        """The tokenizer of a directory holding `tokenizer.json`, or of that file itself. Raises ArtifactError."""
        path = Path(path)
        file = path / FILE if path.is_dir() else path
        try:
            return cls(file.read_bytes(), where=file)
        except OSError as error:
            raise ArtifactError("the tokenizer cannot be read", where=file, got=error.strerror, wanted=f"a {FILE}") from None

    @cached_property
    def begins_V(self) -> npt.NDArray[np.bool_]:
        """True at the ids of pieces that begin a word: those with "▁", and characters of unspaced scripts.

        Of other makes: byte-level pieces with "Ġ", WordPiece's without "##".
        """
        vocabulary, model = self._backend.get_vocab(), self._backend.model
        begins_V = np.zeros(self.size, np.bool_)
        if isinstance(model, tokenizers.models.WordPiece):
            begins_V[[i for piece, i in vocabulary.items() if not piece.startswith(model.continuing_subword_prefix)]] = True
        else:
            marks = (SPACE, BYTE_SPACE) if isinstance(model, tokenizers.models.BPE) else (SPACE,)
            begins_V[[i for piece, i in vocabulary.items() if piece.startswith(marks) or _SINGLE.fullmatch(piece)]] = True
        return begins_V

    def __repr__(self) -> str:
        return f"Tokenizer(size={self.size}, hash={self.hash[:12]})"

    def encode(self, words: Sequence[str], *, max_length: int | None = None) -> Encoding:
        """`<s>` pieces `</s>` of words cut by `understudy.text.words`; each has at least one piece (`<unk>` if need be).

        With `max_length` (>= 2) the sequence is cut to so many ids; words that lie behind the cut have no entry in `first`,
        so `len(first) <= len(words)`; the last word that has one may have lost its later pieces.
        """
        packed, first = list(map(self._cache().__getitem__, words)), []
        at = 1
        for of_word in packed:
            first.append(at)
            at += len(of_word) // ID.itemsize
        ids = [self.bos, *np.frombuffer(b"".join(packed), ID).tolist()]
        if max_length is not None and len(ids) >= max_length:
            if max_length < 2:
                raise ValueError(f"max_length must leave room for <s> and </s>, got {max_length}")
            del ids[max_length - 1 :]
            first = [at for at in first if at < max_length - 1]
        ids.append(self.eos)
        return Encoding(ids, first)

    def encode_texts(self, texts: Iterable[str]) -> list[list[int]]:
        """Piece ids of each text, without control symbols: word by word as `encode`, much faster for many texts."""
        return [np.frombuffer(ids, ID).tolist() for ids in self.encode_split([split(text) for text in texts])]

    def encode_split(self, texts: Sequence[Sequence[str]]) -> list[bytes]:
        """As `encode_texts`, of texts that are cut into words already; the ids of each as the bytes of an array of `ID`."""
        cached = self._cache()
        self._learn([word for word in set(chain.from_iterable(texts)) if word not in cached], cached)
        return [b"".join(map(cached.__getitem__, words)) for words in texts]

    def pieces(self, text: str) -> tuple[list[int], list[tuple[int, int]]]:
        """Piece ids of a text, as `encode` gives them without control symbols, and the characters of it that each stands for.

        A "▁" that is a piece by itself stands for the first character of its word, as the piece after it does.
        """
        ids: list[int] = []
        spans: list[tuple[int, int]] = []
        for word in words(text):
            found, space = self._encoded(word.text)
            ids += self._allowed(found.ids)
            offsets = found.offsets or [(space, space + len(word.text))]
            spans += [(word.start + max(0, start - space), word.start + max(1, end - space)) for start, end in offsets]
        return ids, spans

    def cut(self, text: str) -> list[str]:
        """What stands between text and ids: normalised words, "▁" before those of spaced scripts, e.g. "▁play", "私", "は".

        Lone surrogates become U+FFFD. `sentencepiece.model` encodes these, one at a time.
        """
        return pretokens(self._backend, _SURROGATE.sub("\ufffd", text))

    def decode(self, ids: Iterable[int]) -> str:
        """Text of `ids`, without `<s>`, `<pad>` and `</s>`; `<unk>` and `<mask>` stay visible."""
        silent = (self.bos, self.pad, self.eos)
        text: str = self._backend.decode([int(i) for i in ids if i not in silent], skip_special_tokens=False)
        return text

    def _cache(self) -> _Words:
        if len(self._words) > CACHED_WORDS:
            self._words = _Words(self._encode_word, dict(self._words))
        return self._words

    def _encode_word(self, word: str) -> bytes:
        return np.array(self._allowed(self._encoded(word)[0].ids), ID).tobytes()

    def _encoded(self, word: str) -> tuple[tokenizers.Encoding, int]:
        """A word as it stands in running text, and how many spaces were put before it."""
        text = _SURROGATE.sub("\ufffd", word)
        # Ours drop the space; others spell a word differently after one. Characters of unspaced scripts mostly follow each other.
        space = 0 if _SINGLE.match(text) else 1
        return self._backend.encode(" " * space + text, add_special_tokens=False), space

    def _allowed(self, found: list[int]) -> list[int]:
        """Ids of a word. "<s>" in a text is text, but a vocabulary that others made may have it as a piece like any other."""
        return [self.unk if i in self._control else i for i in found] or [self.unk]

    def _learn(self, unseen: list[str], cached: _Words) -> None:
        """Put words into the cache ahead of their use: SentencePiece takes a tenth of the time of the other library.

        Only words that come out of `cut` as they are. The others, and all of a tokenizer without its model, are encoded when they
        are looked up.
        """
        if self._model is None:
            return
        new = [w for w in unseen if len(w) <= LONG_WORD and is_normalized("NFKC", w) and not _CHANGED.search(w)]
        new = [word for word in new if word not in cached.older]
        items = [word if _SINGLE.match(word) else SPACE + word for word in new]
        found = self._model.encode(items, num_threads=1)
        packed = np.array(list(chain.from_iterable(found)), ID).tobytes()
        ends = accumulate(ID.itemsize * len(ids) for ids in found)
        cached.update((word, packed[start:end]) for word, (start, end) in zip(new, pairwise(chain([0], ends)), strict=True))

    @cached_property
    def _model(self) -> Any:
        """The vocabulary as SentencePiece has it, where it stands beside `tokenizer.json` and the library is there; else None.

        Raises ArtifactError where the two are of different vocabularies.
        """
        file = None if self._folder is None else self._folder / MODEL
        if file is None or not file.exists():
            return None
        try:
            sentencepiece = import_module("sentencepiece")  # of the extra "train": serving does without
        except ImportError:
            return None
        try:
            model = sentencepiece.SentencePieceProcessor(model_file=str(file))
        except (RuntimeError, OSError) as error:
            raise ArtifactError("the SentencePiece model cannot be read", where=file, got=str(error)[:200]) from None
        pieces = model.id_to_piece(list(range(model.get_piece_size())))
        if {piece: i for i, piece in enumerate(pieces)} != self._backend.get_vocab():
            raise ArtifactError(
                "the SentencePiece model is of another vocabulary", where=file, wanted=f"that of {FILE} beside it"
            )
        return model


class _Words(dict[str, bytes]):
    """The cache of words: a generation of its own and the one before, which words come back from when they are met again.

    Two generations approximate least-recently-used at the price of a single look-up for a word met lately.
    """

    def __init__(self, encode: Callable[[str], bytes], older: dict[str, bytes]) -> None:
        super().__init__()
        self._encode, self.older = encode, older

    def __missing__(self, word: str) -> bytes:
        pieces = self.older.get(word) or self._encode(word)
        if len(word) <= LONG_WORD:
            self[word] = pieces
        return pieces
