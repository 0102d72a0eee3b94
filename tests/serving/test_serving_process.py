"""A real server process on a loopback port: answers, drains on SIGTERM, changes models, refuses a port in use."""

from __future__ import annotations

import random
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from helpers_server import PATIENT, Server, running
from helpers_tiny import SENTENCES, export

from understudy.errors import RecipeError
from understudy.runtime.session import Runtime
from understudy.serving.process import ServeConfig, load_models, serve, settings, warn_if_open

RELOADING = """
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit
from understudy.runtime.session import Runtime
from understudy.serving.measures import Measures
from understudy.serving.models import Models
models = Models({"main": Runtime.load(sys.argv[1])}, Measures())
with ThreadPoolExecutor(6) as pool:  # each thread has a heap of its own
    for round in range(60):
        pool.submit(models.reload, all=True).result()
        if round in (9, 59):
            lines = Path("/proc/self/status").read_text().splitlines()
            print(next(line.split()[1] for line in lines if line.startswith("RssAnon")))
"""


@pytest.fixture
def server(runtime_dir: Path) -> Iterator[Server]:
    with running("--model", f"main={runtime_dir}", PATIENT) as started:
        yield started


def _metric(url: str, name: str) -> float:
    lines = httpx.get(f"{url}/metrics").text.splitlines()
    return next((float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name)), 0.0)


def _until(condition: Callable[[], bool]) -> None:
    for _ in range(200):
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("it did not happen within ten seconds")


def test_a_server_answers_and_ends_well(server: Server, runtime_dir: Path):
    process, url = server
    runtime = Runtime.load(runtime_dir)
    with httpx.Client(base_url=url) as client, ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda text: client.post("/v1/parse", json={"text": text}), SENTENCES * 5))
        assert {r.status_code for r in replies} == {200}
        for text, reply in zip(SENTENCES * 5, replies, strict=True):
            assert reply.json()["interpretations"] == [runtime(text).to_dict()]
        assert f'path="/v1/parse",status="200"}} {5.0 * len(SENTENCES)}' in client.get("/metrics").text
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    assert process.stderr is not None
    log = process.stderr.read()
    assert "Traceback" not in log
    assert not any(text in log for text in SENTENCES if " " in text), "texts are not logged"
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/health")


def test_a_server_that_is_ended_answers_what_it_accepted(runtime_dir: Path):
    body = {"text": ["wake me up at nine am on friday"] * 256}
    answered: list[int] = []

    with running("--model", runtime_dir, "linger_s=4", PATIENT) as (process, url), ThreadPoolExecutor(4) as pool:

        def ask(_: int) -> None:
            """Ask until told to go: any error on the way is a lost request."""
            with httpx.Client(base_url=url, timeout=20) as client:
                while True:
                    reply = client.post("/v1/parse", json=body)
                    answered.append(reply.status_code)
                    if reply.headers.get("connection") == "close":
                        return

        asking = [pool.submit(ask, n) for n in range(4)]
        _until(lambda: len(answered) >= 4)
        process.send_signal(signal.SIGTERM)
        _until(lambda: httpx.get(f"{url}/ready").status_code == 503)
        for asked in asking:
            asked.result(30)
        assert set(answered) == {200}
        assert process.wait(20) == 0
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{url}/health")


def test_who_keeps_a_leaving_server_waiting_is_told_so(runtime_dir: Path):
    head = b"POST /v1/parse HTTP/1.1\r\nhost: here\r\ncontent-type: application/json\r\ncontent-length: 20\r\n\r\n"
    with running("--model", runtime_dir, "linger_s=0", "drain_s=0") as (process, url):
        address = urlsplit(url)
        with socket.create_connection((address.hostname, address.port), timeout=20) as slow:
            slow.sendall(head + b'{"text": ')  # and nothing more
            _until(lambda: _metric(url, "understudy_requests_in_flight") == 2)
            process.send_signal(signal.SIGTERM)
            reply = slow.makefile("rb").read()
        assert reply.startswith(b"HTTP/1.1 503 ")
        assert b'"code": "leaving"' in reply
        assert process.wait(20) == 0


