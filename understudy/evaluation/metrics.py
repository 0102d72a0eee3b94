"""How well an utterance was understood: intent accuracy, slot F1, exact match, semantic error rate.

All figures are percentages made from counts, and counts of utterances add up, so a part and the whole are scored by the
same code. `counts` gives one row per utterance, columns `COUNTS`; any sum of rows is a score (`figures`), which makes the
bootstrap a matrix product.

Spans are compared over characters with white space left out: an annotation that inserts spaces, as Japanese ones do, is no
different from one that does not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.interpretation import Interpretation

__all__ = [
    "CONFIDENCE",
    "COUNTS",
    "FIGURES",
    "Scores",
    "Span",
    "calibration_error",
    "confidence_figures",
    "counts",
    "figures",
    "mean",
    "resample",
    "samples",
    "score",
    "spans",
    "squeeze",
]

Span = tuple[str, int, int]

# What is counted in each utterance. `domains` is 1 where the gold label names a domain at all.
COUNTS = (
    "n", "intents", "domains", "domains_right", "exact",
    "slots_right", "slots_found", "slots_wanted",
    "correct", "deletions", "insertions", "substitutions",
)  # fmt: skip
FIGURES = ("intent_accuracy", "slot_f1", "exact_match", "semer", "domain_accuracy")
# Made from confidences, not from counts, and reported without interval: the first is no ratio of sums.
CONFIDENCE = ("ece", "accepted", "accepted_exact_match")
BINS = 15
TAKEN = 1 << 21  # utterances of bootstrap samples held at a time


@dataclass(frozen=True)
class Scores:
    """Figures in percent over `n` utterances; NaN where there was nothing to score.

    Attributes:
        intent_accuracy: utterances whose intent is right.
        slot_f1: harmonic mean of precision and recall of slots (name and span), counted over all utterances (micro).
        exact_match: utterances whose intent and slots are all right (A 3.3).
        semer: semantic error rate, lower is better, may exceed 100 (A 3.4).
        domain_accuracy: utterances whose domain is right, of those whose gold label has one (B).
        intervals: 95 % bootstrap interval of each figure of FIGURES, by name; empty where none was drawn.
        ece: expected calibration error of the intent's confidence, lower is better (`calibration_error`).
        accepted: utterances that were not called out of domain; NaN where the model calls none so.
        accepted_exact_match: of those, the ones whose intent and slots are all right.
    """

    n: int
    intent_accuracy: float
    slot_f1: float
    exact_match: float
    semer: float
    domain_accuracy: float
    intervals: tuple[tuple[str, float, float], ...] = ()
    ece: float = float("nan")
    accepted: float = float("nan")
    accepted_exact_match: float = float("nan")

    @classmethod
    def of(
        cls,
        total: NDArray[np.int64],
        draws: NDArray[np.float64] | None = None,
        confidence: Mapping[str, float] | None = None,
    ) -> Scores:
        """Scores of summed counts [len(COUNTS)], with intervals where bootstrap draws [R, len(FIGURES)] are given, and with what
        `confidence_figures` says."""
        named = dict(zip(FIGURES, figures(total).tolist(), strict=True))
        return cls(n=int(total[0]), **named, intervals=_intervals(draws), **(confidence or {}))

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, rounded to two decimals; None where there was nothing to score. Without `accepted` where nothing was refused."""
        table: dict[str, Any] = {"n": self.n, **{name: _rounded(getattr(self, name)) for name in (*FIGURES, "ece")}}
        if not np.isnan(self.accepted):
            table |= {name: _rounded(getattr(self, name)) for name in ("accepted", "accepted_exact_match")}
        if self.intervals:
            table["intervals"] = {name: [_rounded(low), _rounded(high)] for name, low, high in self.intervals}
        return table


def squeeze(text: str) -> str:
    """`text` without its white space: what makes two utterances the same utterance."""
    return "".join(text.split())


def spans(interpretation: Interpretation) -> list[Span]:
    """(name, start, end) of every slot, in characters of the text with its white space left out."""
    if not interpretation.slots:
        return []
    before, at = [0], 0
    for character in interpretation.text:
        at += not character.isspace()
        before.append(at)
    return [(s.name, before[s.start], before[s.end]) for s in interpretation.slots]


