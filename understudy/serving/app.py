"""The application: models in, HTTP out. `process.serve` runs it.

    POST /v1/parse      {"text": "wake me at six"} or {"text": ["…", "…"], "lang": "en", "model": "name"}
    POST /model/parse   Rasa's request and reply
    GET  /v1/models     what is served          GET /metrics       for Prometheus
    GET  /health        the process lives       GET /ready         it takes requests
    GET  /              a page to try it on     GET /openapi.json  all this for programs

Models run in threads (`batching`), so that the event loop always answers. Texts are not logged unless that is asked for.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import Field
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from understudy.config import Config
from understudy.errors import DataError
from understudy.interpretation import Interpretation
from understudy.runtime.cpu import available_cpus
from understudy.runtime.session import Runtime
from understudy.serving.batching import Batcher
from understudy.serving.gate import Gate, too_busy
from understudy.serving.measures import Measured, Measures
from understudy.serving.models import Models
from understudy.serving.openapi import PUBLIC, document
from understudy.serving.protocol import (
    Exchange,
    Limits,
    ParseRequest,
    RasaRequest,
    Record,
    Refusal,
    check_texts,
    rasa_reply,
    read_body,
    refuse,
    timeout_of,
    validated,
)
from understudy.text.spoken import LANGUAGES

__all__ = ["AppConfig", "Application", "Limits", "create_app"]

log = logging.getLogger(__name__)

PAGE = Path(__file__).with_name("playground.html")
# The page carries its own style and script and talks to nobody but this server.
PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; base-uri 'none'; form-action 'none'"
PENDING_PER_WORKER = 40  # at some milliseconds each, the last of them waits less than a fifth of a second


class AppConfig(Config):
    """Settings of the application.

    limits: what one request may ask for. workers: threads that run models; as many as there are processors where not given.
    batch_tokens: tokens of waiting requests that run together. log_texts: write what is asked and understood into the log.
    """

    limits: Limits = Limits()
    workers: int | None = Field(default=None, gt=0)
    batch_tokens: int = Field(default=128, gt=0)
    log_texts: bool = False


class Application:
    """The ASGI application that serves `models`; the first is asked where a request leads to no other.

    Args:
        models: by the name that requests use.
        config: settings.
        token: what requests must bring; None asks for none.
        record: is told every exchange: the request, the model that was chosen, and what it said.

    `leaving` is set once the server is to go: it says that it is not ready, and goes on answering. Raises ValueError where
    there is no model.
    """

    def __init__(
        self,
        models: Mapping[str, Runtime],
        config: AppConfig | None = None,
        *,
        token: str | None = None,
        record: Record | None = None,
    ) -> None:
        self.config = config or AppConfig()
        self.limits, self.record, self.measures = self.config.limits, record, Measures()
        self.models = Models(models, self.measures)
        workers = self.config.workers or available_cpus()
        self.most_pending = self.limits.pending or PENDING_PER_WORKER * workers
        self.batcher = Batcher(workers=workers, budget=self.config.batch_tokens, measures=self.measures)
        self.measures.watch(pending=lambda: self.batcher.pending, waiting=lambda: self.batcher.waiting)
        self.page, self.document = PAGE.read_text(encoding="utf-8"), document(token=token is not None)
        self.started, self.leaving = False, False
        routes = self._routes()
        paths = [route.path for route in routes]
        handlers = {HTTPException: _on_http_error, Exception: _on_bug}
        inside = Starlette(routes=routes, exception_handlers=handlers, lifespan=self._lifespan)
        costly = [route.path for route in routes if "POST" in (route.methods or ())]
        gate = Gate(inside, token=token, public=PUBLIC, costly=costly, busy=self.busy, leaving=lambda: self.leaving)
        self.app = Measured(gate, measures=self.measures, paths=paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)

    @property
    def ready(self) -> bool:
        return self.started and not self.leaving

    def _routes(self) -> list[Route]:
        return [
            Route("/v1/parse", _answered(self.parse), methods=["POST"]),
            Route("/model/parse", _answered(self.rasa), methods=["POST"]),
            Route("/v1/models", self.list_models),
            Route("/health", self.health),
            Route("/ready", self.readiness),
            Route("/metrics", self.metrics),
            Route("/openapi.json", self.openapi),
            Route("/", self.playground),
        ]

    @asynccontextmanager
    async def _lifespan(self, app: Starlette) -> AsyncIterator[None]:
        self.started = True
        yield
        self.started = False
        self.batcher.close()

    def busy(self) -> bool:
        """Whether as many requests wait or run as may."""
        return self.batcher.pending >= self.most_pending

    async def understand(self, request: Request, asked: ParseRequest, arrived: float) -> Exchange:
        """Have a request answered. Raises Refusal: 404, 422, 429, 504."""
        texts, langs = asked.texts, asked.langs
        check_texts(texts, self.limits)
        deadline = arrived + timeout_of(request, asked.timeout_ms, self.limits)
        name, model = self.models.choose(asked.model, langs)
        if self.busy():  # the gate let it in, and others were faster
            raise too_busy()
        try:
            found = await self.batcher.run(name, model, texts, langs, deadline=deadline)
        except DataError as error:
            where = f"{error.where}: " if error.where is not None else ""
            raise Refusal(
                422, "unreadable", f"{where}{error.what}", got=error.got, wanted=error.wanted, hint=error.hint
            ) from None
        exchange = Exchange(asked, asked.request_id or uuid.uuid4().hex, name, model.hash, found)
        self._tell(exchange)
        return exchange

    def _tell(self, exchange: Exchange) -> None:
        if self.config.log_texts:
            log.info(
                "%s %s: %s", exchange.model, exchange.request_id, " | ".join(f"{i.text!r} {i}" for i in exchange.interpretations)
            )
        if self.record is not None:
            try:
                self.record(exchange)
            except Exception:  # who asked has nothing to do with who keeps the record
                log.exception("an exchange was not recorded")

    async def parse(self, request: Request) -> Response:
        arrived = time.monotonic()
        asked = validated(ParseRequest, await read_body(request, self.limits))
        done = await self.understand(request, asked, arrived)
        answers = [i.to_dict() for i in done.interpretations]
        return JSONResponse(
            {"request_id": done.request_id, "model": done.model, "model_hash": done.model_hash, "interpretations": answers}
        )

    async def rasa(self, request: Request) -> Response:
        arrived = time.monotonic()
        asked = validated(RasaRequest, await read_body(request, self.limits))
        if not asked.text.strip():
            _, model = self.models.choose(None, [None])
            return rasa_reply(Interpretation(asked.text, "", confidence=0.0), model.hash)
        done = await self.understand(request, ParseRequest(text=asked.text), arrived)
        return rasa_reply(done.interpretations[0], done.model_hash)

    async def list_models(self, request: Request) -> Response:
        return JSONResponse({"models": [_describe(name, model) for name, model in self.models.items()]})

    async def health(self, request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def readiness(self, request: Request) -> Response:
        return JSONResponse(
            {"ready": self.ready, "models": [name for name, _ in self.models.items()]}, 200 if self.ready else 503
        )

    async def metrics(self, request: Request) -> Response:
        return Response(await asyncio.to_thread(self.measures.text), media_type=CONTENT_TYPE_LATEST)

    async def openapi(self, request: Request) -> Response:
        return JSONResponse(self.document)

    async def playground(self, request: Request) -> Response:
        return HTMLResponse(self.page, headers={"Content-Security-Policy": PAGE_POLICY})


def create_app(
    models: Mapping[str, Runtime],
    config: AppConfig | None = None,
    *,
    token: str | None = None,
    record: Record | None = None,
) -> Application:
    """The ASGI application that serves `models`: see `Application`."""
    return Application(models, config, token=token, record=record)


def _answered(handler: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """The handler with its refusals made into replies."""

    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except Refusal as refusal:
            return refuse(refusal)
        except ClientDisconnect:
            return Response(status_code=499)  # nobody reads it; counted apart from errors of ours

    return answer


def _describe(name: str, model: Runtime) -> dict[str, Any]:
    return {
        "name": name,
        "hash": model.hash,
        "precision": model.settings.precision,
        "spoken": model.settings.spoken,
        "languages": list(LANGUAGES),
        "intents": list(model.labels.intents),
        "slots": list(model.labels.slots),
    }


async def _on_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "http_error")
    hint = "GET /openapi.json says what there is"
    return refuse(Refusal(error.status_code, code, error.detail, hint=hint, headers=error.headers))


async def _on_bug(request: Request, error: Exception) -> Response:
    return refuse(Refusal(500, "internal_error", "The server failed; its log says why"))
