"""Any JSON and any text: the server says what is wrong with it, and does not break."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from understudy.experiment.config import ExperimentConfig
from understudy.experiment.log import EventLog
from understudy.runtime.session import Runtime
from understudy.serving.app import AppConfig, Application, Limits

KEYS = ["text", "lang", "model", "user", "ranking", "request_id", "dissatisfied", "x"]
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(["/v1/parse", "/model/parse", "/v1/feedback"]), json_values)
def test_no_json_at_all_breaks_the_server(path: str, value: Any):
    assert _fuzzed().post(path, content=json.dumps(value)).status_code < 500


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=60), st.text(min_size=1, max_size=60))
def test_no_text_breaks_the_server(text: str, user: str):
    reply = _fuzzed().post("/v1/parse", content=json.dumps({"text": text, "user": user}))
    assert reply.status_code in (200, 422)


_client: list[TestClient] = []


@pytest.fixture(autouse=True, scope="module")
def _keep_client(runtime_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Hypothesis calls a test many times; what it calls stands outside."""
    config = AppConfig(limits=Limits(body_bytes=4000, texts=4, text_chars=100))
    experiment = ExperimentConfig(name="fuzz", salt="a secret", arms={"main": 1, "other": 1}, shadow=True)
    trial, runtime = EventLog(tmp_path_factory.mktemp("fuzz") / "events.db", experiment), Runtime.load(runtime_dir)
    app = Application({"main": runtime, "other": runtime}, config, trial=trial)
    with TestClient(app, raise_server_exceptions=False) as client:
        _client[:] = [client]
        yield


def _fuzzed() -> TestClient:
    return _client[0]
