"""What an experiment can say, and how sure it is: rates of users' requests, their change, and tests of it.

Users are drawn, not requests: a user's requests are alike, so whatever is told of them is told with the doubt about users. The
rate of an arm is a ratio of two sums over its users, dissatisfied requests y over requests n, and its variance is that of the
ratio (the delta method: Deng, Knoblich and Lu 2018, Applying the Delta Method in Metric Analytics), which is also the
cluster-robust variance of a regression.

Letters: U users, on the last axis; whatever axes stand before are separate experiments, done at once. NaN where there is too
little to tell.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

__all__ = [
    "Change", "Paired", "Ratio", "always_valid", "change", "cuped", "detectable", "paired", "ratio", "sample_ratio",
]  # fmt: skip

Array = NDArray[np.float64]


class Ratio(NamedTuple):
    """A rate, the variance of its estimate, and how many users it is of. Arrays [...]."""

    rate: Array
    variance: Array
    users: Array


class Change(NamedTuple):
    """A candidate's rate against a baseline's. Arrays [...]; intervals hold 1 - alpha.

    difference, low, high: of the rates. relative, relative_low, relative_high: of the candidate's rate to the baseline's, less 1;
    the bounds are NaN where the baseline's rate cannot be told from 0. p: two-sided, of no difference. error: standard error of
    the difference.
    """

    difference: Array
    low: Array
    high: Array
    relative: Array
    relative_low: Array
    relative_high: Array
    p: Array
    error: Array


class Paired(NamedTuple):
    """Two rates of the same users, and the covariance of their estimates."""

    after: Ratio
    before: Ratio
    covariance: Array


def ratio(y_U: ArrayLike, n_U: ArrayLike) -> Ratio:
    """The rate sum(y) / sum(n) over users, who must have n > 0; at least two are needed for a variance."""
    residual_U, rate = _residuals(y_U, n_U)
    return Ratio(rate, _variance(residual_U), _users(residual_U))


def _residuals(y_U: ArrayLike, n_U: ArrayLike, rate: Array | None = None) -> tuple[Array, Array]:
    """(y - R n) / mean(n) of each user, and R: how far the user moves the rate, times the number of users."""
    y, n = np.asarray(y_U, dtype=np.float64), np.asarray(n_U, dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        total = n.sum(axis=-1)
        rate = y.sum(axis=-1) / total if rate is None else rate
        return (y - rate[..., None] * n) * (n.shape[-1] / total)[..., None], rate


def _variance(residual_U: Array) -> Array:
    """Variance of the mean of independent values."""
    k = residual_U.shape[-1]
    if k < 2:
        return np.full(residual_U.shape[:-1], np.nan)
    found: Array = residual_U.var(axis=-1, ddof=1) / k
    return found


def _users(residual_U: Array) -> Array:
    return np.full(residual_U.shape[:-1], float(residual_U.shape[-1]))


def paired(y_after_U: ArrayLike, n_after_U: ArrayLike, y_before_U: ArrayLike, n_before_U: ArrayLike) -> Paired:
    """Rates of the same users after and before, who must have requests in both."""
    after_U, after = _residuals(y_after_U, n_after_U)
    before_U, before = _residuals(y_before_U, n_before_U)
    k = after_U.shape[-1]
    # Residuals sum to 0 as they are.
    covariance = (after_U * before_U).sum(axis=-1) / (k * (k - 1)) if k > 1 else np.full(after.shape, np.nan)
    users = _users(after_U)
    return Paired(Ratio(after, _variance(after_U), users), Ratio(before, _variance(before_U), users), covariance)


def cuped(arms: Sequence[tuple[ArrayLike, ArrayLike, ArrayLike, ArrayLike]]) -> list[Ratio]:
    """Rates of arms with what users' past foretells taken out (CUPED: Deng, Xu, Kohavi and Walker 2013).

    Each arm is (y, n, y_past, n_past), [..., U]; n_past is 0 for users without a past. The covariate is how far a user's past moves
    the past rate of everybody; its coefficient is that of all arms together. Expected rates stay what they are, since assignment
    has no influence on the past. The same as `ratio` where there is no past.
    """
    past_y, past_n = (np.concatenate([np.asarray(arm[i], dtype=np.float64) for arm in arms], axis=-1) for i in (2, 3))
    covariate_U, _ = _residuals(past_y, past_n)
    covariate_U = np.nan_to_num(covariate_U)
    ends = np.cumsum([np.shape(arm[0])[-1] for arm in arms])[:-1]
    xs = np.split(covariate_U, ends, axis=-1)  # the mean over all arms is 0
    found = [_residuals(arm[0], arm[1]) for arm in arms]
    centred = [x - x.mean(axis=-1, keepdims=True) for x in xs]
    together = sum((e * x).sum(axis=-1) for (e, _), x in zip(found, centred, strict=True))
    spread = sum((x * x).sum(axis=-1) for x in centred)
    with np.errstate(invalid="ignore", divide="ignore"):
        theta = np.where(np.asarray(spread) > 0, np.asarray(together) / spread, 0.0)
    return [
        Ratio(rate - theta * x.mean(axis=-1), _variance(e - theta[..., None] * x), _users(e))
        for (e, rate), x in zip(found, xs, strict=True)
    ]


def change(candidate: Ratio, baseline: Ratio, *, covariance: ArrayLike | None = None, alpha: float = 0.05) -> Change:
    """The change from `baseline` to `candidate`, with Welch's degrees of freedom; of `paired` rates with their covariance.

    The interval of the relative change is Fieller's (1954): it leaves out 0 exactly where p < alpha.
    """
    c = np.asarray(0.0 if covariance is None else covariance, dtype=np.float64)
    v1, v0 = candidate.variance, baseline.variance
    with np.errstate(invalid="ignore", divide="ignore"):
        difference, variance = candidate.rate - baseline.rate, np.maximum(v1 + v0 - 2 * c, 0.0)
        variance = np.where(variance > 0, variance, np.nan)
        error = np.sqrt(variance)
        welch = (v1 + v0) ** 2 / (v1**2 / (candidate.users - 1) + v0**2 / (baseline.users - 1))
        freedom = welch if covariance is None else candidate.users - 1  # paired users are one sample
        z = -special.stdtrit(freedom, alpha / 2)
        p = 2 * special.stdtr(freedom, -np.abs(difference) / error)
        a, b = baseline.rate**2 - z**2 * v0, candidate.rate * baseline.rate - z**2 * c
        root = np.sqrt(np.maximum(b**2 - a * (candidate.rate**2 - z**2 * v1), 0.0))
        # Where a <= 0 the baseline may be 0, and any change fits.
        low, high = (np.where(a > 0, (b + sign * root) / a - 1, np.nan) for sign in (-1, 1))
        relative = np.where(baseline.rate > 0, candidate.rate / baseline.rate - 1, np.nan)
    return Change(difference, difference - z * error, difference + z * error, relative, low, high, p, error)


def sample_ratio(users: Sequence[int], shares: Sequence[float]) -> float:
    """p of as many users in each arm as there are, were they split by `shares` (Pearson's chi-square); 1 for a single arm.

    A very small one tells that the split or the log is broken, and that nothing else in it can be trusted.
    """
    if len(users) < 2 or not sum(users):
        return 1.0
    due = sum(users) * np.asarray(shares, dtype=np.float64) / sum(shares)
    return float(special.chdtrc(len(users) - 1, ((np.asarray(users) - due) ** 2 / due).sum()))


def always_valid(difference: ArrayLike, error: ArrayLike, scale: ArrayLike, *, alpha: float = 0.05) -> tuple[Array, Array]:
    """p-values that stay valid however often one looks, and half-widths of intervals that do (Johari, Koomen, Pekelis and Walsh 2017).

    The mixture sequential probability ratio test with a normal mixture of standard deviation `scale`, in the unit of the
    difference, best about as large as the effects that are hoped for. Looks stand on the last axis, oldest first; a look without
    an error (NaN) says nothing. Both are running: p is the least so far.
    """
    d, v = np.asarray(difference, dtype=np.float64), np.asarray(error, dtype=np.float64) ** 2
    t = np.asarray(scale, dtype=np.float64) ** 2
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        log_ratio = 0.5 * np.log(v / (v + t)) + t * d**2 / (2 * v * (v + t))
        half = np.sqrt(v * (v + t) / t * (np.log((v + t) / v) - 2 * np.log(alpha)))
        p = np.fmin(1.0, np.nan_to_num(np.exp(-log_ratio), nan=1.0))
    return np.minimum.accumulate(p, axis=-1), half


def detectable(error: Any, *, alpha: float = 0.05, power: float = 0.8) -> Any:
    """The least difference that is found at level `alpha` with probability `power`, of an estimate of this standard error."""
    return (special.ndtri(1 - alpha / 2) + special.ndtri(power)) * error
