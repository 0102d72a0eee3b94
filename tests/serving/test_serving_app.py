"""The application: replies, refusals, Rasa's form, counters, the page."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from copy import copy
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from understudy.interpretation import Interpretation
from understudy.runtime.session import Runtime
from understudy.serving.app import AppConfig, Application, Limits
from understudy.serving.protocol import rasa_reply

CONFIG = AppConfig(limits=Limits(body_bytes=4000, texts=4, text_chars=100))


@pytest.fixture(scope="session")
def runtime(runtime_dir: Path) -> Runtime:
    return Runtime.load(runtime_dir)


@pytest.fixture(scope="session")
def client(runtime: Runtime) -> Iterator[TestClient]:
    with TestClient(Application({"main": runtime, "other": runtime}, CONFIG), raise_server_exceptions=False) as client:
        yield client


def refused(reply: Any, status: int, code: str) -> str:
    assert reply.status_code == status, reply.text
    assert set(reply.json()) == {"error"}
    assert set(reply.json()["error"]) == {"code", "message", "got", "wanted", "hint"}
    assert reply.json()["error"]["code"] == code
    message: str = reply.json()["error"]["message"]
    return message


def test_one_text(client: TestClient, runtime: Runtime):
    reply = client.post("/v1/parse", json={"text": "wake me at six", "request_id": "r1"})
    assert reply.status_code == 200
    assert reply.json() == {
        "request_id": "r1",
        "model": "main",
        "model_hash": runtime.hash,
        "interpretations": [runtime("wake me at six").to_dict()],
    }


def test_several_texts_in_order(client: TestClient, runtime: Runtime):
    texts = ["play the new album by nina simone", "stop", "hello"]
    reply = client.post("/v1/parse", json={"text": texts, "lang": ["en", None, "en-US"], "model": "other"})
    assert reply.json()["model"] == "other"
    assert [(i["text"], i["intent"]) for i in reply.json()["interpretations"]] == [(t, runtime(t).intent) for t in texts]


def test_the_likeliest_intents_are_named_where_they_are_asked_for(client: TestClient, runtime: Runtime):
    reply = client.post("/v1/parse", json={"text": ["wake me at six", "stop"], "ranking": 2}).json()
    for found in reply["interpretations"]:
        wanted = [{"intent": name, "confidence": round(sure, 4)} for name, sure in runtime.rank(found["text"], k=2)]
        assert found["ranking"] == wanted
        assert found["ranking"][0] == {"intent": found["intent"], "confidence": found["confidence"]}


def test_languages_have_the_shape_of_a_tag(client: TestClient):
    langs = ["pt_BR", "de-DE", "zh-Hans-CN", None]
    assert client.post("/v1/parse", json={"text": ["stop"] * 4, "lang": langs}).status_code == 200


def test_a_model_names_the_languages_whose_spoken_form_it_reads(runtime: Runtime):
    listens = copy(runtime)
    listens.settings = runtime.settings.model_copy(update={"spoken": True})
    with TestClient(Application({"typed": runtime, "spoken": listens})) as client:
        typed, spoken = client.get("/v1/models").json()["models"]
    assert (typed["spoken"], typed["languages"]) == (False, [])
    assert (spoken["spoken"], len(spoken["languages"]), spoken["languages"][:3]) == (True, 12, ["ar", "de", "en"])


def test_all_scripts_come_back_as_they_went(client: TestClient):
    for text in ("明日の朝七時に起こして", "اضبط المنبه", "कल सुबह", "wake 👩‍👩‍👧 me\u0000"):
        assert client.post("/v1/parse", json={"text": text}).json()["interpretations"][0]["text"] == text


@pytest.mark.parametrize(
    ("body", "status", "code", "says"),
    [
        (b"{", 400, "not_json", "JSON"),
        (b"", 400, "not_json", "JSON"),
        (b"\xff\xfe", 400, "not_json", "UTF-8"),
        (b"[" * 3000, 400, "not_json", "recursion limit"),
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
        (b'{"text": "a", "lang": "de; DE"}', 422, "invalid_request", "'lang' cannot be used. Got: String should match pattern"),
        (b'{"text": ["a", "b"], "lang": ["de", "d"]}', 422, "invalid_request", "String should match pattern"),
        (b'{"text": "a", "lang": ""}', 422, "invalid_request", "'lang'"),
        (json.dumps({"text": "a", "lang": "de" + "-abcdefgh" * 4}).encode(), 422, "invalid_request", "at most 35 characters"),
        (b'{"text": "\\ud800"}', 400, "not_json", "hex escape"),
        (b'{"text": "a", "model": "third"}', 404, "unknown_model", "one of main, other"),
        (b'{"text": "a", "timeout_ms": 0}', 422, "invalid_request", "timeout_ms"),
        (b'{"text": "a", "ranking": 0}', 422, "invalid_request", "'ranking'"),
        (b'{"text": "a", "user": ""}', 422, "invalid_request", "'user'"),
        (json.dumps({"text": "a", "user": "x" * 257}).encode(), 422, "invalid_request", "'user'"),
        (json.dumps({"text": "x" * 101}).encode(), 422, "text_too_long", "Got: 101 characters. Wanted: at most 100"),
        (json.dumps({"text": ["x"] * 5}).encode(), 422, "too_many_texts", "Got: 5 texts. Wanted: at most 4"),
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
    ranked = [{"name": name, "confidence": round(confidence, 4)} for name, confidence in runtime.rank(text, k=10)]
    assert (reply["text"], reply["intent"], reply["intent_ranking"]) == (text, intent, ranked)
    assert (len(ranked), ranked[0]) == (4, intent)
    assert [(e["entity"], e["value"], e["start"], e["end"]) for e in reply["entities"]] == [
        (s.name, s.value, s.start, s.end) for s in found.slots
    ]


def test_out_of_domain_is_rasas_fallback():
    said = Interpretation("sing me to the moon", "play", confidence=0.25, out_of_domain=True, ranking=(("play", 0.25),))
    reply = json.loads(rasa_reply(said, "m").body)
    fallback = {"name": "nlu_fallback", "confidence": 1.0}
    assert (reply["intent"], reply["intent_ranking"]) == (fallback, [fallback, {"name": "play", "confidence": 0.25}])


def test_rasas_ranking_where_several_intents_are_known():
    said = Interpretation("sing", "play", confidence=0.5, ranking=(("play", 0.5), ("greet", 0.25)))
    reply = json.loads(rasa_reply(said, "m").body)
    assert reply["intent_ranking"] == [{"name": "play", "confidence": 0.5}, {"name": "greet", "confidence": 0.25}]


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
    app = Application({"main": runtime})
    unstarted = TestClient(app)
    assert unstarted.get("/ready").status_code == 503
    with TestClient(app) as client:
        assert client.get("/ready").status_code == 200
    assert unstarted.get("/ready").status_code == 503


def test_requests_that_would_wait_too_long_are_sent_away(runtime: Runtime):
    app = Application({"main": runtime}, AppConfig(limits=Limits(wait_ms=1)))
    with TestClient(app) as client:
        assert client.post("/v1/parse", json={"text": "stop"}).status_code == 200
        app.batcher.queued = 10**6  # as while others wait
        reply = client.post("/v1/parse", json={"text": "stop"})
        refused(reply, 429, "busy")
        assert reply.headers["retry-after"] == "1"
        assert client.get("/health").status_code == 200
        app.batcher.queued = 0
        assert client.post("/v1/parse", json={"text": "stop"}).status_code == 200


def test_those_let_in_count_before_they_stand_in_line(runtime: Runtime):
    # At 2 ms a text, as long as nothing is known, the first waits 0 ms, the second 2, and the third would wait 4.
    app = Application({"main": runtime}, AppConfig(limits=Limits(wait_ms=3), workers=1))

    async def arriving() -> list[bool]:
        at_once = [app.admission.admits() for _ in range(4)]
        await asyncio.sleep(0)  # what was let in is handled: it stands in line, or was found wanting
        return [*at_once, app.admission.admits()]

    assert asyncio.run(arriving()) == [True, True, False, False, True]


def test_a_server_that_leaves_answers_and_ends_connections(runtime: Runtime):
    app = Application({"main": runtime})
    with TestClient(app) as client:
        app.leaving = True
        assert client.get("/ready").status_code == 503
        reply = client.post("/v1/parse", json={"text": "stop"})
    assert (reply.status_code, reply.headers["connection"]) == (200, "close")


def test_a_language_leads_to_the_model_that_bears_its_name(runtime: Runtime):
    app = Application({"main": runtime, "de": runtime, "fr-FR": runtime})
    asked = {"en": "main", "de": "de", "de-AT": "de", "fr": "main", "fr_FR": "fr-FR"}
    with TestClient(app) as client:
        for lang, model in asked.items():
            assert client.post("/v1/parse", json={"text": "stop", "lang": lang}).json()["model"] == model
        assert client.post("/v1/parse", json={"text": ["a", "b"], "lang": ["de", None]}).json()["model"] == "main"
        assert client.post("/v1/parse", json={"text": "stop", "lang": "de", "model": "main"}).json()["model"] == "main"


def test_a_deadline_that_cannot_be_read(client: TestClient):
    for header in ("soon", "0", "-1", "1.5", "9" * 12):
        reply = client.post("/v1/parse", json={"text": "stop"}, headers={"X-Request-Timeout-Ms": header})
        refused(reply, 422, "invalid_timeout")
    assert client.post("/v1/parse", json={"text": "stop"}, headers={"X-Request-Timeout-Ms": "60000"}).status_code == 200


def test_a_token_is_asked_for_everywhere_but_of_probes(runtime: Runtime):
    with TestClient(Application({"main": runtime}, token="s3cret")) as client:
        assert [client.get(path).status_code for path in ("/health", "/ready", "/")] == [200, 200, 200]
        for headers in ({}, {"Authorization": "Bearer s3cre"}, {"Authorization": "Basic s3cret"}, {"Authorization": "s3cret"}):
            reply = client.post("/v1/parse", json={"text": "stop"}, headers=headers)
            refused(reply, 401, "unauthorised")
            assert reply.headers["www-authenticate"] == "Bearer"
            assert client.get("/metrics", headers=headers).status_code == 401
        for header in ("Bearer s3cret", "bearer s3cret"):
            assert client.post("/v1/parse", json={"text": "stop"}, headers={"Authorization": header}).status_code == 200


@pytest.mark.parametrize("asked_for", [False, True])
def test_texts_are_logged_only_when_asked_for(runtime: Runtime, caplog: pytest.LogCaptureFixture, asked_for: bool):
    caplog.set_level("DEBUG", logger="understudy")
    with TestClient(Application({"main": runtime}, AppConfig(log_texts=asked_for))) as client:
        client.post("/v1/parse", json={"text": "play nina simone"})
        client.post("/v1/parse", json={"text": "nina simone" * 200})
    assert ("nina simone" in caplog.text) == asked_for


def test_a_request_writes_no_line_of_its_own_into_the_log(runtime: Runtime, caplog: pytest.LogCaptureFixture):
    caplog.set_level("DEBUG", logger="understudy")
    forged = "1\n12:00:00 main is now cafe\x1b[2J\u2028"
    with TestClient(Application({"main": runtime}, AppConfig(log_texts=True))) as client:
        assert client.post("/v1/parse", json={"text": "stop", "request_id": forged}).json()["request_id"] == forged
        client.post("/v1/parse", json={"text": f"stop {forged}"})
    said = [record.getMessage() for record in caplog.records if record.name.startswith("understudy")]
    assert len(said) == 2
    assert all(line.isprintable() for line in said)


def test_counters(runtime: Runtime):
    with TestClient(Application({"main": runtime})) as client:
        client.post("/v1/parse", json={"text": ["stop", "hello"]})
        client.post("/v1/parse", json={})
        client.get("/nowhere/at/all")
        lines = client.get("/metrics").text.splitlines()
    assert 'understudy_requests_total{path="/v1/parse",status="200"} 1.0' in lines
    assert 'understudy_requests_total{path="/v1/parse",status="422"} 1.0' in lines
    assert 'understudy_requests_total{path="other",status="404"} 1.0' in lines
    assert 'understudy_utterances_total{model="main"} 2.0' in lines
    assert 'understudy_model_seconds_count{model="main"} 1.0' in lines
    assert 'understudy_batch_texts_sum{model="main"} 2.0' in lines
    assert 'understudy_errors_total{status="422"} 1.0' in lines
    assert "understudy_queue_length 0.0" in lines
    assert "understudy_expected_wait_seconds 0.0" in lines
    assert "understudy_requests_in_flight 1.0" in lines, "the one that asks"
    assert "understudy_requests_pending 0.0" in lines


def test_the_page_needs_nothing_from_elsewhere(client: TestClient):
    reply = client.get("/")
    assert (reply.status_code, reply.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "default-src 'none'" in reply.headers["content-security-policy"]
    assert "http://" not in reply.text
    assert "https://" not in reply.text


def test_a_bug_of_ours_is_a_500_that_tells_nothing(runtime: Runtime):
    class Broken(Runtime):
        def answer(self, *_: object, **__: object) -> Any:  # type: ignore[override]
            raise ZeroDivisionError("secret")

    broken = Broken(runtime.path, runtime.session, runtime.tokenizer, runtime.labels, runtime.settings, hash="")
    with TestClient(Application({"main": broken}), raise_server_exceptions=False) as client:
        reply = client.post("/v1/parse", json={"text": "stop"})
        refused(reply, 500, "internal_error")
        assert "secret" not in reply.text
        assert 'status="500"} 1.0' in client.get("/metrics").text


def test_a_server_without_models_is_our_bug():
    with pytest.raises(ValueError, match="at least one model"):
        Application({})
