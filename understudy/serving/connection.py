"""A connection of uvicorn's that turns requests away before they cost anything, and clients that do not come to the point.

While requests would wait too long, they must be told so for a small part of what an answer costs: otherwise a crowd of them keeps
the event loop from the work inside, and those who were let in wait too. A request is refused from the bytes of its headers, and what
comes of its body is passed over; what looks out of the ordinary goes the common way, where the gate refuses it.
"""

from __future__ import annotations

import asyncio
import re
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from understudy.serving.app import Application
from understudy.serving.gate import too_busy
from understudy.serving.protocol import refuse

__all__ = ["Connection"]

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


def _bytes_of_refusal() -> bytes:
    reply = refuse(too_busy())
    head = b"".join(name + b": " + value + b"\r\n" for name, value in reply.raw_headers)
    return b"HTTP/1.1 429 Too Many Requests\r\n" + head + b"\r\n" + bytes(reply.body)


class Connection(HttpToolsProtocol):
    """uvicorn's connection for an `Application`."""

    refusal = _bytes_of_refusal()

    def __init__(self, config: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(config, *args, **kwargs)
        assert isinstance(config.app, Application)
        self.application = config.app
        self._within = False  # a request: its end has not come yet
        self._passed_over = 0  # bytes still to come of a request that was refused
        self._opening: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        self._have_headers()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._passed_over:
            data = self._pass_over(data)
        if not data:
            return
        plain = plain_request(data) if self._is_idle() else None
        if plain is None or self.application.admission.admits():
            super().data_received(data)
        else:
            self._refuse(*plain)

    def _refuse(self, path: str, missing: int) -> None:
        self._unset_keepalive_if_required()
        self.transport.write(self.refusal)
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)
        self.application.measures.request(path, 429, None)
        self._have_headers()
        self._passed_over = missing
        if missing:
            self._expect_headers()  # the rest of the body may take no longer than they

    def _pass_over(self, data: bytes) -> bytes:
        """What follows the body of a refused request."""
        rest = data[self._passed_over :]
        self._passed_over = max(0, self._passed_over - len(data))
        if not self._passed_over:
            self._have_headers()
        return rest

    def on_message_begin(self) -> None:
        self._within = True
        self._expect_headers()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._have_headers()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._within = False
        super().on_message_complete()

    def _is_idle(self) -> bool:
        # While the server leaves, replies end their connections: the common way knows how.
        answered = self.cycle is None or self.cycle.response_complete
        return answered and not self._within and not self.pipeline and not self.application.leaving

    def _expect_headers(self) -> None:
        """Whoever sends a byte now and then must not hold a connection for ever; a body has a clock of its own."""
        if self._opening is None:
            self._opening = self.loop.call_later(self.application.limits.body_seconds, self.transport.close)

    def _have_headers(self) -> None:
        if self._opening is not None:
            self._opening.cancel()
            self._opening = None
