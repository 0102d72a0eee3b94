"""The application: replies, refusals, Rasa's form, counters, the page."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from understudy.interpretation import Interpretation
from understudy.runtime.session import Runtime
from understudy.serving.app import Limits, create_app
from understudy.serving.protocol import rasa_reply

LIMITS = Limits(body_bytes=4000, texts=4, text_chars=100)


@pytest.fixture(scope="session")
def runtime(runtime_dir: Path) -> Runtime:
    return Runtime.load(runtime_dir)


@pytest.fixture(scope="session")
def client(runtime: Runtime) -> Iterator[TestClient]:
    with TestClient(create_app({"main": runtime, "other": runtime}, limits=LIMITS), raise_server_exceptions=False) as client:
        yield client


def refused(reply: Any, status: int, code: str) -> str:
    assert reply.status_code == status, reply.text
    assert set(reply.json()) == {"error"}
    assert reply.json()["error"]["code"] == code
    message: str = reply.json()["error"]["message"]
    return message


def test_one_text(client: TestClient, runtime: Runtime):
    reply = client.post("/v1/parse", json={"text": "wake me at six"})
    assert reply.status_code == 200
    assert reply.json() == {
        "model": "main",
        "model_hash": runtime.hash,
        "interpretations": [runtime("wake me at six").to_dict()],
    }


def test_several_texts_in_order(client: TestClient, runtime: Runtime):
    texts = ["play the new album by nina simone", "stop", "hello"]
    reply = client.post("/v1/parse", json={"text": texts, "lang": ["en", None, "en-US"], "model": "other"})
    assert reply.json()["model"] == "other"
    assert [(i["text"], i["intent"]) for i in reply.json()["interpretations"]] == [(t, runtime(t).intent) for t in texts]


def test_all_scripts_come_back_as_they_went(client: TestClient):
    for text in ("明日の朝七時に起こして", "اضبط المنبه", "कल सुबह", "wake 👩‍👩‍👧 me\u0000"):
        assert client.post("/v1/parse", json={"text": text}).json()["interpretations"][0]["text"] == text


@pytest.mark.parametrize(
    ("body", "status", "code", "says"),
    [
        (b"{", 400, "not_json", "JSON"),
        (b"", 400, "not_json", "JSON"),
        (b"\xff\xfe", 400, "not_json", "UTF-8"),
        (b"[" * 3000, 400, "not_json", "nested too deeply"),
        (b"[]", 422, "invalid_request", "the body"),
        (b"{}", 422, "invalid_request", "'text'"),
        (b'{"text": 5}', 422, "invalid_request", "'text'"),
        (b'{"text": null}', 422, "invalid_request", "'text'"),
        (b'{"text": ["a", 1]}', 422, "invalid_request", "'text'"),
        (b'{"text": "a", "txet": 1}', 422, "invalid_request", "'txet'"),
        (b'{"text": []}', 422, "no_text", "empty list"),
        (b'{"text": ""}', 422, "unreadable", "text 0: there is nothing to understand"),
        (b'{"text": ["a", " "]}', 422, "unreadable", "text 1: there is nothing to understand"),
        (b'{"text": ["a", "b"], "lang": ["en"]}', 422, "unreadable", "2 texts, 1 languages"),
        (b'{"text": "\\ud800"}', 422, "not_text", "surrogate"),
        (b'{"text": "a", "model": "\\udfff"}', 404, "unknown_model", "served are main, other"),
        (json.dumps({"text": "x" * 101}).encode(), 422, "text_too_long", "101 characters; at most 100"),
        (json.dumps({"text": ["x"] * 5}).encode(), 422, "too_many_texts", "5 texts in one request; at most 4"),
        (json.dumps({"text": "x" * 5000}).encode(), 413, "body_too_large", "at most 4000 bytes"),
    ],
)
def test_a_request_that_cannot_be_answered_is_told_why(client: TestClient, body: bytes, status: int, code: str, says: str):
    assert says in refused(client.post("/v1/parse", content=body), status, code)


def test_a_body_of_undeclared_size_is_cut_off_too(client: TestClient):
    chunks = iter([b'{"text": "'] + [b"x" * 1000] * 9)
    refused(client.post("/v1/parse", content=chunks), 413, "body_too_large")


def test_other_paths_and_methods_are_refused_alike(client: TestClient):
    refused(client.get("/nowhere"), 404, "not_found")
    reply = client.get("/v1/parse")
    refused(reply, 405, "method_not_allowed")
    assert reply.headers["allow"] == "POST"


def test_rasas_form(client: TestClient, runtime: Runtime):
    text = "play the new album by nina simone"
    found = runtime(text)
    reply = client.post("/model/parse", json={"text": text, "message_id": "b2831e73"}).json()
    intent = {"name": found.intent, "confidence": round(found.confidence, 4)}
    assert (reply["text"], reply["intent"], reply["intent_ranking"]) == (text, intent, [intent])
    assert [(e["entity"], e["value"], e["start"], e["end"]) for e in reply["entities"]] == [
        (s.name, s.value, s.start, s.end) for s in found.slots
    ]


def test_out_of_domain_is_rasas_fallback():
    said = Interpretation("sing me to the moon", "play", confidence=0.25, out_of_domain=True)
    reply = json.loads(rasa_reply(said, "m").body)
    fallback = {"name": "nlu_fallback", "confidence": 1.0}
    assert (reply["intent"], reply["intent_ranking"]) == (fallback, [fallback, {"name": "play", "confidence": 0.25}])


def test_rasas_form_of_nothing(client: TestClient):
    reply = client.post("/model/parse", json={"text": ""}).json()
    assert (reply["intent"], reply["entities"]) == ({"name": None, "confidence": 0.0}, [])
    refused(client.post("/model/parse", json={"text": ["a"]}), 422, "invalid_request")


def test_health_readiness_and_models(client: TestClient, runtime: Runtime):
    assert client.get("/health").json() == {"status": "ok"}
    assert client.get("/ready").json() == {"ready": True, "models": ["main", "other"]}
    first = client.get("/v1/models").json()["models"][0]
    assert (first["name"], first["hash"], first["intents"]) == ("main", runtime.hash, list(runtime.labels.intents))


def test_a_server_that_has_not_started_or_has_stopped_is_not_ready(runtime: Runtime):
    app = create_app({"main": runtime})
    unstarted = TestClient(app)
    assert unstarted.get("/ready").status_code == 503
    with TestClient(app) as client:
        assert client.get("/ready").status_code == 200
    assert unstarted.get("/ready").status_code == 503


def test_more_requests_than_may_wait_are_sent_away(runtime: Runtime):
    app = create_app({"main": runtime}, limits=Limits(pending=1))
    with TestClient(app) as client:
        assert client.post("/v1/parse", json={"text": "stop"}).status_code == 200
        server = _server_of(app)
        server.pending = 1  # as while another request runs
        reply = client.post("/v1/parse", json={"text": "stop"})
        refused(reply, 429, "busy")
        assert reply.headers["retry-after"] == "1"
        server.pending = 0
        assert client.post("/v1/parse", json={"text": "stop"}).status_code == 200


def _server_of(app: Any) -> Any:
    return app.router.lifespan_context.__self__


def test_counters(runtime: Runtime):
    with TestClient(create_app({"main": runtime})) as client:
        client.post("/v1/parse", json={"text": ["stop", "hello"]})
        client.post("/v1/parse", json={})
        client.get("/nowhere/at/all")
        lines = client.get("/metrics").text.splitlines()
    assert 'understudy_requests_total{path="/v1/parse",status="200"} 1.0' in lines
    assert 'understudy_requests_total{path="/v1/parse",status="422"} 1.0' in lines
    assert 'understudy_requests_total{path="other",status="404"} 1.0' in lines
    assert 'understudy_utterances_total{model="main"} 2.0' in lines
    assert 'understudy_model_seconds_count{model="main"} 1.0' in lines
    assert "understudy_requests_pending 0.0" in lines


def test_the_page_needs_nothing_from_elsewhere(client: TestClient):
    reply = client.get("/")
    assert (reply.status_code, reply.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "default-src 'none'" in reply.headers["content-security-policy"]
    assert "http://" not in reply.text
    assert "https://" not in reply.text


def test_a_bug_of_ours_is_a_500_that_tells_nothing(runtime: Runtime):
    class Broken(Runtime):
        def batch(self, *_: object) -> Any:  # type: ignore[override]
            raise ZeroDivisionError("secret")

    broken = Broken(runtime.path, runtime.session, runtime.tokenizer, runtime.labels, runtime.settings, hash="")
    with TestClient(create_app({"main": broken}), raise_server_exceptions=False) as client:
        reply = client.post("/v1/parse", json={"text": "stop"})
        refused(reply, 500, "internal_error")
        assert "secret" not in reply.text
        assert 'status="500"} 1.0' in client.get("/metrics").text


def test_a_server_without_models_is_our_bug():
    with pytest.raises(ValueError, match="at least one model"):
        create_app({})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["text", "lang", "model", "x"]), inner, max_size=4)
    ),
    max_leaves=8,
)


@settings(max_examples=150)
@given(st.sampled_from(["/v1/parse", "/model/parse"]), json_values)
def test_no_json_at_all_breaks_the_server(path: str, value: Any):
    assert _fuzzed().post(path, content=json.dumps(value)).status_code < 500


@settings(max_examples=150)
@given(st.text(max_size=60))
def test_no_text_breaks_the_server(text: str):
    reply = _fuzzed().post("/v1/parse", content=json.dumps({"text": text}))
    assert reply.status_code in (200, 422)


_client: list[TestClient] = []


@pytest.fixture(autouse=True, scope="module")
def _keep_client(client: TestClient) -> None:
    """Hypothesis calls a test many times; what it calls stands outside."""
    _client[:] = [client]


def _fuzzed() -> TestClient:
    return _client[0]
