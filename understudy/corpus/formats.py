"""Labelled data as JSON lines, MASSIVE's and our own, and what all readers of labelled data share.

Each reader (those of other formats stand in `bio` and `rasa`) takes one file and gives pairs (partition, Interpretation). In
labelled data every line counts: the first that cannot be used is a DataError with file and line.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from pydantic_core import from_json

from understudy.corpus.files import language_of, partition_called
from understudy.corpus.lines import BadLines, lines
from understudy.errors import DataError
from understudy.interpretation import Interpretation, Slot, parse_annotation

__all__ = [
    "Labelled",
    "domain_of",
    "every_line",
    "json_format",
    "labelled",
    "place_of",
    "read_massive",
    "read_own",
    "string",
    "write_row",
]

Labelled = tuple[str, Interpretation]


def domain_of(intent: str) -> str:
    """The domain of an intent that has none of its own: what stands before the first `_` or `/`."""
    return re.split(r"[_/]", intent, maxsplit=1)[0]


def every_line(path: str) -> Iterator[tuple[int, str]]:
    """Numbers and lines of a labelled file; the first that cannot be used raises DataError."""
    return lines(path, BadLines(0.0, path))


def _objects(path: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Where each JSON object of a file stands, and the object."""
    for number, line in every_line(path):
        where = f"{path}:{number}"
        if not line.strip():
            continue
        try:
            value = from_json(line)  # refuses lone surrogates, as of corpora (`records`): no file can hold them
        except ValueError as error:
            raise DataError("this line is not JSON", where=where, got=str(error)) from None
        if not isinstance(value, dict):
            raise DataError("this line is not a JSON object", where=where, got=type(value).__name__)
        yield where, value


def json_format(line: str) -> Literal["massive", "spans"] | None:
    """The format of labelled JSON lines by the keys of the first, None where it is none of ours."""
    try:
        keys = from_json(line)
    except ValueError:
        return None
    if not isinstance(keys, dict):
        return None
    if "annot_utt" in keys:
        return "massive"
    return "spans" if {"text", "intent"} <= keys.keys() else None


def string(record: Mapping[str, Any], key: str, where: str, default: str | None = None) -> str:
    """What stands under `key`, or `default`. Raises DataError for what is no string, and for an empty one that has no default."""
    value = record.get(key, default)
    if not isinstance(value, str) or (default is None and not value.strip()):
        found = f"keys {', '.join(map(str, record))}" if key not in record else f"{value!r}"
        raise DataError(f"this line has no '{key}'", where=where, got=found[:200], wanted=f"a string under '{key}'")
    return value


def labelled(
    row: Mapping[str, Any], text: str, intent: str, slots: Sequence[Slot], *, partition: str, locale: str | None, where: str
) -> Labelled:
    """An utterance with what its row says beside: domain, locale, partition, and the id that its translations share.

    What it does not say, or leaves empty, is `partition`, `locale` and the domain of its intent. Raises DataError for what is no string.
    """
    named = string(row, "partition", where, "") or partition
    domain = string(row, "domain", where, "") or domain_of(intent)
    place = place_of(string(row, "locale", where, ""), locale, where)
    number = row.get("id")
    known = str(number) if isinstance(number, str | int) else ""
    return partition_called(named, where=where), Interpretation(text, intent, tuple(slots), domain, locale=place, id=known)


def place_of(own: str, otherwise: str | None, where: str) -> str:
    """The locale that an utterance says, `otherwise` where it says none. Raises DataError where it says what is none."""
    if own and language_of(own) is None:
        raise DataError(
            "this is no locale",
            where=where,
            got=repr(own)[:200],
            wanted="two small letters and perhaps a region in capitals, such as 'de' or 'de-DE'",
        )
    return own or otherwise or ""


def read_massive(path: str, *, partition: str, locale: str | None) -> Iterator[Labelled]:
    """Rows of a MASSIVE file: utt, annot_utt, intent, and where given scenario (the domain), locale, partition and id.

    Slots come out over `utt`; the annotation may differ from it in white space only (the Japanese one inserts spaces).
    """
    for where, row in _objects(path):
        text, intent = string(row, "utt", where), string(row, "intent", where)
        annotated, slots = parse_annotation(string(row, "annot_utt", where), where=where)
        moved = tuple(_onto(text, annotated, slots, where))
        yield labelled(
            {**row, "domain": row.get("scenario", "")}, text, intent, moved, partition=partition, locale=locale, where=where
        )


def _onto(text: str, annotated: str, slots: Sequence[Slot], where: str) -> Iterator[Slot]:
    """Slots over `annotated` as slots over `text`, which has the same characters up to white space."""
    at = [i for i, char in enumerate(text) if not char.isspace()]
    if [text[i] for i in at] != [char for char in annotated if not char.isspace()]:
        raise DataError("annot_utt does not reproduce utt", where=where, got=annotated[:200], wanted=text[:200])
    before, seen = [0], 0
    for char in annotated:
        seen += not char.isspace()
        before.append(seen)
    for slot in slots:
        first, last = before[slot.start], before[slot.end] - 1
        if last < first:
            raise DataError(f"the slot '{slot.name}' is empty", where=where, got=annotated[:200], wanted="[name : value]")
        start, end = at[first], at[last] + 1
        yield Slot(slot.name, text[start:end], start, end)


def read_own(path: str, *, partition: str, locale: str | None) -> Iterator[Labelled]:
    """Rows as the labels stage writes them: text, intent, and where given locale, domain, slots (name, start, end), partition, id.

    Rasa's names of the same are taken too: `entities`, each with `entity`, `start`, `end`.
    """
    for where, row in _objects(path):
        text, intent = string(row, "text", where), string(row, "intent", where)
        named = [key for key in ("slots", "entities") if key in row]
        if len(named) > 1:
            raise DataError("this line has both 'slots' and 'entities'", where=where, wanted="one of them")
        raw = row[named[0]] if named else []
        if not isinstance(raw, list):
            raise DataError(f"'{named[0]}' is not a list", where=where, got=repr(raw)[:200])
        slots = sorted((_own_slot(item, text, where) for item in raw), key=lambda s: s.start)
        for left, right in itertools.pairwise(slots):
            if right.start < left.end:
                raise DataError("two slots overlap", where=where, got=f"{left.name}={left.value!r}, {right.name}={right.value!r}")
        yield labelled(row, text, intent, slots, partition=partition, locale=locale, where=where)


def _own_slot(item: Any, text: str, where: str) -> Slot:
    values = [item.get("name", item.get("entity")), item.get("start"), item.get("end")] if isinstance(item, dict) else []
    match values:
        case [str(name), int(start), int(end)] if name and 0 <= start < end <= len(text):
            return Slot(name, text[start:end], start, end)
    wanted = f"name, start and end with 0 <= start < end <= {len(text)}"
    raise DataError("a slot does not lie in its text", where=where, got=json.dumps(item, ensure_ascii=False)[:200], wanted=wanted)


def write_row(row: Interpretation) -> str:
    """One line of our own format: the inverse of `read_own`."""
    slots = [{"name": s.name, "start": s.start, "end": s.end} for s in row.slots]
    fields = {"text": row.text, "locale": row.locale, "intent": row.intent, "domain": row.domain, "slots": slots}
    return json.dumps(fields | ({"id": row.id} if row.id else {}), ensure_ascii=False)
