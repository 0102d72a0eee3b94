"""The OpenAPI document and the server say the same; what schemathesis makes of the document does not break the server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from starlette.testclient import TestClient

from understudy.experiment.config import ExperimentConfig
from understudy.experiment.log import EventLog
from understudy.runtime.session import Runtime
from understudy.serving.app import AppConfig, Application, Limits
from understudy.serving.openapi import PUBLIC, document

LIMITS = Limits(body_bytes=4000, texts=4, text_chars=100)


@pytest.fixture(scope="module")
def app(runtime_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    runtime = Runtime.load(runtime_dir)
    experiment = ExperimentConfig(name="may", salt="a secret", arms={"main": 1, "de": 1})
    trial = EventLog(tmp_path_factory.mktemp("openapi") / "events.db", experiment)
    return Application({"main": runtime, "de": runtime}, AppConfig(limits=LIMITS), trial=trial)


@pytest.fixture(scope="module")
def client(app: Any) -> Iterator[TestClient]:
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


@pytest.mark.parametrize("mode", list(schemathesis.GenerationMode))
@pytest.mark.parametrize("path", ["/v1/parse", "/model/parse", "/v1/feedback"])
def test_every_reply_to_anything_is_as_the_document_says(client: TestClient, path: str, mode: schemathesis.GenerationMode):
    operation = schemathesis.openapi.from_dict(document(token=False))[path]["POST"]

    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
    @given(operation.as_strategy(generation_mode=mode))
    def holds(case: schemathesis.Case) -> None:
        asked = requests.Request(**case.as_transport_kwargs(base_url="http://testserver")).prepare()
        headers = {name: value for name, value in asked.headers.items() if name.lower() != "content-length"}
        reply = client.request(str(asked.method), str(asked.url), headers=headers, content=asked.body)
        assert reply.status_code < 500 or reply.status_code == 504, reply.text  # some deadlines are very short
        responses = document(token=False)["paths"][path]["post"]["responses"]
        if reply.status_code != 405:
            described = responses[str(reply.status_code)]["content"]["application/json"]["schema"]
            jsonschema_rs.validate({**described, "components": document(token=False)["components"]}, reply.json())

    holds()


def test_the_document_names_every_path(app: Any):
    inside = app.app.app.app  # behind the counters and the gate
    served = {route.path: sorted(m.lower() for m in route.methods - {"HEAD"}) for route in inside.routes}
    assert {path: sorted(methods) for path, methods in document(token=False)["paths"].items()} == served


def test_replies_are_as_described(client: TestClient):
    described = document(token=False)
    asked = (
        ("/v1/parse", {"text": ["stop", "wake me at six"]}),
        ("/v1/parse", {"text": "stop", "user": "ann", "ranking": 3}),
        ("/v1/feedback", {"request_id": ["1/0", "1/1"], "dissatisfied": [True, False]}),
        ("/model/parse", {"text": ""}),
        ("/v1/models", None),
    )
    for path, body in asked:
        reply = client.get(path) if body is None else client.post(path, json=body)
        [operation] = described["paths"][path].values()
        wanted = operation["responses"][str(reply.status_code)]["content"]["application/json"]["schema"]
        jsonschema_rs.validate({**wanted, "components": described["components"]}, reply.json())


def test_a_token_is_told_of():
    paths = document(token=True)["paths"]
    assert {path for path, methods in paths.items() if "security" not in next(iter(methods.values()))} == set(PUBLIC)
