"""An experiment in the server: users stay with their model, the log has what they asked and how it ended, shadows disturb nobody."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
import threading
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from helpers_tiny import SENTENCES, export, write_nlu
from starlette.testclient import TestClient
from test_serving_batching import Held
from test_serving_process import running
from typer.testing import CliRunner

from understudy import cli
from understudy.errors import RecipeError
from understudy.experiment.config import ExperimentConfig, load
from understudy.experiment.events import read
from understudy.experiment.log import EventLog, begin
from understudy.experiment.splitter import Splitter
from understudy.runtime.session import Runtime
from understudy.serving import conduct
from understudy.serving.app import AppConfig, Application, Limits

USERS = [f"user {n}" for n in range(200)]
ARMS = {"old": 1.0, "new": 1.0}


@pytest.fixture(scope="module")
def other_dir(tokenizer_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A runtime that understands differently."""
    folder = tmp_path_factory.mktemp("other")
    return export(write_nlu(folder / "nlu", tokenizer_dir, seed=1), folder / "runtime", precision="fp32")


@pytest.fixture(scope="module")
def models(runtime_dir: Path, other_dir: Path) -> dict[str, Runtime]:
    return {"old": Runtime.load(runtime_dir), "new": Runtime.load(other_dir)}


@pytest.fixture
def events(tmp_path: Path) -> Path:
    return tmp_path / "events.db"


def config(**settings: Any) -> ExperimentConfig:
    return ExperimentConfig(**{"name": "may", "salt": "a secret", "arms": ARMS, **settings})


def serving(
    models: dict[str, Runtime], events: Path, app_config: AppConfig | None = None, *, token: str | None = None, **settings: Any
) -> Application:
    return Application(models, app_config, token=token, trial=EventLog(events, config(**settings)))


def of_arm(arm: str) -> str:
    return next(user for user in USERS if Splitter(config()).arm(user) == arm)


def parse(client: TestClient, **request: Any) -> dict[str, Any]:
    reply = client.post("/v1/parse", json={"text": "stop", **request})
    assert reply.status_code == 200, reply.text
    return dict(reply.json())


def rows(events: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(events)) as connection:
        return connection.execute(query).fetchall()


def written(folder: Path, **arms: float) -> Path:
    path = folder / "experiment.json"
    path.write_text(json.dumps({"name": "may", "salt": "a secret", "arms": arms or ARMS}))
    return path


def test_what_a_server_logged_is_what_the_analysis_says(runtime_dir: Path, other_dir: Path, events: Path):
    experiment = written(events.parent)
    options = ["--model", f"old={runtime_dir}", "--model", f"new={other_dir}", "--experiment", experiment, "--events", events]
    answered: dict[str, str] = {}
    ended_badly = Counter[str]()
    with running(*options) as (process, url), httpx.Client(base_url=url) as client:
        for n, user in enumerate(USERS):
            body = {"text": SENTENCES[n % 6], "user": user, "lang": "en-US"}
            reply = client.post("/v1/parse", json=body).json()
            answered[user], dissatisfied = reply["model"], n % 3 == 0
            ended_badly[reply["model"]] += dissatisfied
            told = client.post("/v1/feedback", json={"request_id": reply["request_id"], "dissatisfied": dissatisfied})
            assert (told.status_code, told.json()) == (202, {"accepted": 1})
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    splitter = Splitter(load(experiment))
    assert answered == {user: splitter.arm(user) for user in USERS}, "a user stays, in every process"
    command = [sys.executable, "-m", "understudy", "experiment", "analyse", str(events), "--json"]
    found = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    counted = Counter(answered.values())
    assert found["assigned"] == counted
    assert found["rows"][0]["name"] == "A/B"
    assert found["rows"][0]["requests"] == [counted["old"], counted["new"]]
    rates = [found["rows"][0]["baseline"], found["rows"][0]["candidate"]]
    assert rates == [pytest.approx(100 * ended_badly[arm] / counted[arm]) for arm in ("old", "new")]