def counts(gold: Sequence[Interpretation], predicted: Sequence[Interpretation]) -> NDArray[np.int64]:
    """Counts of every utterance: int64 [utterances, len(COUNTS)].

    Both sequences hold the same utterances in the same order; ValueError where they do not.
    """
    if len(gold) != len(predicted):
        raise ValueError(f"{len(gold)} gold interpretations, {len(predicted)} predicted ones")
    rows = [_count(g, p) for g, p in zip(gold, predicted, strict=True)]
    return np.array(rows, dtype=np.int64).reshape(len(rows), len(COUNTS))


def _count(gold: Interpretation, predicted: Interpretation) -> tuple[int, ...]:
    text = squeeze(gold.text)
    if text != squeeze(predicted.text):
        raise ValueError(f"not the same utterance: {gold.text!r}, {predicted.text!r}")
    wanted, found = spans(gold), spans(predicted)
    intent = gold.intent == predicted.intent
    right = (Counter(wanted) & Counter(found)).total()
    exact = intent and right == len(wanted) == len(found)
    domain = bool(gold.domain)
    return (
        1, intent, domain, domain and gold.domain == predicted.domain, exact,
        right, len(found), len(wanted),
        *_semantic_errors(text, wanted, found, intent),
    )  # fmt: skip


def _semantic_errors(text: str, wanted: Sequence[Span], found: Sequence[Span], intent: bool) -> tuple[int, int, int, int]:
    """Correct, deletions, insertions and substitutions of one utterance (A 3.4).

    Slots are compared by name and value (the squeezed words, not where they stand), with multiplicity. Of one name, what
    is left over on both sides is substituted, what is left in the reference alone deleted, in the hypothesis alone inserted.
    The intent is one more slot that both have: correct or substituted.
    """
    if not wanted and not found:
        return int(intent), 0, 0, int(not intent)
    reference = Counter((name, text[start:end]) for name, start, end in wanted)
    hypothesis = Counter((name, text[start:end]) for name, start, end in found)
    missed = Counter[str](name for name, _ in (reference - hypothesis).elements())
    extra = Counter[str](name for name, _ in (hypothesis - reference).elements())
    substituted = (missed & extra).total()
    return (
        (reference & hypothesis).total() + intent,
        missed.total() - substituted,
        extra.total() - substituted,
        substituted + (not intent),
    )


