"""A server that is spoken to in bytes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers_sockets import WHOLE, exchange, serving

from understudy.serving.app import Application, Limits


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
