"""Labelled utterances as they come out of a microphone: misheard, and with words of other languages in them (A, future work).

An utterance is taken apart into cells: words, cut once more where a slot begins or ends inside one. Noise exchanges cells, and
what is told of them afterwards is a text whose slots are where their words have gone.
"""

from __future__ import annotations

import random
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple, Self, TypeVar

from pydantic import Field, model_validator

from understudy.config import Config
from understudy.corpus.sampling import derive
from understudy.interpretation import Interpretation, Slot
from understudy.text.sounds import Sounds, sound
from understudy.text.words import split, words

__all__ = ["Material", "NoiseConfig", "noised", "noisy"]

T = TypeVar("T")
LIKE, DROPPED = 0.6, 0.2  # of the misheard words; the others are run together with the word before, or parted
VIRAMA = 9  # canonical combining class: the letter after it belongs to the one before


class NoiseConfig(Config):
    """Noised copies of labelled utterances: beside those that are learned from, never of those held out; in an evaluate stage, in
    place of those that are scored.

    asr: chance of each word to be misheard: taken for a word of its locale's utterances that sounds like it, lost, or run
        together with or parted from its neighbour. A slot keeps its words, and at least one of them.
    switch: chance of each slot value to be that of a slot of the same name in another language.
    copies: of each utterance.
    """

    asr: float = Field(default=0.0, ge=0, le=1)
    switch: float = Field(default=0.0, ge=0, le=1)
    copies: int = Field(default=1, ge=1)

    @model_validator(mode="after")
    def _audible(self) -> Self:
        if not self.asr and not self.switch:
            raise ValueError("this noise changes nothing: set 'asr' or 'switch' above 0")
        return self


@dataclass(frozen=True)
class Material:
    """What noise is made of. sounds: the words of each locale. values: of slots, by name and locale, each once."""

    sounds: Mapping[str, Sounds]
    values: Mapping[str, Mapping[str, Sequence[str]]]

    @classmethod
    def of(cls, gold: Sequence[Interpretation]) -> Material:
        """The words and values of these utterances."""
        said: dict[str, set[str]] = {}
        values: dict[str, dict[str, set[str]]] = {}
        for one in gold:
            said.setdefault(one.locale, set()).update(split(one.text))
            for slot in one.slots:
                if value := slot.value.strip():
                    values.setdefault(slot.name, {}).setdefault(one.locale, set()).add(value)
        return cls(
            {locale: Sounds(vocabulary) for locale, vocabulary in said.items()},
            {name: {locale: sorted(found) for locale, found in sorted(by.items())} for name, by in values.items()},
        )


def noisy(gold: Sequence[Interpretation], config: NoiseConfig, *, seed: int) -> list[Interpretation]:
    """The noised copies of `gold`, of words and values of `gold`; each depends on its number, the copy and the seed alone."""
    material = Material.of(gold)
    return [
        noised(one, material, config, seed=derive(f"noise/{copy}/{number}", seed))
        for copy in range(config.copies)
        for number, one in enumerate(gold)
    ]


def noised(one: Interpretation, material: Material, config: NoiseConfig, *, seed: int) -> Interpretation:
    """A copy with other words, and slots where their words have gone; intent, domain, locale and names of slots are the same.

    White space at its ends is lost, and slots of nothing but white space are.
    """
    dice = random.Random(seed)
    cells = _cells(one.text, one.slots, one.locale)
    cells = _switched(cells, one, material, config.switch, dice)
    return _told(one, _misheard(cells, material, config.asr, dice))


class _Cell(NamedTuple):
    """A word or a part of one.

    gap: the white space before it. glued: whether it is one word with the cell before it; without gap and not glued stand
    words of unspaced scripts. slot: which of the utterance's slots it belongs to, -1 for none. locale: where it comes from.
    """

    text: str
    gap: str
    glued: bool
    slot: int
    locale: str


def _cells(text: str, slots: Sequence[Slot], locale: str) -> list[_Cell]:
    cuts = sorted({edge for slot in slots for edge in (slot.start, slot.end)})
    cells, at = [], 0
    for word in words(text):
        edges = [word.start, *(cut for cut in cuts if word.start < cut < word.end), word.end]
        for start, end in pairwise(edges):
            slot = next((i for i, s in enumerate(slots) if s.start <= start and end <= s.end), -1)
            cells.append(_Cell(text[start:end], text[at:start], start > word.start, slot, locale))
            at = end
    return cells


