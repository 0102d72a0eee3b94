"""Spoken form of many rows at once, on all cores where there are enough rows to pay for starting processes."""

from __future__ import annotations

import logging
import multiprocessing
import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from understudy.text.spoken import spoken

__all__ = ["speak"]

log = logging.getLogger(__name__)

# Partition, text, language, count, whether it is to be spoken.
Chosen = tuple[str, str, str, int, bool]
_WORTH_PROCESSES = 20_000


def speak(batches: Iterable[list[Chosen]], *, rows: int) -> Iterator[list[Chosen]]:
    """The batches in their order, with the text of those rows in spoken form (A 2.2) that are to be spoken.

    Args:
        batches: rows (partition, text, language, count, to be spoken).
        rows: about how many there will be; decides whether processes are started, never what comes out.
    """
    workers = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if rows < _WORTH_PROCESSES or workers < 2:
        yield from map(_speak, batches)
        return
    waiting: deque[tuple[list[Chosen], Future[list[Chosen]]]] = deque()
    # Spawned, for forked children of a process with threads (daft, torch) may hang.
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        alone = False
        for batch in batches:
            if not alone:
                try:
                    waiting.append((batch, pool.submit(_speak, batch)))
                except BrokenProcessPool:
                    alone = True
            if alone:
                yield from (_result(*pair) for pair in waiting)
                waiting.clear()
                yield _speak(batch)
            elif len(waiting) > 2 * workers:
                yield _result(*waiting.popleft())
        yield from (_result(*pair) for pair in waiting)


def _result(batch: list[Chosen], future: Future[list[Chosen]]) -> list[Chosen]:
    try:
        return future.result()
    except BrokenProcessPool:
        # A killed child, or a script without `if __name__ == "__main__"`: slower alone, but the same rows.
        log.warning("a helper process ended early; going on with one process")
        return _speak(batch)


def _speak(batch: list[Chosen]) -> list[Chosen]:
    return [
        (partition, spoken(text, lang) if to_be_spoken else text, lang, count, to_be_spoken)
        for partition, text, lang, count, to_be_spoken in batch
    ]
