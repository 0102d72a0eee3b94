"""What goes over the wire: requests and what is checked of them, replies, and errors that say what to do.

Every error has the same body:

    {"error": {"code": "text_too_long", "message": "…", "got": "…", "wanted": "…", "hint": "…"}}

Codes are stable. The message is for people and holds the other three, each of which is null where there is nothing to say.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StringConstraints, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from understudy.config import Config
from understudy.errors import UnderstudyError
from understudy.interpretation import LANG, LANG_CHARS, Interpretation

M = TypeVar("M", bound=BaseModel)

__all__ = [
    "RASA_RANKING",
    "FeedbackRequest",
    "Limits",
    "ParseRequest",
    "RasaRequest",
    "Refusal",
    "check_texts",
    "rasa_reply",
    "read_body",
    "refuse",
    "timeout_of",
    "validated",
]

RASA_FALLBACK = "nlu_fallback"
RASA_RANKING = 10  # intents that Rasa's classifiers rank where they are not told otherwise
TIMEOUT_HEADER = "x-request-timeout-ms"


class Limits(Config):
    """What one request may ask for, and how many may wait.

    body_bytes: size of a request's body. body_seconds: how long its sending may take, and that of its headers. texts: texts in one
    request. text_chars: characters of one text. wait_ms: milliseconds that a request may have to wait for a worker, by the pace of
    the last ones; who would wait longer is sent away with 429. timeout_ms: deadline of a request that names none, and the longest it
    may name.
    """

    body_bytes: int = Field(default=1 << 20, gt=0)
    body_seconds: float = Field(default=10, gt=0)
    texts: int = Field(default=256, gt=0)
    text_chars: int = Field(default=2000, gt=0)
    wait_ms: float = Field(default=40, gt=0)
    timeout_ms: float = Field(default=30_000, gt=0)


class Refusal(UnderstudyError):
    """A request that will not be answered, and why. Its words are those of every error for users; `code` is for programs."""

    def __init__(
        self,
        status: int,
        code: str,
        what: str,
        *,
        got: object = None,
        wanted: object = None,
        hint: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(what, got=got, wanted=wanted, hint=hint)
        self.status, self.code, self.headers = status, code, dict(headers or {})


def refuse(refusal: Refusal) -> Response:
    """The reply to a refused request. ASCII only: what it quotes may hold characters that UTF-8 cannot."""
    parts = {
        key: None if value is None else str(value) for key, value in vars(refusal).items() if key in ("got", "wanted", "hint")
    }
    body = json.dumps({"error": {"code": refusal.code, "message": str(refusal), **parts}})
    return Response(body, refusal.status, media_type="application/json", headers=refusal.headers)


_Lang = Annotated[str, StringConstraints(pattern=LANG, max_length=LANG_CHARS)]


class ParseRequest(BaseModel):
    """One text or several, the language of all or of each, which model to ask, and how long the answer is of use."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str | list[str] = Field(description="One utterance, or several.")
    lang: _Lang | list[_Lang | None] | None = Field(
        default=None, description="Language or locale of all texts, such as de or de-DE, or one (or null) for each."
    )
    model: str | None = Field(
        default=None,
        description="A model's name; else the experiment's choice, if one runs; else the one named as the language is, else the first.",
    )
    user: str | None = Field(
        default=None, min_length=1, max_length=256, description="Who asks, for an experiment: the same user gets the same model."
    )
    ranking: int | None = Field(default=None, ge=1, le=1000, description="How many of the likeliest intents to name, best first.")
    timeout_ms: float | None = Field(
        default=None, gt=0, allow_inf_nan=False, description="Milliseconds after which the answer is of no use: 504."
    )
    request_id: str | None = Field(default=None, max_length=128, description="Comes back in the reply; made up where absent.")

    @property
    def texts(self) -> list[str]:
        return [self.text] if isinstance(self.text, str) else self.text

    @property
    def langs(self) -> Sequence[str | None]:
        """A language or None for each text. Raises Refusal 422 where they differ in number."""
        if self.lang is None or isinstance(self.lang, str):
            return [self.lang] * len(self.texts)
        if len(self.lang) != len(self.texts):
            got = f"{len(self.texts)} texts, {len(self.lang)} languages"
            raise Refusal(
                422, "unreadable", "Texts and languages differ in number", got=got, wanted="one language, or one for each"
            )
        return self.lang


