"""An experiment in the server: which model answers whom, what runs beside it unseen, and what the log is told.

The answer comes first. Models in the shadow run once it is given, behind every request; where the server has no room for them, the
request is written down without them, and that is counted. Requests that name a model are none of the experiment's business; those
that say no user get the baseline and are not written down.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence

from understudy.errors import UnderstudyError
from understudy.interpretation import Interpretation
from understudy.serving.batching import Batcher
from understudy.serving.measures import Measures
from understudy.serving.models import Models
from understudy.serving.protocol import ParseRequest
from understudy.serving.trial import Route, Trial

__all__ = ["Conductor"]

log = logging.getLogger(__name__)

LEAVING_S = 2.0  # for models in the shadow, once the last request is answered

Found = Mapping[str, Sequence[Interpretation]]
"""By a model's name, what it made of each text of a request."""


class Conductor:
    """Runs a trial on the server's models.

    Args:
        trial: chooses models, and is told what came of it.
        models: that it chooses among.
        batcher: runs them.
        measures: count what the log is told and what is left out.
        full: whether there is no room for another model in the shadow.
        timeout_s: after which such a model's answer is not waited for.
    """

    def __init__(
        self,
        trial: Trial,
        models: Models,
        batcher: Batcher,
        measures: Measures,
        *,
        full: Callable[[], bool],
        timeout_s: float,
    ) -> None:
        self.trial, self.models, self.batcher, self.measures = trial, models, batcher, measures
        self.full, self.timeout_s = full, timeout_s
        self._running = set[asyncio.Task[None]]()  # the loop itself keeps only weak references to what runs
        measures.lost.set_function(lambda: trial.dropped)

    def route(self, asked: ParseRequest) -> Route | None:
        """Which models a request goes to; None where it names its own."""
        return self.trial.route(asked.user) if asked.model is None else None

    def answered(self, asked: ParseRequest, route: Route, request_id: str, found: Sequence[Interpretation]) -> None:
        """Have an answer written down, and run beforehand what is to run beside it. Returns at once and never raises."""
        if asked.user is None:
            return
        if not route.shadows:
            self._record(asked, asked.user, request_id, {route.model: found})
            return
        # A task takes its first step when this one waits next, and by then the reply is on its way.
        task = asyncio.create_task(self._run_beside(asked, asked.user, route, request_id, found))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    def feedback(self, outcomes: Sequence[tuple[str, bool]]) -> None:
        """Have it written down how requests ended."""
        for request, dissatisfied in outcomes:
            self.trial.feedback(request, dissatisfied)
        self.measures.trial.labels("feedback").inc(len(outcomes))

    async def close(self) -> None:
        """Let what runs beside come to its end, but not for long, and close the trial."""
        if self._running:
            _, late = await asyncio.wait(self._running, timeout=LEAVING_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await asyncio.to_thread(self.trial.close)

    async def _run_beside(
        self, asked: ParseRequest, user: str, route: Route, request_id: str, answer: Sequence[Interpretation]
    ) -> None:
        found = {route.model: answer}
        try:
            for name in route.shadows:
                beside = await self._shadow(name, asked)
                self.measures.trial.labels("shadow_dropped" if beside is None else "shadow").inc()
                if beside is not None:
                    found[name] = beside
        finally:  # also where the server leaves: what is known is written down
            self._record(asked, user, request_id, found)

    async def _shadow(self, name: str, asked: ParseRequest) -> Sequence[Interpretation] | None:
        """What a model in the shadow makes of a request; None where it had no room, no time, or failed."""
        if self.full():
            return None
        _, model = self.models.choose(name, ())
        deadline = time.monotonic() + self.timeout_s
        try:
            return await self.batcher.run(name, model, asked.texts, asked.langs, deadline=deadline, beside=True)
        except UnderstudyError:  # too late, or a language that it has no formatter for
            return None
        except Exception:
            log.exception("%s failed in the shadow", name)
            return None

    def _record(self, asked: ParseRequest, user: str, request_id: str, found: Found) -> None:
        """Each text is an event of its own; those of a list have their places behind the request's id."""
        try:
            for n, (text, lang) in enumerate(zip(asked.texts, asked.langs, strict=True)):
                own = request_id if isinstance(asked.text, str) else f"{request_id}/{n}"
                self.trial.record(own, user, text, lang or "", {name: each[n] for name, each in found.items()})
                self.measures.trial.labels("recorded").inc()
        except Exception:  # who asked has nothing to do with who keeps the record
            log.exception("a request was not recorded")