def figures(total: NDArray[np.int64]) -> NDArray[np.float64]:
    """Figures in percent [..., len(FIGURES)] of summed counts [..., len(COUNTS)].

    Slot F1 = 2 right / (found + wanted). SemER = (D + I + S) / (C + D + S), the denominator being the slots of the
    reference and its intent (A 3.4).
    """
    c = dict(zip(COUNTS, np.moveaxis(np.asarray(total), -1, 0), strict=True))
    errors = c["deletions"] + c["insertions"] + c["substitutions"]
    pairs = (
        (c["intents"], c["n"]),
        (2 * c["slots_right"], c["slots_found"] + c["slots_wanted"]),
        (c["exact"], c["n"]),
        (errors, c["correct"] + c["deletions"] + c["substitutions"]),
        (c["domains_right"], c["domains"]),
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.stack([100 * part / whole for part, whole in pairs], axis=-1)


def calibration_error(confidence_N: NDArray[np.float64], right_N: NDArray[np.bool_]) -> float:
    """Expected calibration error in percent (Guo et al. 2017, eq. 3), NaN of nothing.

    Confidences are put in 15 bins of equal width, a bin's upper bound in it and its lower not; the error is the mean over the
    utterances of the difference, in their bin, between the share that is right and the mean confidence.
    """
    if not len(confidence_N):
        return float("nan")
    bin_N = np.clip(np.ceil(BINS * confidence_N).astype(np.int64) - 1, 0, BINS - 1)
    # In a bin of b utterances, b times that difference is the difference of the sums.
    gap_M = np.bincount(bin_N, weights=right_N - confidence_N)
    return 100 * float(np.abs(gap_M).sum()) / len(confidence_N)


def confidence_figures(
    predicted: Sequence[Interpretation], counted: NDArray[np.int64], *, judged: bool | None = None
) -> dict[str, float]:
    """The figures of CONFIDENCE over these utterances and their counts; `judged`: whether the model knows what is out of domain,
    by default whether it called any of these so."""
    c = dict(zip(COUNTS, counted.T, strict=True))
    found = {"ece": calibration_error(np.array([p.confidence for p in predicted]), c["intents"] > 0)}
    accepted = np.array([not p.out_of_domain for p in predicted], dtype=bool)
    if judged if judged is not None else not accepted.all():
        found["accepted"] = 100 * float(accepted.mean()) if len(accepted) else float("nan")
        found["accepted_exact_match"] = 100 * float(c["exact"][accepted].mean()) if accepted.any() else float("nan")
    return found


def score(gold: Sequence[Interpretation], predicted: Sequence[Interpretation]) -> Scores:
    """Scores of predictions against gold labels of the same utterances in the same order."""
    counted = counts(gold, predicted)
    return Scores.of(counted.sum(axis=0), confidence=confidence_figures(predicted, counted))


def resample(counted: NDArray[np.int64], *, draws: int, seed: int) -> NDArray[np.float64]:
    """Figures of `draws` bootstrap samples, [draws, len(FIGURES)], of counts [utterances, len(COUNTS)].

    A sample takes as many utterances as there are, with replacement. Of counts [utterances, seeds, len(COUNTS)] all seeds
    are scored on the same sample and their figures averaged, those without a figure left out.

    Which utterances a sample takes depends on `seed` and on their number alone. Two models on the same utterances are therefore drawn
    in pairs; and of locales with equally many utterances the n-th of each are drawn together. Where those are translations of one
    another, as in MASSIVE, they are right and wrong together, and the interval of a mean over locales would be too narrow if each
    locale were drawn for itself; where they are none this costs nothing. An utterance whose counts are all 0 keeps the others' places.
    """
    n = len(counted)
    if n == 0:
        return np.full((draws, len(FIGURES)), np.nan)
    flat = counted.reshape(n, -1).astype(np.float64)
    totals = np.concatenate([times_DN @ flat for times_DN in samples(n, draws=draws, seed=seed)])
    found = figures(np.rint(totals).astype(np.int64).reshape(draws, *counted.shape[1:]))
    if found.ndim == 2:
        return found
    known = ~np.isnan(found)
    with np.errstate(invalid="ignore"):
        averaged: NDArray[np.float64] = np.where(known, found, 0.0).sum(axis=1) / known.sum(axis=1)
    return averaged


def samples(n: int, *, draws: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """How often each of n things is in each bootstrap sample, [samples, n], as many samples at a time as fit in memory.

    They are a matter of `n` and `seed` alone; see `resample`.
    """
    generator, together = np.random.default_rng([seed, n]), max(1, TAKEN // n)
    for at in range(0, draws, together):
        count = min(together, draws - at)
        taken = generator.integers(n, size=(count, n)) + n * np.arange(count)[:, None]
        yield np.bincount(taken.ravel(), minlength=count * n).reshape(count, n).astype(np.float64)


def mean(parts: Sequence[Scores], draws: Sequence[NDArray[np.float64]] = ()) -> Scores:
    """The unweighted mean of several scores (one per locale), `n` being their sum; parts without a figure are left out.

    `draws` are the parts' bootstrap draws (`resample`), all with the same seed.
    """
    means = {name: _mean([getattr(p, name) for p in parts]) for name in (*FIGURES, *CONFIDENCE)}
    both = np.array([[_mean(list(f)) for f in d.T] for d in np.stack(draws, axis=1)]) if len(draws) else None
    return Scores(sum(p.n for p in parts), **means, intervals=_intervals(both))


def _mean(values: Sequence[float]) -> float:
    known = [v for v in values if not np.isnan(v)]
    return float(np.mean(known)) if known else float("nan")


def _intervals(draws: NDArray[np.float64] | None) -> tuple[tuple[str, float, float], ...]:
    found = []
    for name, column in zip(FIGURES, draws.T if draws is not None else (), strict=draws is not None):
        if len(known := column[~np.isnan(column)]):
            low, high = np.quantile(known, [0.025, 0.975]).tolist()
            found.append((name, low, high))
    return tuple(found)


def _rounded(value: float) -> float | None:
    return None if np.isnan(value) else round(value, 2)
