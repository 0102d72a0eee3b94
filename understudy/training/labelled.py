"""Labelled utterances as the loop wants them: a share of each locale, a part set aside, words and tags as numbers, updates."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from understudy.corpus.kin import kin
from understudy.corpus.order import Permutation
from understudy.corpus.sampling import derive, normal
from understudy.errors import DataError, nearest
from understudy.interpretation import Interpretation, slots_to_tags
from understudy.runtime.decode import Labels
from understudy.runtime.encode import encode
from understudy.tokenizer import Tokenizer
from understudy.training.batches import Labelled, LabelledBatch, LabelledSequences, Source, batches, onto
from understudy.training.ranks import ranks

__all__ = ["budgeted", "class_weights", "following", "hold_out", "in_locales", "number"]


def in_locales(gold: Sequence[Interpretation], locales: Sequence[str] | None, *, where: object = None) -> list[Interpretation]:
    """The utterances of these locales, of all where None are named. Raises DataError for a locale that has none."""
    if locales is None:
        return list(gold)
    known = [locale for locale, _ in _by_locale(gold)]
    for locale in locales:
        if locale not in known:
            raise DataError(
                "there are no utterances of this locale to learn from", where=where, got=locale,
                wanted=f"one of {', '.join(known)}", hint=nearest(locale, known),
            )  # fmt: skip
    return [one for one in gold if one.locale in locales]


def budgeted(gold: Sequence[Interpretation], share: float, *, seed: int) -> list[Interpretation]:
    """That share of each locale's utterances, rounded up, drawn by `seed`; a smaller share is part of a larger one."""
    if share >= 1.0:
        return list(gold)
    kept: list[int] = []
    for locale, indices in _by_locale(gold):
        drawn = Permutation(len(indices), key=f"labels/{seed}/{locale}")[: math.ceil(_times(share, indices))]
        kept += [indices[int(i)] for i in drawn]
    return [gold[i] for i in sorted(kept)]


def hold_out(gold: Sequence[Interpretation], share: float, *, seed: int) -> tuple[list[Interpretation], list[Interpretation]]:
    """`gold` parted: what is learned from, and that share of each locale's utterances, rounded down.

    Of utterances with an id that share of their kin is set aside, in all locales: neither a translation nor a duplicate of one is
    learned from. Of those without, that share of each locale's different texts.
    """
    named: dict[str, set[int]] = {}
    texts: dict[str, dict[str, set[int]]] = {}
    for index, (one, name) in enumerate(zip(gold, kin(gold), strict=True)):
        group = named.setdefault(name, set()) if name else texts.setdefault(one.locale, {}).setdefault(normal(one.text), set())
        group.add(index)
    aside = _drawn(named, share, key=f"held-out/{seed}")
    for locale, alike in texts.items():
        aside |= _drawn(alike, share, key=f"held-out/{seed}/{locale}")
    return [g for i, g in enumerate(gold) if i not in aside], [gold[i] for i in sorted(aside)]


def _drawn(groups: Mapping[str, set[int]], share: float, *, key: str) -> set[int]:
    """What that share of the groups holds, drawn by `key`."""
    names = sorted(groups)
    drawn = Permutation(len(names), key=key)[: int(_times(share, names))]
    return {index for i in drawn for index in groups[names[int(i)]]}


def _times(share: float, things: Sequence[object]) -> float:
    """That share of a number of things: 0.07 of 100 are 7, not the 7.000000000000001 that would be rounded up to 8."""
    return round(share * len(things), 9)


def _by_locale(gold: Sequence[Interpretation]) -> list[tuple[str, list[int]]]:
    found: dict[str, list[int]] = {}
    for index, one in enumerate(gold):
        found.setdefault(one.locale, []).append(index)
    return sorted(found.items())


def number(
    gold: Sequence[Interpretation],
    tokenizer: Tokenizer,
    labels: Labels,
    *,
    max_length: int,
    spoken: bool,
    lower: bool,
    where: object = None,
) -> list[Labelled]:
    """Labelled utterances as token ids, first pieces, tags, intents and domains: the utterance's own, else that of its intent.

    Raises DataError for an intent or slot that `labels` does not have, and for an utterance without words.
    """
    intents = {name: i for i, name in enumerate(labels.intents)}
    tags = {name: i for i, name in enumerate(labels.tags)}
    domains = {name: i for i, name in enumerate(labels.domain_names)}
    locales = {name: i for i, (name, _) in enumerate(_by_locale(gold))}
    made = []
    for one in gold:
        lang = one.locale[:2] if spoken and one.locale else None
        encoded = encode(one.text, tokenizer, max_length=max_length, lang=lang, spoken=spoken, lower=lower)
        named = slots_to_tags([(w.start, w.end) for w in encoded.words], one.slots)[: len(encoded.first)]
        unknown = [one.intent] if one.intent not in intents else [tag for tag in named if tag not in tags]
        if unknown:
            raise DataError("a label that labels.json does not have", where=where, got=f"{unknown[0]} in {one.text[:80]!r}")
        tagged = [tags[tag] for tag in named]
        domain = domains.get(one.domain, domains.get(labels.domains.get(one.intent, ""), -1))
        made.append(Labelled(encoded.ids, encoded.first, tagged, intents[one.intent], locales[one.locale], domain))
    return made


def class_weights(targets: Sequence[int], classes: int, how: Literal["sqrt", "balanced"]) -> Tensor:
    """What the loss of each class (C, float32) is multiplied by, so that rare ones are learned too.

    With n targets of k different classes: "balanced" n / (k count), as if all were equally frequent; "sqrt" in proportion to its
    square root. The mean over the targets is 1. A class that does not occur has 1; targets of -1 are left out.
    """
    counted = Counter(target for target in targets if target >= 0)
    power = {"sqrt": 0.5, "balanced": 1.0}[how]
    raw = {target: count**-power for target, count in counted.items()}
    scale = counted.total() / sum(raw[target] * count for target, count in counted.items()) if counted else 1.0
    return torch.tensor([raw[c] * scale if c in raw else 1.0 for c in range(classes)])


def following(
    labelled: LabelledSequences,
    unlabelled: Source[LabelledBatch] | None,
    utterances: int,
    beside: int,
    *,
    seed: int,
    device: torch.device,
) -> Callable[[int], Iterator[tuple[LabelledBatch, ...]]]:
    """What makes the batches that follow a number of updates: `utterances` labelled ones, and `beside` of the others where there are."""

    def after(start: int) -> Iterator[tuple[LabelledBatch, ...]]:
        made = _endless(labelled, utterances, seed, start)
        if unlabelled is not None:
            others = _endless(unlabelled, beside, derive("unlabelled", seed), start)
            made = ((*one, *other) for one, other in zip(made, others, strict=True))
        return onto(device, made)

    return after


def _endless(source: Source[LabelledBatch], utterances: int, seed: int, start: int) -> Iterator[tuple[LabelledBatch, ...]]:
    ones, here = np.ones_like(source.lengths), ranks()
    return batches(
        source, budget=utterances, seed=seed, costs=ones, bucketed=False, rank=here.rank, world=here.world, start=start
    )
