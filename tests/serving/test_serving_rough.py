"""Rough handling over real sockets: broken HTTP, slow clients, clients that leave, crowds. The server answers others meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import select
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import uvicorn
from helpers_tiny import SENTENCES

from understudy.runtime.session import Runtime
from understudy.serving.app import AppConfig, Application, Limits
from understudy.serving.connection import Connection, plain_request

BODY = b'{"text": "stop"}'
HEAD = b"POST /v1/parse HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
WHOLE = HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY


@contextlib.contextmanager
def serving(runtime_dir: Path, limits: Limits) -> Iterator[tuple[Application, int]]:
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
        timeout_keep_alive=60,  # however slow the machine
    )
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])))
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield app, listener.getsockname()[1]
        server.should_exit = True
        thread.join(20)
        assert not thread.is_alive()


@pytest.fixture(scope="module")
def served(runtime_dir: Path) -> Iterator[tuple[Application, int]]:
    with serving(runtime_dir, Limits(body_bytes=20_000, body_seconds=0.5)) as running:
        yield running


@pytest.fixture
def port(served: tuple[Application, int]) -> Iterator[int]:
    """The server's port; afterwards it must still answer, and not have failed."""
    app, port = served
    yield port
    reply, patience = exchange(port, WHOLE), time.monotonic() + 20
    # A slow machine may still be at what was asked before.
    while reply.startswith(b"HTTP/1.1 429") and time.monotonic() < patience:
        time.sleep(0.1)
        reply = exchange(port, WHOLE)
    assert reply.startswith(b"HTTP/1.1 200")
    failed = [line for line in app.measures.text().decode().splitlines() if 'status="500"' in line]
    assert not failed


