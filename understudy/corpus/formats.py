"""Labelled data as people have it: MASSIVE, BIO/CoNLL, seq.in/seq.out/label folders, Rasa YAML, our own JSON lines.

Each reader takes one file (or one folder of three parallel files) and gives pairs (partition, Interpretation). In labelled
data every line counts: the first that cannot be used is a DataError with file and line.

BIO/CoNLL, the common variants: one token per line with its tag in the last tag-like column (`B-time`, `I-time`, `O`; also
BIOES/BILOU), columns parted by tabs, or by white space where a line has no tab; blank lines between utterances; a leading
column of running numbers is skipped. The intent stands in a comment (`# intent: alarm_set` or `# intent = alarm_set`), alone
on a line of the block, or in another column, the same on each line that has it. Further comments are read where they stand:
`# text`, `# domain`, `# locale` (or `# lang`), `# partition` (or `# split`).
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from pydantic_core import from_json

from understudy.corpus.lines import BadLines, lines
from understudy.errors import DataError
from understudy.interpretation import Interpretation, Slot, parse_annotation, tags_to_slots

__all__ = ["PARTITIONS", "Labelled", "domain_of", "read_bio", "read_massive", "read_own", "read_seq", "write_row"]

Labelled = tuple[str, Interpretation]
PARTITIONS = {
    "train": "train", "training": "train", "dev": "dev", "valid": "dev", "validation": "dev", "val": "dev", "eval": "dev",
    "development": "dev", "test": "test", "testing": "test", "held": "held",
}  # fmt: skip
"""Names that folders and files give to partitions, and ours."""

_TAG = re.compile(r"^(?:O|([BIESUL])-(\S.*))$")
_COMMENT = re.compile(r"^#\s*([A-Za-z_]+)\s*[:=]\s*(.*)$")
_SAME = {"S": "B", "U": "B", "E": "I", "L": "I"}
_UNSPACED_LANGUAGES = ("ja", "zh", "th")


def domain_of(intent: str) -> str:
    """The domain of an intent that has none of its own: what stands before the first `_` or `/`."""
    return re.split(r"[_/]", intent, maxsplit=1)[0]


def _lines(path: str) -> Iterator[tuple[int, str]]:
    return lines(path, BadLines(0.0, path))


def _objects(path: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Where each JSON object of a file stands, and the object."""
    for number, line in _lines(path):
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


def _string(record: Mapping[str, Any], key: str, where: str, default: str | None = None) -> str:
    value = record.get(key, default)
    if not isinstance(value, str) or (default is None and not value.strip()):
        found = f"keys {', '.join(map(str, record))}" if key not in record else f"{value!r}"
        raise DataError(f"this line has no '{key}'", where=where, got=found[:200], wanted=f"a string under '{key}'")
    return value


def _id(record: Mapping[str, Any]) -> str:
    value = record.get("id")
    return str(value) if isinstance(value, str | int) else ""


def read_massive(path: str, *, partition: str, locale: str | None) -> Iterator[Labelled]:
    """Rows of a MASSIVE file: utt, annot_utt, intent, and where given scenario (the domain), locale, partition and id.

    Slots come out over `utt`; the annotation may differ from it in white space only (the Japanese one inserts spaces).
    """
    for where, row in _objects(path):
        text, intent = _string(row, "utt", where), _string(row, "intent", where)
        annotated, slots = parse_annotation(_string(row, "annot_utt", where), where=where)
        moved = tuple(_onto(text, annotated, slots, where))
        named = _string(row, "partition", where, partition)
        domain = _string(row, "scenario", where, "") or domain_of(intent)
        place = _string(row, "locale", where, locale or "")
        yield PARTITIONS.get(named, named), Interpretation(text, intent, moved, domain, locale=place, id=_id(row))


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
    """Rows as the labels stage writes them: text, intent, and where given locale, domain, slots (name, start, end), partition, id."""
    for where, row in _objects(path):
        text, intent = _string(row, "text", where), _string(row, "intent", where)
        raw = row.get("slots", [])
        if not isinstance(raw, list):
            raise DataError("'slots' is not a list", where=where, got=repr(raw)[:200])
        slots = sorted((_own_slot(item, text, where) for item in raw), key=lambda s: s.start)
        for left, right in itertools.pairwise(slots):
            if right.start < left.end:
                raise DataError("two slots overlap", where=where, got=f"{left.name}={left.value!r}, {right.name}={right.value!r}")
        named = _string(row, "partition", where, partition)
        domain = _string(row, "domain", where, "") or domain_of(intent)
        place = _string(row, "locale", where, locale or "")
        yield PARTITIONS.get(named, named), Interpretation(text, intent, tuple(slots), domain, locale=place, id=_id(row))


def _own_slot(item: Any, text: str, where: str) -> Slot:
    values = [item.get(k) for k in ("name", "start", "end")] if isinstance(item, dict) else []
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


def read_bio(path: str, *, partition: str, locale: str | None) -> Iterator[Labelled]:
    """Utterances of a BIO/CoNLL file, in the variants that the head of this file describes."""
    block: list[tuple[int, str]] = []
    for number, line in itertools.chain(_lines(path), [(0, "")]):
        if line.strip():
            block.append((number, line))
        elif block:
            yield from _bio_block(path, block, partition, locale)
            block = []


