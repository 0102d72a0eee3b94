"""Plans: by hand, beside statsmodels, and by simulating what was planned."""

from __future__ import annotations

import numpy as np
import pytest

from understudy.errors import RecipeError
from understudy.experiment import statistics
from understudy.experiment.power import plan


def test_users_with_one_request_by_hand() -> None:
    # (1.9600 + 0.8416)^2 = 7.8489; (0.2 x 0.8 x 2 + 0.22 x 0.78 x 2) / (0.22 - 0.2)^2 = 1658.
    found = plan(0.2, 0.1, requests=1, spread=0, correlation=0.3, users_per_day=1000)
    assert found == (13014, 6507, 13014, 14, 1.0)


def test_each_arm_has_the_doubt_of_its_own_rate() -> None:
    # (0.2 x 0.8 / 0.75 + 0.1 x 0.9 / 0.25) / 0.1^2 = 57.33 and (0.2 x 0.8 / 0.75 + 0.3 x 0.7 / 0.25) / 0.1^2 = 105.33, x 7.8489.
    found = [plan(0.2, effect, requests=1, spread=0, share=0.25).users for effect in (-0.5, 0.5)]
    assert found == [451, 827]


def test_the_design_effect_by_hand() -> None:
    # 5 requests of each user, half alike: 1 + 0.5 x 4.
    assert plan(0.2, 0.1, requests=5, spread=0, correlation=0.5).design_effect == pytest.approx(3)


def test_of_independent_requests_it_is_the_usual_plan() -> None:
    power = pytest.importorskip("statsmodels.stats.power")
    between = (0.12 * 0.88 / 0.75 + 0.1152 * 0.8848 / 0.25) / (1 / 0.75 + 1 / 0.25)  # one variance that stands for both
    size = 0.12 * 0.04 / between**0.5
    each = power.zt_ind_solve_power(
        effect_size=size, alpha=0.01, power=0.9, ratio=3.0
    )  # of the candidate, the baseline has 3 times as many
    assert plan(0.12, -0.04, power=0.9, alpha=0.01, share=0.25, requests=1, spread=0).users == pytest.approx(4 * each, rel=1e-4)


@pytest.mark.parametrize("effect", [-0.25, 1.0])
@pytest.mark.parametrize("share", [0.5, 0.2])
def test_a_planned_experiment_finds_the_effect_as_often_as_it_promised(share: float, effect: float) -> None:
    rate, correlation, requests = 0.12, 0.1, 8
    found = plan(rate, effect, requests=requests, spread=(1 + 1 / requests) ** 0.5, correlation=correlation, share=share)
    generator = np.random.default_rng(0)
    ratios = []
    for size, r in ((found.candidate_users, rate * (1 + effect)), (found.users - found.candidate_users, rate)):
        # Geometric numbers of requests from 0 on, which have that spread.
        n = generator.geometric(1 / (1 + requests), (1000, size)) - 1
        strength = 1 / correlation - 1
        y = generator.binomial(n, generator.beta(strength * r, strength * (1 - r), n.shape))
        ratios.append(statistics.ratio(y, n))
    assert 0.77 <= np.mean(statistics.change(*ratios).p < 0.05) <= 0.87


@pytest.mark.parametrize(
    ("wrong", "named"),
    [({"rate": 0.0}, "--baseline"), ({"rate": 1.2}, "--baseline"), ({"effect": 0.0}, "--effect"), ({"effect": 1e-300}, "--effect"), ({"effect": -1.0}, "--effect"), ({"effect": 8.0}, r"0.12 x \(1 \+8\) = 1.08"), ({"power": 1.0}, "--power"),
     ({"requests": 0.0}, "--requests-per-user"), ({"users_per_day": 0.0}, "--users-per-day"), ({"correlation": 2.0}, "--correlation")],
)  # fmt: skip
def test_what_makes_no_sense_is_named(wrong: dict[str, float], named: str) -> None:
    with pytest.raises(RecipeError, match=named):
        plan(**{"rate": 0.12, "effect": 0.04, **wrong})
