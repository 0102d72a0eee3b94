"""What an utterance means: intent and slots, as gold label or as prediction.

A slot is a name over a span of characters of the utterance as it was given, end exclusive. Models see words, so slots
become BIO tags over words and come back as spans. MASSIVE's bracketed form, `wake me at [time : nine am]`, is read and
written here too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Protocol, runtime_checkable

from understudy.errors import DataError

__all__ = [
    "LANG",
    "LANG_CHARS",
    "OUTSIDE",
    "Interpretation",
    "Parser",
    "Slot",
    "annotate",
    "check_lang",
    "json_lines",
    "parse",
    "parse_annotation",
    "slots_to_tags",
    "tags_to_slots",
]

OUTSIDE = "O"
LANG = r"^[A-Za-z]{2,8}([-_][A-Za-z0-9]{1,8})*$"
"""The shape of a language or locale: de, de-DE, pt_BR, zh-Hans-CN."""
LANG_CHARS = 35  # what RFC 5646 (4.4.1) asks room for
_BRACKET = re.compile(r"\[\s*([^\[\]:\s][^\[\]:]*?)\s*:\s*([^\[\]]*?)\s*\]")


@dataclass(frozen=True, slots=True)
class Slot:
    """A named span of characters: `value` is `text[start:end]`."""

    name: str
    value: str
    start: int
    end: int
    confidence: float = 1.0


@dataclass(frozen=True, slots=True)
class Interpretation:
    """Intent, domain and slots of one utterance. Gold labels have confidence 1.

    out_of_domain: the model's confidence is below the threshold that it brings, so that the utterance is probably none of those
    it was made for; intent and slots are still what it holds likeliest. ranking: the likeliest intents with their confidences, this
    one first, where that was asked for. spoken: the spoken form that the model read, where it turned `text` into another. id: of a
    labelled utterance in the data it comes from, where that is known; translations of one another share it.
    """

    text: str
    intent: str
    slots: tuple[Slot, ...] = ()
    domain: str = ""
    confidence: float = 1.0
    locale: str = ""
    out_of_domain: bool = False
    ranking: tuple[tuple[str, float], ...] = ()
    spoken: str = ""
    id: str = ""

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary: text, intent, confidence, out_of_domain, domain, slots (name, value, start, end, confidence), and,
        where there are any, ranking (intent, confidence) and spoken."""
        ranking = [{"intent": name, "confidence": round(confidence, 4)} for name, confidence in self.ranking]
        return {
            "text": self.text,
            "intent": self.intent,
            "confidence": round(self.confidence, 4),
            "out_of_domain": self.out_of_domain,
            "domain": self.domain,
            "slots": [
                {"name": s.name, "value": s.value, "start": s.start, "end": s.end, "confidence": round(s.confidence, 4)}
                for s in self.slots
            ],
            **({"ranking": ranking} if ranking else {}),
            **({"spoken": self.spoken} if self.spoken else {}),
        }

    def __str__(self) -> str:
        return f"{self.intent}({', '.join(f'{s.name}={s.value!r}' for s in self.slots)})"


def parse_annotation(annotated: str, *, where: object = None) -> tuple[str, tuple[Slot, ...]]:
    """Text and slots of a bracketed annotation such as `wake me at [time : nine am]`.

    Raises DataError for brackets that do not pair, nest or hold no name.
    """
    text, slots, at = "", [], 0
    for match in _BRACKET.finditer(annotated):
        text += annotated[at : match.start()]
        name, value = match.group(1), match.group(2)
        slots.append(Slot(name, value, len(text), len(text) + len(value)))
        text += value
        at = match.end()
    text += annotated[at:]
    if "[" in text or "]" in text:
        raise DataError(
            "a slot annotation is malformed",
            where=where,
            got=annotated[:200],
            wanted="[name : value] with paired, unnested brackets",
        )
    return text, tuple(slots)


def annotate(interpretation: Interpretation) -> str:
    """The utterance with its slots in brackets: the inverse of `parse_annotation`."""
    parts, at = [], 0
    for slot in sorted(interpretation.slots, key=lambda s: s.start):
        parts += [interpretation.text[at : slot.start], f"[{slot.name} : {interpretation.text[slot.start : slot.end]}]"]
        at = slot.end
    return "".join([*parts, interpretation.text[at:]])


def slots_to_tags(spans: Sequence[tuple[int, int]], slots: Sequence[Slot]) -> list[str]:
    """BIO tags over words, given each word's (start, end) in the text the slots are over.

    A word belongs to the slot that covers more of it than any other does; words that no slot touches are outside.
    """
    tags, previous = [], None
    for start, end in spans:
        overlaps = [(min(end, s.end) - max(start, s.start), -index) for index, s in enumerate(slots)]
        covered, negative = max(overlaps, default=(0, 0))
        slot = slots[-negative] if covered > 0 else None
        tags.append(OUTSIDE if slot is None else f"I-{slot.name}" if slot is previous else f"B-{slot.name}")
        previous = slot
    return tags


def tags_to_slots(
    text: str, spans: Sequence[tuple[int, int]], tags: Sequence[str], confidences: Sequence[float] | None = None
) -> tuple[Slot, ...]:
    """Slots over `text` from one BIO tag per word; an I- tag that continues nothing starts a slot.

    A slot's confidence is the least of its words' confidences.
    """
    slots: list[Slot] = []
    open_name: str | None = None
    for index, ((start, end), tag) in enumerate(zip(spans, tags, strict=True)):
        prefix, _, name = tag.partition("-")
        confidence = confidences[index] if confidences is not None else 1.0
        if prefix == "I" and name == open_name:
            last = slots[-1]
            slots[-1] = replace(last, value=text[last.start : end], end=end, confidence=min(last.confidence, confidence))
        elif prefix in ("B", "I"):
            slots.append(Slot(name, text[start:end], start, end, confidence))
        open_name = name if prefix in ("B", "I") else None
    return tuple(slots)


@runtime_checkable
class Parser(Protocol):
    """What understands utterances: a runtime, or a fine-tuned model before its export. `batch(texts, langs)` gives one Interpretation
    for each text, in order."""

    def batch(self, texts: Sequence[str], langs: Sequence[str | None] | None = None, /) -> list[Interpretation]: ...


def parse(parser: Parser, gold: Sequence[Interpretation]) -> list[Interpretation]:
    """What a model makes of the texts of `gold`, each in its locale, as it was trained: one that reads typed text in its spoken form
    must know the language."""
    return parser.batch([g.text for g in gold], [g.locale or None for g in gold])


def check_lang(lang: str | None) -> None:
    """Raises DataError for what has not the shape of a language or locale."""
    if lang is not None and not (len(lang) <= LANG_CHARS and re.fullmatch(LANG, lang)):
        raise DataError("this names no language", where="lang", got=lang[: LANG_CHARS + 1], wanted="such as de, de-DE or pt_BR")


def json_lines(parser: Parser, texts: Iterator[str], lang: str | None, *, together: int) -> Iterator[str]:
    """One JSON object for each text, `together` parsed at a time; an empty text gives one without intent, so that lines stay aligned."""
    while batch := list(islice(texts, together)):
        full = [text for text in batch if text.strip()]
        parsed = iter(parser.batch(full, [lang] * len(full)) if full else [])
        for text in batch:
            empty: dict[str, Any] = Interpretation(text, "", confidence=0.0).to_dict() | {"intent": None, "domain": None}
            yield json.dumps(next(parsed).to_dict() if text.strip() else empty, ensure_ascii=False)
