"""One stage in a process of its own: what it is told, what it says, and how it ends.

The parent hands over the stage as it planned it, so that neither a recipe that is edited meanwhile nor a study that would be
derived otherwise by now comes between: the work, and its fingerprint, are those of a run in one process.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from understudy import recipe, stages
from understudy.config import Config, StageConfig
from understudy.errors import ArtifactError, UnderstudyError
from understudy.recipe import Planned, Recipe

__all__ = ["Child", "Job", "log_of", "start", "work"]

log = logging.getLogger(__name__)
TAIL_LINES, TAIL_BYTES = 20, 16_000
ERROR = "error: "  # what the command line puts before a message for users


class Job(Config):
    """All that the process of one stage needs to know."""

    settings: dict[str, Any]
    seed: int
    inputs: dict[str, Path]
    directory: Path

    @classmethod
    def of(cls, whole: Recipe, item: Planned) -> Job:
        """The stage `item` of a recipe."""
        settings = {**item.config.model_dump(mode="json"), "seed": item.config.seed}  # its own seed is not dumped
        return cls(settings=settings, seed=whole.seed, inputs=dict(item.inputs), directory=whole.directory(item.name))

    def stage(self) -> StageConfig:
        """The stage's settings."""
        return stages.parse_stage(self.settings, where=f"stage.{self.directory.name}")


def work() -> None:
    """Run the stage whose job, a line of JSON, comes on stdin. Where stdin ends before it does, its parent has died."""
    job = Job.model_validate_json(sys.stdin.buffer.readline())
    threading.Thread(target=_leave_with_parent, name="parent", daemon=True).start()
    recipe.run_stage(job.stage(), job.inputs, job.directory, seed=job.seed)


def _leave_with_parent() -> None:
    os.read(0, 1)  # not through sys.stdin, whose lock this thread would hold while the interpreter ends
    os.kill(os.getpid(), signal.SIGTERM)


@dataclass(frozen=True)
class Child:
    """A process at work on a stage. share: what was set in its environment. log: what it says is added there, after `begins` bytes."""

    item: Planned
    process: subprocess.Popen[bytes]
    share: Mapping[str, str]
    log: Path
    begins: int
    started: float

    @property
    def seconds(self) -> float:
        """Since it was started."""
        return time.monotonic() - self.started

    def close(self) -> None:
        """Let go of a process that has ended, or wait for it to end."""
        self.process.wait()
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):
            self.process.stdin.close()

    def tail(self) -> str:
        """The last lines that it said."""
        with self.log.open("rb") as said:
            size = said.seek(0, os.SEEK_END)
            said.seek(max(self.begins, size - TAIL_BYTES))
            return "\n".join(said.read().decode(errors="replace").splitlines()[-TAIL_LINES:])

    def failure(self) -> UnderstudyError | SystemExit:
        """What a process that has ended badly ended with: its message where that was for users, else its status."""
        status = self.process.returncode
        if status == 2:
            told = [line for line in self.tail().splitlines() if line.startswith(ERROR)]
            return UnderstudyError(told[-1].removeprefix(ERROR) if told else f"it failed; see {self.log}", where=self.item.name)
        if status == -signal.SIGKILL:
            log.error("%s: was killed; if the machine ran out of memory, take fewer --jobs", self.item.name)
        return SystemExit(status if status > 0 else 128 - status)


def log_of(directory: Path) -> Path:
    """Where what was said while the artifact at `directory` was made stands: beside it."""
    return directory.parent / ".logs" / f"{directory.name}.log"


def start(whole: Recipe, item: Planned, share: Mapping[str, str]) -> Child:
    """A process that makes the stage `item`, with `share` set in its environment.

    Raises ArtifactError where its log cannot be written or the system has no room for another process.
    """
    path = log_of(whole.directory(item.name))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as said:
            begins = said.tell()
            process = subprocess.Popen(
                [sys.executable, "-m", "understudy", "job"],
                stdin=subprocess.PIPE,
                stdout=said,
                stderr=said,
                env={**os.environ, **share},
                process_group=0,  # Ctrl-C reaches the parent alone, which passes on what lets them save
            )
    except OSError as error:
        raise ArtifactError(
            "no process can be started for this stage",
            where=item.name,
            got=f"{error.strerror or error} ({error.filename or sys.executable})",
            hint=f"Free some space or memory; what it says is to stand in {path}",
        ) from error
    assert process.stdin is not None
    with suppress(BrokenPipeError):  # it has ended already, and its status tells why
        process.stdin.write(Job.of(whole, item).model_dump_json().encode() + b"\n")
        process.stdin.flush()
    return Child(item, process, share, path, begins, time.monotonic())
