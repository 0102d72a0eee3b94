"""What a teacher said at masked tokens, on disk: the teacher cache. One row for each masked token of each piece of a sequence.

teachings.json        what was listened to: `Heard`
train.ids.bin         (N, k + samples) the likeliest words, likeliest first, and samples of all others (uint16 or uint32)
train.surprisals.bin  (N, k + 1) -log p of each of the k, and last of all others together, in steps of 1/2048 nat (uint16)
train.offsets.npy     int64, epochs x pieces + 1: piece i in epoch e has the rows offsets[e * pieces + i] to the next offset

The same for `valid`, in one epoch. Steps of the logarithm keep every probability to 0.024 %, wherever it lies, in the two bytes
in which a half-precision logarithm of a probability of e^-8 is off by up to 0.4 %. 65535, 32 nats, stands for nothing at all.

All little-endian. Shapes: M masked tokens, K words kept of each, P = k + 1.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from pydantic import ValidationError

from understudy.config import Config
from understudy.corpus.tokenset import Split, dtype_for
from understudy.errors import ArtifactError
from understudy.training.batches import MaskedBatch, Source, TaughtBatch
from understudy.training.kept import Kept
from understudy.training.masking import Ints

__all__ = ["INDEX", "Heard", "Parts", "TaughtSequences", "Teachings"]

INDEX = "teachings.json"
STEP = 1 / 2048
NOTHING = 0xFFFF
SURPRISALS = np.dtype("<u2")


class Heard(Config):
    """What was listened to. teacher, data: content hashes; seed: of the masks; k: the likeliest words at each masked
    token; samples: of all others.

    epochs: different masks of the same sequences. temperature: what the teacher's logits were divided by.
    """

    teacher: str
    data: str
    tokenizer: str
    vocab_size: int
    seed: int
    mask_rate: float
    whole_words: bool
    max_length: int
    temperature: float
    k: int
    samples: int
    epochs: int

    @property
    def row_bytes(self) -> int:
        """Bytes of one masked token."""
        return (self.k + self.samples) * dtype_for(self.vocab_size).itemsize + (self.k + 1) * SURPRISALS.itemsize

    @classmethod
    def read(cls, directory: Path) -> Heard:
        """Raises ArtifactError where there is no such index or it is damaged."""
        try:
            return cls.model_validate_json((directory / INDEX).read_bytes())
        except OSError as error:
            raise ArtifactError("these are not a teacher's words", where=directory / INDEX, got=error.strerror) from None
        except ValidationError as error:
            got = error.errors(include_url=False)[0]["msg"]
            raise ArtifactError("the index of these teachings is damaged", where=directory / INDEX, got=got) from None


@dataclass(frozen=True, eq=False)
class Teachings:
    """The rows of one split, read from disk as they are asked for."""

    ids_MK: npt.NDArray[Any]
    surprisals_MP: npt.NDArray[np.uint16]
    offsets: Ints
    epochs: int

    @classmethod
    def open(cls, directory: Path, split: Split, heard: Heard, *, epochs: int) -> Teachings:
        """Raises ArtifactError where files are missing or do not fit one another."""
        ids, surprisals, of = (directory / f"{split}.{name}" for name in ("ids.bin", "surprisals.bin", "offsets.npy"))
        try:
            offsets = np.load(of, allow_pickle=False)
            ids_MK = _mapped(ids, dtype_for(heard.vocab_size), int(offsets[-1]), heard.k + heard.samples)
            return cls(ids_MK, _mapped(surprisals, SURPRISALS, int(offsets[-1]), heard.k + 1), offsets, epochs)
        except (OSError, ValueError) as error:
            raise ArtifactError("a file of these teachings cannot be read", where=directory, got=str(error)[:200]) from None

    @property
    def pieces(self) -> int:
        return (len(self.offsets) - 1) // self.epochs

    def __len__(self) -> int:
        return len(self.ids_MK)

    def at(self, indices: Ints, *, epoch: int) -> Kept:
        """What was said at the masked tokens of these pieces, in the order of a packed batch; float32, each row's sum 1."""
        first = (epoch % self.epochs) * self.pieces + indices
        counts = self.offsets[first + 1] - self.offsets[first]
        ends = np.cumsum(counts)
        rows = np.repeat(self.offsets[first] - (ends - counts), counts) + np.arange(ends[-1])
        ids_MK, mass_MP = self.ids_MK[rows].astype(np.int64), masses(self.surprisals_MP[rows])
        likeliest_Mk, others_M1 = mass_MP[:, :-1], mass_MP[:, -1:]
        samples = ids_MK.shape[1] - likeliest_Mk.shape[1]
        mass_MK = np.concatenate([likeliest_Mk, np.repeat(others_M1 / samples, samples, 1)], 1)
        return Kept(torch.from_numpy(ids_MK), torch.from_numpy(mass_MK / mass_MP.sum(1, keepdims=True)))

    def tail(self, rows_at_once: int = 1 << 20) -> float:
        """Mean probability of the words that are not among the likeliest."""
        chunks = range(0, len(self), rows_at_once)
        sums = [float(masses(self.surprisals_MP[at : at + rows_at_once, -1]).sum(dtype=np.float64)) for at in chunks]
        return sum(sums) / max(1, len(self))


