"""From the numbers a model gives to what an utterance means. NumPy only.

A model scores every intent for the utterance and every BIO tag for each word. Tags are chosen together: the best sequence
in which `I-x` follows only `B-x` or `I-x`. Confidences are softmax probabilities of what was chosen.

Shapes: I intents, S slot tags, W words, C domains.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.errors import ArtifactError
from understudy.interpretation import OUTSIDE, Interpretation, Slot
from understudy.text.words import Word

__all__ = ["Labels", "best_tags", "decode", "ranked", "softmax"]

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Labels:
    """What a model can say: its intents, the domain of each, its slot names and the BIO tags over them.

    The order is the order of the model's outputs. Tags are always `O, B-a, I-a, B-b, I-b, …` in the order of `slots`, so
    that odd indices begin a slot and even ones continue it; decoding relies on it. A model with a domain head scores
    `domain_names`.
    """

    intents: tuple[str, ...]
    domains: Mapping[str, str]
    slots: tuple[str, ...]
    tags: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        wanted = _tags(self.slots)
        if not self.tags:
            object.__setattr__(self, "tags", wanted)
        for name, values in (("intents", self.intents), ("slots", self.slots)):
            if len(set(values)) != len(values) or not all(isinstance(v, str) and v for v in values):
                raise ValueError(f"'{name}' must be different, non-empty strings")
        if not self.intents:
            raise ValueError("there must be at least one intent")
        if self.tags != wanted:
            raise ValueError("'tags' must be O, then B-x and I-x for each slot in order")
        if foreign := sorted(set(self.domains) - set(self.intents)):
            raise ValueError(f"'domains' names intents that do not exist: {', '.join(foreign[:5])}")

    @cached_property
    def domain_names(self) -> tuple[str, ...]:
        """The different domains of the intents, sorted; the empty one, of intents without a domain, is none."""
        return tuple(sorted({name for name in self.domains.values() if name}))

    @classmethod
    def from_inventory(cls, intents: Iterable[str], domains: Mapping[str, str], slots: Iterable[str]) -> Labels:
        """Labels over the given names, sorted and without repeats. Intents without a domain get the empty one."""
        names = tuple(sorted(set(intents)))
        return cls(names, {name: domains.get(name, "") for name in names}, tuple(sorted(set(slots))))

    @classmethod
    def load(cls, path: Path | str) -> Labels:
        """Labels from a `labels.json`, with or without its `tags`. Raises ArtifactError where it cannot be used."""
        path = Path(path)
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            return cls(
                tuple(found["intents"]),
                dict(found.get("domains") or {}),
                tuple(found["slots"]),
                tuple(found.get("tags") or ()),
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            got = f"no key {error}" if isinstance(error, KeyError) else str(error)
            raise ArtifactError(
                "the labels cannot be read",
                where=path,
                got=got,
                wanted='{"intents": [...], "domains": {intent: domain}, "slots": [...], "tags": ["O", "B-x", "I-x", ...]}',
            ) from None

    def save(self, path: Path | str) -> None:
        """Write `labels.json`; the same labels always give the same bytes."""
        content = {
            "intents": list(self.intents),
            "domains": {name: self.domains.get(name, "") for name in self.intents},
            "slots": list(self.slots),
            "tags": list(self.tags),
        }
        Path(path).write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def _tags(slots: Sequence[str]) -> tuple[str, ...]:
    return (OUTSIDE, *(f"{prefix}-{name}" for name in slots for prefix in "BI"))


def softmax(logits: Floats) -> NDArray[np.float32]:
    """Probabilities over the last axis, in float32; safe for any finite logits."""
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True), dtype=np.float32)
    normalised: NDArray[np.float32] = shifted / shifted.sum(axis=-1, keepdims=True)
    return normalised


def best_tags(slot_logits_WS: Floats) -> NDArray[np.intp]:
    """Index of one tag per word, [W]: the highest-scoring sequence in which I-x follows only B-x or I-x (Viterbi).

    Takes tags in the order of `Labels.tags`: column 0 is O, odd columns are B, the even one after each is its I.
    """
    greedy_W: NDArray[np.intp] = slot_logits_WS.argmax(axis=1)
    # The best tag of every word, each for itself, is the best sequence wherever it is a permitted one: nearly always.
    # Looked at as Python's integers: over a dozen words one NumPy call takes longer than the loop.
    before = 0
    for tag in greedy_W.tolist():
        if tag and tag % 2 == 0 and before not in (tag, tag - 1):
            return _viterbi(slot_logits_WS)
        before = tag
    return greedy_W


def _viterbi(slot_logits_WS: Floats) -> NDArray[np.intp]:
    """All tags but I-x may follow any tag, so a word needs two sums, a maximum and a search: O(S), not O(S^2).

    Kept are the best score of any sequence so far, and for each slot of those that end inside it and may go on with its I.
    """
    W = len(slot_logits_WS)
    logits_WS = slot_logits_WS.astype(np.float64)
    begin_WN, inside_WN = logits_WS[:, 1::2], logits_WS[:, 2::2]
    outside = logits_WS[:, 0].tolist()
    best, open_N = 0.0, np.full(begin_WN.shape[1], -np.inf)
    ends, goes_on = [], []  # for each word: the best tag to end with, and for each slot whether it goes on or begins anew
    for w in range(W):
        begun_N, continued_N = begin_WN[w] + best, inside_WN[w] + open_N
        goes_on.append(continued_N > begun_N)
        open_N = np.maximum(begun_N, continued_N)
        slot = int(open_N.argmax())
        out, within = best + outside[w], float(open_N[slot])
        ends.append(0 if out >= within else 2 * slot + 1 + bool(goes_on[w][slot]))
        best = max(out, within)
    path = [ends[-1]]
    for w in range(W - 1, 0, -1):
        tag = path[-1]
        inside = tag > 0 and tag % 2 == 0
        slot = tag // 2 - 1
        path.append(2 * slot + 1 + bool(goes_on[w - 1][slot]) if inside else ends[w - 1])
    return np.array(path[::-1], dtype=np.intp)


def decode(
    text: str,
    words: Sequence[Word],
    intent_logits_I: Floats,
    slot_logits_WS: Floats,
    labels: Labels,
    *,
    domain_logits_C: Floats | None = None,
    threshold: float = 0.0,
    locale: str = "",
    k: int = 0,
    spoken: str = "",
) -> Interpretation:
    """The Interpretation of `text` that a model's scores stand for.

    Args:
        text: the utterance; slots are spans of it.
        words: what the model saw, each with its span in `text`.
        intent_logits_I: [I] scores of the intents.
        slot_logits_WS: [at most W, S] scores of the tags at each word's first piece; words beyond its rows (cut off by the
            model's maximum length) are outside every slot.
        labels: names of the I intents and S tags.
        domain_logits_C: [C] scores of the domains; without them the domain is the one that `labels` gives the intent.
        threshold: confidence of the intent under which the utterance is called out of domain.
        locale: written into the result.
        k: how many of the likeliest intents the result is to name in its ranking.
        spoken: form of the text that the model saw; written into the result.
    """
    I, S = len(labels.intents), len(labels.tags)
    if intent_logits_I.shape != (I,) or slot_logits_WS.ndim != 2 or slot_logits_WS.shape[1] != S:
        raise ValueError(f"wanted [{I}] and [W, {S}], got {intent_logits_I.shape} and {slot_logits_WS.shape}")
    if domain_logits_C is not None and domain_logits_C.shape != (len(labels.domain_names),):
        raise ValueError(f"wanted [{len(labels.domain_names)}] domains, got {domain_logits_C.shape}")
    intent = int(intent_logits_I.argmax())
    # Softmax of the highest score alone: its own exponential is 1.
    confidence = float(1 / np.exp(intent_logits_I - intent_logits_I[intent], dtype=np.float32).sum())
    seen = min(len(words), len(slot_logits_WS))
    slots = _slots(text, words, slot_logits_WS[:seen], labels) if seen and S > 1 else ()
    name = labels.intents[intent]
    if domain_logits_C is None:
        domain = labels.domains.get(name, "")
    else:
        domain = labels.domain_names[int(domain_logits_C.argmax())]
    ranking = tuple(ranked(intent_logits_I, labels, k=k)) if k else ()
    return Interpretation(text, name, slots, domain, confidence, locale, confidence < threshold, ranking, spoken)


def ranked(intent_logits_I: Floats, labels: Labels, *, k: int | None = None) -> list[tuple[str, float]]:
    """The `k` likeliest intents (all where None) with their confidences, the likeliest first; equal ones in the labels' order.

    The first is the intent and the confidence that `decode` gives. Confidences of all intents add up to 1.
    """
    probabilities_I = softmax(intent_logits_I)
    return [(labels.intents[i], float(probabilities_I[i])) for i in np.argsort(-intent_logits_I, kind="stable")[:k].tolist()]


def _slots(text: str, words: Sequence[Word], slot_logits_WS: Floats, labels: Labels) -> tuple[Slot, ...]:
    """Slots of the best tags, each as sure as its least sure word.

    `tags_to_slots` on numbers: tags are permitted sequences here, and each slot is made only once it is whole. Words that one reading
    stands for ("7:30" -> "seven thirty") share its span, so two slots that meet inside a reading claim the same characters: the first
    has them.
    """
    tags_W = best_tags(slot_logits_WS).tolist()
    tagged = [w for w, tag in enumerate(tags_W) if tag]
    if not tagged:
        return ()
    found: list[tuple[int, int, int, float]] = []  # slot, start, end, confidence
    for w, probabilities_S in zip(tagged, softmax(slot_logits_WS[tagged]), strict=True):
        tag, word = tags_W[w], words[w]
        sure = float(probabilities_S[tag])
        if tag % 2:
            found.append((tag // 2, word.start, word.end, sure))
        else:
            slot, start, _, before = found[-1]
            found[-1] = slot, start, word.end, min(before, sure)
    kept: list[Slot] = []
    for slot, start, end, sure in found:
        if not kept or start >= kept[-1].end:
            kept.append(Slot(labels.slots[slot], text[start:end], start, end, sure))
    return tuple(kept)
