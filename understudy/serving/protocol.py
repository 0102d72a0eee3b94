"""What goes over the wire: requests checked against limits, replies, and errors that say what to do.

Every error has the same body: {"error": {"code": "text_too_long", "message": "…"}}. Codes are stable, messages are for people.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from understudy.config import Config
from understudy.interpretation import Interpretation

M = TypeVar("M", bound=BaseModel)

__all__ = ["Limits", "ParseRequest", "RasaRequest", "Refusal", "check_texts", "rasa_reply", "read_json", "refuse", "validated"]

RASA_FALLBACK = "nlu_fallback"


class Limits(Config):
    """What one request may ask for.

    body_bytes: size of a request's body. texts: texts in one request. text_chars: characters of one text. pending: requests
    that may wait or run at once before others are sent away with 429.
    """

    body_bytes: int = Field(default=1 << 20, gt=0)
    texts: int = Field(default=256, gt=0)
    text_chars: int = Field(default=2000, gt=0)
    pending: int = Field(default=256, gt=0)


class Refusal(Exception):
    """A request that will not be answered, and why."""

    def __init__(self, status: int, code: str, message: str, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.headers = status, code, message, dict(headers or {})


def refuse(refusal: Refusal) -> Response:
    """The reply to a refused request. ASCII only: what it quotes may hold characters that UTF-8 cannot."""
    body = json.dumps({"error": {"code": refusal.code, "message": refusal.message}})
    return Response(body, refusal.status, media_type="application/json", headers=refusal.headers)


class ParseRequest(BaseModel):
    """Body of POST /v1/parse: one text or several, their language(s), and which model to ask."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str | list[str]
    lang: str | list[str | None] | None = None
    model: str | None = None

    @property
    def texts(self) -> list[str]:
        return [self.text] if isinstance(self.text, str) else self.text


class RasaRequest(BaseModel):
    """Body of POST /model/parse; what else a Rasa client sends is of no meaning here."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    text: str
    message_id: str | None = None


async def read_json(request: Request, limits: Limits) -> Any:
    """The JSON value in a request's body. Raises Refusal 413 for a body that is too large, 400 for one that is not JSON."""
    too_large = Refusal(413, "body_too_large", f"The body may have at most {limits.body_bytes} bytes.")
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limits.body_bytes:
        raise too_large
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limits.body_bytes:
            raise too_large
    try:
        return json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise Refusal(400, "not_json", f"The body must be JSON in UTF-8: {reason}.") from None


def validated(model: type[M], value: Any) -> M:
    """`value` as a request of type `model`. Raises Refusal 422 naming the field that is wrong."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = str(first["loc"][0]) if first["loc"] else "the body"
        raise Refusal(422, "invalid_request", f"'{field}': {first['msg']}.") from None


def check_texts(texts: list[str], limits: Limits) -> None:
    """Raises Refusal 422 for too many texts, none, and ones that are too long or not Unicode text."""
    if not texts:
        raise Refusal(422, "no_text", "'text' is an empty list; send at least one text.")
    if len(texts) > limits.texts:
        raise Refusal(422, "too_many_texts", f"{len(texts)} texts in one request; at most {limits.texts} are answered.")
    for index, text in enumerate(texts):
        if len(text) > limits.text_chars:
            raise Refusal(422, "text_too_long", f"Text {index} has {len(text)} characters; at most {limits.text_chars} are read.")
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            raise Refusal(422, "not_text", f"Text {index} holds half a surrogate pair, which is no character.") from None


def rasa_reply(interpretation: Interpretation, model: str) -> Response:
    """An interpretation as Rasa's POST /model/parse words it. Out of domain it says what Rasa's FallbackClassifier does: the
    intent `nlu_fallback`, with the likeliest one after it in the ranking."""
    likeliest = {"name": interpretation.intent or None, "confidence": round(interpretation.confidence, 4)}
    entities = [
        {
            "entity": slot.name,
            "value": slot.value,
            "start": slot.start,
            "end": slot.end,
            "confidence_entity": round(slot.confidence, 4),
            "extractor": "understudy",
        }
        for slot in interpretation.slots
    ]
    fallback = [{"name": RASA_FALLBACK, "confidence": 1.0}] if interpretation.out_of_domain else []
    ranking = [*fallback, *([likeliest] if interpretation.intent else [])]
    intent = fallback[0] if fallback else likeliest
    return JSONResponse(
        {"text": interpretation.text, "intent": intent, "entities": entities, "intent_ranking": ranking, "model_id": model}
    )
