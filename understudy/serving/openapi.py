"""The OpenAPI document, made from the same models that requests are checked by, and from models of what is replied."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import models_json_schema

from understudy import __version__
from understudy.serving.protocol import TIMEOUT_HEADER, FeedbackRequest, ParseRequest, RasaRequest

__all__ = ["PUBLIC", "document"]

PUBLIC = ("/", "/health", "/ready")
"""Paths that need no token: of probes, and the page, which holds nothing."""


class _Reply(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Slot(_Reply):
    """A named span of characters, `end` exclusive; characters are Unicode code points."""

    name: str
    value: str
    start: int
    end: int
    confidence: float


class Ranked(_Reply):
    """An intent and how sure the model is of it."""

    intent: str
    confidence: float


class Understood(_Reply):
    """What one utterance means."""

    text: str
    intent: str
    confidence: float
    out_of_domain: bool
    domain: str
    slots: list[Slot]
    ranking: list[Ranked] = Field(default=[], description="The likeliest intents, where the request asks for them.")
    spoken: str = Field(default="", description="The spoken form that the model read, where it turned the text into another.")


class ParseReply(_Reply):
    """What the texts mean, in their order, and which model says so."""

    request_id: str
    model: str
    model_hash: str
    interpretations: list[Understood]


class FeedbackReply(_Reply):
    """How many words on requests go into the log."""

    accepted: int


class RasaIntent(_Reply):
    name: str | None
    confidence: float


class RasaEntity(_Reply):
    entity: str
    value: str
    start: int
    end: int
    confidence_entity: float
    extractor: str


class RasaReply(_Reply):
    """What Rasa's POST /model/parse replies."""

    text: str
    intent: RasaIntent
    entities: list[RasaEntity]
    intent_ranking: list[RasaIntent]
    model_id: str


class ServedModel(_Reply):
    name: str
    hash: str
    precision: str
    spoken: bool = Field(description="Whether it reads spoken form, into which it turns texts whose language is named.")
    languages: list[str] = Field(description="Those whose spoken form it reads; none where it reads text as typed.")
    intents: list[str]
    slots: list[str]


class ModelsReply(_Reply):
    models: list[ServedModel]


class HealthReply(_Reply):
    status: str


class ReadyReply(_Reply):
    ready: bool
    models: list[str]


class ErrorBody(_Reply):
    code: str = Field(description="Stable, for programs.")
    message: str = Field(description="For people; holds the other three.")
    got: str | None
    wanted: str | None
    hint: str | None


class ErrorReply(_Reply):
    error: ErrorBody


WHY = {
    "400": "The body is not JSON.",
    "401": "The token is missing or wrong.",
    "404": "There is no such model, or no experiment.",
    "408": "The body did not come to its end in time.",
    "413": "The body is too large.",
    "422": "The request cannot be answered as it stands.",
    "429": "Too many requests wait; Retry-After says when to come again.",
    "431": "The headers are too large.",
    "503": "Not ready: starting or going.",
    "504": "The deadline passed.",
}
_POST = ("400", "401", "404", "408", "413", "422", "429", "431", "503", "504")
_TOLD = ("400", "401", "404", "408", "413", "422", "431")
_HEADER = {
    "name": TIMEOUT_HEADER.title(),
    "in": "header",
    "description": "Milliseconds after which the answer is of no use. The body's timeout_ms comes first.",
    "schema": {"type": "integer", "minimum": 1, "maximum": 999_999_999},
}


class _Path(NamedTuple):
    path: str
    summary: str
    asked: type[BaseModel] | None
    replied: type[BaseModel] | str
    refused: tuple[str, ...]
    status: str = "200"


_PATHS = [
    _Path("/v1/parse", "Intent and slots of one text or several", ParseRequest, ParseReply, _POST),
    _Path("/model/parse", "The same in Rasa's words", RasaRequest, RasaReply, _POST),
    _Path("/v1/feedback", "How requests ended, for the experiment", FeedbackRequest, FeedbackReply, _TOLD, "202"),
    _Path("/v1/models", "What is served", None, ModelsReply, ("401",)),
    _Path("/health", "The process lives", None, HealthReply, ()),
    _Path("/ready", "It takes requests", None, ReadyReply, ()),
    _Path("/metrics", "Counters for Prometheus", None, "text/plain", ("401",)),
    _Path("/openapi.json", "This document", None, "application/json", ("401",)),
    _Path("/", "A page to try it on", None, "text/html", ()),
]


def document(*, token: bool) -> dict[str, Any]:
    """The OpenAPI 3.1 document of the server.

    token: whether one is asked for.
    """
    models = [m for path in _PATHS for m in (path.asked, path.replied) if isinstance(m, type)]
    wanted: list[tuple[Any, Literal["validation"]]] = [(m, "validation") for m in [*models, ErrorReply]]
    _, schemas = models_json_schema(wanted, ref_template="#/components/schemas/{model}")
    paths = {path.path: {"post" if path.asked else "get": _operation(path)} for path in _PATHS}
    found: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {"title": "understudy", "version": __version__, "description": "Intents and slots of utterances."},
        "paths": paths,
        "components": {"schemas": schemas["$defs"]},
    }
    paths["/ready"]["get"]["responses"]["503"] = _json(WHY["503"], ReadyReply)
    if token:
        found["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        for path in paths.keys() - set(PUBLIC):
            next(iter(paths[path].values()))["security"] = [{"token": []}]
    return found


def _operation(path: _Path) -> dict[str, Any]:
    if isinstance(path.replied, str):
        kind = "object" if path.replied == "application/json" else "string"
        said = {"description": path.summary, "content": {path.replied: {"schema": {"type": kind}}}}
    else:
        said = _json("What was asked for.", path.replied)
    refused = {status: _json(WHY[status], ErrorReply) for status in path.refused}
    operation: dict[str, Any] = {"summary": path.summary, "responses": {path.status: said, **refused}}
    if path.asked is not None:
        if "504" in path.refused:
            operation["parameters"] = [_HEADER]
        operation["requestBody"] = {"required": True, **_json(None, path.asked)}
    return operation


def _json(description: str | None, model: type[BaseModel]) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{model.__name__}"}}}
    return {"content": content} if description is None else {"description": description, "content": content}
