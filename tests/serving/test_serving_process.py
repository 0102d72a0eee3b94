"""A real server process on a loopback port: answers, drains on SIGTERM, refuses a port in use."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from helpers_tiny import SENTENCES

from understudy.errors import RecipeError
from understudy.runtime.session import Runtime
from understudy.serving.app import serve

PROGRAM = """
import logging, sys
logging.basicConfig(level=logging.INFO)
from understudy.runtime.session import Runtime
from understudy.serving.app import serve
serve({"main": Runtime.load(sys.argv[1])}, port=0)
"""


@pytest.fixture
def server(runtime_dir: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    command = [sys.executable, "-c", textwrap.dedent(PROGRAM), str(runtime_dir)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            line = next(line for line in process.stderr if "serving main on http://127.0.0.1:" in line)
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


def test_a_server_answers_and_drains(server: tuple[subprocess.Popen[str], str], runtime_dir: Path):
    process, url = server
    runtime = Runtime.load(runtime_dir)
    with httpx.Client(base_url=url) as client, ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda text: client.post("/v1/parse", json={"text": text}), SENTENCES * 5))
        assert {r.status_code for r in replies} == {200}
        for text, reply in zip(SENTENCES * 5, replies, strict=True):
            assert reply.json()["interpretations"][0]["intent"] == runtime(text).intent
        assert f'path="/v1/parse",status="200"}} {5.0 * len(SENTENCES)}' in client.get("/metrics").text
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) in (0, -signal.SIGTERM)
    assert process.stderr is not None
    log = process.stderr.read()
    assert "Traceback" not in log
    assert not any(text in log for text in SENTENCES if " " in text), "texts are not logged"
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/health")


def test_a_port_in_use_is_an_error_for_people(runtime_dir: Path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(RecipeError, match=f"127.0.0.1:{port}: the server cannot listen here.*in use"):
            serve({"main": Runtime.load(runtime_dir)}, port=port)
