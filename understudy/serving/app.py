"""The server: models in, HTTP out.

    POST /v1/parse      {"text": "wake me at six"} or {"text": ["…", "…"], "lang": "en", "model": "name"}
    POST /model/parse   Rasa's request and reply
    GET  /v1/models     what is served          GET /metrics   for Prometheus
    GET  /health        the process lives       GET /ready     it takes requests
    GET  /              a page to try it on

Models run in a pool of threads, so that the event loop always answers. Texts are never logged.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from understudy.errors import DataError, RecipeError
from understudy.interpretation import Interpretation
from understudy.runtime.cpu import available_cpus
from understudy.runtime.session import Runtime
from understudy.serving.measures import Measured, Measures
from understudy.serving.protocol import (
    Limits,
    ParseRequest,
    RasaRequest,
    Refusal,
    check_texts,
    rasa_reply,
    read_json,
    refuse,
    validated,
)
from understudy.text.spoken import LANGUAGES

__all__ = ["Limits", "create_app", "serve"]

log = logging.getLogger(__name__)

PAGE = Path(__file__).with_name("playground.html")
# The page carries its own style and script and talks to nobody but this server.
PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; base-uri 'none'; form-action 'none'"
DRAIN_S = 30


class _Server:
    """The models and what handlers share. One per application."""

    def __init__(self, models: Mapping[str, Runtime], limits: Limits) -> None:
        self.models, self.limits, self.measures = dict(models), limits, Measures()
        self.pool = ThreadPoolExecutor(available_cpus(), thread_name_prefix="understudy")
        self.page = PAGE.read_text(encoding="utf-8")
        self.pending = 0
        self.ready = False

    @asynccontextmanager
    async def lifespan(self, app: Starlette) -> AsyncIterator[None]:
        self.ready = True
        yield
        self.ready = False
        self.pool.shutdown(wait=True)

    def model(self, name: str | None) -> tuple[str, Runtime]:
        """The named model, or the first."""
        if name is None:
            return next(iter(self.models.items()))
        if name not in self.models:
            raise Refusal(404, "unknown_model", f"There is no model {name!r}; served are {', '.join(self.models)}.")
        return name, self.models[name]

    async def understand(
        self, name: str, model: Runtime, texts: Sequence[str], langs: Sequence[str | None] | str | None
    ) -> list[Interpretation]:
        """Run a model in the pool. Raises Refusal 429 when too many requests wait, 422 for texts it cannot read."""
        if self.pending >= self.limits.pending:
            raise Refusal(429, "busy", "Too many requests are waiting; try again.", headers={"Retry-After": "1"})
        self.pending += 1
        self.measures.pending.set(self.pending)
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self.pool, self._run, name, model, texts, langs)
        except DataError as error:
            raise Refusal(422, "unreadable", str(error)) from None
        finally:
            self.pending -= 1
            self.measures.pending.set(self.pending)

    def _run(
        self, name: str, model: Runtime, texts: Sequence[str], langs: Sequence[str | None] | str | None
    ) -> list[Interpretation]:
        started = time.perf_counter()
        found = model.batch(texts, langs)
        self.measures.model_seconds.labels(name).observe(time.perf_counter() - started)
        self.measures.utterances.labels(name).inc(len(texts))
        return found

    async def parse(self, request: Request) -> Response:
        asked = validated(ParseRequest, await read_json(request, self.limits))
        check_texts(asked.texts, self.limits)
        name, model = self.model(asked.model)
        found = await self.understand(name, model, asked.texts, asked.lang)
        return JSONResponse({"model": name, "model_hash": model.hash, "interpretations": [i.to_dict() for i in found]})

    async def rasa(self, request: Request) -> Response:
        asked = validated(RasaRequest, await read_json(request, self.limits))
        check_texts([asked.text], self.limits)
        name, model = self.model(None)
        if not asked.text.strip():
            return rasa_reply(Interpretation(asked.text, "", confidence=0.0), model.hash)
        [found] = await self.understand(name, model, [asked.text], None)
        return rasa_reply(found, model.hash)

    async def list_models(self, request: Request) -> Response:
        return JSONResponse({"models": [_describe(name, model) for name, model in self.models.items()]})

    async def health(self, request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def readiness(self, request: Request) -> Response:
        return JSONResponse({"ready": self.ready, "models": list(self.models)}, 200 if self.ready else 503)

    async def metrics(self, request: Request) -> Response:
        return Response(self.measures.text(), media_type=CONTENT_TYPE_LATEST)

    async def playground(self, request: Request) -> Response:
        return HTMLResponse(self.page, headers={"Content-Security-Policy": PAGE_POLICY})


def create_app(models: Mapping[str, Runtime], *, limits: Limits | None = None) -> Starlette:
    """The ASGI application that serves `models`; the first is asked where a request names none.

    Raises ValueError where there is no model.
    """
    if not models:
        raise ValueError("a server needs at least one model")
    server = _Server(models, limits or Limits())
    routes = [
        Route("/v1/parse", _answered(server.parse), methods=["POST"]),
        Route("/model/parse", _answered(server.rasa), methods=["POST"]),
        Route("/v1/models", server.list_models),
        Route("/health", server.health),
        Route("/ready", server.readiness),
        Route("/metrics", server.metrics),
        Route("/", server.playground),
    ]
    paths = [route.path for route in routes]
    return Starlette(
        routes=routes,
        middleware=[Middleware(Measured, measures=server.measures, paths=paths)],
        exception_handlers={HTTPException: _on_http_error, Exception: _on_bug},
        lifespan=server.lifespan,
    )


def serve(models: Mapping[str, Runtime], *, host: str = "127.0.0.1", port: int = 8080, limits: Limits | None = None) -> None:
    """Serve until SIGTERM or SIGINT; requests already taken are answered first, for at most half a minute.

    Args:
        models: by the name that requests use; the first is the default.
        host: address to listen on; the loopback interface unless told otherwise.
        port: 0 takes a free one, which the log names.
        limits: what one request may ask for.

    Raises RecipeError where the address cannot be listened on.
    """
    app = create_app(models, limits=limits)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=1024)
    except OSError as error:
        raise RecipeError(
            "the server cannot listen here",
            where=f"{host}:{port}",
            got=error.strerror or error,
            hint="Choose another host or port",
        ) from None
    shown = f"[{host}]" if ":" in host else host
    log.info("serving %s on http://%s:%d", ", ".join(models), shown, listener.getsockname()[1])
    config = uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=DRAIN_S, lifespan="on")
    with listener:
        uvicorn.Server(config).run(sockets=[listener])


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
    return refuse(Refusal(error.status_code, code, f"{error.detail}.", headers=error.headers))


async def _on_bug(request: Request, error: Exception) -> Response:
    return refuse(Refusal(500, "internal_error", "The server failed; its log says why."))
