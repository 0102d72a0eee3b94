"""Many tasks on all cores of this machine or of a Ray cluster, through daft: the same function, the same results.

A task is a frozen settings model; the function that does it lives in a module of ours and gives something JSON can say. Tasks
meet only through files, whose names they hold, so that where and in which order they are done changes nothing.
"""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, TypeVar

import daft
from pydantic import model_validator

from understudy import errors
from understudy.config import Config, StageConfig
from understudy.corpus.files import brief, quiet_daft
from understudy.errors import RecipeError, UnderstudyError
from understudy.limits import available_cpus

__all__ = ["EngineConfig", "each"]

T = TypeVar("T", bound=Config)
WORTH_PROCESSES = 4_000_000


class EngineConfig(StageConfig):
    """Where a stage over much text does its work.

    engine: "local" uses all cores of this machine, "ray" those of a Ray cluster (`pip install '.[ray]'`); the result
        is the same. On a cluster the artifacts and the sources must stand on storage that every node sees.
    address: of the cluster, such as "ray://head:10001"; by default the one that RAY_ADDRESS names, else a local one.
    """

    engine: Literal["local", "ray"] = "local"
    address: str | None = None

    @model_validator(mode="after")
    def _address_of_ray(self) -> EngineConfig:
        if self.address is not None and self.engine != "ray":
            raise ValueError('`address` goes with engine = "ray"')
        return self


def each(function: Callable[[T], Any], tasks: Sequence[T], *, engine: EngineConfig, size: int) -> Iterator[Any]:
    """The results of `function` for every task, in the order of the tasks.

    Args:
        function: of a module of ours, from a task to something JSON can say.
        tasks: all of one type.
        engine: where to work.
        size: bytes of text about; decides whether processes are worth their start on this machine.

    Raises what the function raises for users, and RecipeError where the engine cannot be had.
    """
    if engine.engine == "local" and (size < WORTH_PROCESSES or len(tasks) < 2 or available_cpus() < 2):
        yield from map(function, tasks)
        return
    if not tasks:
        return
    workers = min(_start(engine), len(tasks))
    worker = daft.cls(_Worker, use_process=True, max_concurrency=workers)(function, type(tasks[0]))
    lines = [json.dumps([at, task.model_dump_json()]) for at, task in enumerate(tasks)]
    frame = daft.from_pydict({"task": lines}).into_batches(1)
    waiting: dict[int, Any] = {}
    following = 0
    for row in frame.select(worker(frame["task"]).alias("result")).iter_rows():
        at, error, result = json.loads(row["result"])
        if error:
            raise getattr(errors, error)(**result)
        waiting[at] = result
        while following in waiting:
            yield waiting.pop(following)
            following += 1


class _Worker:
    """Does tasks in a process of its own."""

    def __init__(self, function: Callable[[Any], Any], task: type[Config]) -> None:
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # every core has its process already
        quiet_daft()
        self.function, self.task = function, task

    def __call__(self, line: str) -> str:
        at, task = json.loads(line)
        try:
            return json.dumps([at, None, self.function(self.task.model_validate_json(task))])
        except UnderstudyError as error:
            fields = {name: getattr(error, name) for name in ("what", "where", "got", "wanted", "hint")}
            said = {name: value if value is None else str(value) for name, value in fields.items()}
            return json.dumps([at, type(error).__name__, said])


def _start(engine: EngineConfig) -> int:
    """Make daft use the engine; the number of its cores."""
    quiet_daft()
    if engine.engine == "local":
        return available_cpus()
    try:
        ray = importlib.import_module("ray")  # an extra
    except ImportError:
        raise RecipeError(
            "Ray is not installed", where='engine = "ray"', hint="In a clone of understudy: pip install '.[ray]'"
        ) from None
    try:
        if not ray.is_initialized():
            ray.init(address=engine.address, log_to_driver=False, logging_level="ERROR")
        daft.set_runner_ray(engine.address, noop_if_initialized=True)
    except Exception as error:  # Ray and daft raise what they like
        raise RecipeError("the Ray cluster cannot be used", where=engine.address or 'engine = "ray"', got=brief(error)) from None
    if daft.get_or_create_runner().name != "ray":
        raise RecipeError(
            "this process has begun to work without Ray",
            where='engine = "ray"',
            hint="Give all corpus and shards stages the same engine, or run this stage alone (--only)",
        )
    return max(1, int(ray.cluster_resources().get("CPU", 1)))