class RasaRequest(BaseModel):
    """Rasa's request; what else a Rasa client sends is of no meaning here."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    text: str = Field(description="One utterance; of an empty one the intent is null.")
    message_id: str | None = None


# An id as a request to parse may give it, and the place of one of its texts.
_RequestId = Annotated[str, Field(min_length=1, max_length=160)]


class FeedbackRequest(BaseModel):
    """How one request ended, or several: badly or not, all alike or each."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    request_id: _RequestId | list[_RequestId] = Field(
        description="Of a reply; of the third text of a list it is the reply's with /2 behind it."
    )
    dissatisfied: StrictBool | list[StrictBool] = Field(description="Whether it ended badly, for all or for each.")

    def outcomes(self, limits: Limits) -> Sequence[tuple[str, bool]]:
        """Requests and whether they ended badly. Raises Refusal 422 for none, too many, and words that differ in number."""
        ids = [self.request_id] if isinstance(self.request_id, str) else self.request_id
        said = [self.dissatisfied] * len(ids) if isinstance(self.dissatisfied, bool) else self.dissatisfied
        if not ids or len(ids) > limits.texts:
            got, wanted = f"{len(ids)} requests", f"1 to {limits.texts}"
            raise Refusal(422, "wrong_number", "Feedback is on some requests at once", got=got, wanted=wanted)
        if len(ids) != len(said):
            got = f"{len(ids)} requests, {len(said)} words"
            wanted = "one word in 'dissatisfied' for all, or one for each"
            raise Refusal(422, "unreadable", "Requests and words on them differ in number", got=got, wanted=wanted)
        return list(zip(ids, said, strict=True))


async def read_body(request: Request, limits: Limits) -> bytes:
    """A request's body. Raises Refusal 413 for one that is too large, 408 for one that does not come to its end."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limits.body_bytes:
        raise _too_large(limits, declared)
    body = bytearray()
    try:
        async with asyncio.timeout(limits.body_seconds):
            async for chunk in request.stream():
                body += chunk
                if len(body) > limits.body_bytes:
                    raise _too_large(limits, f"more than {limits.body_bytes}")
    except TimeoutError:
        wanted = f"the whole body within {limits.body_seconds:g} s"
        close = {"Connection": "close"}
        raise Refusal(
            408, "body_too_slow", "The body did not come to its end", got=f"{len(body)} bytes", wanted=wanted, headers=close
        ) from None
    return bytes(body)


def _too_large(limits: Limits, got: str) -> Refusal:
    wanted = f"at most {limits.body_bytes} bytes"
    return Refusal(
        413, "body_too_large", "The body is too large", got=f"{got} bytes", wanted=wanted, hint="Send fewer texts at once"
    )


def validated(model: type[M], body: bytes) -> M:
    """A request of type `model` from its JSON. Raises Refusal 400 for what is not JSON, 422 naming the field that is wrong."""
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        # Where a field may be one thing or a list of them, the deepest of its errors is of what was sent.
        first = max(error.errors(include_url=False, include_input=False), key=lambda found: len(found["loc"]))
    if first["type"] == "json_invalid":
        reason = str(first["ctx"]["error"])
        raise Refusal(400, "not_json", "The body must be JSON in UTF-8", got=reason, hint='Send for example {"text": "stop"}')
    field = str(first["loc"][0]) if first["loc"] else "the body"
    raise Refusal(422, "invalid_request", f"'{field}' cannot be used", got=first["msg"], wanted="what /openapi.json describes")


def check_texts(texts: Sequence[str], limits: Limits) -> None:
    """Raises Refusal 422 for too many texts, none, and ones that are too long."""
    if not texts:
        raise Refusal(422, "no_text", "There is nothing to understand", got="'text' is an empty list", wanted="at least one text")
    if len(texts) > limits.texts:
        got, wanted = f"{len(texts)} texts", f"at most {limits.texts}"
        raise Refusal(422, "too_many_texts", "Too many texts in one request", got=got, wanted=wanted, hint="Send them in several")
    for index, text in enumerate(texts):
        if len(text) > limits.text_chars:
            got, wanted = f"{len(text)} characters", f"at most {limits.text_chars}"
            raise Refusal(
                422, "text_too_long", f"Text {index} is too long", got=got, wanted=wanted, hint="Send single utterances"
            )


def timeout_of(request: Request, asked: float | None, limits: Limits) -> float:
    """Seconds that a request allows from its arrival, by its body or by its header. Raises Refusal 422 for a header that is no number."""
    header = request.headers.get(TIMEOUT_HEADER)
    if asked is None and header is not None:
        if not (header.isascii() and header.isdecimal() and 0 < len(header) <= 9 and int(header) > 0):
            wanted = "a whole number of milliseconds, at least 1"
            raise Refusal(
                422, "invalid_timeout", "The header X-Request-Timeout-Ms cannot be used", got=header[:40], wanted=wanted
            )
        asked = float(header)
    return min(limits.timeout_ms, asked or limits.timeout_ms) / 1000


def rasa_reply(interpretation: Interpretation, model: str) -> Response:
    """An interpretation as Rasa's POST /model/parse words it. Out of domain it says what Rasa's FallbackClassifier does: the
    intent `nlu_fallback`, with the likeliest ones after it in the ranking."""
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
    known: list[dict[str, Any]] = [{"name": name, "confidence": round(c, 4)} for name, c in interpretation.ranking]
    fallback = [{"name": RASA_FALLBACK, "confidence": 1.0}] if interpretation.out_of_domain else []
    intent = fallback[0] if fallback else likeliest
    return JSONResponse(
        {
            "text": interpretation.text,
            "intent": intent,
            "entities": entities,
            "intent_ranking": [*fallback, *known],
            "model_id": model,
        }
    )