def _bio_block(path: str, block: list[tuple[int, str]], partition: str, locale: str | None) -> Iterator[Labelled]:
    comments: dict[str, str] = {}
    table: list[tuple[int, list[str]]] = []
    for number, line in block:
        comment = _COMMENT.match(line)
        if line.startswith("#") and (comment or not re.search(r"\s(?:O|[BIESUL]-\S+)\s*$", line)):
            if comment:
                comments[comment[1].lower()] = comment[2].strip()
            continue
        fields = [f.strip() for f in line.split("\t")] if "\t" in line else line.split()
        if len(fields) == 1 or (len(fields) == 2 and not fields[1]):
            if "intent" in comments:
                raise DataError("this line has a token without a tag", where=f"{path}:{number}", got=line[:200])
            comments["intent"] = fields[0]
            continue
        if not fields[0]:
            raise DataError("this line has a tag without a token", where=f"{path}:{number}", got=line[:200])
        table.append((number, fields))
    if not table and "intent" not in comments:
        return
    where = f"{path}:{block[0][0]}"
    if not table:
        raise DataError(
            "this utterance has no tokens", where=where, got=block[0][1][:200], wanted="lines of a token, a tab and a tag"
        )
    tokens, tags, intent = _bio_columns(path, table)
    intent = comments.get("intent") or intent
    if not intent:
        raise DataError(
            "this utterance has no intent",
            where=where,
            got=" ".join(tokens)[:200],
            wanted="a line `# intent: NAME` before its tokens",
        )
    place = comments.get("locale") or comments.get("lang") or locale or ""
    text, spans = _joined(tokens, place, comments.get("text"))
    named = comments.get("partition") or comments.get("split") or partition
    slots = tags_to_slots(text, spans, tags)
    yield (
        PARTITIONS.get(named, named),
        Interpretation(text, intent, slots, comments.get("domain") or domain_of(intent), locale=place),
    )


def _bio_columns(path: str, table: list[tuple[int, list[str]]]) -> tuple[list[str], list[str], str]:
    """Tokens, BIO tags and the intent, if a column has it."""
    width = len(table[0][1])
    for number, fields in table:
        if len(fields) != width:
            raise DataError(
                f"this line has {len(fields)} columns, the utterance began with {width}",
                where=f"{path}:{number}",
                got=" | ".join(fields)[:200],
                wanted="one token and one tag, parted by a tab",
            )
    columns = list(zip(*(fields for _, fields in table), strict=True))
    if width > 2 and columns[0] == tuple(str(i + 1) for i in range(len(table))):
        columns = columns[1:]
    tagged = [i for i, c in enumerate(columns) if i and all(_TAG.match(v) for v in c)]
    if not tagged:
        column = columns[-1]
        number, value = next((n, v) for (n, _), v in zip(table, column, strict=True) if not _TAG.match(v))
        raise DataError("this is not a tag", where=f"{path}:{number}", got=repr(value), wanted="O, B-name or I-name")
    others = [
        [v for v in c if v not in ("", "_", "-")] for i, c in enumerate(columns) if i and i != tagged[-1] and i not in tagged
    ]
    intent = next((c[0] for c in others if c and len(set(c)) == 1), "")
    tags = [value if value == "O" else f"{_SAME.get(value[0], value[0])}{value[1:]}" for value in columns[tagged[-1]]]
    return list(columns[0]), tags, intent


def _joined(tokens: Iterable[str], locale: str, text: str | None) -> tuple[str, list[tuple[int, int]]]:
    """The text of tokens and where each stands: found in `text` where given, else parted by spaces (not in Japanese)."""
    spans: list[tuple[int, int]] = []
    tokens = list(tokens)
    if text is not None:
        at = 0
        for token in tokens:
            start = text.find(token, at)
            if start < 0 or text[at:start].strip():
                break
            at = start + len(token)
            spans.append((start, at))
        if len(spans) == len(tokens):
            return text, spans
        spans = []
    space = "" if locale.startswith(_UNSPACED_LANGUAGES) else " "
    joined = ""
    for token in tokens:
        joined += space if joined else ""
        spans.append((len(joined), len(joined) + len(token)))
        joined += token
    return joined, spans


def read_seq(folder: str, *, partition: str, locale: str | None) -> Iterator[Labelled]:
    """Utterances of a folder with seq.in (tokens), seq.out (tags) and label (intents), one utterance per line in each."""
    names = ("seq.in", "seq.out", "label")
    columns = [_lines(f"{folder}/{name}") for name in names]
    number = 0
    while True:
        number += 1
        row = [next(column, None) for column in columns]
        if all(r is None for r in row):
            return
        if any(r is None for r in row):
            short = ", ".join(name for name, r in zip(names, row, strict=True) if r is None)
            raise DataError("the three files are not of one length", where=f"{folder}/{short}:{number}", got="no such line")
        tokens, tags, intent = (cast("tuple[int, str]", r)[1].split() for r in row)
        if not tokens and not tags and not intent:
            continue
        wrong = next((t for t in tags if not _TAG.match(t)), None)
        if wrong is not None:
            raise DataError(
                "this is not a tag", where=f"{folder}/seq.out:{number}", got=repr(wrong), wanted="O, B-name or I-name"
            )
        if len(tokens) != len(tags) or not tokens:
            got = f"{len(tokens)} tokens in seq.in, {len(tags)} tags"
            raise DataError("tokens and tags are not of one number", where=f"{folder}/seq.out:{number}", got=got)
        if not intent:
            raise DataError("this utterance has no intent", where=f"{folder}/label:{number}", got="an empty line")
        text, spans = _joined(tokens, locale or "", None)
        plain = [t if t == "O" else f"{_SAME.get(t[0], t[0])}{t[1:]}" for t in tags]
        found = Interpretation(text, " ".join(intent), tags_to_slots(text, spans, plain), locale=locale or "")
        yield partition, replace(found, domain=domain_of(found.intent))
