"""Token sequences on disk: one flat array of ids, where each sequence begins, and its language. Needs neither torch nor pyarrow.

train.bin           ids of all sequences, one after another (uint16 or uint32, little-endian)
train.offsets.npy   int64, N + 1: sequence i is ids[offsets[i]:offsets[i + 1]]
train.lang.npy      uint8, N: index into the languages
shards.json         {"dtype", "languages", "vocab_size", "tokenizer", "specials"}
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, Literal, TypeVar, cast

import numpy as np
import numpy.typing as npt

from understudy.errors import ArtifactError
from understudy.tokenizer.specials import OURS, Specials

__all__ = ["INDEX", "Split", "TokenSet", "TokenWriter", "dtype_for", "write_index"]

INDEX = "shards.json"
Split = Literal["train", "valid"]
N = TypeVar("N", bound=np.generic)
Tokens = npt.NDArray[np.uint16] | npt.NDArray[np.uint32]


def dtype_for(vocab_size: int) -> np.dtype[np.uint16] | np.dtype[np.uint32]:
    """uint16 where every id fits into it, else uint32; both little-endian."""
    return np.dtype("<u2") if vocab_size <= 1 << 16 else np.dtype("<u4")


def write_index(directory: Path, *, languages: Sequence[str], vocab_size: int, tokenizer: str, specials: Specials = OURS) -> None:
    """Write `shards.json`. `tokenizer` is the hash of the tokenizer the ids are of, `specials` its control symbols."""
    content = {
        "dtype": dtype_for(vocab_size).name,
        "languages": list(languages),
        "vocab_size": vocab_size,
        "tokenizer": tokenizer,
        "specials": specials.model_dump(),
    }
    (directory / INDEX).write_text(json.dumps(content, indent=2), encoding="utf-8")


class TokenWriter:
    """Writes the files of one split as sequences come: `add`, then `close`. Five bytes of memory per sequence."""

    def __init__(self, directory: Path, split: Split, dtype: np.dtype[np.uint16] | np.dtype[np.uint32]) -> None:
        self._directory, self._split, self._dtype = directory, split, dtype
        self._file: BinaryIO = (directory / f"{split}.bin").open("wb")
        self._lengths, self._langs = array("I"), array("B")

    def add(self, ids: Sequence[int] | Tokens, lengths: Sequence[int], langs: Sequence[int]) -> None:
        """Append sequences: their ids joined, the length of each, the language index of each."""
        np.asarray(ids, dtype=self._dtype).tofile(self._file)
        self._lengths.extend(lengths)
        self._langs.extend(langs)

    def close(self) -> None:
        self._file.close()
        offsets = np.zeros(len(self._lengths) + 1, dtype=np.int64)
        np.cumsum(np.frombuffer(self._lengths, dtype=np.uint32) if self._lengths else [], out=offsets[1:])
        np.save(self._directory / f"{self._split}.offsets.npy", offsets)
        np.save(self._directory / f"{self._split}.lang.npy", np.array(self._langs, dtype=np.uint8))


@dataclass(frozen=True, eq=False)
class TokenSet:
    """Sequences of one split, read from disk as they are asked for. Each begins with `<s>` and ends with `</s>`.

    `tokens` is the flat memory-mapped array; `offsets` and `langs` are whole in memory (nine bytes per sequence).
    """

    tokens: Tokens
    offsets: npt.NDArray[np.int64]
    langs: npt.NDArray[np.uint8]
    languages: tuple[str, ...]
    vocab_size: int
    tokenizer: str
    specials: Specials = OURS

    @classmethod
    def open(cls, directory: Path | str, split: Split) -> TokenSet:
        """The sequences of a shards directory. Raises ArtifactError where files are missing or do not fit one another."""
        directory = Path(directory)
        try:
            index = json.loads((directory / INDEX).read_text(encoding="utf-8"))
            languages, vocab_size, tokenizer = tuple(index["languages"]), int(index["vocab_size"]), str(index["tokenizer"])
            specials = Specials.model_validate(index.get("specials", {}))  # shards of older versions are of tokenizers of ours
            dtype = dtype_for(vocab_size)
            if index["dtype"] != dtype.name:
                raise ValueError(f"dtype {index['dtype']} for {vocab_size} ids")
        except OSError as error:
            raise ArtifactError("these are not token shards", where=directory / INDEX, got=error.strerror) from None
        except (ValueError, KeyError, TypeError) as error:
            raise ArtifactError("the index of the token shards is damaged", where=directory / INDEX, got=repr(error)) from None
        offsets = _array(directory / f"{split}.offsets.npy", np.int64)
        langs = _array(directory / f"{split}.lang.npy", np.uint8)
        bin_path = directory / f"{split}.bin"
        _check(bin_path, offsets, langs, dtype.itemsize, len(languages))
        # An empty file cannot be mapped.
        tokens: Any = np.memmap(bin_path, dtype=dtype, mode="r") if offsets[-1] else np.empty(0, dtype)
        return cls(tokens, offsets, langs, languages, vocab_size, tokenizer, specials)

    def __len__(self) -> int:
        return len(self.langs)

    def __getitem__(self, index: int) -> npt.NDArray[np.int32]:
        """Ids of sequence `index`, a copy."""
        if not 0 <= index < len(self):
            raise IndexError(f"sequence {index} of {len(self)}")
        return self.tokens[self.offsets[index] : self.offsets[index + 1]].astype(np.int32)

    @cached_property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Tokens in each sequence, `<s>` and `</s>` included."""
        return np.diff(self.offsets)


def _array(path: Path, dtype: type[N]) -> npt.NDArray[N]:
    try:
        values = np.load(path, allow_pickle=False)
    except OSError as error:
        raise ArtifactError("a file of these token shards cannot be read", where=path, got=error.strerror or error) from None
    except (ValueError, EOFError) as error:
        raise ArtifactError("a file of these token shards is damaged", where=path, got=str(error)[:200]) from None
    if values.ndim != 1 or values.dtype != dtype:
        raise ArtifactError(
            "a file of these token shards is damaged",
            where=path,
            got=f"{values.dtype} of shape {values.shape}",
            wanted=f"a row of {np.dtype(dtype)}",
        )
    return cast(npt.NDArray[N], values)


def _check(path: Path, offsets: npt.NDArray[np.int64], langs: npt.NDArray[np.uint8], width: int, languages: int) -> None:
    again = "Run the shards stage again"
    if len(offsets) != len(langs) + 1 or offsets[0] != 0 or (np.diff(offsets) < 0).any():
        raise ArtifactError(
            "the sequence index of these token shards is damaged",
            where=path.with_suffix(".offsets.npy"),
            got=f"{len(offsets)} offsets for {len(langs)} sequences" if len(offsets) else "no offsets",
            wanted="offsets that begin at 0 and rise, one more than sequences",
            hint=again,
        )
    if len(langs) and langs.max() >= languages:
        raise ArtifactError(
            "a sequence is of an unknown language",
            where=path.with_suffix(".lang.npy"),
            got=f"language {langs.max()}",
            wanted=f"below {languages}",
            hint=again,
        )
    try:
        size = path.stat().st_size
    except OSError as error:
        raise ArtifactError("a file of these token shards is missing", where=path, got=error.strerror) from None
    if size != offsets[-1] * width:
        what = "truncated" if size < offsets[-1] * width else "altered"
        raise ArtifactError(
            f"the tokens were {what}", where=path, got=f"{size} bytes", wanted=f"{offsets[-1] * width} bytes", hint=again
        )
