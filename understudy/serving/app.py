"""The application: models in, HTTP out. `process.serve` runs it.

    POST /v1/parse      {"text": "wake me at six"} or {"text": ["…", "…"], "lang": "en", "model": "name"}
    POST /model/parse   Rasa's request and reply
    POST /v1/feedback   how requests ended, where an experiment runs
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
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

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
from understudy.limits import available_cpus
from understudy.runtime.session import Runtime
from understudy.serving.batching import Batcher, leaving
from understudy.serving.conduct import Conductor
from understudy.serving.gate import Admission, Gate, too_busy
from understudy.serving.measures import Measured, Measures
from understudy.serving.models import Models
from understudy.serving.openapi import PUBLIC, document
from understudy.serving.protocol import (
    RASA_RANKING,
    FeedbackRequest,
    Limits,
    ParseRequest,
    RasaRequest,
    Refusal,
    check_texts,
    rasa_reply,
    read_body,
    refuse,
    timeout_of,
    validated,
)
from understudy.serving.trial import Trial
from understudy.text.spoken import LANGUAGES

__all__ = ["AppConfig", "Application", "Limits"]

log = logging.getLogger(__name__)

PAGE = Path(__file__).with_name("playground.html")
# The page carries its own style and script and talks to nobody but this server.
PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; base-uri 'none'; form-action 'none'"
COSTLY = ("/v1/parse", "/model/parse")  # shut while busy; feedback is not: what is known of busy hours would be lost


class AppConfig(Config):
    """Settings of the application.

    limits: what one request may ask for. workers: threads that run models; as many as there are processors where not given.
    batch_tokens: tokens of waiting requests that run together. log_texts: write what is asked and understood into the log.
    """

    limits: Limits = Limits()
    workers: int | None = Field(default=None, gt=0)
    batch_tokens: int = Field(default=96, gt=0)
    log_texts: bool = False


class Answer(NamedTuple):
    """Which model a request went to, and what it said, one interpretation per text."""

    request_id: str
    model: str
    model_hash: str
    interpretations: Sequence[Interpretation]


class Application:
    """The ASGI application that serves `models`; the first is asked where a request leads to no other.

    Args:
        models: by the name that requests use.
        config: settings.
        token: what requests must bring; None asks for none.
        trial: an experiment, which chooses the model of requests that name none, and is told what came of them; it is closed at
            the end.

    `leaving` is set once the server is to go: it says that it is not ready, and goes on answering. Raises ValueError where
    there is no model.
    """

    def __init__(
        self,
        models: Mapping[str, Runtime],
        config: AppConfig | None = None,
        *,
        token: str | None = None,
        trial: Trial | None = None,
    ) -> None:
        self.config = config or AppConfig()
        self.limits, self.measures = self.config.limits, Measures()
        self.models = Models(models, self.measures)
        workers = self.config.workers or available_cpus()
        self.batcher = Batcher(workers=workers, budget=self.config.batch_tokens, measures=self.measures)
        batcher = self.batcher
        self.measures.watch(pending=lambda: batcher.pending, waiting=lambda: batcher.waiting, wait_s=batcher.wait_s)
        self.admission = Admission(batcher.wait_s, self.limits.wait_ms / 1000)
        self.conductor = self._conductor(trial) if trial is not None else None
        self.page, self.document = PAGE.read_text(encoding="utf-8"), document(token=token is not None)
        self.started, self.leaving = False, False
        routes = self._routes()
        paths = [route.path for route in routes]
        handlers = {HTTPException: _on_http_error, Exception: _on_bug}
        inside = Starlette(routes=routes, exception_handlers=handlers, lifespan=self._lifespan)
        gate = Gate(inside, token=token, public=PUBLIC, costly=COSTLY, busy=self.admission.busy, leaving=lambda: self.leaving)
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
            Route("/v1/feedback", _answered(self.feedback), methods=["POST"]),
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
        if self.conductor is not None:
            await self.conductor.close()
        await asyncio.to_thread(self.batcher.close)

    def _conductor(self, trial: Trial) -> Conductor:
        def full() -> bool:
            """Models in the shadow may wait as long as requests may."""
            return self.admission.busy() or 1000 * self.batcher.wait_s(beside=True) > self.limits.wait_ms

        timeout_s = self.limits.timeout_ms / 1000
        return Conductor(trial, self.models, self.batcher, self.measures, full=full, timeout_s=timeout_s)

    async def understand(self, request: Request, asked: ParseRequest, arrived: float) -> Answer:
        """Have a request answered. Raises Refusal: 404, 422, 429, 504."""
        texts, langs = asked.texts, asked.langs
        check_texts(texts, self.limits)
        deadline = arrived + timeout_of(request, asked.timeout_ms, self.limits)
        route = self.conductor.route(asked) if self.conductor is not None else None
        name, model = self.models.choose(asked.model if route is None else route.model, langs)
        if self.admission.busy():  # the gate let it in, and others were faster
            raise too_busy()
        try:
            gone = getattr(request.state, "gone", None)
            found = await self.batcher.run(name, model, texts, langs, deadline=deadline, k=asked.ranking or 0, gone=gone)
        except DataError as error:
            where = f"{error.where}: " if error.where is not None else ""
            raise Refusal(
                422, "unreadable", f"{where}{error.what}", got=error.got, wanted=error.wanted, hint=error.hint
            ) from None
        request_id = asked.request_id or uuid.uuid4().hex
        if self.config.log_texts:
            log.info("%s %r: %s", name, request_id, " | ".join(f"{i.text!r} {i}" for i in found))
        if self.conductor is not None and route is not None:
            self.conductor.answered(asked, route, request_id, found)
        return Answer(request_id, name, model.hash, found)

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
        done = await self.understand(request, ParseRequest(text=asked.text, ranking=RASA_RANKING), arrived)
        return rasa_reply(done.interpretations[0], done.model_hash)

    async def feedback(self, request: Request) -> Response:
        if self.conductor is None:
            hint = "Start the server with --experiment FILE --events FILE"
            raise Refusal(404, "no_experiment", "No experiment runs here that feedback would be for", hint=hint)
        outcomes = validated(FeedbackRequest, await read_body(request, self.limits)).outcomes(self.limits)
        self.conductor.feedback(outcomes)
        return JSONResponse({"accepted": len(outcomes)}, 202)

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


def _answered(handler: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """The handler with its refusals made into replies."""

    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except Refusal as refusal:
            return refuse(refusal)
        except ClientDisconnect:
            return Response(status_code=499)  # nobody reads it; counted apart from errors of ours
        except asyncio.CancelledError:  # the server goes and has waited as long as it may
            return refuse(leaving())

    return answer


def _describe(name: str, model: Runtime) -> dict[str, Any]:
    return {
        "name": name,
        "hash": model.hash,
        "precision": model.settings.precision,
        "spoken": model.settings.spoken,
        "languages": list(LANGUAGES) if model.settings.spoken else [],
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
