"""A connection of uvicorn's that turns requests away before they cost anything, and clients that do not come to the point.

While requests would wait too long, they must be told so for a small part of what an answer costs: otherwise a crowd of them keeps
the event loop from the work inside, and those who were let in wait too. A request is refused from the bytes of its headers, and what
comes of its body is passed over; what looks out of the ordinary goes the common way, where the gate refuses it.

Offers to speak another protocol are ignored, as RFC 9110 (section 7.8) allows.
"""

from __future__ import annotations

import asyncio
import re
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from understudy.serving.app import Application
from understudy.serving.gate import too_busy
from understudy.serving.protocol import Refusal, refuse

__all__ = ["HEAD_BYTES", "Connection"]

HEAD_BYTES = 1 << 16
"""What a request may bring besides its body: its line and headers, and what cuts the body into chunks."""

_REFUSABLE = re.compile(rb"POST (/v1/parse|/model/parse) HTTP/1\.1\r\n")
_LENGTH = re.compile(rb"\ncontent-length: *([0-9]{1,7})\r?\n")
# What asks for more than a reply on a connection that stays.
_SPECIAL = re.compile(
    rb"\n(connection:(?! *keep-alive\r)|transfer-encoding:|expect:|upgrade:|content-length:.*\ncontent-length:)", re.S
)


def plain_request(data: bytes) -> tuple[str, int] | None:
    """Where `data` is one plain request to parse text, or one without the end of its body: its path, and the bytes still to come."""
    first = _REFUSABLE.match(data)
    end = data.find(b"\r\n\r\n")
    if first is None or end < 0:
        return None
    head = data[: end + 2].lower()
    length = _LENGTH.search(head)
    if length is None or _SPECIAL.search(head):
        return None
    missing = end + 4 + int(length[1]) - len(data)
    return (first[1].decode(), missing) if missing >= 0 else None


def _bytes_of(refusal: Refusal) -> bytes:
    reply = refuse(refusal)
    head = b"".join(name + b": " + value + b"\r\n" for name, value in reply.raw_headers)
    return STATUS_LINE[refusal.status] + head + b"\r\n" + bytes(reply.body)


class Connection(HttpToolsProtocol):
    """uvicorn's connection for an `Application`."""

    refusal = _bytes_of(too_busy())
    not_http = Refusal(400, "not_http", "This is no HTTP request", wanted="HTTP/1.1", headers={"Connection": "close"})
    too_large = Refusal(
        431, "headers_too_large", "The request's headers are too large", got="more bytes", wanted=f"at most {HEAD_BYTES} bytes",
        headers={"Connection": "close"},
    )  # fmt: skip

    def __init__(self, config: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(config, *args, **kwargs)
        assert isinstance(config.app, Application)
        self.application = config.app
        self._in_head = self._in_body = False  # of a request whose end has not come yet
        self._besides = 0  # bytes since it began, or since some of its body came
        self._offering = b""  # head of a request that offers another protocol, without the offer
        self._passed_over = 0  # bytes still to come of a request that was refused
        self._last_word = False  # was said: whatever comes is passed over
        self._clock: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._start_clock()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_clock()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._passed_over:
            data = self._pass_over(data)
        if not data or self._last_word:
            return
        plain = plain_request(data) if self._is_idle() else None
        if plain is None or self.application.admission.admits():
            self._parse(data)
        else:
            self._refuse(*plain)

    def _parse(self, data: bytes) -> None:
        """As uvicorn does, which loses the body of a request that offers another protocol, and takes it for the next request."""
        self._unset_keepalive_if_required()
        self._besides += len(data)
        rest = memoryview(data)
        try:
            while True:
                try:
                    self.parser.feed_data(rest)
                    break
                except httptools.HttpParserUpgrade as offer:
                    rest = rest[offer.args[0] :]
                    self.parser.feed_data(self._offering)
        except httptools.HttpParserError:
            self._end(self.too_large if self._in_head and self._head_bytes() > HEAD_BYTES else self.not_http)
            return
        if self._besides > HEAD_BYTES:
            self._end(self.too_large)
        elif self._is_idle() and self.timeout_keep_alive_task is self._clock is None:
            self._wait_for_next()  # the end of a body that nobody read, or an empty line

    def _refuse(self, path: str, missing: int) -> None:
        self._unset_keepalive_if_required()
        self.transport.write(self.refusal)
        self._wait_for_next()
        self.application.measures.request(path, 429, None)
        self._stop_clock()
        self._passed_over = missing
        if missing:
            self._start_clock()  # the rest of the body may take no longer than headers

    def _pass_over(self, data: bytes) -> bytes:
        """What follows the body of a refused request."""
        rest = data[self._passed_over :]
        self._passed_over = max(0, self._passed_over - len(data))
        if not self._passed_over:
            self._stop_clock()
        return rest

    def _end(self, refusal: Refusal) -> None:
        """Say a last word where one is awaited, and close.

        Whoever still sends hears it only if that is taken from him for a while (RFC 9112, section 9.6).
        """
        self._last_word = True
        answered = self.cycle is None or self.cycle.response_complete
        # Of a request that has its answer, or of one before it that waits for its own, it would be taken for another's.
        awaited = not self._in_body if answered else self._in_body and not (self.pipeline or self.cycle.response_started)
        if awaited:
            self.transport.write(_bytes_of(refusal))
            self.application.measures.request("other", refusal.status, None)
        if answered and self.transport.can_write_eof():
            self.transport.write_eof()
            self._start_clock()
        else:
            self.transport.close()

    def on_message_begin(self) -> None:
        self._in_head, self._besides, self._offering = True, 0, b""
        self._start_clock()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        method = self.parser.get_method()
        if method == b"CONNECT" or self._head_bytes() > HEAD_BYTES:
            raise ValueError  # which ends the parsing
        if self.parser.should_upgrade():
            lines = [b"%b %b HTTP/%b" % (method, self.url, self.parser.get_http_version().encode())]
            lines += [b"%b: %b" % header for header in self.headers if header[0] != b"upgrade"]
            self._offering = b"\r\n".join([*lines, b"", b""])
            return
        self._stop_clock()
        self._in_head, self._in_body = False, True
        self.scope["state"]["gone"] = self.transport.is_closing
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._besides = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        if self._offering:
            return
        self._in_body = False
        self._stop_clock()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._in_body and self.cycle.response_complete:
            self._start_clock()  # for the rest of a body that nobody reads

    def _head_bytes(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + len(": \r\n") for name, value in self.headers)

    def _is_idle(self) -> bool:
        # While the server leaves, replies end their connections: the common way knows how.
        answered = self.cycle is None or self.cycle.response_complete
        return answered and not (self._in_head or self._in_body or self.pipeline or self.application.leaving)

    def _wait_for_next(self) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)

    def _start_clock(self) -> None:
        """Whoever sends a byte now and then must not hold a connection for ever; a body that is read has a clock of its own."""
        if self._clock is None:
            self._clock = self.loop.call_later(self.application.limits.body_seconds, self.transport.close)

    def _stop_clock(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None
