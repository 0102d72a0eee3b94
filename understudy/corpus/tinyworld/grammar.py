"""Grammars as they are drawn from: rules that choose among sequences, and the traffic they make.

`notation.py` reads them from their files. Every choice is one `random()`, and weights are made with division and addition
only, so a seed gives the same bytes everywhere.
"""

from __future__ import annotations

import itertools
import math
import random
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

__all__ = ["Call", "Grammar", "Parts", "Phrase", "Rule", "Utterance", "calls"]

INTENT_SHIFT = 4  # the intent of rank r has weight 1 / (r + INTENT_SHIFT - 1): flatter than phrasings and values
REDRAWS = 50


Span: TypeAlias = tuple[str, int, int]  # a slot's name, start and end in characters


class Utterance(NamedTuple):
    """A drawn utterance: its text, intent, and slots in the order of the text."""

    text: str
    intent: str
    slots: list[Span]


class Rule:
    """A choice among sequences of strings and calls of other rules. Filled after all rules exist, as they refer to each other."""

    __slots__ = ("_slots", "cumulative", "name", "rows", "sequences")

    def __init__(self, name: str) -> None:
        self.name = name
        self.cumulative: list[float] = []
        self.sequences: list[Parts] = []
        self.rows: list[str] = []
        self._slots: frozenset[str] | None = None

    @property
    def slots(self) -> frozenset[str]:
        """The names of the slots in whatever the rule can emit."""
        if self._slots is None:
            self._slots = frozenset(
                name for c in calls(self.sequences) for name in ({c.slot} if c.slot else set()) | c.rule.slots
            )
        return self._slots

    def fill(self, weighted: Sequence[tuple[float, Parts]], rows: Sequence[str] = ()) -> None:
        """Sets the sequences to choose from, each with its weight and, in a table of forms, the name of its row."""
        self.cumulative = _cumulative([weight for weight, _ in weighted])
        self.sequences = [sequence for _, sequence in weighted]
        self.rows = list(rows)

    def emit(self, draw: Callable[[], float], out: list[str], at: int, slots: list[Span], rows: list[str]) -> int:
        """Appends one drawn sequence to `out`, whose text is `at` characters long, its slots and rows; returns the new length."""
        index = bisect_right(self.cumulative, draw())
        if self.rows:
            rows.append(self.rows[index])
        for part in self.sequences[index]:
            if isinstance(part, str):
                out.append(part)
                at += len(part)
            else:
                end = part.rule.emit(draw, out, at, slots, rows)
                if part.slot:
                    slots.append((part.slot, at, end))
                at = end
        return at


@dataclass(frozen=True, slots=True)
class Call:
    """A rule within a sequence; with a slot's name, what it emits is that slot's value."""

    rule: Rule
    slot: str = ""


Parts: TypeAlias = tuple[str | Call, ...]


class Phrase(NamedTuple):
    """One phrasing: its weight within the intent, and its variants, each with its own share."""

    weight: float
    question: bool
    sequences: list[tuple[float, Parts]]


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
                rule.fill(phrase.sequences)
                weights.append(phrase.weight / (rank + INTENT_SHIFT))
                self._choices.append((intent, rule, frames["question" if phrase.question else "command"]))
        self._cumulative = _cumulative(weights)

    @property
    def slots(self) -> dict[str, set[str]]:
        """The names of the slots that each intent can have."""
        found: dict[str, set[str]] = {intent: set() for intent in self.phrases}
        for intent, rule, _ in self._choices:
            found[intent] |= rule.slots
        return found

    def draw(self, rng: random.Random) -> Utterance:
        """One utterance of the traffic, drawn anew while it names one thing in two slots, as nobody converts euros to euros."""
        for _ in range(REDRAWS):
            drawn, rows = self._draw(rng.random)
            values = [drawn.text[start:end] for _, start, end in drawn.slots]
            if len(set(values)) == len(values) and len(set(rows)) == len(rows):
                break
        return drawn

    def _draw(self, draw: Callable[[], float]) -> tuple[Utterance, list[str]]:
        intent, rule, frame = self._choices[bisect_right(self._cumulative, draw())]
        before, after = frame.sequences[bisect_right(frame.cumulative, draw())]
        out, slots, rows = [str(before)], list[Span](), list[str]()
        rule.emit(draw, out, len(out[0]), slots, rows)
        return Utterance("".join([*out, str(after)]), intent, slots), rows


def _cumulative(weights: list[float]) -> list[float]:
    total = math.fsum(weights)  # not sum(), which rounds differently from Python 3.12 on
    steps = [step / total for step in itertools.accumulate(weights)]
    steps[-1] = 1.0  # whatever rounding left: random() is below it
    return steps


def calls(sequences: Iterable[Parts]) -> Iterator[Call]:
    """Every call in any of the sequences, with repetition."""
    return (part for sequence in sequences for part in sequence if isinstance(part, Call))