def test_a_new_model_takes_over_without_a_lost_request(runtime_dir: Path, nlu_dir: Path, tmp_path: Path):
    here = tmp_path / "model"
    shutil.copytree(runtime_dir, here)
    old = Runtime.load(runtime_dir).hash
    with running("--model", f"main={here}", "watch_s=0.1") as (_, url), ThreadPoolExecutor(1) as pool:
        replies: list[httpx.Response] = []
        ending = threading.Event()

        def ask() -> None:
            with httpx.Client(base_url=url) as client:
                while not ending.is_set():
                    replies.append(client.post("/v1/parse", json={"text": "stop"}))

        asking = pool.submit(ask)
        new = Runtime.load(export(nlu_dir, here, precision="int8", check=None, weight_bits=7)).hash
        _until(lambda: _metric(url, 'understudy_reloads_total{model="main",outcome="loaded"}') == 1)
        asked = len(replies)
        _until(lambda: len(replies) > asked)
        ending.set()
        asking.result(10)
    assert {reply.status_code for reply in replies} == {200}
    hashes = [reply.json()["model_hash"] for reply in replies]
    assert set(hashes) == {old, new}
    assert hashes == sorted(hashes, key=[old, new].index), "never back to the old one"


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="no SIGHUP here")
def test_a_damaged_model_is_refused_and_the_old_one_goes_on(runtime_dir: Path, tmp_path: Path):
    here = tmp_path / "model"
    shutil.copytree(runtime_dir, here)
    with running("--model", f"main={here}", "watch_s=0") as (process, url):
        whole = (here / "model.onnx").read_bytes()
        (here / "model.onnx").write_bytes(whole[:-1])
        process.send_signal(signal.SIGHUP)
        _until(lambda: _metric(url, 'understudy_reloads_total{model="main",outcome="refused"}') == 1)
        assert httpx.post(f"{url}/v1/parse", json={"text": "stop"}).status_code == 200
        (here / "model.onnx").write_bytes(whole)
        process.send_signal(signal.SIGHUP)
        _until(lambda: _metric(url, 'understudy_reloads_total{model="main",outcome="loaded"}') == 1)
        process.send_signal(signal.SIGTERM)
        assert process.stderr is not None
        assert "main is not replaced" in process.stderr.read()


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_memory_stays_flat(server: Server):
    process, url = server
    generator = random.Random(0)
    texts = [" ".join(generator.choices(SENTENCES, k=generator.choice((1, 1, 2, 8)))) for _ in range(100)]

    def resident() -> int:
        lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))

    with httpx.Client(base_url=url) as client, ThreadPoolExecutor(4) as pool:

        def ask(text: str) -> int:
            return client.post("/v1/parse", json={"text": text}).status_code

        assert set(pool.map(ask, texts * 3)) == {200}
        before = resident()
        assert set(pool.map(ask, texts * 9)) == {200}
    assert resident() < 1.05 * before


def test_a_token_comes_from_the_environment_or_a_file(runtime_dir: Path, tmp_path: Path):
    with running("--model", runtime_dir, token="s3cret") as (_, url):
        assert httpx.post(f"{url}/v1/parse", json={"text": "stop"}).status_code == 401
        headers = {"Authorization": "Bearer s3cret"}
        assert httpx.post(f"{url}/v1/parse", json={"text": "stop"}, headers=headers).status_code == 200
    (tmp_path / "token").write_text("two words\n")
    with pytest.raises(RecipeError, match="this is no token"):
        serve({"main": Runtime.load(runtime_dir)}, ServeConfig(token_file=str(tmp_path / "token")))
    with pytest.raises(RecipeError, match="the token cannot be read"):
        serve({"main": Runtime.load(runtime_dir)}, ServeConfig(token_file=str(tmp_path / "none")))


@pytest.mark.skipif(sys.platform != "linux", reason="what a model leaves behind is given back by glibc")
def test_models_that_come_and_go_leave_no_memory_behind(runtime_dir: Path):
    before, after = map(
        int, subprocess.run([sys.executable, "-c", RELOADING, runtime_dir], capture_output=True, check=True).stdout.split()
    )
    assert after < before + 6_000, "kilobytes; three times as much where it is kept"


@pytest.mark.parametrize(("host", "token", "warned"), [("127.0.0.1", None, 0), ("0.0.0.0", None, 1), ("0.0.0.0", "s3cret", 0)])
def test_a_server_open_to_others_without_a_token_says_so(
    host: str, token: str | None, warned: int, caplog: pytest.LogCaptureFixture
):
    warn_if_open(host, token)
    assert caplog.text.count("asks for no token") == warned


def test_lost_events_are_told_by_the_exit_status(runtime_dir: Path, tmp_path: Path):
    experiment, events = tmp_path / "experiment.toml", tmp_path / "events.db"
    experiment.write_text('name = "may"\nsalt = "a secret"\n[arms]\nmain = 1\n')
    with (
        running("--model", f"main={runtime_dir}", "--experiment", experiment, "--events", events) as (process, url),
        closing(sqlite3.connect(events)) as keeper,
    ):
        keeper.execute("BEGIN IMMEDIATE")  # as a full disk does, it lets nobody write
        assert httpx.post(f"{url}/v1/parse", json={"text": "stop", "user": "ann"}).status_code == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 1
        assert process.stderr is not None
        assert "3 events are lost" in process.stderr.read()


def test_a_port_in_use_is_an_error_for_people(runtime_dir: Path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(RecipeError, match=f"127.0.0.1:{port}: the server cannot listen here.*in use"):
            serve({"main": Runtime.load(runtime_dir)}, ServeConfig(port=port))


def test_settings_come_from_words_and_options():
    assert settings([]).host == "127.0.0.1"
    config = settings(["limits.wait_ms=5", "log_texts=true", "port=1"], port=2)
    assert (config.limits.wait_ms, config.log_texts, config.port) == (5, True, 2)
    with pytest.raises(RecipeError, match="Did you mean 'watch_s'"):
        settings(["watch=1"])


def test_a_model_is_named_as_its_folder_or_as_it_is_told(runtime_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    here = shutil.copytree(runtime_dir, tmp_path / "run=3" / "main")
    (tmp_path / "link").symlink_to(here)
    monkeypatch.chdir(here)
    for given, name in (
        (".", "main"),
        (str(here), "main"),
        ("../main", "main"),
        (f"a={here}", "a"),
        (f"{tmp_path}/link", "link"),
    ):
        assert list(load_models([given])) == [name]
    with pytest.raises(RecipeError, match="a model has no name.*Wanted: --model NAME=DIR"):
        load_models([f"={here}"])


def test_two_models_of_one_name_are_an_error(runtime_dir: Path):
    with pytest.raises(RecipeError, match="two models have the same name"):
        load_models([str(runtime_dir), f"{runtime_dir.name}={runtime_dir}"])
