"""Equal and nearly equal texts among any number of rows: hashes on disk, compared one range of hashes at a time.

Equal texts are found by a 128-bit hash. Nearly equal ones by MinHash (Broder, 1997): of 128 hash functions over a text's runs
of five characters each gives its least value, and two texts agree in as many of the 128 as their sets of runs overlap
(Jaccard). Texts that agree in all values of one of several bands are compared (locality-sensitive hashing: Leskovec, Rajaraman
and Ullman, Mining of Massive Datasets, chapter 3). A text that resembles an earlier one of its language is dropped, whether or
not the earlier one stays, so that the outcome depends on the order of the rows alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

import daft
import numpy as np
import numpy.typing as npt

__all__ = ["COUNTS_FILE", "KEYS", "KEYS_FILE", "bands", "count_equal", "drop_near", "save_sketches", "sketch"]

COUNTS_FILE, KEYS_FILE, SKETCH_FILE, BANDS_FILE = ".counts.npy", ".keys.npy", ".sketch.npy", ".bands.npy"
KEYS = np.dtype([("high", "<u8"), ("low", "<u8"), ("row", "<u4")])
_BAND = np.dtype([("high", "<u8"), ("row", "<u4")])
_HASHES = 128
_RUN = 5  # characters
_TOGETHER = 1 << 22  # rows compared at a time
Array = npt.NDArray[Any]


def count_equal(stems: Sequence[Path], kept: Callable[[int], int]) -> None:
    """Of equal texts the first gets `kept` of the sum of their counts, the others get 0, in the files NAME.counts.npy."""
    for parts in _ranges([partial(_open, stem, KEYS_FILE) for stem in stems]):
        found = np.concatenate([_open(stem, COUNTS_FILE)[part["row"]] for stem, part in zip(stems, parts, strict=True)])
        together = np.concatenate(parts)
        order = np.lexsort((together["low"], together["high"]))  # stable: the earliest of equal texts stays first
        together = together[order]
        begins = np.flatnonzero(_changes(together["high"]) | _changes(together["low"]))
        sums, inverse = np.unique(np.add.reduceat(found[order], begins), return_inverse=True)
        result = np.zeros(len(together), np.int64)
        result[order[begins]] = np.array([kept(int(n)) for n in sums], np.int64)[inverse]
        at = 0
        for stem, part in zip(stems, parts, strict=True):
            _open(stem, COUNTS_FILE, "r+")[part["row"]] = result[at : at + len(part)]
            at += len(part)


def sketch(langs: Sequence[bytes], normals: Sequence[str]) -> npt.NDArray[np.uint32]:
    """MinHash values (rows, 128) of texts in normal form, apart for each language."""
    spaced = [" ".join(text) for text in normals]
    series = daft.Series.from_pylist(spaced).minhash(num_hashes=_HASHES, ngram_size=_RUN, seed=1)
    values: npt.NDArray[np.uint32] = series.to_arrow().flatten().to_numpy().reshape(-1, _HASHES)
    code = np.array(langs, dtype="S2").view("<u2").astype(np.uint32)
    return values ^ (code * np.uint32(2654435761))[:, None]


def bands(near: float) -> tuple[int, int]:
    """How many bands of how many values: the longest with which 95 % of texts of similarity `near` agree in a band or more.

    0.8: 18 bands of 7, for 1 - (1 - 0.8^7)^18 = 0.986 and 1 - (1 - 0.8^8)^16 = 0.947.
    """
    good = [size for size in range(1, 33) if 1 - (1 - near**size) ** (_HASHES // size) >= 0.95]
    return _HASHES // max(good, default=1), max(good, default=1)


def save_sketches(stem: Path, sketches: Sequence[npt.NDArray[np.uint32]], near: float) -> None:
    """Lay down a byte of each MinHash value of a unit's rows, and for each band its rows sorted by the hash of its values."""
    values = np.concatenate([np.empty((0, _HASHES), np.uint32), *sketches])
    number, size = bands(near)
    table = np.empty((number, len(values)), _BAND)
    for band in range(number):
        mixed = np.full(len(values), np.uint64(band + 1))
        for column in range(band * size, (band + 1) * size):
            mixed = (mixed ^ values[:, column].astype(np.uint64)) * np.uint64(0x9E3779B97F4A7C15)
            mixed ^= mixed >> np.uint64(29)
        order = np.argsort(mixed, kind="stable")
        table[band]["high"], table[band]["row"] = mixed[order], order
    np.save(f"{stem}{BANDS_FILE}", table)
    np.save(f"{stem}{SKETCH_FILE}", (values & np.uint32(0xFF)).astype(np.uint8))


def drop_near(stems: Sequence[Path], near: float) -> None:
    """Rows that resemble an earlier one by `near` or more get count 0 in the files NAME.counts.npy."""
    least = (near + (1 - near) / 256) * _HASHES  # bytes of different values are equal once in 256
    for band in range(bands(near)[0]):
        for parts in _ranges([partial(_band, stem, band) for stem in stems]):
            unit = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
            together = np.concatenate(parts)
            order = np.argsort(together["high"], kind="stable")
            begins = _changes(together["high"][order])
            first = order[np.maximum.accumulate(np.where(begins, np.arange(len(order)), 0))]
            one, other = first[~begins], order[~begins]
            for at in range(0, len(one), _TOGETHER // 16):
                a, b = one[at : at + _TOGETHER // 16], other[at : at + _TOGETHER // 16]
                theirs, others = (_gather(stems, unit[rows], together["row"][rows]) for rows in (a, b))
                dropped = b[(theirs == others).sum(axis=1) >= least]
                for number in np.unique(unit[dropped]):
                    _open(stems[number], COUNTS_FILE, "r+")[together["row"][dropped[unit[dropped] == number]]] = 0


def _open(stem: Path, suffix: str, mode: Literal["r", "r+"] = "r") -> Array:
    """A file of a unit for as long as it is looked at: there may be more units than a process may have files open or mapped."""
    found: Array = np.load(f"{stem}{suffix}", mmap_mode=mode)
    return found


def _band(stem: Path, band: int) -> Array:
    found: Array = _open(stem, BANDS_FILE)[band]
    return found


def _ranges(tables: Sequence[Callable[[], Array]]) -> Iterator[list[Array]]:
    """Tables sorted by `high`, cut at the same hashes so that few rows lie between two cuts; tables that are empty too."""
    number = -(-sum(len(table()) for table in tables) // _TOGETHER)
    edges = [np.uint64((1 << 64) * i // number) for i in range(1, number)]
    cuts = [[0, *np.searchsorted((found := table())["high"], edges).tolist(), len(found)] for table in tables]
    for i in range(number):
        yield [np.array(table()[cut[i] : cut[i + 1]]) for table, cut in zip(tables, cuts, strict=True)]


def _changes(values: Array) -> npt.NDArray[np.bool_]:
    """Where a sorted array begins a new value."""
    return np.concatenate([np.ones(min(len(values), 1), dtype=bool), values[1:] != values[:-1]])


def _gather(stems: Sequence[Path], unit: Array, row: Array) -> Array:
    """The sketches of rows of units."""
    found = np.empty((len(unit), _HASHES), np.uint8)
    for number in np.unique(unit):
        here = unit == number
        found[here] = _open(stems[number], SKETCH_FILE)[row[here]]
    return found
