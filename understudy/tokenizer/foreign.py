"""Any tokenizer at all, as a baseline to measure against: a `tokenizer.json` or a SentencePiece `.model`."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import sentencepiece
import tokenizers

from understudy.errors import DataError
from understudy.tokenizer.runtime import FILE

__all__ = ["Foreign", "file_of"]


class Foreign:
    """A tokenizer that normalises and cuts text in its own way.

    `unk`: the id of its unknown piece, None where it has none, as byte-level vocabularies. `size`: number of ids. `file`: where
    it was read from.
    """

    def __init__(self, file: Path, *, size: int, unk: int | None, encode: Callable[[list[str]], list[list[int]]]) -> None:
        self.file, self.size, self.unk, self._encode = file, size, unk, encode

    def encode_texts(self, texts: Sequence[str]) -> list[list[int]]:
        """Ids of each text as it stands, without control symbols."""
        return self._encode(list(texts))

    @classmethod
    def load(cls, path: Path | str) -> Foreign:
        """The tokenizer in a file or folder (see `file_of`). Raises DataError for anything else."""
        file = file_of(path)
        try:
            content = file.read_bytes()
        except OSError as error:
            raise DataError(
                "the baseline tokenizer cannot be read",
                where=file,
                got=error.strerror,
                wanted=f"a {FILE} or a SentencePiece .model",
            ) from None
        return _sentencepiece(file, content) if file.suffix == ".model" else _tokenizers(file, content)


def file_of(path: Path | str) -> Path:
    """`path` itself, or for a folder its `tokenizer.json`, or else its only `.model` file."""
    path = Path(path)
    if path.is_dir():
        models = sorted(path.glob("*.model"))
        return path / FILE if (path / FILE).exists() or len(models) != 1 else models[0]
    return path


def _sentencepiece(file: Path, content: bytes) -> Foreign:
    try:
        processor = sentencepiece.SentencePieceProcessor(model_proto=content)
        size = processor.get_piece_size()
    except (RuntimeError, ValueError, OSError) as error:
        raise DataError("the baseline is not a SentencePiece model", where=file, got=str(error)[:200]) from None
    if not size:
        raise DataError("the baseline is not a SentencePiece model", where=file, got=f"{len(content)} bytes without a piece")

    return Foreign(file, size=size, unk=processor.unk_id(), encode=processor.encode)


def _tokenizers(file: Path, content: bytes) -> Foreign:
    try:
        backend = tokenizers.Tokenizer.from_str(content.decode("utf-8"))
    except Exception as error:  # the library raises bare Exception for a file it cannot read
        raise DataError(
            "the baseline is not a tokenizer", where=file, got=str(error)[:200], wanted=f"a {FILE} or a SentencePiece .model"
        ) from None
    backend.encode_special_tokens = True
    backend.no_truncation()
    backend.no_padding()

    def encode(texts: list[str]) -> list[list[int]]:
        return [encoding.ids for encoding in backend.encode_batch_fast(texts, add_special_tokens=False)]

    model: dict[str, Any] = json.loads(content)["model"]
    unk = model["unk_id"] if "unk_id" in model else backend.token_to_id(model["unk_token"]) if model.get("unk_token") else None
    return Foreign(file, size=backend.get_vocab_size(), unk=unk, encode=encode)
