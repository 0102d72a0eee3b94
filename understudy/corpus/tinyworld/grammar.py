"""The grammars of the built-in world: a small notation, and the engine that draws utterances from it.

A grammar is a TOML file of three tables, written to be read and corrected by a speaker of the language:

    [frame]   what may stand around an utterance: `command` and `question`, with `...` for the utterance
    [intent]  intent = its phrasings; one that begins with `?` is a question
    [value]   name = its entries: values of slots, and the building blocks they are made of

Entries are parted by commas or lines, the most frequent first: the entry of rank r has weight 1 / (r + 1), unless it begins
with a weight of its own, as in `4 <hour> thirty` (entries without one then have weight 1). In an entry

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
the value. `#` begins a comment line. Every choice is drawn with one `random()`, and weights are made with division and
addition only, so a seed gives the same bytes everywhere.
"""

from __future__ import annotations

import itertools
import random
import re
import tomllib
import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any, NamedTuple

from understudy.errors import DataError, nearest

__all__ = ["Grammar", "Utterance", "load", "parse"]

OPTIONAL = 0.3  # how often an optional part is there
INTENT_SHIFT, PHRASE_SHIFT, VALUE_SHIFT = 4.0, 1.0, 1.0  # weight = 1 / (rank + shift), ranks from 0
_REFERENCE = re.compile(r"(?:([a-z_]+)=)?([a-z_0-9]+(?:\.[a-z_0-9]+)?)")
_WEIGHT = re.compile(r"(\d+)\s+(.*)", re.S)
_SPECIAL = "()[]{}<>|"


class Utterance(NamedTuple):
    """A drawn utterance: its text, intent, and slots as (name, start, end) in characters, in the order of the text."""

    text: str
    intent: str
    slots: list[tuple[str, int, int]]


class Rule:
    """A choice among sequences of strings and calls of other rules. Filled after all rules exist, as they refer to each other."""

    __slots__ = ("cumulative", "name", "sequences")

    def __init__(self, name: str) -> None:
        self.name = name
        self.cumulative: list[float] = []
        self.sequences: list[tuple[str | Call, ...]] = []

    def emit(self, draw: Callable[[], float], out: list[str], at: int, slots: list[tuple[str, int, int]]) -> int:
        """Appends one drawn sequence to `out`, whose text is `at` characters long, and its slots; returns the new length."""
        for part in self.sequences[bisect_right(self.cumulative, draw())]:
            if isinstance(part, str):
                out.append(part)
                at += len(part)
            else:
                end = part.rule.emit(draw, out, at, slots)
                if part.slot:
                    slots.append((part.slot, at, end))
                at = end
        return at


@dataclass(frozen=True, slots=True)
class Call:
    """A rule within a sequence; with a slot's name, what it emits is that slot's value."""

    rule: Rule
    slot: str = ""


class Grammar:
    """One language's grammar, ready to be drawn from.

    Args:
        rules: the values by `name` or `name.form`.
        phrases: per intent, its phrasings as (weight, is a question, sequence).
        frames: `command` and `question`.
    """

    def __init__(self, rules: Mapping[str, Rule], phrases: Mapping[str, list[Phrase]], frames: Mapping[str, Rule]) -> None:
        self.rules, self.phrases = rules, phrases
        weights: list[float] = []
        self._choices: list[tuple[str, Rule, Rule]] = []
        for rank, (intent, lines) in enumerate(phrases.items()):
            for phrase in lines:
                rule = Rule(intent)
                _fill(rule, [(weight, sequence) for weight, sequence in phrase.sequences])
                weights.append(phrase.weight / (rank + INTENT_SHIFT))
                self._choices.append((intent, rule, frames["question" if phrase.question else "command"]))
        self._cumulative = _cumulative(weights)

    @property
    def slots(self) -> dict[str, set[str]]:
        """The names of the slots that each intent can have."""
        return {
            intent: {name for phrase in lines for _, sequence in phrase.sequences for name in _slots(sequence)}
            for intent, lines in self.phrases.items()
        }

    def draw(self, rng: random.Random) -> Utterance:
        """One utterance of the traffic; never one that names the same thing in two slots, as nobody converts euros to euros."""
        while True:
            drawn = self._draw(rng.random)
            if len(drawn.slots) < 2 or len({drawn.text[start:end] for _, start, end in drawn.slots}) == len(drawn.slots):
                return drawn

    def _draw(self, draw: Callable[[], float]) -> Utterance:
        intent, rule, frame = self._choices[bisect_right(self._cumulative, draw())]
        before, after = frame.sequences[bisect_right(frame.cumulative, draw())]
        out, slots = [str(before)], list[tuple[str, int, int]]()
        rule.emit(draw, out, len(out[0]), slots)
        return Utterance("".join([*out, str(after)]), intent, slots)


