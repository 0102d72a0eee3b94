"""What Prometheus is told: requests, latencies, lines, batches, errors, reloads. One registry per application."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from functools import lru_cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["Measured", "Measures"]

SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
SIZES = tuple(float(1 << n) for n in range(13))


class Measures:
    """The application's counters."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "understudy_requests_total", "Requests by path and HTTP status.", ["path", "status"], registry=self.registry
        )
        self.errors = Counter(
            "understudy_errors_total", "Replies with 4xx or 5xx, by status.", ["status"], registry=self.registry
        )
        self.seconds = self._histogram("request_seconds", "From a request's arrival to its reply.", "path", SECONDS)
        self.model_seconds = self._histogram("model_seconds", "Tokens to interpretations, of a batch.", "model", SECONDS)
        self.batch_texts = self._histogram("batch_texts", "Utterances that ran together.", "model", SIZES)
        self.batch_tokens = self._histogram("batch_tokens", "Tokens that ran together.", "model", SIZES)
        self.utterances = Counter("understudy_utterances_total", "Utterances understood.", ["model"], registry=self.registry)
        self.reloads = Counter(
            "understudy_reloads_total", "Models loaded anew, or refused.", ["model", "outcome"], registry=self.registry
        )
        self.in_flight = Gauge("understudy_requests_in_flight", "Requests that were not replied to yet.", registry=self.registry)
        self.pending = Gauge("understudy_requests_pending", "Parse requests waiting or running.", registry=self.registry)
        self.waiting = Gauge("understudy_queue_length", "Parse requests that no worker has taken yet.", registry=self.registry)
        self.wait = Gauge(
            "understudy_expected_wait_seconds", "Until a worker is free for a text that comes now.", registry=self.registry
        )
        self.trial = Counter(
            "understudy_experiment_events_total", "What was told to the experiment's log, and what was not.", ["event"],
            registry=self.registry,
        )  # fmt: skip
        self.lost = Gauge("understudy_experiment_lost_events", "Events that the log could not hold.", registry=self.registry)
        # Finding a child by its labels takes longer than counting, at every request; there are few children.
        self._counts = lru_cache(256)(lambda path, status: (self.requests.labels(path, status), self._error(status)))
        self._seconds = lru_cache(64)(self.seconds.labels)

    def _error(self, status: str) -> Counter | None:
        return self.errors.labels(status) if status >= "400" else None

    def _histogram(self, name: str, what: str, label: str, buckets: tuple[float, ...]) -> Histogram:
        return Histogram(f"understudy_{name}", what, [label], buckets=buckets, registry=self.registry)

    def watch(self, *, pending: Callable[[], float], waiting: Callable[[], float], wait_s: Callable[[], float]) -> None:
        """Where the lengths of lines are read from when somebody asks."""
        self.pending.set_function(pending)
        self.waiting.set_function(waiting)
        self.wait.set_function(wait_s)

    def request(self, path: str, status: int, seconds: float | None) -> None:
        """A request was replied to; None for one whose time was nobody's."""
        count, error = self._counts(path, str(status))
        count.inc()
        if error is not None:
            error.inc()
        if seconds is not None:
            self._seconds(path).observe(seconds)

    def batch(self, model: str, seconds: float, texts: int, tokens: int) -> None:
        """A batch ran."""
        self.model_seconds.labels(model).observe(seconds)
        self.batch_texts.labels(model).observe(texts)
        self.batch_tokens.labels(model).observe(tokens)
        self.utterances.labels(model).inc(texts)

    def text(self) -> bytes:
        """All counters in Prometheus' text format."""
        return generate_latest(self.registry)


class Measured:
    """ASGI middleware that counts and times each HTTP request. Paths that are not ours count as one."""

    def __init__(self, app: ASGIApp, *, measures: Measures, paths: Collection[str]) -> None:
        self.app, self.measures, self.paths = app, measures, frozenset(paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path = scope["path"] if scope["path"] in self.paths else "other"
        status, started = 500, time.perf_counter()

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        self.measures.in_flight.inc()
        try:
            await self.app(scope, receive, watch)
        finally:
            self.measures.in_flight.dec()
            self.measures.request(path, status, time.perf_counter() - started)
