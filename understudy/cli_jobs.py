"""What `run` and the verbs of `study` share: how many stages run side by side, what is said of each, and the process of one."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from understudy.recipe import Planned

__all__ = ["JobsOption", "announce", "job"]

JobsOption = Annotated[
    int, typer.Option("--jobs", min=1, help="Stages at a time, each in a process of its own where there are more.")
]


def announce(planned: Planned) -> None:
    """Say that a stage starts."""
    logging.getLogger("understudy").info("%s: %s", planned.name, "resuming" if planned.state == "resume" else "making")


def job() -> None:
    """Run one stage, told on stdin by the process that planned it."""
    from understudy.jobs.process import work

    work()
