"""Rough handling over real sockets: broken HTTP, slow clients, clients that leave, crowds. The server answers others meanwhile."""

from __future__ import annotations

import asyncio
import json
import random
import socket
import time
from pathlib import Path

import httpx
from helpers_sockets import BODY, HEAD, WHOLE, complete, exchange, serving
from helpers_tiny import SENTENCES

from understudy.runtime.session import Runtime
from understudy.serving.app import Application, Limits
from understudy.serving.connection import plain_request


def test_a_request_in_single_bytes_is_answered(port: int):
    assert exchange(port, *(bytes([b]) for b in WHOLE)).startswith(b"HTTP/1.1 200")


def test_clients_that_leave_midway_disturb_nobody(port: int):
    for cut in range(1, len(WHOLE), 7):
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(WHOLE[:cut])
    for _ in range(20):  # and some do not wait for the answer
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(WHOLE)


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