def _told(one: Interpretation, cells: Sequence[_Cell]) -> Interpretation:
    text, spans = "", dict[int, tuple[int, int]]()
    for cell in cells:
        if text and not cell.glued:
            # Words of unspaced scripts may have given way to others, which would run together.
            text += cell.gap or " " * _run_together(text, cell.text)
        start, _ = spans.get(cell.slot, (len(text), 0))
        text += cell.text
        spans[cell.slot] = (start, len(text))
    moved = [(slot, *spans[index]) for index, slot in enumerate(one.slots) if index in spans]
    slots = tuple(replace(slot, value=text[start:end], start=start, end=end) for slot, start, end in moved)
    return replace(one, text=text, slots=slots)


def _run_together(left: str, right: str) -> bool:
    """Whether the two would be one word if nothing stood between them."""
    return len(split(left[-1] + right[0])) == 1


def _pick(dice: random.Random, among: Sequence[T]) -> T:
    return among[int(dice.random() * len(among))]


def _switched(cells: list[_Cell], one: Interpretation, material: Material, rate: float, dice: random.Random) -> list[_Cell]:
    """Each slot's cells, or with the chance `rate` those of a value of another language, each language as likely."""
    for index, slot in enumerate(one.slots):
        own = [at for at, cell in enumerate(cells) if cell.slot == index]
        others = [locale for locale in material.values.get(slot.name, {}) if locale[:2] != one.locale[:2]]
        if dice.random() >= rate or not own or not others:
            continue
        locale = _pick(dice, others)
        value = [cell._replace(slot=index) for cell in _cells(_pick(dice, material.values[slot.name][locale]), (), locale)]
        first = cells[own[0]]
        value[0] = value[0]._replace(gap=first.gap, glued=first.glued)
        cells = [*cells[: own[0]], *value, *cells[own[-1] + 1 :]]
    return cells


def _misheard(cells: Sequence[_Cell], material: Material, rate: float, dice: random.Random) -> list[_Cell]:
    """Each cell as it was heard: with the chance `rate` another one, none, run together with the one before, or two.

    A word whose lot cannot be (no word sounds like it) is heard as it is.
    """
    heard: list[_Cell] = []
    left = Counter(cell.slot for cell in cells)
    lost: _Cell | None = None
    for cell in cells:
        if lost is not None:  # What stood before the lost word stands before this one.
            cell = cell._replace(gap=lost.gap or cell.gap, glued=lost.glued and cell.glued)
            lost = None
        if dice.random() >= rate or not sound(cell.text):
            heard.append(cell)
            continue
        lot, sounds = dice.random(), material.sounds[cell.locale]
        if lot < LIKE:
            heard.append(cell._replace(text=_pick(dice, sounds.like(cell.text) or (cell.text,))))
        elif lot < LIKE + DROPPED:
            if left.total() > 1 and (cell.slot < 0 or left[cell.slot] > 1):
                left[cell.slot] -= 1
                lost = cell
            else:
                heard.append(cell)
        elif dice.random() < 0.5 and heard and _could_join(heard[-1], cell):
            heard.append(cell._replace(gap="", glued=True))
        else:
            heard += _parted(cell, sounds, dice)
    return heard


def _could_join(before: _Cell, cell: _Cell) -> bool:
    """Not over the edge of a slot: the word would be of both."""
    return before.slot == cell.slot and cell.gap != "" and _run_together(before.text, cell.text)


def _parted(cell: _Cell, sounds: Sounds, dice: random.Random) -> list[_Cell]:
    """The cell as two, where both can be words of the locale if there is such a place; as it is where it is too short."""
    places = [at for at in range(2, len(cell.text) - 1) if _may_part(cell.text, at)]
    known = [at for at in places if cell.text[:at] in sounds and cell.text[at:] in sounds]
    if not places:
        return [cell]
    at = _pick(dice, known or places)
    return [cell._replace(text=cell.text[:at]), cell._replace(text=cell.text[at:], gap=" ", glued=False)]


def _may_part(text: str, at: int) -> bool:
    """Whether the character at `at` can begin a word: no mark of the one before, nor joined to it, and sounds on both sides."""
    left, right = text[at - 1], text[at]
    joined = unicodedata.category(right)[0] == "M" or "Cf" in (unicodedata.category(left), unicodedata.category(right))
    return not joined and unicodedata.combining(left) != VIRAMA and bool(sound(text[:at]) and sound(text[at:]))
