"""What a connection may bring and how long it may take: headers, bodies that nobody reads, offers, what is no HTTP."""

from __future__ import annotations

import contextlib
import json
import select
import socket
import time
from pathlib import Path

import pytest
from helpers_sockets import BODY, HEAD, WHOLE, answer, exchange, serving

from understudy.serving.app import Limits
from understudy.serving.connection import HEAD_BYTES


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


@pytest.mark.parametrize(
    ("first", "status"),
    [
        (b"GET /health HTTP/1.1\r\nHost: x\r\nContent-Length: 99999\r\n\r\n", b"200"),
        (HEAD.replace(b"/v1/parse", b"/nowhere") + b"Content-Length: 99999\r\n\r\n", b"404"),
        (HEAD + b"Content-Length: 9999999\r\n\r\n", b"413"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n4e21\r\n" + b"x" * 20_001 + b"\r\n4e20\r\n", b"413"),
    ],
)
def test_a_body_that_nobody_reads_must_come_to_its_end_too(port: int, first: bytes, status: bytes):
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(first)
        assert answer(connection).startswith(b"HTTP/1.1 " + status)
        began = time.monotonic()
        with contextlib.suppress(ConnectionError):
            while not select.select([connection], [], [], 0.05)[0]:
                connection.sendall(b"x")
                assert time.monotonic() - began < 10, "twenty times as long as a body may take"
            assert connection.recv(1) == b""


@pytest.mark.parametrize("then", [b"x", b"\r\n"])
def test_a_connection_is_idle_after_a_body_that_nobody_read_and_after_an_empty_line(runtime_dir: Path, then: bytes):
    head = b"GET /health HTTP/1.1\r\nHost: x\r\n" + (b"Content-Length: 1\r\n\r\n" if then == b"x" else b"\r\n")
    with (
        serving(runtime_dir, Limits(), keep_alive=1) as (_, port),
        socket.create_connection(("127.0.0.1", port), timeout=20) as connection,
    ):
        connection.sendall(head)
        assert answer(connection).startswith(b"HTTP/1.1 200")
        connection.sendall(then)
        assert connection.recv(1) == b"", "closed as one that is idle"


LONG = b"a" * (HEAD_BYTES + 10_000)


@pytest.mark.parametrize(
    "head",
    [
        b"GET /" + LONG + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: x\r\nX: " + LONG + b"\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: x\r\n" + b"a: b\r\n" * (len(LONG) // 6) + b"\r\n",
    ],
    ids=["url", "header", "headers"],
)
@pytest.mark.parametrize("whole", [True, False])
def test_headers_that_are_too_large_are_refused(port: int, head: bytes, whole: bool):
    parts = [head] if whole else [head[at : at + 4096] for at in range(0, 2 * len(head), 4096)]
    reply = exchange(port, *parts)
    assert reply.startswith(b"HTTP/1.1 431 Request Header Fields Too Large\r\n")
    assert b"connection: close\r\n" in reply
    assert json.loads(reply.partition(b"\r\n\r\n")[2])["error"]["code"] == "headers_too_large"


def test_a_header_without_an_end_is_refused_before_more_is_kept_of_it(port: int):
    endless = b"GET /health HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 8192
    assert exchange(port, endless, *[b"a" * 8192] * 1000).startswith(b"HTTP/1.1 431")
    assert exchange(port, HEAD + b"X: " + b"a" * 60_000 + b"\r\n" + WHOLE[len(HEAD) :]).startswith(b"HTTP/1.1 200")


def test_what_follows_the_last_chunk_is_headers_too(port: int):
    chunked = HEAD + b"Transfer-Encoding: chunked\r\n\r\n10\r\n" + BODY + b"\r\n0\r\nX: "
    assert not exchange(port, chunked, *[b"a" * 8192] * 1000).startswith(b"HTTP/1.1 2")


OFFER = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"


@pytest.mark.parametrize("pieces", [1, 3, 10_000])
def test_an_offer_to_speak_another_protocol_is_ignored_and_the_body_stays_a_body(port: int, pieces: int):
    hidden = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"
    counted = HEAD + OFFER + b"Content-Length: %d\r\n\r\n" % len(hidden) + hidden
    chunked = HEAD + OFFER + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % len(hidden) + hidden + b"\r\n0\r\n\r\n"
    bare = b"GET /health HTTP/1.1\r\nHost: x\r\n" + OFFER + b"\r\n"
    sent = counted + chunked + bare + WHOLE.replace(b"Host: x\r\n", b"Host: x\r\n" + OFFER) + WHOLE
    size = -(-len(sent) // pieces)
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        for at in range(0, len(sent), size):
            connection.sendall(sent[at : at + size])
        found = answer(connection)
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        while more := connection.recv(65536):
            found += more
    assert [part[:3] for part in found.split(b"HTTP/1.1 ")[1:]] == [b"400", b"400", b"200", b"200", b"200", b"200"]
    assert found.count(b"not_json") == 2


def test_bodies_beyond_the_limit(port: int):
    declared = exchange(port, HEAD + b"Content-Length: 999999999\r\n\r\n")
    assert declared.startswith(b"HTTP/1.1 413")
    chunks = [b"1000\r\n" + b"x" * 0x1000 + b"\r\n"] * 8
    assert exchange(port, HEAD + b"Transfer-Encoding: chunked\r\n\r\n", *chunks).startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize("sent", [b"\0\1\2\r\n\r\n", b"GET /health FTP/1.1\r\n\r\n", b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n"])
def test_what_is_not_http_is_refused_as_everything_is(port: int, sent: bytes):
    reply = exchange(port, sent)
    assert reply.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    error = json.loads(reply.partition(b"\r\n\r\n")[2])["error"]
    assert (set(error), error["code"]) == ({"code", "message", "got", "wanted", "hint"}, "not_http")


def test_a_request_that_is_being_answered_gets_no_answer_of_what_comes_after_it(port: int):
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(WHOLE + b"\0\1\2\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            assert connection.recv(65536) == b""