def test_a_user_stays_with_a_model_and_others_get_the_baseline(
    models: dict[str, Runtime], events: Path, caplog: pytest.LogCaptureFixture
):
    with TestClient(serving(models, events)) as client:
        for user, model in ((of_arm("new"), "new"), (of_arm("old"), "old"), (None, "old")):
            assert [parse(client, user=user)["model"] for _ in range(3)] == [model] * 3
        assert parse(client, user=of_arm("old"), model="new")["model"] == "new", "who names a model gets it"
        assert client.post("/model/parse", json={"text": "stop"}).json()["model_id"] == models["old"].hash
    assert Counter(rows(events, "SELECT arm FROM requests")) == {("new",): 3, ("old",): 3}, "nothing else is written down"
    assert "not recorded" not in caplog.text, "nor tried to be"


def test_texts_of_a_list_are_events_of_their_own(models: dict[str, Runtime], events: Path):
    with TestClient(serving(models, events)) as client:
        parse(client, user="ann", text=["stop", "hello"], lang=["en-US", None], request_id="r")
        parse(client, user="ann", text="hello", request_id="s")
        asked = {"request_id": ["r/1", "s"], "dissatisfied": [True, False]}
        assert client.post("/v1/feedback", json=asked).json() == {"accepted": 2}
    assert rows(events, "SELECT id, locale FROM requests ORDER BY id") == [("r/0", "en-US"), ("r/1", ""), ("s", "")]
    assert rows(events, "SELECT request, dissatisfied FROM outcomes") == [("r/1", 1), ("s", 0)]


def test_a_model_in_the_shadow_is_run_and_not_heard(models: dict[str, Runtime], events: Path):
    with TestClient(serving(models, events, shadow=True)) as client:
        for n, text in enumerate(SENTENCES):
            assert parse(client, text=text, user=f"user {n}")["model"] == "old"
    pairs = list(zip(*(models[name].batch(SENTENCES) for name in ARMS), strict=True))
    intents = sum(old.intent == new.intent for old, new in pairs)
    [agreement] = read(events).shadows
    assert (agreement.model, agreement.requests, agreement.intents) == ("new", len(SENTENCES), intents)
    assert intents < len(SENTENCES), "or the models are one"


def test_a_shadow_delays_nobody_and_is_left_out_where_there_is_no_room(models: dict[str, Runtime], events: Path):
    held = Held(models["new"])
    app = serving({**models, "new": held}, events, AppConfig(workers=2, limits=Limits(wait_ms=0.1)), shadow=True)
    with TestClient(app) as client:
        parse(client, user="ann")  # runs in the shadow, and is held there
        assert held.began.wait(20)
        parse(client, user="bob")  # waits
        parse(client, user="cem")  # has no room
        lines = client.get("/metrics").text.splitlines()
        held.go.set()
    assert 'understudy_experiment_events_total{event="shadow_dropped"} 1.0' in lines
    assert "understudy_queue_length 0.0" in lines, "the queue is that of requests"
    assert len(read(events).user) == 3
    assert [shadow.requests for shadow in read(events).shadows] == [2]


