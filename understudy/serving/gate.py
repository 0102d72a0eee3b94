"""The door: who has no token is turned away, and who would wait too long. Before anything of a request is read."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Callable, Collection
from functools import cached_property

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from understudy.serving.protocol import Refusal, refuse

__all__ = ["Admission", "Gate"]


class Admission:
    """Who may come in: who would wait no longer than `most_s`, by `wait_s`, which is told how many others come before."""

    def __init__(self, wait_s: Callable[[int], float], most_s: float) -> None:
        self.wait_s, self.most_s = wait_s, most_s
        self.let_in = 0  # requests whose handling begins in this turn of the event loop

    def busy(self) -> bool:
        """Whether a request that comes now would wait too long."""
        return self.wait_s(0) > self.most_s

    def admits(self) -> bool:
        """Whether a request that has arrived now is to be handled. Those that were told so count from then on.

        A turn of the event loop takes all requests that are there from their sockets before it handles the first of them: without
        this a crowd would find the same few places free, and be refused only after it was read.
        """
        if self.wait_s(self.let_in) > self.most_s:
            return False
        if not self.let_in:  # what is called soon is called before more is read
            asyncio.get_running_loop().call_soon(self._turn)
        self.let_in += 1
        return True

    def _turn(self) -> None:
        self.let_in = 0


class Gate:
    """ASGI middleware.

    Args:
        app: what lies behind.
        token: what `Authorization: Bearer` must bring; None lets everybody in.
        public: paths that need no token, such as those of probes.
        costly: paths that are shut while `busy`.
        busy: whether a request would wait too long.
        leaving: whether the server is about to go: replies then end their connections, so that clients turn elsewhere.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        token: str | None,
        public: Collection[str],
        costly: Collection[str],
        busy: Callable[[], bool],
        leaving: Callable[[], bool],
    ) -> None:
        self.app, self.busy, self.leaving = app, busy, leaving
        self.public, self.costly = frozenset(public), frozenset(costly)
        # Every Authorization header takes as long to compare: nothing is learnt of the token from how long it took.
        self.expected = None if token is None else f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if self.leaving():
            send = _closing(send)
        path = scope["path"]
        if self.expected is not None and path not in self.public and not self._admitted(scope):
            await self._unauthorised(scope, receive, send)
        elif path in self.costly and scope["method"] == "POST" and self.busy():
            await self._busy(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def _admitted(self, scope: Scope) -> bool:
        assert self.expected is not None
        given = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        scheme, _, rest = given.partition(b" ")
        return hmac.compare_digest(scheme.title() + b" " + rest.strip(), self.expected)

    # Made once: turning away must cost next to nothing, or a crowd outside stops the work inside.
    @cached_property
    def _busy(self) -> ASGIApp:
        return refuse(too_busy())

    @cached_property
    def _unauthorised(self) -> ASGIApp:
        wanted = "the header Authorization: Bearer TOKEN with the server's token"
        return refuse(Refusal(401, "unauthorised", "This needs a token", wanted=wanted, headers={"WWW-Authenticate": "Bearer"}))


def too_busy() -> Refusal:
    """What is said to a request that would wait too long."""
    return Refusal(429, "busy", "Too many requests are waiting", hint="Try again in a second", headers={"Retry-After": "1"})


def _closing(send: Send) -> Send:
    async def closing(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), (b"connection", b"close")]}
        await send(message)

    return closing
