"""Which stages run side by side, and what becomes of the others when one fails or all are to stop.

Stages start as soon as their inputs are up to date, those first that most others wait for in a row; one that measures time runs
alone. A stage that fails keeps back those that need it; all others are still made, for a night is long. Ctrl-C and SIGTERM are
passed on as SIGTERM, on which a training saves and leaves.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch

from understudy import artifact, recipe, stages
from understudy.artifact import Artifact
from understudy.errors import RecipeError, UnderstudyError
from understudy.jobs.process import Child, start
from understudy.limits import available_cpus
from understudy.recipe import Done, Planned, Recipe

__all__ = ["longest_first", "next_up", "run_jobs", "shares"]

log = logging.getLogger(__name__)
LOOK_EVERY_S = 0.05


def run_jobs(
    whole: Recipe, jobs: int, *, only: Sequence[str] = (), on_start: Callable[[Planned], None] = lambda planned: None
) -> list[Done]:
    """As `recipe.run`, up to `jobs` stages at a time, each in a process of its own; with 1 it is `recipe.run`.

    Raises RecipeError under torchrun; once all is made that does not need it, what the first stage to fail ended with: its error
    for users, else SystemExit with its status; SystemExit (128 + signal) once all processes have ended on SIGINT or SIGTERM.
    """
    if jobs == 1:
        return recipe.run(whole, only=only, on_start=on_start)
    if (world := os.environ.get("WORLD_SIZE", "1")) != "1":
        raise RecipeError(
            "under torchrun all processes work on one stage at a time",
            where="--jobs",
            got=f"{jobs}, and {world} processes of torchrun",
            wanted="1",
            hint="Leave out --jobs, or torchrun: each job then has a GPU of its own",
        )
    planned = {item.name: item for item in recipe.plan(whole, only=only)}
    for error in recipe.missing(planned.values()):
        raise error
    with _signals() as heard:
        crew = _Crew(whole, planned, jobs, on_start, heard)
        try:
            crew.work()
        finally:
            crew.end()
    if heard:
        raise SystemExit(128 + heard[0])
    if crew.failed:
        raise next(iter(crew.failed.values()))
    return [crew.done[name] for name in planned]


def longest_first(planned: Mapping[str, Planned]) -> list[str]:
    """Names of a plan's stages, those first that most stages in a row wait for; else in the order of the plan."""
    row: dict[str, int] = {}
    for name in reversed(list(planned)):
        row[name] = 1 + max((row[other] for other in row if name in planned[other].inputs), default=0)
    return sorted(planned, key=lambda name: -row[name])


def next_up(ready: Sequence[Planned], running: Sequence[Planned], jobs: int) -> list[Planned]:
    """Which of the stages that are `ready`, best first, start beside those that are running.

    One that measures time starts when nothing runs and nothing else could, and then nothing starts beside it.
    """
    if any(stages.timed(item.config) for item in running):
        return []
    others = [item for item in ready if not stages.timed(item.config)]
    return others[: jobs - len(running)] if others or running else list(ready[:1])


