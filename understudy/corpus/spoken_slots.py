"""Slots of written utterances, moved onto the words of the spoken form (A 2.2)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby, pairwise

from understudy.interpretation import Interpretation, slots_to_tags, tags_to_slots
from understudy.text.spoken import Formatter
from understudy.text.words import Word

__all__ = ["to_spoken"]

Span = tuple[int, int]


def to_spoken(row: Interpretation, formatter: Formatter) -> Interpretation:
    """The utterance in spoken form (A 2.2), its slots over the spoken words that came from theirs."""
    aligned = formatter.align(row.text)
    text = formatter(row.text)
    spans, at = [], 0
    for word in aligned:
        start = text.index(word.text, at)
        at = start + len(word.text)
        spans.append((start, at))
    tags = slots_to_tags(list(_sources(aligned, row, formatter)), row.slots)
    return replace(row, text=text, slots=tags_to_slots(text, spans, tags))


def _sources(aligned: Sequence[Word], row: Interpretation, formatter: Formatter) -> Iterator[Span]:
    """Where each word comes from. A reading in which a slot begins or ends is divided there, if its words tell how."""
    cuts = {at for slot in row.slots for at in (slot.start, slot.end)}
    for (start, end), group in groupby(aligned, key=lambda word: (word.start, word.end)):
        said = [word.text for word in group]
        inside = sorted(at for at in cuts if start < at < end)
        divided = _divided(said, list(pairwise([start, *inside, end])), row.text, formatter) if inside else None
        yield from divided or [(start, end)] * len(said)


def _divided(said: list[str], parts: list[Span], text: str, formatter: Formatter) -> list[Span] | None:
    """The part of the written text behind each word of one reading; None where that cannot be told.

    A part has the words it is read as when it stands alone: of "5 km", read "five kilometers", the 5 has "five". The words that
    are left belong to the part that is left, here "km" with "kilometers".
    """
    sources: list[Span | None] = [None] * len(said)
    left = []
    for start, end in parts:
        alone = [word.text for word in formatter.align(text[start:end])]
        places = [i for i in range(len(said)) if said[i : i + len(alone)] == alone and not any(sources[i : i + len(alone)])]
        if alone and places:
            sources[places[0] : places[0] + len(alone)] = [(start, end)] * len(alone)
        elif alone:
            left.append((start, end))
    if len(left) > 1:
        return None
    for i, source in enumerate(sources):
        if source is None:
            sources[i] = left[0] if left else sources[i - 1] if i else parts[0]
    return [source for source in sources if source is not None]
