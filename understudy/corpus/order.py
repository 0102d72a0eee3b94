"""Order that is computed, not stored: a keyed permutation of [0, n).

A checkpoint needs one integer to say where in an epoch it stands, and any rank can ask for any stretch of the order. The
permutation is an unbalanced Feistel network over the smallest power of two that holds n; a value that falls outside [0, n) is
sent through again until it falls inside (cycle walking, twice at most on average). Black and Rogaway, Ciphers with Arbitrary
Finite Domains, 2002.
"""

from __future__ import annotations

import hashlib
from typing import overload

import numpy as np
import numpy.typing as npt

__all__ = ["Permutation", "epoch_key", "mix"]

_ROUNDS = 8
Int64 = npt.NDArray[np.int64]


class Permutation:
    """A bijection of [0, n) fixed by `key`, the same on every machine: `p[i]`, `p[i:j]`, `p[array of indices]`."""

    def __init__(self, n: int, *, key: str) -> None:
        if not 0 <= n < 1 << 62:
            raise ValueError(f"n must be in [0, 2^62), got {n}")
        self._n = n
        bits = max(n - 1, 0).bit_length()
        low = bits // 2
        self._low_bits = np.uint64(low)
        self._low_mask, self._high_mask = np.uint64((1 << low) - 1), np.uint64((1 << (bits - low)) - 1)
        digest = hashlib.blake2b(f"{key}/{n}".encode(), digest_size=8 * _ROUNDS).digest()
        self._keys = np.frombuffer(digest, dtype="<u8").astype(np.uint64)

    def __len__(self) -> int:
        return self._n

    @overload
    def __getitem__(self, index: int) -> int: ...
    @overload
    def __getitem__(self, index: slice | Int64) -> Int64: ...
    def __getitem__(self, index: int | slice | Int64) -> int | Int64:
        """The values at an index, a slice or an int array of any shape. Raises IndexError outside [-n, n), as a list."""
        if isinstance(index, slice):
            return self._map(np.arange(*index.indices(self._n), dtype=np.int64))
        indices = np.asarray(index, dtype=np.int64)
        if indices.size and not (-self._n <= indices.min() and indices.max() < self._n):
            raise IndexError(f"index outside of a permutation of {self._n}")
        values = self._map(np.where(indices < 0, indices + self._n, indices))
        return int(values) if values.ndim == 0 else values

    def _map(self, indices: Int64) -> Int64:
        values = self._network(indices.astype(np.uint64).reshape(-1))
        outside = np.flatnonzero(values >= np.uint64(self._n))
        while outside.size:
            values[outside] = self._network(values[outside])
            outside = outside[values[outside] >= np.uint64(self._n)]
        return values.astype(np.int64).reshape(indices.shape)

    def _network(self, values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
        low, high = values & self._low_mask, values >> self._low_bits
        for index, key in enumerate(self._keys):
            if index % 2:
                low = low ^ (mix(high ^ key) & self._low_mask)
            else:
                high = high ^ (mix(low ^ key) & self._high_mask)
        return (high << self._low_bits) | low


def mix(x: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """The finaliser of splitmix64: every input bit moves every output bit (arithmetic is modulo 2^64)."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def epoch_key(seed: int, epoch: int) -> str:
    """Key of the order in which epoch `epoch` (from 0) of a run with `seed` reads its sequences."""
    return f"order/{seed}/{epoch}"
