"""The models that are served, by name, each replaced while requests go on when its directory is.

A new model is loaded, checked and tried beside the old one, and then takes its name. One that is damaged is refused: the old
one goes on, the log says why and `understudy_reloads_total{outcome="refused"}` counts it.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import logging
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from understudy import artifact
from understudy.errors import UnderstudyError
from understudy.runtime.session import Runtime
from understudy.serving.measures import Measures
from understudy.serving.protocol import Refusal

__all__ = ["Models"]

log = logging.getLogger(__name__)

TRIED = ("stop", "wake me up at six on friday and play the news", "と", "1 2 3 " * 40)


class Models:
    """Names and what answers for them now; the first is asked where a request says nothing that leads to another."""

    def __init__(self, models: Mapping[str, Runtime], measures: Measures) -> None:
        if not models:
            raise ValueError("a server needs at least one model")
        self._models, self._measures = dict(models), measures
        self._seen = {name: _state(model.path) for name, model in models.items()}
        self._reloading = threading.Lock()

    def items(self) -> Sequence[tuple[str, Runtime]]:
        """Names and models, the first one first."""
        return list(self._models.items())

    def choose(self, name: str | None, langs: Sequence[str | None]) -> tuple[str, Runtime]:
        """The model of that name; where none is named, the one that is called as the texts' locale or language is ("de-DE",
        "de"), else the first. Raises Refusal 404 for a name that is not served."""
        if name is not None:
            if name not in self._models:
                raise Refusal(404, "unknown_model", f"There is no model {name!r}", wanted=f"one of {', '.join(self._models)}")
            return name, self._models[name]
        if len(self._models) > 1 and (lang := langs[0]) is not None and all(other == lang for other in langs):
            locale = lang.replace("_", "-")
            for spelled in (locale, locale.partition("-")[0]):
                if spelled in self._models:
                    return spelled, self._models[spelled]
        return next(iter(self._models.items()))

    async def watch(self, every_s: float) -> None:
        """Look at the directories every so many seconds, until cancelled."""
        while True:
            await asyncio.sleep(every_s)
            await asyncio.to_thread(self.reload)

    def reload(self, *, all: bool = False) -> None:
        """Replace the models whose directories have changed since they were looked at last, or `all`. Blocks; logs, never raises."""
        with self._reloading:
            for name in list(self._models):  # of the names alone: who holds the old model keeps it
                state = _state(self._models[name].path)
                # None: in the middle of being replaced, or gone. What is loaded goes on; who asks for `all` is told.
                if all or state not in (None, self._seen[name]):
                    self._seen[name] = state  # a refused one is not tried again until it changes
                    self._replace(name)
                    _trim()

    def _replace(self, name: str) -> None:
        old = self._models[name]
        try:
            new = Runtime.load(old.path)
            new.batch(TRIED)  # the first run of a session is slow: not at a user's expense
        except Exception as error:  # whatever is wrong with the new one, the old one must go on
            said = str(error) if isinstance(error, UnderstudyError) else repr(error)
            log.error("%s is not replaced, %s goes on: %s", name, old.hash[:12], said)
            self._measures.reloads.labels(name, "refused").inc()
            return
        self._models[name] = new
        log.info("%s is now %s, before %s", name, new.hash[:12], old.hash[:12])
        self._measures.reloads.labels(name, "loaded").inc()


def _trim() -> None:
    """Give back what the old model left: glibc keeps it, in pieces that the next one does not fit into (malloc_trim(3))."""
    gc.collect()  # a tokenizer and its words hold one another; what was there at the start is frozen, so there is little to look through
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _state(path: Path) -> object:
    """What changes when an artifact does: its hash, and its files' sizes and times; None where none can be read."""
    try:
        manifest = artifact.peek(path)
        stats = [(path / name).stat() for name in (manifest.files if manifest else ())]
    except OSError:
        return None
    return manifest and (manifest.hash, [(stat.st_size, stat.st_mtime_ns) for stat in stats])
