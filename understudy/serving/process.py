"""The server's process: listens, looks after its models, and leaves without dropping a request.

SIGTERM, SIGINT   /ready says no, replies end their connections, and after `linger_s` the port is closed; what was accepted
                  is answered, for at most `drain_s`, and the process ends with 0, or 1 where events of an experiment are lost. A
                  second one ends it sooner.
SIGHUP            loads every model anew
"""

from __future__ import annotations

import asyncio
import gc
import ipaddress
import logging
import os
import signal
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from pydantic import Field

from understudy.config import parse
from understudy.errors import RecipeError
from understudy.runtime.session import Runtime
from understudy.serving.app import AppConfig, Application
from understudy.serving.connection import Connection
from understudy.serving.trial import Trial
from understudy.toml import override

__all__ = ["TOKEN", "ServeConfig", "load_models", "serve", "settings"]

log = logging.getLogger(__name__)

TOKEN = "UNDERSTUDY_TOKEN"
"""The environment variable with the bearer token; an argument would be seen in every list of processes."""

# uvloop accepts one connection of each listening socket in a turn. In a crowd turns are long, and the last of a thousand new
# connections would wait for seconds: so the one socket is given to it several times.
ACCEPTED_AT_ONCE = 16


class ServeConfig(AppConfig):
    """Settings of the process, besides those of the application.

    host: address to listen on; the loopback interface unless told otherwise. port: 0 takes a free one, which the log names.
    token_file: holds the bearer token that requests must bring, in place of the environment's UNDERSTUDY_TOKEN. watch_s: seconds
    between two looks at the models' directories; 0 never looks. linger_s: seconds from SIGTERM in which requests are still
    taken, for balancers to notice. drain_s: seconds that what was accepted may take after that. keep_alive_s: seconds that a
    connection may be idle.
    """

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    token_file: str | None = None
    watch_s: float = Field(default=2, ge=0)
    linger_s: float = Field(default=0.5, ge=0)
    drain_s: int = Field(default=30, ge=0)
    keep_alive_s: int = Field(default=75, gt=0)


def settings(assignments: Sequence[str], *, host: str | None = None, port: int | None = None) -> ServeConfig:
    """Settings from KEY=VALUE, and from options that were given. Raises RecipeError naming the wrong key."""
    given = {key: value for key, value in (("host", host), ("port", port)) if value is not None}
    return parse(ServeConfig, {**override({}, assignments), **given}, where="serve")


def load_models(named: Sequence[str]) -> dict[str, Runtime]:
    """Runtimes from DIR or NAME=DIR; a directory's own name is its model's. Raises RecipeError for names that come twice, and none."""
    parts = [_named(given) for given in named]
    if not all(name for name, _ in parts):
        raise RecipeError("a model has no name", got=", ".join(f"--model {given}" for given in named), wanted="--model NAME=DIR")
    if len({name for name, _ in parts}) < len(parts):
        got = ", ".join(name for name, _ in parts)
        raise RecipeError("two models have the same name", got=got, wanted="--model NAME=DIR")
    return {name: Runtime.load(Path(path)) for name, path in parts}


def _named(given: str) -> tuple[str, str]:
    name, equals, path = given.partition("=")
    if equals and "/" not in name:  # else it stands within a path
        return name, path
    own = Path(given).name
    return Path(given).resolve().name if own in ("", "..") else own, given


def serve(models: Mapping[str, Runtime], config: ServeConfig | None = None, *, trial: Trial | None = None) -> None:
    """Serve until SIGTERM or SIGINT; requests already taken are answered first. Ends the process with 1 where the trial lost events.

    Args:
        models: by the name that requests use; the first is the default.
        config: settings.
        trial: as in `app.Application`.

    Raises RecipeError where the address cannot be listened on or the token cannot be read.
    """
    config = config or ServeConfig()
    token = _token(config.token_file)
    app = Application(models, config, token=token, trial=trial)
    listener = _listen(config.host, config.port)
    warn_if_open(listener.getsockname()[0], token)
    # What is there now stays. Looking through it for rubbish again and again would halt every request for tens of milliseconds.
    gc.collect()
    gc.freeze()
    shown = f"[{config.host}]" if ":" in config.host else config.host
    log.info("serving %s on http://%s:%d", ", ".join(models), shown, listener.getsockname()[1])
    server = _server(app, config)

    async def run() -> None:
        loop = asyncio.get_running_loop()

        def leave() -> None:
            if app.leaving:
                server.should_exit = True
            app.leaving = True
            log.info("leaving: %d requests to answer", app.batcher.pending)
            loop.call_later(config.linger_s, setattr, server, "should_exit", True)

        for name in ("SIGTERM", "SIGINT"):
            loop.add_signal_handler(getattr(signal, name), leave)
        reloads = set[asyncio.Future[None]]()  # the loop itself keeps only weak references to what runs

        def reload() -> None:
            reloads.add(again := loop.run_in_executor(None, lambda: app.models.reload(all=True)))
            again.add_done_callback(reloads.discard)

        if hasattr(signal, "SIGHUP"):
            loop.add_signal_handler(signal.SIGHUP, reload)
        watching = asyncio.create_task(app.models.watch(config.watch_s)) if config.watch_s else None
        await server.serve(sockets=[listener, *(listener.dup() for _ in range(ACCEPTED_AT_ONCE - 1))])
        if watching:
            watching.cancel()

    with listener, asyncio.Runner(loop_factory=server.config.get_loop_factory()) as runner:
        runner.run(run())
    if trial is not None and trial.dropped:
        raise SystemExit(1)


def _server(app: Application, config: ServeConfig) -> _Server:
    return _Server(
        uvicorn.Config(
            app,
            log_config=None,
            http=Connection,
            ws="none",
            access_log=False,
            lifespan="on",
            server_header=False,
            proxy_headers=False,  # nothing asks where a request came from
            timeout_keep_alive=config.keep_alive_s,
            timeout_graceful_shutdown=config.drain_s,
        )
    )


def warn_if_open(address: str, token: str | None) -> None:
    """Say so where a server on this IP address can be reached from other machines and asks them for nothing."""
    if token is None and not ipaddress.ip_address(address).is_loopback:
        log.warning("other machines can reach this server and it asks for no token: set %s, or token_file=FILE", TOKEN)


class _Server(uvicorn.Server):
    """uvicorn's, whose own handlers of signals would end the process with the signal instead of 0."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise RecipeError(
            "the server cannot listen here",
            where=f"{host}:{port}",
            got=error.strerror or error,
            hint="Choose another host or port",
        ) from None


def _token(file: str | None) -> str | None:
    """The bearer token of the file, else of the environment, else none."""
    try:
        found = os.environ.get(TOKEN) if file is None else Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError("the token cannot be read", where=file, got=error) from None
    if found is None:
        return None
    token = found.strip()
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        where = TOKEN if file is None else file
        raise RecipeError("this is no token", where=where, wanted="one line of printable ASCII without spaces")
    return token
