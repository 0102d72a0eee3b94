"""The figures of a run, told also to tools that draw them: TensorBoard, Weights & Biases, MLflow. Each is an extra.

A run has an id, kept in its scratch directory: a run that is resumed goes on in the same curves, one that begins anew has its
own. Updates that are made again after a kill stand there once.
"""

from __future__ import annotations

import logging
import os
import secrets
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module, util
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from understudy.errors import RecipeError

__all__ = ["LogTo", "Sink", "Tool", "Watch", "each"]

log = logging.getLogger(__name__)
Tool = Literal["tensorboard", "wandb", "mlflow"]


def installed(tools: tuple[Tool, ...]) -> tuple[Tool, ...]:
    """`tools`, unchanged. Raises ValueError, which `config.parse` puts to the user, naming the first that is not installed."""
    for tool in tools:
        found = util.find_spec(tool)
        if found is None or found.origin is None:  # a folder of that name, such as wandb makes, passes for a package
            raise ValueError(f"{tool} is not installed. In a clone of understudy: pip install '.[{tool}]', or leave it out")
    return tools


# Not recorded in artifacts nor part of their fingerprints: who looks on changes nothing that is made.
LogTo = Annotated[tuple[Tool, ...], AfterValidator(installed), Field(exclude=True)]


class Sink:
    """One tool. folder: the run's own, in one that has the stage's name. after: updates made before. done: whether it came to its end."""

    def __init__(self, folder: Path, scratch: Path, after: int) -> None: ...

    def line(self, step: int, values: Mapping[str, float]) -> None: ...

    def flush(self) -> None: ...

    def close(self, done: bool) -> None: ...


class TensorBoard(Sink):
    """Event files in `folder`. What earlier ones say of updates that are made again is void."""

    def __init__(self, folder: Path, scratch: Path, after: int) -> None:
        self._after = after if any(folder.glob("events.*")) else 0  # of a run that had none so far they hold all of it
        self._writer = import_module("torch.utils.tensorboard").SummaryWriter(str(folder), purge_step=self._after + 1)

    def line(self, step: int, values: Mapping[str, float]) -> None:
        for name, value in values.items() if step > self._after else ():
            self._writer.add_scalar(name, value, step)

    def flush(self) -> None:
        self._writer.flush()

    def close(self, done: bool) -> None:
        self._writer.close()


class WeightsAndBiases(Sink):
    """A run of the project `understudy`, or what WANDB_PROJECT says. Its files stand in `folder`, or where WANDB_DIR says."""

    def __init__(self, folder: Path, scratch: Path, after: int) -> None:
        wandb, place = import_module("wandb"), os.environ.get("WANDB_DIR", str(folder))
        project, named = os.environ.get("WANDB_PROJECT", "understudy"), {"name": folder.parent.name, "id": folder.name}
        self._run = wandb.init(project=project, **named, resume="allow", dir=place, settings=wandb.Settings(console="off"))

    def line(self, step: int, values: Mapping[str, float]) -> None:
        if step >= self._run.step:  # its curves only grow: what it was told before a kill stays, and is the same
            self._run.log(dict(values), step=step)

    def close(self, done: bool) -> None:
        self._run.finish(exit_code=0 if done else 1)


class MLflow(Sink):
    """A run of the experiment and in the store that MLFLOW_EXPERIMENT_NAME and MLFLOW_TRACKING_URI say."""

    def __init__(self, folder: Path, scratch: Path, after: int) -> None:
        self._mlflow, known = import_module("mlflow"), scratch / "mlflow"
        given = {"run_id": known.read_text()} if known.exists() else {"run_name": folder.parent.name}
        self._id = self._mlflow.start_run(**given).info.run_id
        known.write_text(self._id)
        self._last: dict[str, int] = {}  # by the first name of a line: up to where it stands there already

    def line(self, step: int, values: Mapping[str, float]) -> None:
        first = next(iter(values))
        if first not in self._last:
            told = self._mlflow.MlflowClient().get_metric_history(self._id, first)
            self._last[first] = max((metric.step for metric in told), default=0)
        if step > self._last[first]:  # it forgets nothing: what it was told before a kill stays, and is the same
            self._mlflow.log_metrics(dict(values), step=step, run_id=self._id)

    def close(self, done: bool) -> None:
        self._mlflow.end_run("FINISHED" if done else "KILLED")


KINDS: dict[Tool, type[Sink]] = {"tensorboard": TensorBoard, "wandb": WeightsAndBiases, "mlflow": MLflow}


def each(sinks: list[Sink], do: Callable[[Sink], None]) -> None:
    """`do` with every sink. One that fails leaves `sinks` with a warning: a run of days does not end because a server did."""
    for sink in [*sinks]:
        try:
            do(sink)
        except Exception as error:  # these libraries raise what they like
            log.warning("%s failed and is told no more of this run: %s", type(sink).__name__, error)
            sinks.remove(sink)
            with suppress(Exception):
                sink.close(False)


@dataclass(frozen=True)
class Watch:
    """Which tools are told of a run. folder: what they keep of the stage's runs, each in a folder named by its id."""

    tools: tuple[Tool, ...]
    folder: Path

    def open(self, scratch: Path, *, after: int) -> list[Sink]:
        """The tools, for the run of `scratch`, of which `after` updates are made. Raises RecipeError where one cannot be had."""
        opened: list[Sink] = []
        known = scratch / "run"
        if not (known.exists() and known.read_text()):
            known.write_text(f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}")
        folder = self.folder / known.read_text()
        folder.mkdir(parents=True, exist_ok=True)
        for tool in dict.fromkeys(self.tools):
            try:
                opened.append(KINDS[tool](folder, scratch, after))
            except Exception as error:
                each(opened, lambda sink: sink.close(False))
                got = f"{error!r:.300}"
                raise RecipeError(f"{tool} cannot be used", where="log_to", got=got, hint="Set it up, or leave it out") from None
        return opened
