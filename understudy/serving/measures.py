"""What Prometheus is told: requests, latencies, utterances, requests in flight. One registry per application."""

from __future__ import annotations

import time
from collections.abc import Collection

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["Measured", "Measures"]

SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)


class Measures:
    """The application's counters."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "understudy_requests_total", "Requests by path and HTTP status.", ["path", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "understudy_request_seconds",
            "From a request's arrival to its reply.",
            ["path"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self.model_seconds = Histogram(
            "understudy_model_seconds", "Text to interpretations.", ["model"], buckets=SECONDS, registry=self.registry
        )
        self.utterances = Counter("understudy_utterances_total", "Utterances understood.", ["model"], registry=self.registry)
        self.pending = Gauge("understudy_requests_pending", "Parse requests waiting or running.", registry=self.registry)

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

        try:
            await self.app(scope, receive, watch)
        finally:
            self.measures.requests.labels(path, str(status)).inc()
            self.measures.seconds.labels(path).observe(time.perf_counter() - started)