def shares(jobs: int, processors: int, gpus: Sequence[str], environment: Mapping[str, str]) -> list[dict[str, str]]:
    """What is set in the environment of each of `jobs` processes: as many threads as its part of the processors, unless the user
    has said how many, and one of several GPUs in turn."""
    threads = {} if "OMP_NUM_THREADS" in environment else {"OMP_NUM_THREADS": str(max(1, processors // jobs))}
    return [threads | ({"CUDA_VISIBLE_DEVICES": gpus[n % len(gpus)]} if len(gpus) > 1 else {}) for n in range(jobs)]


def _gpus() -> list[str]:
    """GPUs that this process may use, by their names in CUDA_VISIBLE_DEVICES."""
    count, named = torch.cuda.device_count(), os.environ.get("CUDA_VISIBLE_DEVICES")
    return [name.strip() for name in named.split(",")][:count] if named else [str(n) for n in range(count)]


@dataclass
class _Crew:
    """A plan under way.

    waiting: stages whose inputs are not there yet. ready: stages that could start, best first. heard: signals that came.
    """

    whole: Recipe
    planned: Mapping[str, Planned]
    jobs: int
    on_start: Callable[[Planned], None]
    heard: Sequence[int]
    ready: list[Planned] = field(default_factory=list)
    running: list[Child] = field(default_factory=list)
    done: dict[str, Done] = field(default_factory=dict)
    failed: dict[str, UnderstudyError | SystemExit] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.waiting = list(self.planned)
        self.order = {name: place for place, name in enumerate(longest_first(self.planned))}
        self.shares = shares(self.jobs, available_cpus(), _gpus(), os.environ)

    def work(self) -> None:
        """Until all is made that can be, or a signal was heard and all processes have ended."""
        stopping = False
        self._settle()
        while self.running or (self.ready and not self.heard):
            if self.heard and not stopping:
                stopping = True
                log.warning("asked to stop; waiting for %s", ", ".join(child.item.name for child in self.running))
                self._send(signal.SIGTERM)
            if self.heard.count(signal.SIGINT) > 1:
                self._send(signal.SIGKILL)
            if not self.heard:
                for item in next_up(self.ready, [child.item for child in self.running], self.jobs):
                    self._start(item)
            time.sleep(LOOK_EVERY_S)
            for child in [child for child in self.running if child.process.poll() is not None]:
                self._ended(child, stopping=stopping)
            self._settle()

    def end(self) -> None:
        """Leave no process behind, whatever happened."""
        self._send(signal.SIGTERM)
        for child in self.running:
            child.close()

    def _send(self, number: signal.Signals) -> None:
        for child in self.running:
            child.process.send_signal(number)

    def _settle(self) -> None:
        """Take from those waiting what is up to date, what could start, and what cannot be made any more."""
        for name in list(self.waiting):  # in the order of the plan: inputs before what needs them
            inputs = [ref for ref in self.planned[name].inputs if ref in self.planned]
            lost = [ref for ref in inputs if ref in self.failed]
            if self.heard:
                return
            if lost:
                log.warning("%s: left out, for it needs %s", name, lost[0])
                self.failed[name] = self.failed[lost[0]]
                self.waiting.remove(name)
            elif all(ref in self.done for ref in inputs):
                self._judge(name)
                self.waiting.remove(name)

    def _judge(self, name: str) -> None:
        """Whether a stage whose inputs are there is up to date by now, or is to be made."""
        try:
            item = recipe.judged(self.whole, self.planned[name])
            if item.state == "cached":
                self.done[name] = Done(name, artifact.open(self.whole.directory(name)), True, 0.0)
            else:
                self.ready = sorted([*self.ready, item], key=lambda each: self.order[each.name])
        except UnderstudyError as error:
            self._fail(name, error, str(error))

    def _start(self, item: Planned) -> None:
        # What measures time is given the machine as it would have it without jobs. Of the GPUs one with least to do.
        busy = [child.share for child in self.running]
        share = {} if stages.timed(item.config) else min(self.shares, key=busy.count)
        self.ready.remove(item)
        self.on_start(item)
        try:
            self.running.append(start(self.whole, item, share))
        except UnderstudyError as error:
            self._fail(item.name, error, str(error))

    def _ended(self, child: Child, *, stopping: bool) -> None:
        name, seconds = child.item.name, child.seconds
        self.running.remove(child)
        child.close()
        directory = self.whole.directory(name)
        if child.process.returncode == 0 and (manifest := artifact.peek(directory)) is not None:
            log.info("%s: made in %.1f s", name, seconds)
            self.done[name] = Done(name, Artifact(directory, manifest), False, seconds)  # its process has verified it
        elif stopping:
            log.info("%s: stopped after %.1f s; run it again to go on", name, seconds)
        else:
            self._fail(name, child.failure(), f"{child.log} ends with\n{child.tail()}")

    def _fail(self, name: str, error: UnderstudyError | SystemExit, said: str) -> None:
        log.error("%s: failed: %s", name, said)
        self.failed[name] = error


@contextmanager
def _signals() -> Iterator[list[int]]:
    """Yields the numbers of SIGINT and SIGTERM as they come. Outside the main thread, and where they are ignored, nobody listens."""
    heard: list[int] = []
    main = threading.current_thread() is threading.main_thread()
    numbers = [n for n in (signal.SIGINT, signal.SIGTERM) if main and signal.getsignal(n) is not signal.SIG_IGN]
    before = {number: signal.signal(number, lambda got, _frame: heard.append(got)) for number in numbers}
    try:
        yield heard
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
