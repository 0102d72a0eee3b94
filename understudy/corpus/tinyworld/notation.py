"""The notation that the grammars of the built-in world are written in.

A grammar is a TOML file of three tables, written to be read and corrected by a speaker of the language:

    [frame]   what may stand around an utterance: `command` and `question`, with `...` for the utterance
    [intent]  intent = its phrasings; one that begins with `?` is a question
    [value]   name = its entries: values of slots, and the building blocks they are made of

Entries are parted by commas or lines, the most frequent first: Zipf's law, the entry of rank r has weight 1 / r. Where one
begins with a weight of its own, as in `4 <hour> thirty`, those without have weight 1. In an entry

    [please]        may be there or not           (up|down)        one of these, the earlier the likelier
    {city}          a slot with a value of `city`  <hour>           a value of `hour` that is no slot of its own
    {city.in}       its form `in`                  {target=city}    the slot `target` with a value of `city`

Values have forms where the language inflects them. `name.form = ...` lists one form by itself (`name.base` is what `{name}`
means), and a table lists all forms of each value side by side:

    city = '''
    @ base / in / to = ~ sari
    roma / a roma
    '''

names the forms in its first line, parts them by `/`, and lets `~` stand for the first one; `to = ~ sari` is the form of rows
that do not write one. A slot covers whole words: an article, particle or case ending written as part of the word belongs to
the value. `#` begins a comment line.
"""

from __future__ import annotations

import itertools
import math
import re
import tomllib
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from importlib import resources
from typing import Any

from understudy.corpus.tinyworld.grammar import Call, Grammar, Parts, Phrase, Rule, calls
from understudy.errors import DataError, nearest

__all__ = ["load", "parse"]

OPTIONAL = 0.3  # how often an optional part is there
_REFERENCE = re.compile(r"(?:([a-z_]+)=)?([a-z_0-9]+(?:\.[a-z_0-9]+)?)")
_WEIGHT = re.compile(r"(\d+)\s+(.*)", re.S)
_WRONG = re.compile(r"[\d.,;:!?/~\"-]")
_SPECIAL = "()[]{}<>|"


@lru_cache(maxsize=16)
def load(lang: str) -> Grammar:
    """The built-in grammar of a language. Raises DataError for a language that has none."""
    folder = resources.files("understudy.corpus.tinyworld") / "grammars"
    known = sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))
    if lang not in known:
        raise DataError(
            "the built-in world does not speak this language", got=lang, wanted=", ".join(known), hint=nearest(lang, known)
        )
    return parse((folder / f"{lang}.toml").read_text(encoding="utf-8"), where=f"{lang}.toml")


def parse(text: str, *, where: str) -> Grammar:
    """The grammar written in `text`; raises DataError with `where` and the entry for anything that cannot be right."""
    try:
        tables: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise DataError("the grammar is not TOML", where=where, got=error) from error
    return _Compiler(tables, where).grammar()


