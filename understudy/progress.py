"""Progress of long work: a bar on a terminal, plain log lines elsewhere."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

__all__ = ["LogHandler", "progress"]

log = logging.getLogger(__name__)
LINE_EVERY_S = 10.0


class LogHandler(logging.StreamHandler[TextIO]):
    """Log lines to whatever stderr is at the moment, so that those written beside a bar come out above it."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))

    @property
    def stream(self) -> TextIO:
        return sys.stderr

    @stream.setter
    def stream(self, stream: TextIO) -> None:
        """stderr it stays."""


@contextmanager
def progress(label: str, total: int | None) -> Iterator[Callable[..., None]]:
    """Yields `advance(n=1, note="")`, to be called as work gets done.

    Args:
        label: what is being done, e.g. "teacher".
        total: how many units there are, None where unknown.
    """
    leads = os.environ.get("RANK", "0") == "0"  # of the processes that torchrun started one draws
    with _bar(label, total) if leads and sys.stderr.isatty() else _lines(label, total) as advance:
        yield advance


@contextmanager
def _lines(label: str, total: int | None) -> Iterator[Callable[..., None]]:
    done, started, spoke = 0, time.monotonic(), time.monotonic()

    def advance(n: int = 1, note: str = "") -> None:
        nonlocal done, spoke
        done += n
        if time.monotonic() - spoke >= LINE_EVERY_S:
            spoke = time.monotonic()
            of = f"/{total}" if total else ""
            log.info("%s %d%s %s (%.0f s)", label, done, of, note, spoke - started)

    yield advance


@contextmanager
def _bar(label: str, total: int | None) -> Iterator[Callable[..., None]]:
    columns = (
        TextColumn("{task.description:<16}"),
        BarColumn(bar_width=32),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=total, note="")

        def advance(n: int = 1, note: str = "") -> None:
            if note:
                bar.update(task, advance=n, note=note)
            else:
                bar.update(task, advance=n)

        yield advance
