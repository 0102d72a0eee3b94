"""What an update was, and what a run came to."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Outcome", "Step"]


@dataclass(frozen=True, slots=True)
class Step:
    """One update over all ranks. loss: what was minimised; parts: mean of each part, and of the masked-LM loss by language.

    seconds: from asking for the batch to the update. flops: what the model needed, see `Objective.flops`. skipped: fp16 overflowed,
        and weights are as before. examples: sequences.
    """

    number: int
    loss: float
    parts: dict[str, float]
    tokens: int
    grad_norm: float
    lr: float
    seconds: float
    flops: float = 0.0
    skipped: bool = False
    examples: int = 0


@dataclass
class Outcome:
    """What a run came to: counts over all of it, however often it was resumed. `recent` are the last losses, `kept` the encoders kept
    on the way (see `Milestones`)."""

    steps: int = 0
    tokens: int = 0
    examples: int = 0
    seconds: float = 0.0
    recent: list[float] = field(default_factory=list)
    validations: list[dict[str, float]] = field(default_factory=list)
    kept: list[dict[str, Any]] = field(default_factory=list)
    done: bool = False
    best: float = -math.inf

    @property
    def loss(self) -> float:
        return sum(self.recent) / max(1, len(self.recent))

    def losses(self, *, every: int) -> list[float]:
        """Of the evaluations made every so many updates: one more at a milestone must not end a run sooner."""
        return [found["loss"] for found in self.validations if found["step"] % every == 0]
