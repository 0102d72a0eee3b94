"""Rates, changes and tests: by hand, beside scipy and statsmodels, and over a thousand simulated experiments with known effects."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from understudy.experiment import statistics
from understudy.experiment.statistics import Ratio

SIMULATIONS, USERS = 1000, 300


def users(
    generator: np.random.Generator, rate: float, *, past: float | None = None, shape: tuple[int, ...] = (SIMULATIONS, USERS)
) -> Any:
    """(y, n, y_past, n_past) of users of whom some are easily dissatisfied and some hardly ever, and some ask much, before and after."""
    inclined = 2 * generator.beta(0.4, 0.4, shape)  # times the rate: a user's own rate, from 0 to twice that of all
    diligence = generator.gamma(2, 4, shape)
    n, n_past = 1 + generator.poisson(diligence), 1 + generator.poisson(diligence)
    return generator.binomial(n, inclined * rate), n, generator.binomial(n_past, inclined * (past or rate)), n_past


def test_a_rate_and_its_variance_by_hand() -> None:
    # 3 of 6 requests; residuals (y - n/2) / 2 are 0, -1/4, 1/4, whose variance is 1/16, of a mean of three 1/48.
    found = statistics.ratio([1, 0, 2], [2, 1, 3])
    assert (found.rate, found.variance, found.users) == (0.5, pytest.approx(1 / 48), 3)


def test_of_one_request_each_it_is_welchs_test() -> None:
    generator = np.random.default_rng(0)
    new, old = generator.binomial(1, 0.3, 40), generator.binomial(1, 0.5, 70)
    found = statistics.change(statistics.ratio(new, np.ones(40)), statistics.ratio(old, np.ones(70)))
    reference = stats.ttest_ind(new, old, equal_var=False)
    assert found.p == pytest.approx(reference.pvalue)
    assert (found.low, found.high) == pytest.approx(tuple(reference.confidence_interval()))


def test_of_the_same_users_with_one_request_each_it_is_the_paired_test() -> None:
    generator = np.random.default_rng(0)
    after, before = generator.binomial(1, 0.3, 60), generator.binomial(1, 0.5, 60)
    found = statistics.paired(after, np.ones(60), before, np.ones(60))
    told = statistics.change(found.after, found.before, covariance=found.covariance)
    reference = stats.ttest_rel(after, before)
    assert told.p == pytest.approx(reference.pvalue)
    assert (told.low, told.high) == pytest.approx(tuple(reference.confidence_interval()))


def test_the_variance_is_that_of_a_regression_clustered_by_users() -> None:
    models = pytest.importorskip("statsmodels.api")
    generator = np.random.default_rng(1)
    y, n, *_ = users(generator, 0.15, shape=(50,))
    request_user = np.repeat(np.arange(50), n)
    request_y = np.concatenate([np.r_[np.ones(a), np.zeros(b - a)] for a, b in zip(y, n, strict=True)])
    fitted = models.OLS(request_y, np.ones(len(request_y))).fit(
        cov_type="cluster", cov_kwds={"groups": request_user, "use_correction": False}
    )
    found = statistics.ratio(y, n)
    assert found.rate == pytest.approx(fitted.params[0])
    assert found.variance * 49 / 50 == pytest.approx(fitted.cov_params()[0, 0])


def test_cuped_is_the_arm_in_a_regression_on_the_past() -> None:
    models = pytest.importorskip("statsmodels.api")
    generator = np.random.default_rng(2)
    y, y_past, arm = generator.normal(size=80), generator.normal(size=80), np.arange(80) % 2
    y += 0.8 * y_past + 0.3 * arm
    one = np.ones(40)
    new, old = statistics.cuped([(y[arm == a], one, y_past[arm == a], one) for a in (1, 0)])
    design = np.column_stack([np.ones(80), arm, y_past])
    assert new.rate - old.rate == pytest.approx(models.OLS(y, design).fit().params[1])


def test_cuped_without_a_past_changes_nothing() -> None:
    y, n, *_ = users(np.random.default_rng(3), 0.2, shape=(30,))
    none = np.zeros(15)
    for half, found in zip(
        (slice(0, 15), slice(15, 30)), statistics.cuped([(y[:15], n[:15], none, none), (y[15:], n[15:], none, none)]), strict=True
    ):
        assert found == statistics.ratio(y[half], n[half])


def test_the_relative_interval_leaves_out_nought_where_p_is_small() -> None:
    generator = np.random.default_rng(4)
    new, old = users(generator, 0.12, shape=(500, 60)), users(generator, 0.15, shape=(500, 60))
    found = statistics.change(statistics.ratio(*new[:2]), statistics.ratio(*old[:2]))
    outside = (found.relative_low > 0) | (found.relative_high < 0)
    assert 20 < outside.sum() < 480
    assert (outside == (found.p < 0.05)).all()


def test_the_relative_interval_by_hand() -> None:
    # Fieller with z = 2: of 0.1 and 0.2 with variance 1e-4 each, (0.02 ± sqrt(0.0004 - 0.0396 x 0.0096)) / 0.0396.
    alpha = 2 * stats.norm.sf(2)
    found = statistics.change(Ratio(*map(np.array, (0.1, 1e-4, 1e9))), Ratio(*map(np.array, (0.2, 1e-4, 1e9))), alpha=alpha)
    root = (0.02**2 - 0.0396 * 0.0096) ** 0.5
    assert found.relative_low == pytest.approx((0.02 - root) / 0.0396 - 1)
    assert found.relative_high == pytest.approx((0.02 + root) / 0.0396 - 1)


def test_a_baseline_that_may_be_nought_has_no_relative_interval() -> None:
    found = statistics.change(statistics.ratio([1, 1, 0], [2, 2, 2]), statistics.ratio([1, 0, 0], [2, 2, 2]))
    assert np.isnan(found.relative_low)
    assert not np.isnan(found.low)


@pytest.mark.parametrize("size", [0, 1])
def test_too_few_users_tell_nothing(size: int) -> None:
    few = statistics.ratio(np.zeros(size), np.ones(size))
    found = statistics.change(few, statistics.ratio([1, 0, 2], [2, 1, 3]))
    assert np.isnan(found.p)
    assert np.isnan(found.low)


@pytest.mark.parametrize(("new", "old"), [(0.12, 0.12), (0.10, 0.12), (0.12, 0.10)])
def test_intervals_of_a_thousand_experiments_hold_the_truth_in_95_of_100(new: float, old: float) -> None:
    generator = np.random.default_rng(5)
    candidate, baseline = users(generator, new), users(generator, old)
    plain = statistics.change(statistics.ratio(*candidate[:2]), statistics.ratio(*baseline[:2]))
    # The past is the baseline's for both.
    past = (users(generator, new, past=old), users(generator, old, past=old))
    adjusted = statistics.change(*statistics.cuped(past))
    for found in (plain, adjusted):
        assert 0.93 <= np.mean((found.low <= new - old) & (new - old <= found.high)) <= 0.97
        assert 0.93 <= np.mean((found.relative_low <= new / old - 1) & (new / old - 1 <= found.relative_high)) <= 0.97
        if new == old:
            assert 0.03 <= np.mean(found.p < 0.05) <= 0.07


def test_intervals_of_the_same_users_before_and_after_hold_the_truth() -> None:
    y, n, y_past, n_past = users(np.random.default_rng(6), 0.10, past=0.12)
    found = statistics.paired(y, n, y_past, n_past)
    told = statistics.change(found.after, found.before, covariance=found.covariance)
    true = 0.10 / 0.12 - 1
    assert 0.93 <= np.mean((told.relative_low <= true) & (true <= told.relative_high)) <= 0.97


def test_cuped_takes_out_what_the_past_foretells() -> None:
    generator = np.random.default_rng(7)
    new, old = users(generator, 0.12), users(generator, 0.12)
    plain = statistics.change(statistics.ratio(*new[:2]), statistics.ratio(*old[:2]))
    adjusted = statistics.change(*statistics.cuped([new, old]))
    said = np.mean(adjusted.error**2) / np.mean(plain.error**2)
    assert said < 0.85
    assert np.var(adjusted.difference) / np.var(plain.difference) == pytest.approx(said, abs=0.05)


def test_requests_taken_for_independent_would_alarm_too_often() -> None:
    """What the delta method is for."""
    generator = np.random.default_rng(8)
    new, old = users(generator, 0.12), users(generator, 0.12)
    (y1, n1), (y0, n0) = ((arm[0].sum(axis=1), arm[1].sum(axis=1)) for arm in (new, old))
    pooled = (y1 + y0) / (n1 + n0)
    z = (y1 / n1 - y0 / n0) / np.sqrt(pooled * (1 - pooled) * (1 / n1 + 1 / n0))
    assert np.mean(np.abs(z) > 1.96) > 0.07


def test_a_split_is_judged_by_chi_square() -> None:
    reference = stats.chisquare([480, 330, 190], [500, 300, 200])
    assert statistics.sample_ratio([480, 330, 190], [5, 3, 2]) == pytest.approx(reference.pvalue)
    assert statistics.sample_ratio([5300, 4700], [1, 1]) < 0.001
    assert statistics.sample_ratio([7], [1]) == 1


def test_an_always_valid_p_by_hand() -> None:
    # V = 1, tau = 1, difference 2: the mixture ratio is sqrt(1/2) exp(4 / (2 x 2)) = 1.9221.
    p, half = statistics.always_valid([2.0], [1.0], 1.0)
    assert p[0] == pytest.approx(1 / (0.5**0.5 * np.e))
    assert half[0] == pytest.approx((2 * (np.log(2) - 2 * np.log(0.05))) ** 0.5)


def test_an_always_valid_interval_leaves_out_nought_where_its_p_is_small() -> None:
    differences = np.linspace(0.1, 6, 200)[:, None]
    p, half = statistics.always_valid(differences, np.ones((200, 1)), 0.7)
    assert ((differences > half) == (p < 0.05)).all()


def test_p_only_falls_and_a_look_without_error_says_nothing() -> None:
    p, _ = statistics.always_valid([5.0, 4.0, 0.1], [np.nan, 1.0, 0.5], 1.0)
    assert p[0] == 1
    assert p[2] == p[1] < 0.05


def looks(generator: np.random.Generator, new: float, old: float, *, days: int = 20) -> tuple[Any, Any]:
    """Difference and its standard error at the end of each day [SIMULATIONS, days]; the same users come every day."""
    differences, errors, total = [], [], [[0, 0], [0, 0]]
    own = [2 * rate * generator.beta(0.4, 0.4, (SIMULATIONS, USERS)) for rate in (new, old)]
    for _ in range(days):
        ratios = []
        for arm, p in enumerate(own):
            n = generator.poisson(1.5, p.shape) + 1
            total[arm] = [total[arm][0] + generator.binomial(n, p), total[arm][1] + n]
            ratios.append(statistics.ratio(*total[arm]))
        found = statistics.change(*ratios)
        differences.append(found.difference)
        errors.append(found.error)
    return np.stack(differences, axis=1), np.stack(errors, axis=1)


def test_looking_every_day_is_allowed_with_always_valid_p_and_only_then() -> None:
    difference, error = looks(np.random.default_rng(9), 0.12, 0.12)
    p, half = statistics.always_valid(difference, error, error[:, :1])
    assert np.mean(p[:, -1] < 0.05) <= 0.05
    assert np.mean((np.abs(difference) > half).any(axis=1)) <= 0.05
    assert np.mean((np.abs(difference) > 1.96 * error).any(axis=1)) > 0.12


def test_always_valid_p_find_a_large_change_early() -> None:
    difference, error = looks(np.random.default_rng(10), 0.08, 0.12)
    p, _ = statistics.always_valid(difference, error, error[:, :1])
    assert np.mean(p[:, -1] < 0.05) > 0.9


def test_the_detectable_difference_is_found_four_times_in_five() -> None:
    least = statistics.detectable(1.0)
    assert least == pytest.approx(2.8016, abs=1e-4)
    assert stats.norm.sf(1.959964 - least) == pytest.approx(0.8, abs=1e-4)
