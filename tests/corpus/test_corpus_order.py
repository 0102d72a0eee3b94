"""The order that is computed: a bijection, fixed by its key, seekable."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.corpus.order import Permutation, epoch_key


@settings(deadline=None)
@given(st.integers(0, 3000), st.text(max_size=5))
def test_it_is_a_bijection(n: int, key: str) -> None:
    assert sorted(Permutation(n, key=key)[:]) == list(range(n))


@settings(deadline=None)
@given(st.integers(1, 10**12), st.data())
def test_stretches_single_values_and_arrays_agree(n: int, data: st.DataObject) -> None:
    perm = Permutation(n, key="k")
    start = data.draw(st.integers(0, n))
    stretch = perm[start : start + 20]
    assert [perm[i] for i in range(start, min(start + 20, n))] == stretch.tolist()
    indices = np.arange(start, min(start + 20, n)).reshape(-1, 1)
    assert perm[indices].tolist() == stretch.reshape(-1, 1).tolist()
    assert ((stretch >= 0) & (stretch < n)).all()


def test_seed_and_epoch_change_it_and_nothing_else_does() -> None:
    assert Permutation(100, key=epoch_key(1, 0))[:].tolist() == Permutation(100, key=epoch_key(1, 0))[:].tolist()
    different = {tuple(Permutation(100, key=epoch_key(seed, epoch))[:].tolist()) for seed in range(4) for epoch in range(4)}
    assert len(different) == 16


def test_it_is_the_same_on_every_machine() -> None:
    assert Permutation(10, key=epoch_key(0, 0))[:].tolist() == [1, 4, 2, 9, 3, 6, 5, 0, 7, 8]


def test_every_place_is_equally_likely() -> None:
    counts = np.zeros((6, 6))
    for epoch in range(3000):
        counts[np.arange(6), Permutation(6, key=epoch_key(7, epoch))[:]] += 1
    # 500 expected in each cell, standard deviation 20.
    assert np.abs(counts - 500).max() < 100


def test_indices_count_from_the_end_and_are_checked() -> None:
    perm = Permutation(5, key="k")
    assert perm[-1] == perm[4]
    assert list(perm) == perm[:].tolist()
    assert perm[::2].tolist() == perm[:].tolist()[::2]
    for outside in (5, -6, np.array([0, 5])):
        with pytest.raises(IndexError):
            perm[outside]
    assert len(Permutation(0, key="k")[:]) == 0
