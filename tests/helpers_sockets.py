"""A server in a thread, and bytes to and from it over a socket."""

from __future__ import annotations

import asyncio
import contextlib
import select
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import uvicorn

from understudy.runtime.session import Runtime
from understudy.serving.app import AppConfig, Application, Limits
from understudy.serving.connection import Connection

BODY = b'{"text": "stop"}'
HEAD = b"POST /v1/parse HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
WHOLE = HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY


@contextlib.contextmanager
def serving(runtime_dir: Path, limits: Limits, *, keep_alive: int = 60) -> Iterator[tuple[Application, int]]:
    """An application in uvicorn, in a thread, and its port."""
    app = Application({"main": Runtime.load(runtime_dir)}, AppConfig(limits=limits, workers=1))
    config = uvicorn.Config(
        app,
        http=Connection,
        ws="none",
        log_config=None,
        access_log=False,
        lifespan="on",
        proxy_headers=False,
        timeout_keep_alive=keep_alive,  # long, however slow the machine
    )
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])))
        thread.start()
        while not server.started:
            time.sleep(0.01)
        try:
            yield app, listener.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join(20)
        assert not thread.is_alive()


def exchange(port: int, *parts: bytes, pause: float = 0.0) -> bytes:
    """What comes back of bytes sent one part after the other."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        found = b""
        with contextlib.suppress(ConnectionError):
            for part in parts:
                connection.sendall(part)
                if select.select([connection], [], [], pause)[0]:
                    break  # whoever sends on after the last word does not hear it
            found = answer(connection)
        return found


def answer(connection: socket.socket) -> bytes:
    """One reply, or what there is of it before the connection ends."""
    found = b""
    while not complete(found) and (more := connection.recv(65536)):
        found += more
    return found


def complete(reply: bytes) -> bool:
    head, found, body = reply.partition(b"\r\n\r\n")
    lengths = [int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    return bool(found and lengths and len(body) >= lengths[0])