class Phrase(NamedTuple):
    """One phrasing: its weight within the intent, and its variants, each with its own share."""

    weight: float
    question: bool
    sequences: list[tuple[float, tuple[str | Call, ...]]]


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
        self.spaces: bool = tables.get("spaces", True)
        self.frame, self.intent = tables["frame"], tables["intent"]
        self.texts = dict(self._forms(tables["value"]))
        self.rules = {name: Rule(name) for name in self.texts}

    def error(self, entry: str, what: str, got: object = None, hint: str | None = None) -> DataError:
        return DataError(what, where=f"{self.where}: {entry}", got=got, hint=hint)

    def grammar(self) -> Grammar:
        for name, entries in self.texts.items():
            lines = _weighted(entries, VALUE_SHIFT)
            _fill(self.rules[name], [(w * share, s) for w, line in lines for share, s in self.variants(name, line)])
        self._refuse_circles()
        self._refuse_nested_slots()
        phrases = {
            intent: [
                Phrase(weight, line.startswith("?"), self.variants(intent, line.removeprefix("?")))
                for weight, line in _normalised(_weighted(_entries(text), PHRASE_SHIFT))
            ]
            for intent, text in self.intent.items()
        }
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
            yield (name if form == "base" else f"{name}.{form}"), [row[index] for row in table]

    def _frames(self, kind: str) -> Rule:
        rule, framed = Rule(kind), []
        for weight, line in _weighted(_entries(self.frame.get(kind, "")), VALUE_SHIFT):
            before, dots, after = line.partition("...")
            if not dots:
                raise self.error(f"frame {kind}", "a frame has no ... for the utterance", line)
            for share, sequence in self.variants(f"frame {kind}", f"{before}\0{after}"):
                words = "".join(str(part) for part in sequence)
                framed.append((weight * share, tuple(self._spaced(word) for word in words.split("\0"))))
        if not framed:
            raise self.error(f"frame {kind}", "there are no frames")
        _fill(rule, framed)
        return rule

    def _spaced(self, text: str) -> str:
        return text if self.spaces else text.replace(" ", "")

    def variants(self, entry: str, line: str) -> list[tuple[float, tuple[str | Call, ...]]]:
        """Every way to resolve the optional parts and alternatives of a line, with its share of the line's weight."""
        if line != unicodedata.normalize("NFC", line.lower()) or re.search(r"[\d.,;:!?/~\"-]", re.sub(r"[{<].*?[}>]", "", line)):
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
        total = sum(1 / (rank + 1) for rank in range(len(options)))
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

    def _tidy(self, entry: str, line: str, parts: list[str | Call]) -> tuple[str | Call, ...]:
        """Joins neighbouring strings and makes each run of spaces one (or none, in a script without spaces)."""
        tidy: list[str | Call] = []
        for is_text, group in itertools.groupby(parts, key=lambda part: isinstance(part, str)):
            tidy += [re.sub(r"\s+", " ", "".join(map(str, group)))] if is_text else list(group)
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
                for called in _calls(rule.sequences):
                    visit(called.rule, (*path, rule.name))
                done.add(rule.name)

        for rule in self.rules.values():
            visit(rule, ())

    def _refuse_nested_slots(self) -> None:
        for rule in self.rules.values():
            for called in _calls(rule.sequences):
                if called.slot and any(_slots(sequence) for sequence in called.rule.sequences):
                    raise self.error(rule.name, f"the slot {called.slot} would hold another slot", called.rule.name)


def _entries(text: str) -> list[str]:
    lines = (line for line in text.splitlines() if not line.lstrip().startswith("#"))
    return [entry.strip() for line in lines for entry in line.split(",") if entry.strip()]


def _weighted(entries: list[str], shift: float) -> list[tuple[float, str]]:
    matches = [_WEIGHT.fullmatch(entry) for entry in entries]
    if any(matches):
        return [(float(m.group(1)), m.group(2)) if m else (1.0, entry) for m, entry in zip(matches, entries, strict=True)]
    return [(1 / (rank + shift), entry) for rank, entry in enumerate(entries)]


def _normalised(lines: list[tuple[float, str]]) -> list[tuple[float, str]]:
    total = sum(weight for weight, _ in lines)
    return [(weight / total, line) for weight, line in lines]


def _cumulative(weights: list[float]) -> list[float]:
    total = sum(weights)
    steps = [step / total for step in itertools.accumulate(weights)]
    steps[-1] = 1.0  # whatever rounding left: random() is below it
    return steps


def _fill(rule: Rule, weighted: list[tuple[float, tuple[str | Call, ...]]]) -> None:
    rule.cumulative = _cumulative([weight for weight, _ in weighted])
    rule.sequences = [sequence for _, sequence in weighted]


def _calls(sequences: Iterable[tuple[str | Call, ...]]) -> Iterator[Call]:
    return (part for sequence in sequences for part in sequence if isinstance(part, Call))


def _slots(sequence: tuple[str | Call, ...]) -> set[str]:
    """The names of the slots in whatever `sequence` can emit."""
    found: set[str] = set()
    for called in _calls([sequence]):
        found |= {called.slot} if called.slot else set()
        for inner in called.rule.sequences:
            found |= _slots(inner)
    return found
