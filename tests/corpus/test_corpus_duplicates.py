"""Equal and nearly equal texts, by hand and against a plain reckoning."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from understudy.corpus import duplicates
from understudy.corpus.duplicates import COUNTS_FILE, KEYS, KEYS_FILE, bands, count_equal, drop_near, save_sketches, sketch
from understudy.corpus.sampling import normal


def lay_down(folder: Path, units: Sequence[Sequence[tuple[int, int]]]) -> list[Path]:
    """Units of rows given as (text, count), where a number stands for a text."""
    stems = []
    for at, unit in enumerate(units):
        stem = folder / str(at)
        keys = np.array([(text << 60, text, row) for row, (text, _) in enumerate(unit)], KEYS)
        np.save(f"{stem}{KEYS_FILE}", np.sort(keys, order=("high", "low", "row")))
        np.save(f"{stem}{COUNTS_FILE}", np.array([count for _, count in unit], np.int64))
        stems.append(stem)
    return stems


def counts(stems: Sequence[Path]) -> list[list[int]]:
    return [np.load(f"{stem}{COUNTS_FILE}").tolist() for stem in stems]


def test_the_first_of_equal_texts_gets_what_is_kept_of_the_sum(tmp_path: Path) -> None:
    stems = lay_down(tmp_path, [[(7, 50), (3, 1)], [], [(3, 8), (7, 40), (7, 10)]])
    count_equal(stems, lambda n: n + 1)
    assert counts(stems) == [[101, 10], [], [0, 0, 0]]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(units=st.lists(st.lists(st.tuples(st.integers(0, 15), st.integers(1, 9)), max_size=12), min_size=1, max_size=4))
def test_ranges_of_hashes_give_what_a_counter_gives(
    tmp_path_factory: pytest.TempPathFactory, units: list[list[tuple[int, int]]]
) -> None:
    sums: Counter[int] = Counter()
    for text, count in (row for unit in units for row in unit):
        sums[text] += count
    expected, seen = [], set()
    for unit in units:
        expected.append([0 if text in seen or seen.add(text) else sums[text] for text, _ in unit])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(duplicates, "_TOGETHER", 5)
        stems = lay_down(tmp_path_factory.mktemp("units"), units)
        count_equal(stems, lambda n: n)
    assert counts(stems) == expected


def test_bands_by_hand() -> None:
    assert bands(0.8) == (18, 7)  # 1 - (1 - 0.8^7)^18 = 0.986; eight values, 16 bands: 0.947
    assert bands(1.0) == (4, 32)


def test_sketches_agree_as_far_as_texts_overlap() -> None:
    one = "die schnelle braune füchsin springt über den faulen hund"
    two = one.replace("faulen", "müden")
    runs = [{normal(text)[i : i + 5] for i in range(len(normal(text)) - 4)} for text in (one, two)]
    overlap = len(runs[0] & runs[1]) / len(runs[0] | runs[1])
    values = sketch([b"de", b"de", b"nl"], [normal(one), normal(two), normal(one)])
    assert np.mean(values[0] == values[1]) == pytest.approx(overlap, abs=0.12)
    assert np.mean(values[0] == values[2]) < 0.05  # the same text in another language is another text


def test_near_duplicates_are_found_over_units(tmp_path: Path) -> None:
    base = "es war einmal ein alter könig der hatte drei töchter und die jüngste war die schönste von allen"
    texts = [[base, "etwas ganz anderes"], [f"{base} dort", "noch etwas anderes steht in dieser zeile"]]
    stems = []
    for at, unit in enumerate(texts):
        stems.append(tmp_path / str(at))
        np.save(f"{stems[-1]}{COUNTS_FILE}", np.ones(len(unit), np.int64))
        save_sketches(stems[-1], [sketch([b"de"] * len(unit), [normal(text) for text in unit])], 0.8)
    drop_near(stems, 0.8)
    assert counts(stems) == [[1, 1], [0, 1]]
