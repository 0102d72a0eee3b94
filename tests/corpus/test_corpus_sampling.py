"""Shares, counts and decisions of sampling, by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.corpus.sampling import (
    copies,
    derive,
    fraction,
    is_spoken,
    language_shares,
    normal,
    normal_key,
    sampled_counts,
    sqrt_count,
)


def test_language_shares_by_hand() -> None:
    # p = 0.9, 0.1; roots 0.948683, 0.316228; sum 1.264911
    shares = language_shares({"en": 900, "te": 100}, 0.5)
    assert shares["en"] == pytest.approx(0.75)
    assert shares["te"] == pytest.approx(0.25)


def test_alpha_one_leaves_the_shares_and_none_too() -> None:
    for alpha in (1.0, None):
        assert language_shares({"en": 900, "te": 100}, alpha) == pytest.approx({"en": 0.9, "te": 0.1})


def test_alpha_zero_makes_the_shares_equal_but_gives_nothing_to_a_language_without_rows() -> None:
    assert language_shares({"en": 900, "te": 100, "mr": 0}, 0.0) == pytest.approx({"en": 0.5, "te": 0.5, "mr": 0.0})


@pytest.mark.parametrize(
    ("seen", "kept"), [(1, 1), (2, 1), (3, 2), (4, 2), (6, 2), (7, 3), (100, 10), (110, 10), (111, 11), (10**12, 10**6)]
)
def test_square_root_counts_round_half_up(seen: int, kept: int) -> None:
    assert sqrt_count(seen) == kept  # 2.5^2 = 6.25, 10.5^2 = 110.25


def test_copies_per_row_bring_the_languages_to_their_shares() -> None:
    # 1,000 rows at shares 3/4 and 1/4: 750 from 900 and 250 from 100
    assert sampled_counts({"en": 900, "te": 100}, alpha=0.5) == pytest.approx({"en": 750 / 900, "te": 2.5})


def test_a_target_size_scales_the_copies() -> None:
    assert sampled_counts({"en": 900, "te": 100}, alpha=0.5, size=100) == pytest.approx({"en": 75 / 900, "te": 0.25})
    assert sampled_counts({"en": 0, "te": 4}, alpha=None, size=2) == {"en": 0.0, "te": 0.5}


def test_copies_are_the_floor_and_sometimes_one_more() -> None:
    drawn = [copies(2.5, seed=1, key=str(i)) for i in range(2000)]
    assert set(drawn) == {2, 3}
    assert sum(drawn) / len(drawn) == pytest.approx(2.5, abs=0.05)
    assert [copies(2.5, seed=1, key=str(i)) for i in range(2000)] == drawn
    assert [copies(2.5, seed=2, key=str(i)) for i in range(2000)] != drawn


def test_whole_numbers_of_copies_are_exact() -> None:
    assert {copies(3.0, seed=0, key=str(i)) for i in range(500)} == {3}


def test_seventy_percent_are_spoken() -> None:
    share = sum(is_spoken(0.7, seed=0, key=str(i)) for i in range(4000)) / 4000
    assert share == pytest.approx(0.7, abs=0.03)
    assert not any(is_spoken(0.0, seed=0, key=str(i)) for i in range(100))
    assert all(is_spoken(1.0, seed=0, key=str(i)) for i in range(100))


@given(st.text(), st.integers(0, 2**40))
def test_fractions_lie_in_the_unit_interval(key: str, seed: int) -> None:
    assert 0 <= fraction("x", seed, key) < 1


def test_purposes_and_seeds_are_independent() -> None:
    assert len({fraction("a", 0, "k"), fraction("b", 0, "k"), fraction("a", 1, "k"), fraction("a", 0, "l")}) == 4
    assert derive("a", 0) != derive("b", 0)
    assert fraction("copies", 0, "guten tag") == 0.27486821745214707  # a change here changes every corpus


def test_the_normal_form_ignores_case_space_and_punctuation_and_keeps_marks() -> None:
    assert normal("Guten  Tag!") == normal("guten tag")
    assert normal("ＡＢＣ　１２") == "abc12"
    assert normal("हिन्दी में।") == "हिन्दीमें"
    assert normal(" ?! ") == ""
    assert normal("thanks ❤️ 3️⃣") == normal("thanks 3")  # variation selectors and keycaps are no letters


@given(st.text())
def test_the_normal_form_of_a_normal_form_is_itself_up_to_case(text: str) -> None:
    assert not any(c.isspace() for c in normal(text))


def test_duplicates_share_their_side_of_the_split() -> None:
    assert normal_key(normal("Wie spät ist es?")) == normal_key(normal("wie spät ist es"))


def test_shares_of_three_languages_by_hand() -> None:
    # p = 0.64, 0.32, 0.04; roots 0.8, 0.565685, 0.2; sum 1.565685
    shares = language_shares({"en": 1600, "de": 800, "te": 100}, 0.5)
    assert shares == pytest.approx({"en": 0.510958, "de": 0.361302, "te": 0.127739}, abs=1e-6)