def exchange(port: int, *parts: bytes, pause: float = 0.0) -> bytes:
    """What comes back of bytes sent one part after the other."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        found = b""
        with contextlib.suppress(ConnectionError):
            for part in parts:
                connection.sendall(part)
                if select.select([connection], [], [], pause)[0]:
                    break  # whoever sends on after the last word does not hear it
            while not complete(found) and (more := connection.recv(65536)):
                found += more
        return found


def complete(reply: bytes) -> bool:
    head, found, body = reply.partition(b"\r\n\r\n")
    lengths = [int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    return bool(found and lengths and len(body) >= lengths[0])


def test_a_request_in_single_bytes_is_answered(port: int):
    assert exchange(port, *(bytes([b]) for b in WHOLE)).startswith(b"HTTP/1.1 200")


def test_a_body_that_trickles_is_given_up(port: int):
    head = HEAD + b"Content-Length: 1000\r\n\r\n"
    reply = exchange(port, head, *[b" "] * 8, pause=0.1)
    assert reply.startswith(b"HTTP/1.1 408")
    assert b"body_too_slow" in reply


@pytest.mark.parametrize("start", [b"", b"POST /v1/pa", HEAD])
def test_headers_that_do_not_end_lose_their_connection(port: int, start: bytes):
    began = time.monotonic()
    assert exchange(port, start) == b""
    assert time.monotonic() - began < 5


def test_clients_that_leave_midway_disturb_nobody(port: int):
    for cut in range(1, len(WHOLE), 7):
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(WHOLE[:cut])
    for _ in range(20):  # and some do not wait for the answer
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(WHOLE)


def test_bodies_beyond_the_limit(port: int):
    declared = exchange(port, HEAD + b"Content-Length: 999999999\r\n\r\n")
    assert declared.startswith(b"HTTP/1.1 413")
    chunks = [b"1000\r\n" + b"x" * 0x1000 + b"\r\n"] * 8
    assert exchange(port, HEAD + b"Transfer-Encoding: chunked\r\n\r\n", *chunks).startswith(b"HTTP/1.1 413")


def test_what_is_not_http_is_not_answered_with_a_failure(port: int):
    generator = random.Random(0)
    for _ in range(40):
        noise = bytearray(WHOLE)
        for _ in range(generator.randint(1, 12)):
            noise[generator.randrange(len(noise))] = generator.randrange(256)
        reply = exchange(port, bytes(noise[: generator.randint(1, len(noise))]), b"\r\n\r\n" * 2)
        assert not reply.startswith(b"HTTP/1.1 5"), bytes(noise)


def test_pipelined_requests_are_answered_in_order(port: int):
    asked = [json.dumps({"text": text, "request_id": str(i)}).encode() for i, text in enumerate(SENTENCES[:4])]
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(b"".join(HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body for body in asked))
        found = b""
        while found.count(b'"request_id"') < 4:
            found += connection.recv(65536)
    assert [part.split(b'"')[1] for part in found.split(b'"request_id":')[1:]] == [b"0", b"1", b"2", b"3"]


def test_a_crowd_is_told_to_come_again_and_those_let_in_are_answered(runtime_dir: Path):
    runtime = Runtime.load(runtime_dir)
    texts = [SENTENCES[n % len(SENTENCES)] for n in range(200)]

    async def crowd(port: int) -> list[httpx.Response]:
        limits = httpx.Limits(max_connections=60)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", limits=limits, timeout=60) as client:
            return await asyncio.gather(*(client.post("/v1/parse", json={"text": text}) for text in texts))

    with serving(runtime_dir, Limits(wait_ms=0.1)) as (_, port):
        replies = asyncio.run(crowd(port))
    assert {reply.status_code for reply in replies} == {200, 429}
    for text, reply in zip(texts, replies, strict=True):
        if reply.status_code == 429:
            assert (reply.headers["retry-after"], reply.json()["error"]["code"]) == ("1", "busy")
        else:
            assert reply.json()["interpretations"] == [runtime(text).to_dict()]


def test_a_request_is_refused_from_its_bytes_and_its_connection_stays(served: tuple[Application, int], port: int):
    app, _ = served
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        app.batcher.queued = 10**6
        connection.sendall(WHOLE)
        refused = connection.recv(65536)
        app.batcher.queued = 0
        assert refused.startswith(b"HTTP/1.1 429 Too Many Requests\r\n")
        assert b"retry-after: 1\r\n" in refused
        assert complete(refused)
        connection.sendall(WHOLE)
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")


def test_the_body_of_a_refused_request_is_passed_over(served: tuple[Application, int], port: int):
    app, _ = served
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        app.batcher.queued = 10**6
        connection.sendall(WHOLE[: -len(BODY)])
        assert connection.recv(65536).startswith(b"HTTP/1.1 429")
        app.batcher.queued = 0
        connection.sendall(BODY[:3])
        time.sleep(0.05)
        connection.sendall(BODY[3:] + WHOLE)
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")


def test_a_refused_request_whose_body_does_not_come_loses_its_connection(served: tuple[Application, int], port: int):
    app, _ = served
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        app.batcher.queued = 10**6
        connection.sendall(WHOLE[:-1])
        assert connection.recv(65536).startswith(b"HTTP/1.1 429")
        app.batcher.queued = 0
        assert connection.recv(65536) == b""


def test_what_may_be_refused_from_its_bytes():
    def changed(line: bytes) -> bytes:
        return WHOLE.replace(b"Host: x\r\n", b"Host: x\r\n" + line)

    assert plain_request(WHOLE) == ("/v1/parse", 0)
    assert plain_request(WHOLE.replace(b"/v1/", b"/model/")) == ("/model/parse", 0)
    assert plain_request(changed(b"Connection: keep-alive\r\n")) == ("/v1/parse", 0)
    assert plain_request(WHOLE[:-5]) == ("/v1/parse", 5)
    special = (
        b"Connection: close\r\n",
        b"Expect: 100-continue\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Content-Length: 16\r\n",
    )
    assert [plain_request(changed(line)) for line in special] == [None] * 4
    others = (
        WHOLE[: -len(BODY) - 1],
        WHOLE + WHOLE,
        WHOLE[1:],
        WHOLE.replace(b"1.1", b"1.0"),
        WHOLE.replace(b"/v1/parse", b"/v1/models"),
        b"",
    )
    assert [plain_request(data) for data in others] == [None] * 6
