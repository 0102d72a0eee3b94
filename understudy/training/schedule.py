"""Learning rates as a function of the update's number (A tables 7 and 8)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Literal

from pydantic import Field

from understudy.config import Config

__all__ = ["Schedule", "ScheduleConfig"]

log = logging.getLogger(__name__)
Schedule = Callable[[int], float]
EXPONENTIAL_START = 0.01  # the paper does not say where its exponential warm-ups begin; 1e-5 for the 700M teacher's 1e-3


class ScheduleConfig(Config):
    """How the learning rate rises and falls.

    warmup: updates until the peak; below 1, that share of the run.
    shape: of the rise. "linear" from 0; "exponential" from a hundredth of the peak; "noam" is rise and fall in one,
        `lr * width^-0.5 * min(n^-0.5, n * warmup^-1.5)`, where the optimizer's `lr` is the Noam factor.
    decay: "linear" falls to `min_lr`, "constant" stays at the peak, as a run of one update does. No part in "noam".
    decay_steps: updates that the fall takes; where not given the rest of the run, whose last update then has `min_lr`.
    min_lr: where the fall ends.
    """

    warmup: float = Field(default=0.05, ge=0)
    shape: Literal["linear", "exponential", "noam"] = "linear"
    decay: Literal["linear", "constant"] = "linear"
    decay_steps: int | None = Field(default=None, gt=0)
    min_lr: float = Field(default=0.0, ge=0)

    def of(self, *, peak: float, steps: int, width: int = 1) -> Schedule:
        """The learning rate of update number n, counted from 1, in a run of `steps` updates of a model of this `width`."""
        warmup = round(self.warmup * steps) if self.warmup < 1 else round(self.warmup)
        fall, least = self.decay_steps or max(1, steps - warmup), min(self.min_lr, peak)

        def noam(n: int) -> float:
            return float(peak * width**-0.5 * min(n**-0.5, n * max(1, warmup) ** -1.5))

        def rise_and_fall(n: int) -> float:
            if n < warmup:
                return peak * (n / warmup if self.shape == "linear" else EXPONENTIAL_START ** (1 - n / warmup))
            if self.decay == "constant" or steps == 1:  # else a run of one update would learn nothing
                return peak
            return max(least, peak - (peak - least) * (n - warmup) / fall)

        if self.shape == "noam":
            return noam
        if self.decay == "linear" and least == 0 and warmup + fall < steps:
            log.warning(
                "the learning rate is 0 after update %d of %d: give decay_steps or min_lr otherwise", warmup + fall, steps
            )
        return rise_and_fall
