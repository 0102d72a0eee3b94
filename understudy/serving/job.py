"""Texts of one request on their way through the batcher: what they weigh, and which of them run together."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from understudy.interpretation import Interpretation
from understudy.runtime.encode import Encoded
from understudy.runtime.session import Runtime

__all__ = ["RUN_TOKENS", "Job", "Line", "runs", "work_of"]

RUN_TOKENS = 40  # on a busy server a run's beginning and end take as long as so many tokens
TEXT_CHARS = 100  # a text of so many counts as two, one of twice as many as three

Line = tuple[bool, Runtime]
"""Whether its jobs run beside, and the model."""


@dataclass(slots=True, eq=False)
class Job:
    """Texts of one request, until they are answered."""

    name: str
    model: Runtime
    texts: Sequence[str]
    langs: Sequence[str | None]
    deadline: float
    future: asyncio.Future[list[Interpretation]]
    k: int = 0
    beside: bool = False
    gone: Callable[[], bool] | None = None
    arrived: float = field(default_factory=time.monotonic)
    encoded: list[Encoded] = field(default_factory=list)
    work: int = field(init=False)

    def __post_init__(self) -> None:
        self.work = work_of(self.texts)

    @property
    def tokens(self) -> int:
        return sum(len(one.ids) for one in self.encoded)

    @property
    def longest(self) -> int:
        return max(len(one.ids) for one in self.encoded)

    @property
    def line(self) -> Line:
        return self.beside, self.model


def runs(batch: Sequence[Job]) -> list[list[Job]]:
    """Jobs of like length, short ones first: cut in two, and again, where that saves more than another run costs."""
    jobs = sorted(batch, key=lambda job: job.longest)
    texts = sum(len(job.texts) for job in jobs)
    before, cut, least = 0, 0, texts * jobs[-1].longest - RUN_TOKENS if jobs else 0
    for place, job in enumerate(jobs[:-1], 1):
        before += len(job.texts)
        cost = before * job.longest + (texts - before) * jobs[-1].longest
        if cost < least:
            cut, least = place, cost
    return runs(jobs[:cut]) + runs(jobs[cut:]) if cut else [jobs] if jobs else []


def work_of(texts: Sequence[str]) -> int:
    """How many texts of a usual length these are like."""
    return len(texts) + sum(len(text) // TEXT_CHARS for text in texts)
