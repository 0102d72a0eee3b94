"""A real server process on a loopback port."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

Server = tuple[subprocess.Popen[str], str]
PATIENT = "limits.wait_ms=60000"  # nobody is sent away, however slow the machine


@contextmanager
def running(*arguments: str | Path, token: str | None = None) -> Iterator[Server]:
    """`understudy serve` with `arguments` on a free port, and its URL."""
    environment = {**os.environ, **({} if token is None else {"UNDERSTUDY_TOKEN": token})}
    command = [sys.executable, "-m", "understudy", "serve", "--port", "0", *map(str, arguments)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
        try:
            assert process.stderr is not None
            line = next((line for line in process.stderr if "on http://127.0.0.1:" in line), "")
            url = line.split(" on ")[-1].strip()
            _wait_until_ready(url)
            yield process, url
        finally:
            process.kill()


def _wait_until_ready(url: str) -> None:
    for _ in range(200):
        try:
            if httpx.get(f"{url}/ready").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise AssertionError("the server did not come up")
