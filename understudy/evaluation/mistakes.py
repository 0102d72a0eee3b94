"""Where a model goes wrong: which intents it confuses, and what becomes of each type of slot."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from understudy.evaluation.metrics import Span, spans
from understudy.interpretation import Interpretation, Slot

__all__ = ["confusions", "slot_mistakes"]

KINDS = ("boundary", "name", "missed", "invented")


def confusions(gold: Sequence[Interpretation], predicted: Sequence[Interpretation], *, top: int = 15) -> list[dict[str, Any]]:
    """The most frequent wrong intents, JSON-ready: gold, predicted, count, share (percent of that gold intent), example."""
    per_intent = Counter(g.intent for g in gold)
    pairs: Counter[tuple[str, str]] = Counter()
    examples: dict[tuple[str, str], Interpretation] = {}
    for g, p in zip(gold, predicted, strict=True):
        if g.intent != p.intent:
            pairs[g.intent, p.intent] += 1
            examples.setdefault((g.intent, p.intent), g)
    ranked = sorted(pairs.items(), key=lambda item: (-item[1], item[0]))[:top]
    return [
        {
            "gold": pair[0],
            "predicted": pair[1],
            "count": count,
            "share": round(100 * count / per_intent[pair[0]], 1),
            "example": examples[pair].text,
            "locale": examples[pair].locale,
        }
        for pair, count in ranked
    ]


def slot_mistakes(gold: Sequence[Interpretation], predicted: Sequence[Interpretation], *, top: int = 20) -> list[dict[str, Any]]:
    """What became of the slots of each name, most mistakes first, JSON-ready.

    Every gold slot is `right`, or the first of: `boundary` (the same name over other words that overlap), `name` (another
    name over words that overlap), `missed`. A predicted slot that touches no gold slot is `invented`, counted under its own
    name. The example is the first utterance with the commonest kind of mistake.
    """
    tallies: defaultdict[str, Counter[str]] = defaultdict(Counter)
    examples: dict[tuple[str, str], dict[str, Any]] = {}
    for g, p in zip(gold, predicted, strict=True):
        wanted, found = spans(g), spans(p)
        for slot, span in zip(g.slots, wanted, strict=True):
            kind, other = _fate(span, found, p.slots)
            tallies[slot.name]["wanted"] += 1
            tallies[slot.name][kind] += 1
            if kind != "right":
                examples.setdefault((slot.name, kind), _example(g, slot, other))
        for slot, span in zip(p.slots, found, strict=True):
            if not any(_overlap(span, w) for w in wanted):
                tallies[slot.name]["invented"] += 1
                examples.setdefault((slot.name, "invented"), _example(g, None, slot))
    ranked = sorted(tallies.items(), key=lambda item: (-sum(item[1][k] for k in KINDS), item[0]))[:top]
    return [_row(name, tally, examples) for name, tally in ranked]


def _row(name: str, tally: Counter[str], examples: dict[tuple[str, str], dict[str, Any]]) -> dict[str, Any]:
    worst = max(KINDS, key=lambda kind: tally[kind])
    counted = {kind: tally[kind] for kind in ("wanted", "right", *KINDS)}
    return {"slot": name, **counted, "worst": worst if tally[worst] else None, "example": examples.get((name, worst))}


def _fate(span: Span, found: Sequence[Span], slots: Sequence[Slot]) -> tuple[str, Slot | None]:
    """What became of a gold span, and the predicted slot to blame."""
    if span in found:
        return "right", None
    touching = [(f, s) for f, s in zip(found, slots, strict=True) if _overlap(span, f)]
    for kind, same in (("boundary", True), ("name", False)):
        for f, slot in touching:
            if (f[0] == span[0]) is same:
                return kind, slot
    return "missed", None


def _overlap(a: Span, b: Span) -> bool:
    return a[1] < b[2] and b[1] < a[2]


def _example(gold: Interpretation, wanted: Slot | None, found: Slot | None) -> dict[str, Any]:
    def shown(slot: Slot | None) -> dict[str, str] | None:
        return {"name": slot.name, "value": slot.value} if slot else None

    return {"text": gold.text, "locale": gold.locale, "wanted": shown(wanted), "found": shown(found)}
