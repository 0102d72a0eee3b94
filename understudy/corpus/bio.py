"""Labelled data with a tag for each token: BIO/CoNLL files, and folders of seq.in, seq.out and label as ATIS and SNIPS have them.

BIO/CoNLL, the common variants: one token per line with its tag in the last tag-like column (`B-time`, `I-time`, `O`; also
BIOES/BILOU), columns parted by tabs, or by white space where a line has no tab; blank lines between utterances; a leading
column of running numbers is skipped. The intent stands in a comment (`# intent: alarm_set` or `# intent = alarm_set`), alone
on a line before or after the tokens of the block, or in another column, the only one with one value in each utterance of the file. Further comments are
read where they stand: `# text`, `# domain`, `# locale` (or `# lang`), `# partition` (or `# split`).
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from understudy.corpus.files import partition_called
from understudy.corpus.formats import Labelled, domain_of, every_line, place_of
from understudy.errors import DataError
from understudy.interpretation import Interpretation, Slot, tags_to_slots

__all__ = ["begins_bio", "read_bio", "read_seq", "tagged"]

_TAG = re.compile(r"^(?:O|([BIESUL])-(\S.*))$")
_COMMENT = re.compile(r"^#\s*([A-Za-z_]+)\s*[:=]\s*(.*)$")
_SAME = {"S": "B", "U": "B", "E": "I", "L": "I"}
_UNSPACED_LANGUAGES = ("ja", "zh", "th")


def read_bio(path: str, *, partition: str, locale: str | None) -> Iterator[Labelled]:
    """Utterances of a BIO/CoNLL file, in the variants that the head of this file describes."""
    utterances = [found for block in _blocks(path) if (found := _utterance(path, block)) is not None]
    column = _intent_column([u for u in utterances if "intent" not in u.comments and not u.alone])
    for one in utterances:
        if one.alone and column >= 0:  # the others have theirs in that column
            raise _untagged(*one.alone)
        intent = one.comments.get("intent") or (one.alone[1] if one.alone else one.constant().get(column, ""))
        if not intent:
            raise DataError(
                "this utterance has no intent",
                where=one.where,
                got=" ".join(one.tokens)[:200],
                wanted="a line `# intent: NAME` before its tokens",
            )
        place = place_of(one.comments.get("locale") or one.comments.get("lang") or "", locale, one.where)
        text, spans = _joined(one.tokens, place, one.comments.get("text"))
        named = one.comments.get("partition") or one.comments.get("split") or partition
        slots = tags_to_slots(text, spans, one.tags)
        domain = one.comments.get("domain") or domain_of(intent)
        yield partition_called(named, where=one.where), Interpretation(text, intent, slots, domain, locale=place)


@dataclass(frozen=True)
class _Utterance:
    """A block of a BIO file. alone: where a word stands alone before or after its tokens, and that word; others: what stands in
    columns that hold neither tokens nor tags, by their place."""

    where: str
    comments: Mapping[str, str]
    alone: tuple[str, str] | None
    tokens: Sequence[str]
    tags: Sequence[str]
    others: Mapping[int, Sequence[str]]

    def constant(self) -> dict[int, str]:
        """Columns with one value on all lines that have one."""
        return {place: column[0] for place, column in self.others.items() if len(set(column)) == 1}


def _intent_column(utterances: Sequence[_Utterance]) -> int:
    """The column that has one value in each of these utterances, -1 where there is none. Raises DataError where several have."""
    each = [one.constant() for one in utterances]
    places = sorted(set.intersection(*map(set, each))) if each else []
    if len(places) > 1:
        raise DataError(
            "several columns could be the intent",
            where=utterances[0].where,
            got=" | ".join(each[0][place] for place in places)[:200],
            wanted="one column, besides tokens and tags, that is the same on all lines of an utterance",
            hint="Leave the others out, or write `# intent: NAME` before the tokens",
        )
    return places[0] if places else -1


def _blocks(path: str) -> Iterator[list[tuple[int, str]]]:
    block: list[tuple[int, str]] = []
    for number, line in itertools.chain(every_line(path), [(0, "")]):
        if line.strip():
            block.append((number, line))
        elif block:
            yield block
            block = []


def begins_bio(head: Iterable[str]) -> bool:
    """Whether a file that begins with these lines is BIO: an intent stands in a comment, or the first token has a tag.

    That line has several columns. Parted by tabs, any of them but the token may be the tag; else the last, as text has spaces too.
    """
    for line in head:
        comment = _COMMENT.match(line)
        if comment and comment[1].lower() == "intent":
            return True
        fields = [f.strip() for f in line.split("\t")] if "\t" in line else line.split()
        if line.startswith("#") and (comment or not _TAG.match(fields[-1])):
            continue
        if len(fields) > 1:
            return any(_TAG.match(f) for f in (fields[1:] if "\t" in line else fields[-1:]))
    return False


def _utterance(path: str, block: list[tuple[int, str]]) -> _Utterance | None:
    """The utterance of a block, None where there are comments alone."""
    comments: dict[str, str] = {}
    alone: list[tuple[int, str]] = []
    table: list[tuple[int, list[str]]] = []
    for number, line in block:
        comment = _COMMENT.match(line)
        if line.startswith("#") and (comment or not re.search(r"\s(?:O|[BIESUL]-\S+)\s*$", line)):
            if comment:
                key = comment[1].lower()
                if key == "intent" and key in comments:
                    hint = "An empty line parts two utterances"
                    raise DataError("this utterance has a second intent", where=f"{path}:{number}", got=line[:200], hint=hint)
                comments[key] = comment[2].strip()
            continue
        fields = [f.strip() for f in line.split("\t")] if "\t" in line else line.split()
        if len(fields) == 1 or (len(fields) == 2 and not fields[1]):
            alone.append((number, fields[0]))
            continue
        if not fields[0]:
            raise DataError("this line has a tag without a token", where=f"{path}:{number}", got=line[:200])
        table.append((number, fields))
    inside = [one for one in alone if table and table[0][0] < one[0] < table[-1][0]]
    if untagged := alone if "intent" in comments else inside or alone[1:]:
        raise _untagged(f"{path}:{untagged[0][0]}", untagged[0][1])
    if not table and not alone and "intent" not in comments:
        return None
    where = f"{path}:{block[0][0]}"
    if not table:
        raise DataError(
            "this utterance has no tokens", where=where, got=block[0][1][:200], wanted="lines of a token, a tab and a tag"
        )
    tokens, tags, others = _bio_columns(path, table)
    intent = (f"{path}:{alone[0][0]}", alone[0][1]) if alone else None
    return _Utterance(where, comments, intent, tokens, tags, others)


def _untagged(where: str, token: str) -> DataError:
    return DataError("this line has a token without a tag", where=where, got=token[:200])


def _bio_columns(path: str, table: list[tuple[int, list[str]]]) -> tuple[list[str], list[str], dict[int, list[str]]]:
    """Tokens, BIO tags, and what stands in the other columns."""
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
    having = [i for i, c in enumerate(columns) if i and all(_TAG.match(v) for v in c)]
    if not having:
        column = columns[-1]
        number, value = next((n, v) for (n, _), v in zip(table, column, strict=True) if not _TAG.match(v))
        raise DataError("this is not a tag", where=f"{path}:{number}", got=repr(value), wanted="O, B-name or I-name")
    others = {i: [v for v in c if v not in ("", "_", "-")] for i, c in enumerate(columns) if i and i not in having}
    return list(columns[0]), [_plain(value) for value in columns[having[-1]]], others


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
    columns = [every_line(f"{folder}/{name}") for name in names]
    number = 0
    while True:
        number += 1
        row = [next(column, None) for column in columns]
        if all(r is None for r in row):
            return
        if any(r is None for r in row):
            short = ", ".join(name for name, r in zip(names, row, strict=True) if r is None)
            raise DataError("the three files are not of one length", where=f"{folder}/{short}:{number}", got="no such line")
        tokens, tags, words = (cast("tuple[int, str]", r)[1].split() for r in row)
        if not tokens and not tags and not words:
            continue
        text, slots = tagged(tokens, tags, locale or "", where=f"{folder}/seq.out:{number}")
        if not words:
            raise DataError("this utterance has no intent", where=f"{folder}/label:{number}", got="an empty line")
        intent = " ".join(words)
        yield partition, Interpretation(text, intent, slots, domain_of(intent), locale=locale or "")


def tagged(tokens: Sequence[str], tags: Sequence[str], locale: str, *, where: str) -> tuple[str, tuple[Slot, ...]]:
    """The text of tokens and the slots that their tags make, parted by spaces but in Japanese and its like.

    Raises DataError for what is no tag, where there is none for each token, and where there are no tokens.
    """
    wrong = next((t for t in tags if not _TAG.match(t)), None)
    if wrong is not None:
        raise DataError("this is not a tag", where=where, got=repr(wrong), wanted="O, B-name or I-name")
    if len(tokens) != len(tags) or not tokens:
        raise DataError("tokens and tags are not of one number", where=where, got=f"{len(tokens)} tokens, {len(tags)} tags")
    text, spans = _joined(tokens, locale, None)
    return text, tags_to_slots(text, spans, [_plain(tag) for tag in tags])


def _plain(tag: str) -> str:
    """BIOES and BILOU in BIO."""
    return tag if tag == "O" else f"{_SAME.get(tag[0], tag[0])}{tag[1:]}"