def test_a_server_that_leaves_does_not_wait_long_for_shadows(
    models: dict[str, Runtime], events: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(conduct, "LEAVING_S", 0.01)
    held = Held(models["new"])
    with TestClient(serving({**models, "new": held}, events, AppConfig(workers=2), shadow=True)) as client:
        parse(client, user="ann")
        assert held.began.wait(20)
        threading.Timer(0.3, held.go.set).start()
    assert rows(events, "SELECT model, answered FROM interpretations") == [("old", 1)]


def test_a_model_that_fails_in_the_shadow_fails_alone(models: dict[str, Runtime], events: Path, caplog: pytest.LogCaptureFixture):
    held = Held(models["new"])
    held.go.set()
    with TestClient(serving({**models, "new": held}, events, shadow=True)) as client:
        parse(client, user="ann", text="poison")
    assert rows(events, "SELECT model FROM interpretations") == [("old",)]
    assert "new failed in the shadow" in caplog.text


def test_a_log_that_fails_harms_nobody(models: dict[str, Runtime], events: Path, caplog: pytest.LogCaptureFixture):
    class Broken(EventLog):
        def record(self, *_: object) -> None:
            raise OSError("disk full")

    with TestClient(Application(models, trial=Broken(events, config()))) as client:
        parse(client, user="ann")
    assert "disk full" in caplog.text


def test_feedback_where_no_experiment_runs(models: dict[str, Runtime]):
    with TestClient(Application(models)) as client:
        reply = client.post("/v1/feedback", json={"request_id": "1", "dissatisfied": True})
        assert parse(client, user="ann")["model"] == "old", "a user is of no meaning then"
    assert (reply.status_code, reply.json()["error"]["code"]) == (404, "no_experiment")


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({}, "'request_id' cannot be used"),
        ({"request_id": "1"}, "'dissatisfied' cannot be used"),
        ({"request_id": "1", "dissatisfied": "yes"}, "'dissatisfied' cannot be used"),
        ({"request_id": "", "dissatisfied": True}, "'request_id' cannot be used"),
        ({"request_id": "x" * 161, "dissatisfied": True}, "'request_id' cannot be used"),
        ({"request_id": "1", "dissatisfied": True, "x": 1}, "'x' cannot be used"),
        ({"request_id": [], "dissatisfied": True}, "0 requests. Wanted: 1 to 256"),
        ({"request_id": ["1"] * 257, "dissatisfied": True}, "257 requests. Wanted: 1 to 256"),
        ({"request_id": ["1", "2"], "dissatisfied": [True]}, "2 requests, 1 words"),
    ],
)
def test_feedback_that_cannot_be_used(models: dict[str, Runtime], events: Path, body: dict[str, Any], says: str):
    with TestClient(serving(models, events)) as client:
        reply = client.post("/v1/feedback", json=body)
    assert reply.status_code == 422
    assert says in reply.json()["error"]["message"]


def test_feedback_needs_the_token_and_is_taken_while_the_server_is_busy(models: dict[str, Runtime], events: Path):
    app, body = serving(models, events, token="s3cret"), {"request_id": "1", "dissatisfied": True}
    with TestClient(app) as client:
        assert client.post("/v1/feedback", json=body).status_code == 401
        app.batcher.queued = 10**6
        headers = {"Authorization": "Bearer s3cret"}
        assert client.post("/v1/parse", json={"text": "stop"}, headers=headers).status_code == 429
        assert client.post("/v1/feedback", json=body, headers=headers).status_code == 202


def test_what_goes_into_the_log_is_counted(models: dict[str, Runtime], events: Path):
    with TestClient(serving(models, events)) as client:
        parse(client, user="ann", text=["stop", "hello"])
        client.post("/v1/feedback", json={"request_id": ["1", "2", "3"], "dissatisfied": True})
        lines = client.get("/metrics").text.splitlines()
    assert 'understudy_experiment_events_total{event="recorded"} 2.0' in lines
    assert 'understudy_experiment_events_total{event="feedback"} 3.0' in lines
    assert "understudy_experiment_lost_events 0.0" in lines


def test_an_arm_that_is_not_served_is_told_before_there_is_a_log(events: Path):
    with pytest.raises(RecipeError, match="is not served. Got: nev. Wanted: one of old, new. Did you mean 'new'"):
        begin(written(events.parent, old=1, nev=1), events, ["old", "new"])
    assert not events.exists()


def test_half_an_experiment_is_an_error(runtime_dir: Path, events: Path):
    done = CliRunner().invoke(cli.app, ["serve", "--model", str(runtime_dir), "--events", str(events)])
    assert "Got: --events alone. Wanted: --experiment FILE --events FILE" in str(done.exception)
