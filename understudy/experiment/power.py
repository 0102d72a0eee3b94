"""How many users an experiment needs, before it begins."""

from __future__ import annotations

import math
from typing import NamedTuple

from scipy import special

from understudy.errors import RecipeError

__all__ = ["Plan", "plan"]


class Plan(NamedTuple):
    """Users of both arms together, those of the candidate, requests of all, days (None without an inflow), and the design effect: how
    many times more requests are needed than if they were independent."""

    users: int
    candidate_users: int
    requests: int
    days: int | None
    design_effect: float


def plan(
    rate: float,
    effect: float,
    *,
    power: float = 0.8,
    alpha: float = 0.05,
    share: float = 0.5,
    requests: float = 10.0,
    spread: float = 1.0,
    correlation: float = 0.1,
    users_per_day: float | None = None,
) -> Plan:
    """Users needed to find a relative change of `effect` in a dissatisfaction rate, with a two-sided test by users.

    A user with n requests has y dissatisfied ones, of variance rate (1 - rate) (n + correlation n (n - 1)), the rate being that of the
    user's arm; n has the mean `requests` and the standard deviation `spread` times as large. The delta method (see `statistics`) makes of
    that, for each user,

        rate (1 - rate) / requests x (1 + correlation (requests (1 + spread^2) - 1))

    whose last factor is the design effect. The difference of the arms' rates has the sum of both variances, each over its arm's users.

    Args:
        rate: the baseline's, between 0 and 1.
        effect: relative change to be found, such as -0.04; an increase takes more users than as large a decrease, below a rate of 0.5.
        share: of users that get the candidate.
        requests: of one user while the experiment lasts, with known outcome, in the mean over users.
        spread: coefficient of variation of the number of requests over users.
        correlation: of the outcomes of two requests of one user.
        users_per_day: users that come into the experiment anew each day.

    Raises RecipeError naming a value that makes no sense.
    """
    for name, value, low, high in (
        ("baseline", rate, 0, 1), ("effect", abs(effect), 1e-6, math.inf), ("power", power, 0, 1), ("alpha", alpha, 0, 1),
        ("share", share, 0, 1), ("requests-per-user", requests, 0, math.inf),
        ("users-per-day", users_per_day if users_per_day is not None else 1, 0, math.inf),
    ):  # fmt: skip
        if not low < value < high:
            raise RecipeError("this cannot be planned with", where=f"--{name}", got=value, wanted=f"between {low} and {high}")
    if not 0 <= correlation <= 1 or not 0 <= spread < math.inf:
        raise RecipeError(
            "this cannot be planned with",
            where="--correlation, --spread",
            got=f"{correlation}, {spread}",
            wanted="0 to 1, from 0 on",
        )
    changed = _changed(rate, effect)
    design = max(1 + correlation * (requests * (1 + spread**2) - 1), 0.0)
    variance = (rate * (1 - rate) / (1 - share) + changed * (1 - changed) / share) / requests * design
    z = special.ndtri(1 - alpha / 2) + special.ndtri(power)
    total = z**2 * variance / (changed - rate) ** 2
    users = max(math.ceil(total), 4)
    days = None if users_per_day is None else math.ceil(users / users_per_day)
    return Plan(users, math.ceil(users * share), round(users * requests), days, design)


def _changed(rate: float, effect: float) -> float:
    """The candidate's rate. Raises RecipeError where there is none such."""
    changed = rate * (1 + effect)
    if not 0 < changed < 1:
        raise RecipeError(
            "no candidate has such a rate",
            where="--effect",
            got=f"{rate:g} x (1 {effect:+g}) = {changed:g}",
            wanted="a rate between 0 and 1",
            hint="The effect is relative: -0.04 makes 0.1152 of 0.12",
        )
    return changed
