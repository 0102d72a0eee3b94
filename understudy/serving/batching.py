"""Requests that wait are run together, up to a budget of tokens. Nothing waits for company.

A request is a job in its model's line. A free worker thread takes the job that came first, and then whatever else waits for
the same model until the budget is full; an idle server therefore answers at once, and a busy one in batches as large as its
load. ONNX Runtime lets go of the interpreter while it computes, so there are as many workers as processors.

Jobs hold the model they were given, so that a model that was replaced still answers what it accepted.

What runs beside (a model in the shadow, whose answer nobody waits for) stands in lines of its own. A worker takes from them
only while no request waits, and one worker, where there are several, never does: it is free for the request that comes next.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from understudy.errors import DataError
from understudy.interpretation import Interpretation
from understudy.runtime.encode import Encoded
from understudy.runtime.session import Runtime
from understudy.serving.measures import Measures
from understudy.serving.protocol import Refusal

__all__ = ["Batcher"]

Outcome = list[Interpretation] | Exception
Line = tuple[bool, Runtime]  # whether its jobs run beside, and the model


@dataclass(slots=True, eq=False)
class _Job:
    """Texts of one request, until they are answered."""

    name: str
    model: Runtime
    texts: Sequence[str]
    langs: Sequence[str | None]
    deadline: float
    future: asyncio.Future[list[Interpretation]]
    k: int = 0
    beside: bool = False
    arrived: float = field(default_factory=time.monotonic)
    encoded: list[Encoded] = field(default_factory=list)

    @property
    def tokens(self) -> int:
        return sum(len(one.ids) for one in self.encoded)

    @property
    def line(self) -> Line:
        return self.beside, self.model


class Batcher:
    """Worker threads and the lines before them. `pending` counts the requests that wait or run, without what runs beside.

    Args:
        workers: threads that run models.
        budget: tokens that run together; a request with more runs alone.
        measures: told the lines' length, the batches' sizes and the models' time.
    """

    def __init__(self, *, workers: int, budget: int, measures: Measures) -> None:
        self._workers, self._budget, self._measures = workers, budget, measures
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="understudy")
        self._lock = threading.Lock()
        self._lines: dict[Line, deque[_Job]] = {}
        self._active = 0  # workers that run jobs, and of them those with jobs beside
        self._active_beside, self._most_beside = 0, max(1, workers - 1)
        self.pending = 0

    @property
    def waiting(self) -> int:
        """Requests that no worker has taken yet."""
        return self._waiting(beside=False)

    @property
    def waiting_beside(self) -> int:
        """Jobs beside that no worker has taken yet."""
        return self._waiting(beside=True)

    def _waiting(self, *, beside: bool) -> int:
        with self._lock:
            return sum(len(jobs) for line, jobs in self._lines.items() if line[0] == beside)

    async def run(
        self,
        name: str,
        model: Runtime,
        texts: Sequence[str],
        langs: Sequence[str | None],
        *,
        deadline: float,
        k: int = 0,
        beside: bool = False,
    ) -> list[Interpretation]:
        """What `texts` mean to `model`.

        Args:
            name: what the model is called in the counters.
            model: asked.
            texts: utterances of one request.
            langs: language or None for each.
            deadline: on time.monotonic's clock; what is not begun by then is not computed.
            k: how many of the likeliest intents each interpretation is to bring.
            beside: nobody waits for it: every request comes first.

        Raises DataError for a text that cannot be read, Refusal 504 past the deadline.
        """
        loop = asyncio.get_running_loop()
        job = _Job(name, model, texts, langs, deadline, loop.create_future(), k, beside)
        timer = loop.call_later(max(0.0, deadline - job.arrived), _expire, job)
        self.pending += not beside
        try:
            self._line_up(job)
            return await job.future
        finally:
            timer.cancel()
            self.pending -= not beside

    def close(self) -> None:
        """Wait for what runs and end the threads."""
        self._pool.shutdown(wait=True)

    def _line_up(self, job: _Job, *, again: bool = False) -> None:
        with self._lock:
            jobs = self._lines.setdefault(job.line, deque())
            if again:
                jobs.appendleft(job)
            else:
                jobs.append(job)
            wake = self._active < self._workers
            self._active += wake
        if wake:
            self._pool.submit(self._work)

    def _next(self, line: Line | None) -> _Job | None:
        """The job that came first, of `line` if one is given. A worker that hears None of any line is at its end."""
        with self._lock:
            if line is None:
                full = self._active_beside >= self._most_beside
                open_ = [one for one in self._lines if not (one[0] and full)]
                line = min(open_, key=lambda one: (one[0], self._lines[one][0].arrived), default=None)
                self._active -= line is None
                self._active_beside += line is not None and line[0]
            if line is None or line not in self._lines:
                return None
            job = self._lines[line].popleft()
            if not self._lines[line]:
                del self._lines[line]  # nothing may keep a replaced model
            return job

    def _work(self) -> None:
        """Run batches until nothing waits. In a worker's thread."""
        while (first := self._next(None)) is not None:
            self._run_with(first)
            if first.beside:
                with self._lock:
                    self._active_beside -= 1
            del first  # an idle worker keeps no replaced model alive

    def _run_with(self, first: _Job) -> None:
        """Run a job together with what waits behind it, and tell those who wait."""
        batch, done, tokens = list[_Job](), list[tuple[_Job, Outcome]](), 0
        job: _Job | None = first
        while job is not None:
            failed = _encode(job)
            if failed is None and batch and tokens + job.tokens > self._budget:
                self._line_up(job, again=True)
                break
            if failed is None:
                batch.append(job)
                tokens += job.tokens
            else:
                done.append((job, failed))
            job = self._next(first.line) if tokens < self._budget else None
        if batch:
            done += zip(batch, self._answer(first.model, batch, tokens), strict=True)
        first.future.get_loop().call_soon_threadsafe(_settle_all, done)

    def _answer(self, model: Runtime, batch: Sequence[_Job], tokens: int) -> list[Outcome]:
        started = time.perf_counter()
        encoded = [one for job in batch for one in job.encoded]
        outcomes: list[Outcome]
        try:
            found = iter(model.answer(encoded, ks=[job.k for job in batch for _ in job.encoded]))
            outcomes = [[next(found) for _ in job.encoded] for job in batch]
        except Exception as error:  # what one text does to a model must not befall those beside it
            outcomes = [error] if len(batch) == 1 else [self._answer(model, [job], job.tokens)[0] for job in batch]
        self._measures.batch(batch[0].name, time.perf_counter() - started, len(encoded), tokens)
        return outcomes


def _encode(job: _Job) -> Exception | None:
    """Encode a job's texts, once. Why it is not to be run, or None."""
    if time.monotonic() >= job.deadline or job.future.done():
        return _too_late()
    try:
        for index in range(len(job.encoded), len(job.texts)):
            job.encoded.append(job.model.encode(job.texts[index], job.langs[index]))
    except DataError as error:
        return DataError(error.what, where=f"text {index}", got=error.got, wanted=error.wanted, hint=error.hint)
    except Exception as error:  # a bug of ours is the reply to this request, not the end of the worker
        return error
    return None


def _too_late() -> Refusal:
    return Refusal(504, "too_late", "The deadline passed before the request was answered", hint="Allow more time, or send less")


def _expire(job: _Job) -> None:
    _settle(job, _too_late())


def _settle(job: _Job, outcome: Outcome) -> None:
    if job.future.done():
        return
    if isinstance(outcome, Exception):
        job.future.set_exception(outcome)
    else:
        job.future.set_result(outcome)


def _settle_all(done: Sequence[tuple[_Job, Outcome]]) -> None:
    for job, outcome in done:
        _settle(job, outcome)