class _Compiler:
    """Turns the tables of a grammar file into rules, checking everything on the way."""

    def __init__(self, tables: dict[str, Any], where: str) -> None:
        self.where = where
        unknown = set(tables) - {"spaces", "frame", "intent", "value"}
        missing = {"frame", "intent", "value"} - set(tables)
        if unknown or missing:
            raise self.error("a grammar", "unknown or missing tables", sorted(unknown | missing))
        for table in ("frame", "intent", "value"):
            for name, entry in tables[table].items():
                forms = entry.values() if isinstance(entry, dict) and table == "value" else [entry]
                if not all(isinstance(form, str) for form in forms):
                    raise self.error(f"{table} {name}", "an entry is text in quotes", entry)
        self.spaces: bool = tables.get("spaces", True)
        self.frame, self.intent = tables["frame"], tables["intent"]
        self.tables: dict[str, str] = {}
        self.texts = dict(self._forms(tables["value"]))
        self.rules = {name: Rule(name) for name in self.texts}

    def error(self, entry: str, what: str, got: object = None, hint: str | None = None) -> DataError:
        return DataError(what, where=f"{self.where}: {entry}", got=got, hint=hint)

    def grammar(self) -> Grammar:
        for name, entries in self.texts.items():
            choices, rows = [], []
            for row, (weight, line) in enumerate(_weighted(entries)):
                variants = self.variants(name, line)
                choices += [(weight * share, sequence) for share, sequence in variants]
                rows += [f"{self.tables[name]} {row}"] * len(variants) if name in self.tables else []
            self.rules[name].fill(choices, rows)
        self._refuse_circles()
        phrases = {
            intent: [
                Phrase(weight, line.startswith("?"), self.variants(intent, line.removeprefix("?")))
                for weight, line in _normalised(_weighted(_entries(text)))
            ]
            for intent, text in self.intent.items()
        }
        for name, rule in self.rules.items():
            self._refuse_nested_slots(name, rule.sequences)
        for intent, phrasings in phrases.items():
            self._refuse_nested_slots(intent, [sequence for phrase in phrasings for _, sequence in phrase.sequences])
        return Grammar(self.rules, phrases, {kind: self._frames(kind) for kind in ("command", "question")})

    def _forms(self, values: dict[str, Any]) -> Iterator[tuple[str, list[str]]]:
        """Each `name` or `name.form` with its entries."""
        for name, value in values.items():
            if isinstance(value, dict):
                for form, text in value.items():
                    yield (name if form == "base" else f"{name}.{form}"), _entries(text)
            elif value.lstrip().startswith("@"):
                yield from self._table(name, value)
            else:
                yield name, _entries(value)

    def _table(self, name: str, text: str) -> Iterator[tuple[str, list[str]]]:
        header, *rows = _entries(text)
        columns = [column.partition("=") for column in header.removeprefix("@").split("/")]
        forms, defaults = [c[0].strip() for c in columns], [c[2].strip() for c in columns]
        table = []
        for row in rows:
            weight = _WEIGHT.fullmatch(row)
            cells = [cell.strip() for cell in (weight.group(2) if weight else row).split("/")]
            cells += defaults[len(cells) :]
            if len(cells) != len(forms) or not all(cells):
                raise self.error(name, f"a row does not have the {len(forms)} forms of its table", row)
            cells[1:] = [cell.replace("~", cells[0]) for cell in cells[1:]]
            table.append([f"{weight.group(1)} {cell}" if weight else cell for cell in cells])
        for index, form in enumerate(forms):
            rule = name if form == "base" else f"{name}.{form}"
            self.tables[rule] = name
            yield rule, [row[index] for row in table]

    def _frames(self, kind: str) -> Rule:
        rule = Rule(kind)
        framed: list[tuple[float, Parts]] = []
        for weight, line in _weighted(_entries(self.frame.get(kind, ""))):
            before, dots, after = line.partition("...")
            if not dots:
                raise self.error(f"frame {kind}", "a frame has no ... for the utterance", line)
            for share, sequence in self.variants(f"frame {kind}", f"{before}\0{after}"):
                if any(isinstance(part, Call) for part in sequence):
                    raise self.error(f"frame {kind}", "a frame has words only, no values", line)
                words = "".join(map(str, sequence))
                framed.append((weight * share, tuple(map(self._spaced, words.split("\0")))))
        if not framed:
            raise self.error(f"frame {kind}", "there are no frames")
        rule.fill(framed)
        return rule

    def _spaced(self, text: str) -> str:
        return text if self.spaces else text.replace(" ", "")

    def variants(self, entry: str, line: str) -> list[tuple[float, Parts]]:
        """Every way to resolve the optional parts and alternatives of a line, with its share of the line's weight."""
        if line != unicodedata.normalize("NFC", line.lower()) or _WRONG.search(re.sub(r"[{<].*?[}>]", "", line)):
            raise self.error(entry, "a phrase must be lower case and spelled out: no digits, no punctuation, NFC", line)
        expanded, rest = self._alternatives(entry, line, 0, "")
        assert rest == len(line)
        return [(share, self._tidy(entry, line, parts)) for share, parts in expanded]

    def _alternatives(self, entry: str, line: str, at: int, close: str) -> tuple[list[tuple[float, list[str | Call]]], int]:
        """Reads `a|b|...` from `at` up to the closing bracket; returns the variants and where it ended."""
        options: list[list[tuple[float, list[str | Call]]]] = [[(1.0, [])]]
        while at < len(line) and line[at] != close:
            if line[at] == "|" and close:
                options.append([(1.0, [])])
                at += 1
                continue
            found, at = self._item(entry, line, at)
            options[-1] = [(p * q, [*a, *b]) for p, a in options[-1] for q, b in found]
        if (at < len(line)) != bool(close):
            raise self.error(entry, "brackets do not pair", line)
        total = math.fsum(1 / (rank + 1) for rank in range(len(options)))
        return [(p / (rank + 1) / total, parts) for rank, option in enumerate(options) for p, parts in option], at

    def _item(self, entry: str, line: str, at: int) -> tuple[list[tuple[float, list[str | Call]]], int]:
        char = line[at]
        if char in "([":
            found, end = self._alternatives(entry, line, at + 1, ")" if char == "(" else "]")
            if char == "[":
                found = [(1 - OPTIONAL, []), *((OPTIONAL * share, parts) for share, parts in found)]
            return found, end + 1
        if char in "{<":
            end = line.find("}" if char == "{" else ">", at)
            match = _REFERENCE.fullmatch(line[at + 1 : end]) if end > 0 else None
            if not match or match.group(2) not in self.rules or (char == "<" and match.group(1)):
                raise self.error(entry, "a reference names no value", line[at : end + 1], nearest(line[at + 1 : end], self.rules))
            slot = match.group(1) or match.group(2).partition(".")[0] if char == "{" else ""
            return [(1.0, [Call(self.rules[match.group(2)], slot)])], end + 1
        if char in _SPECIAL:
            raise self.error(entry, "brackets do not pair", line)
        end = next((i for i in range(at, len(line)) if line[i] in _SPECIAL), len(line))
        return [(1.0, [line[at:end]])], end

    def _tidy(self, entry: str, line: str, parts: list[str | Call]) -> Parts:
        """Joins neighbouring strings and makes each run of spaces one (or none, in a script without spaces)."""
        tidy: list[str | Call] = []
        for part in parts:
            joined = isinstance(part, str) and bool(tidy) and isinstance(tidy[-1], str)
            text = f"{tidy.pop()}{part}" if joined else part
            tidy.append(re.sub(r"\s+", " ", text) if isinstance(text, str) else text)
        if tidy and isinstance(tidy[0], str):
            tidy[0] = tidy[0].lstrip() if "\0" not in tidy[0] else tidy[0]
        if tidy and isinstance(tidy[-1], str):
            tidy[-1] = tidy[-1].rstrip() if "\0" not in tidy[-1] else tidy[-1]
        tidy = [part for part in tidy if part != ""]
        if not tidy:
            raise self.error(entry, "a phrase can be empty", line)
        for part, following in itertools.pairwise(tidy) if self.spaces else ():
            glued = (isinstance(part, Call) and part.slot, isinstance(following, Call) and following.slot)
            if (glued[0] and not str(following).startswith(" ")) or (glued[1] and not str(part).endswith(" ")):
                raise self.error(entry, "a slot must cover whole words: put what is glued to it into a form of its value", line)
        return tuple(self._spaced(part) if isinstance(part, str) else part for part in tidy if part != " " or self.spaces)

    def _refuse_circles(self) -> None:
        done: set[str] = set()

        def visit(rule: Rule, path: tuple[str, ...]) -> None:
            if rule.name in path:
                raise self.error(rule.name, "a value refers to itself", " -> ".join([*path, rule.name]))
            if rule.name not in done:
                for called in calls(rule.sequences):
                    visit(called.rule, (*path, rule.name))
                done.add(rule.name)

        for rule in self.rules.values():
            visit(rule, ())

    def _refuse_nested_slots(self, entry: str, sequences: list[Parts]) -> None:
        for called in calls(sequences):
            if called.slot and called.rule.slots:
                raise self.error(entry, f"the slot {called.slot} would hold another slot", called.rule.name)


def _entries(text: str) -> list[str]:
    lines = (line for line in text.splitlines() if not line.lstrip().startswith("#"))
    return [entry.strip() for line in lines for entry in line.split(",") if entry.strip()]


def _weighted(entries: list[str]) -> list[tuple[float, str]]:
    matches = [_WEIGHT.fullmatch(entry) for entry in entries]
    if any(matches):
        return [(float(m.group(1)), m.group(2)) if m else (1.0, entry) for m, entry in zip(matches, entries, strict=True)]
    return [(1 / rank, entry) for rank, entry in enumerate(entries, start=1)]


def _normalised(lines: list[tuple[float, str]]) -> list[tuple[float, str]]:
    total = math.fsum(weight for weight, _ in lines)
    return [(weight / total, line) for weight, line in lines]
