"""The vocabulary as a SentencePiece model, for readers of that format (C++, mobile, other languages).

SentencePiece has no rule that makes each kanji a word, so a text is normalised and cut before it: the model takes what
`Tokenizer.cut` gives, one item at a time, and returns the ids of `tokenizer.json`.

    processor = sentencepiece.SentencePieceProcessor(model_file="tokenizer/sentencepiece.model")
    ids = [i for item in tokenizer.cut(text) for i in processor.encode(item)]

The file is a protocol buffer (sentencepiece_model.proto), written here field by field: the generated classes that
sentencepiece and transformers bring cannot be loaded into one process.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from understudy.tokenizer.backend import BOS, BYTES, EOS, PAD, SPECIALS, UNK

__all__ = ["FILE", "model"]

FILE = "sentencepiece.model"

NORMAL, UNKNOWN, CONTROL, BYTE = 1, 2, 3, 6  # SentencePiece.Type
UNIGRAM = 1  # TrainerSpec.ModelType
_SPECIAL_IDS = {40: UNK, 41: BOS, 42: EOS, 43: PAD}  # TrainerSpec: unk_id, bos_id, eos_id, pad_id
_SPECIAL_PIECES = {45: UNK, 46: BOS, 47: EOS, 48: PAD}


def model(pieces: Sequence[tuple[str, float]], *, byte_fallback: bool = False) -> bytes:
    """A serialised ModelProto with the ids of `backend.build(pieces, byte_fallback=...)`; it normalises nothing itself."""
    entries = [(name, 0.0, UNKNOWN if name == UNK else CONTROL) for name in SPECIALS]
    entries += [(name, 0.0, BYTE) for name in BYTES] if byte_fallback else []
    entries += [(piece, score, NORMAL) for piece, score in pieces]
    trainer = _number(3, UNIGRAM) + _number(4, len(entries)) + _number(35, byte_fallback)
    trainer += b"".join(_number(field, SPECIALS.index(name)) for field, name in _SPECIAL_IDS.items())
    trainer += b"".join(_bytes(field, name.encode()) for field, name in _SPECIAL_PIECES.items())
    # add_dummy_prefix, remove_extra_whitespaces, escape_whitespaces: all off, the items carry their "▁".
    normalizer = _bytes(1, b"identity") + _number(3, 0) + _number(4, 0) + _number(5, 0)
    listed = b"".join(_bytes(1, _bytes(1, p.encode()) + _float(2, score) + _number(3, kind)) for p, score, kind in entries)
    return listed + _bytes(2, trainer) + _bytes(3, normalizer)


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _float(field: int, value: float) -> bytes:
    return _varint(field << 3 | 5) + struct.pack("<f", value)


def _bytes(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value