def masses(surprisals: npt.NDArray[np.uint16]) -> npt.NDArray[np.float32]:
    """Probabilities, from steps."""
    return np.where(surprisals == NOTHING, np.float32(0), np.exp(surprisals * np.float32(-STEP)))


class Parts:
    """The rows of one split while a teacher is being heard: a file for each run of pieces, whole or not there, whoever wrote it."""

    def __init__(self, directory: Path, split: Split, *, vocab_size: int) -> None:
        self._directory, self._split, self._words = directory, split, dtype_for(vocab_size)

    def path(self, start: int) -> Path:
        """Where the rows of the run that begins at piece `start` stand, counted through all epochs."""
        return self._directory / f"{self._split}-{start:012d}.npz"

    def write(self, start: int, counts: Ints, ids_MK: npt.NDArray[Any], logp_MP: npt.NDArray[np.float32]) -> None:
        """The rows of a run's pieces in order, and how many each piece has."""
        surprisals = np.minimum(np.rint(logp_MP / -STEP), NOTHING).astype(SURPRISALS)
        temporary = self.path(start).with_suffix(".tmp")
        with temporary.open("wb") as file:
            np.savez(file, counts=counts.astype(np.int64), ids=ids_MK.astype(self._words), surprisals=surprisals)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self.path(start))

    def join(self, starts: Iterable[int], target: Path) -> None:
        """Write the files of the split to `target`. Parts stay where they are: a run killed meanwhile has nothing to hear again."""
        counts = [np.zeros(1, np.int64)]
        ids, surprisals = (target / f"{self._split}.{name}.bin" for name in ("ids", "surprisals"))
        with ids.open("wb") as of_ids, surprisals.open("wb") as of_surprisals:
            for start in starts:
                with np.load(self.path(start), allow_pickle=False) as part:
                    part["ids"].tofile(of_ids)
                    part["surprisals"].tofile(of_surprisals)
                    counts.append(part["counts"])
        np.save(target / f"{self._split}.offsets.npy", np.cumsum(np.concatenate(counts)))


class TaughtSequences:
    """Makes masked batches, each with what the teacher said at its masked tokens; after the last epoch of it the first again.

    masked: what the teacher was shown: the same sequences, masks and seed. Raises ArtifactError where it is not.
    """

    def __init__(self, masked: Source[MaskedBatch], teachings: Teachings) -> None:
        self.lengths, self._masked, self._teachings = masked.lengths, masked, teachings
        _fits("sequences", len(masked.lengths), teachings.pieces)

    def batch(self, indices: Ints, *, epoch: int) -> MaskedBatch:
        batch = self._masked.batch(indices, epoch=epoch % self._teachings.epochs)
        theirs = self._teachings.at(indices, epoch=epoch)
        _fits("masked tokens", len(batch.masked_M), len(theirs.ids_MK))
        shown = {field.name: getattr(batch, field.name) for field in fields(batch)}
        return TaughtBatch(**shown, kept_MK=theirs.ids_MK, mass_MK=theirs.mass_MK)


def _fits(what: str, wanted: int, got: int) -> None:
    if got != wanted:
        raise ArtifactError(
            "the teacher was shown something else", got=f"{got} {what}", wanted=wanted, hint="Run the listen stage again"
        )


def _mapped(path: Path, dtype: np.dtype[Any], rows: int, width: int) -> npt.NDArray[Any]:
    wanted = rows * width * dtype.itemsize
    if (size := path.stat().st_size) != wanted:
        raise ArtifactError(
            "the teacher's words do not fit their index", where=path, got=f"{size} bytes", wanted=f"{wanted} bytes",
            hint="Run the listen stage again",
        )  # fmt: skip
    # An empty file cannot be mapped.
    return np.memmap(path, dtype=dtype, mode="r", shape=(rows, width)) if rows else np.empty((0, width), dtype)
