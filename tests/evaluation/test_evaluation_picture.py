"""The drawing of a pipeline."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from understudy.evaluation.picture import draw, layers


def test_layers_follow_the_longest_path() -> None:
    #  0 -> 1 -> 2 -> 3, 0 -> 3
    assert layers([[], [0], [1], [2, 0]]) == [0, 1, 2, 3]


def test_a_source_stands_right_above_its_first_reader() -> None:
    assert layers([[], [0], [], [1, 2]]) == [0, 1, 1, 2]


def test_a_chain_is_a_straight_line_downwards() -> None:
    drawn = draw([[], [0], [1]])
    assert len({box["x"] for box in drawn["boxes"]}) == 1
    assert [box["y"] for box in drawn["boxes"]] == sorted(box["y"] for box in drawn["boxes"])
    assert len(drawn["arrows"]) == 2


@st.composite
def graphs(make: st.DrawFn) -> list[list[int]]:
    size = make(st.integers(1, 12))
    return [make(st.lists(st.integers(0, node - 1), unique=True, max_size=4)) if node else [] for node in range(size)]


@given(graphs())
def test_boxes_never_touch_and_stay_inside(parents: list[list[int]]) -> None:
    drawn = draw(parents)
    assert len(drawn["boxes"]) == len(parents)
    assert len(drawn["arrows"]) == sum(len(p) for p in parents)
    for box in drawn["boxes"]:
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= drawn["width"] + 1
        assert box["y"] + box["height"] <= drawn["height"]
    for a, b in combinations(drawn["boxes"], 2):
        assert a["y"] != b["y"] or abs(a["x"] - b["x"]) >= a["width"]
    for child, above in enumerate(parents):
        assert all(drawn["boxes"][p]["y"] < drawn["boxes"][child]["y"] for p in above)
