"""Requests that wait are run together, up to a budget of tokens. Nothing waits for company.

A request is a job in its model's line. A free worker thread takes the job that came first, and then whatever else waits for
the same model until the budget is full; an idle server therefore answers at once, and a busy one in batches as large as its
load. Short texts of a batch run without the long ones, where filling them up to the longest would cost more than another run.

ONNX Runtime lets go of the interpreter while it computes, so there are as many workers as processors. On Linux they stand back
behind the event loop, which would else have one of three equal shares in two processors, and must answer a crowd with it.

Texts can take long to be made ready where they are many and odd. So a worker does a stretch of a request's, and then what else waits;
from text to text it gives up what is late, whose client has gone, or what a closing server answers no more.

How fast texts are read is measured, so that it can be said before a request is let in how long it would wait. A long text counts as
several.

Jobs hold the model they were given, so that a model that was replaced still answers what it accepted.

What runs beside (a model in the shadow, whose answer nobody waits for) stands in lines of its own. A worker takes from them
only while no request waits, and one worker, where there are several, never does: it is free for the request that comes next.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from understudy.errors import DataError
from understudy.interpretation import Interpretation
from understudy.runtime.encode import placed
from understudy.runtime.session import Runtime
from understudy.serving.job import Job, Line, runs, work_of
from understudy.serving.measures import Measures
from understudy.serving.protocol import Refusal

__all__ = ["Batcher", "leaving"]

STRETCH_S = 0.02  # of a processor's time, after which a request's next texts stand in line again
FIRST_PACE_S = 0.002  # for a text, until some were read
PACE_KEPT = 0.8  # of what is known of the pace, when another batch is done
NICE = 10  # a tenth of the event loop's weight

Outcome = list[Interpretation] | Exception


class Batcher:
    """Worker threads and the lines before them.

    `pending` counts the requests that wait or run, without what runs beside; `queued` the texts that no worker has taken yet, long ones
    as several, and `queued_beside` those that are to run beside.

    Args:
        workers: threads that run models.
        budget: tokens that run together; a request with more runs alone.
        measures: told the lines' length, the batches' sizes and the models' time.
    """

    def __init__(self, *, workers: int, budget: int, measures: Measures) -> None:
        self._workers, self._budget, self._measures = workers, budget, measures
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="understudy", initializer=_stand_back)
        self._lock, self._closing = threading.Lock(), False
        self._lines: dict[Line, deque[Job]] = {}
        self._active = 0  # workers that run jobs, and of them those with jobs beside
        self._active_beside, self._most_beside = 0, max(1, workers - 1)
        self.pending = self.queued = self.queued_beside = 0
        self._spent_s, self._read = FIRST_PACE_S, 1.0  # for the last batches: workers' time, and texts

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

    def wait_s(self, more: int = 0, *, beside: bool = False) -> float:
        """Seconds until a worker is free for a text that comes now, after `more` others, by the pace of the last batches."""
        ahead = more + (self.queued_beside if beside else self.queued)
        return ahead * self._spent_s / self._read / self._workers

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
        gone: Callable[[], bool] | None = None,
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
            gone: whether who asked has left. Called by worker threads.

        Raises DataError for a text that cannot be read; Refusal 504 past the deadline, 503 once the batcher is closing, 499 where
        nobody is there to hear it.
        """
        loop = asyncio.get_running_loop()
        job = Job(name, model, texts, langs, deadline, loop.create_future(), k, beside, gone)
        timer = loop.call_later(max(0.0, deadline - job.arrived), _expire, job)
        self.pending += not beside
        try:
            if not self._line_up(job):
                raise leaving()
            return await job.future
        finally:
            timer.cancel()
            self.pending -= not beside

    def close(self) -> None:
        """Give up what waits, wait for the text or the run that a worker is at, and end the threads."""
        with self._lock:
            self._closing = True
        self._pool.shutdown(wait=True)

    def _line_up(self, job: Job, *, first: bool = False) -> bool:
        """False where nobody will take it: the batcher is closing."""
        with self._lock:
            if self._closing:
                return False
            self._count(job, 1)
            jobs = self._lines.setdefault(job.line, deque())
            if first:
                jobs.appendleft(job)
            else:
                jobs.append(job)
            if self._active < self._workers:
                self._active += 1
                self._pool.submit(self._work)
        return True

    def _next(self, line: Line | None) -> Job | None:
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
            self._count(job, -1)
            return job

    def _count(self, job: Job, sign: int) -> None:
        if job.beside:
            self.queued_beside += sign * job.work
        else:
            self.queued += sign * job.work

    def _work(self) -> None:
        """Run batches until nothing waits. In a worker's thread."""
        while (first := self._next(None)) is not None:
            self._run_with(first)
            if first.beside:
                with self._lock:
                    self._active_beside -= 1
            del first  # an idle worker keeps no replaced model alive

    def _run_with(self, first: Job) -> None:
        """Run a job together with what waits behind it, and tell those who wait, run by run."""
        started, loop = time.perf_counter(), first.future.get_loop()
        batch, done, tokens, read = list[Job](), list[tuple[Job, Outcome]](), 0, 0
        job: Job | None = first
        while job is not None:
            before = len(job.encoded)
            failed = self._encode(job)
            read += work_of(job.texts[before : len(job.encoded)])
            cut = len(job.encoded) < len(job.texts)
            if failed is None and (cut or (batch and tokens + job.tokens > self._budget)):
                if cut:
                    # It has had its turn, and others wait for its next text, not for all of them.
                    job.arrived, job.work = time.monotonic(), work_of(job.texts[len(job.encoded) :][:1])
                if self._line_up(job, first=not cut):
                    break
                failed = leaving()
            if failed is None:
                batch.append(job)
                tokens += job.tokens
            else:
                done.append((job, failed))
            job = self._next(first.line) if tokens < self._budget else None
        if done:
            loop.call_soon_threadsafe(_settle_all, done)
        for alike in runs(batch):
            loop.call_soon_threadsafe(_settle_all, list(zip(alike, self._answer(first.model, alike), strict=True)))
        if read:
            with self._lock:
                self._spent_s = PACE_KEPT * self._spent_s + time.perf_counter() - started
                self._read = PACE_KEPT * self._read + read

    def _encode(self, job: Job) -> Exception | None:
        """Encode a stretch of a job's texts, each once. Why it is not to be run, or None."""
        began = time.thread_time()
        try:
            for index in range(len(job.encoded), len(job.texts)):
                if why := self._given_up(job):
                    return why
                job.encoded.append(job.model.encode(job.texts[index], job.langs[index]))
                if time.thread_time() - began > STRETCH_S:
                    break
        except DataError as error:
            return placed(error, index)
        except Exception as error:  # a bug of ours is the reply to this request, not the end of the worker
            return error
        return self._given_up(job)

    def _given_up(self, job: Job) -> Refusal | None:
        if self._closing:
            return leaving()
        if time.monotonic() >= job.deadline or job.future.done():
            return _too_late()
        if job.gone is not None and job.gone():
            return Refusal(499, "client_left", "Whoever asked has left")  # nobody reads it; counted apart from errors of ours
        return None

    def _answer(self, model: Runtime, batch: Sequence[Job]) -> list[Outcome]:
        started = time.perf_counter()
        encoded = [one for job in batch for one in job.encoded]
        outcomes: list[Outcome]
        try:
            found = iter(model.answer(encoded, ks=[job.k for job in batch for _ in job.encoded]))
            outcomes = [[next(found) for _ in job.encoded] for job in batch]
        except Exception as error:  # what one text does to a model must not befall those beside it
            outcomes = [error] if len(batch) == 1 else [self._answer(model, [job])[0] for job in batch]
        tokens = sum(job.tokens for job in batch)
        self._measures.batch(batch[0].name, time.perf_counter() - started, len(encoded), tokens)
        return outcomes


def _stand_back() -> None:
    """Let the event loop come first where both want a processor. Only Linux gives threads priorities of their own."""
    if sys.platform == "linux":
        thread = threading.get_native_id()
        with contextlib.suppress(OSError):  # forbidden to some containers: then they are equals
            os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + NICE)


def leaving() -> Refusal:
    """What is said to a request that a server which ends can answer no more."""
    return Refusal(503, "leaving", "The server is going and answers no more", hint="Ask again: another may answer")


def _too_late() -> Refusal:
    return Refusal(504, "too_late", "The deadline passed before the request was answered", hint="Allow more time, or send less")


def _expire(job: Job) -> None:
    _settle(job, _too_late())


def _settle(job: Job, outcome: Outcome) -> None:
    if job.future.done():
        return
    if isinstance(outcome, Exception):
        job.future.set_exception(outcome)
    else:
        job.future.set_result(outcome)


def _settle_all(done: Sequence[tuple[Job, Outcome]]) -> None:
    for job, outcome in done:
        _settle(job, outcome)
