"""What a classifier of pairs says: of two sentences, and how often it is right of many in several languages (A 3.1).

entailment = Entailment.load("artifacts/teacher-xnli")
entailment("I was at home", "I was out")     # {"entailment": 0.02, "neutral": 0.05, "contradiction": 0.93}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from understudy import artifact
from understudy.corpus.pairs import LABELS, Pair
from understudy.evaluation.metrics import samples
from understudy.evaluation.nlu import DRAWS
from understudy.model.classifier import ClassifierSettings, load_classifier
from understudy.model.heads import Classifier
from understudy.text.spoken import Formatter
from understudy.tokenizer import Tokenizer
from understudy.training.masking import Ints
from understudy.training.pairs import Relation, number, prepared, told
from understudy.training.precision import autocast

__all__ = ["Answered", "Entailment", "scores"]


class Entailment:
    """Two sentences in, the probability of each label out, in torch on the CPU."""

    def __init__(self, model: Classifier, settings: ClassifierSettings, tokenizer: Tokenizer) -> None:
        self.model, self.settings, self.tokenizer = model, settings, tokenizer

    @classmethod
    def load(cls, folder: Path | str) -> Entailment:
        """The model that an xnli stage kept. Raises ArtifactError where the folder holds none or is damaged."""
        path = artifact.open(folder, kind="report").path
        return cls(*load_classifier(path), Tokenizer.load(path))

    def __call__(self, premise: str, hypothesis: str, lang: str | None = None) -> dict[str, float]:
        """How likely `hypothesis` follows from `premise`, contradicts it, or neither; of sum 1. See `batch`."""
        return self.batch([(premise, hypothesis)], lang)[0]

    def batch(self, pairs: Sequence[tuple[str, str]], lang: str | None = None) -> list[dict[str, float]]:
        """The same of many pairs, in their order. lang: of all; where the model learned from spoken form, they are turned into it
        where the language is named."""
        formatter = Formatter(lang) if lang is not None and self.settings.spoken else None
        numbered = number(
            (Pair(*pair, 0) for pair in pairs), self.tokenizer, max_length=self.settings.max_length, formatter=formatter
        )
        cpu = torch.device("cpu")
        logits_NC = told(Relation(self.model), prepared(numbered, cpu), autocast=autocast("fp32", cpu))
        shares_NC = torch.from_numpy(logits_NC).softmax(-1).tolist()
        return [dict(zip(self.settings.labels, shares_C, strict=True)) for shares_C in shares_NC]


class Answered(NamedTuple):
    """labels_N, answers_N: the right label of each pair of a language, and the one it was given; int64."""

    labels_N: Ints
    answers_N: Ints


def scores(answered: Mapping[str, Answered], *, trained: str, seed: int = 0) -> dict[str, Any]:
    """What the answers in each language come to: percentages to two decimals, each with its 95 % bootstrap interval.

    Returns `languages` (accuracy, its interval, pairs, right ones, and counts of labels (rows) and answers (columns)), `mean` over
    all of them, and `zero_shot`, the mean over those that were not trained on (A table 2), None where there is no other.

    Pairs are resampled, those of languages that have equally many together: they are translations of one another, right and wrong
    together, so that samples drawn apart would make too narrow an interval of a mean. seed: of the samples.
    """
    right = {lang: one.labels_N == one.answers_N for lang, one in answered.items()}
    accuracy = {lang: 100 * float(each_N.mean()) for lang, each_N in right.items()}
    drawn = {lang: _drawn(each_N, seed=seed) for lang, each_N in right.items()}
    table = {
        lang: {
            "accuracy": round(accuracy[lang], 2),
            "interval": _interval(drawn[lang]),
            "pairs": len(right[lang]),
            "right": int(right[lang].sum()),
            "confusion": _confusion(one),
        }
        for lang, one in answered.items()
    }
    found: dict[str, Any] = {"labels": list(LABELS), "languages": table}
    for name, langs in (("mean", [*answered]), ("zero_shot", [lang for lang in answered if lang != trained])):
        found[name] = round(float(np.mean([accuracy[lang] for lang in langs])), 2) if langs else None
        found[f"{name}_interval"] = _interval(np.mean([drawn[lang] for lang in langs], axis=0)) if langs else None
    return found


def _drawn(right_N: NDArray[np.bool_], *, seed: int) -> NDArray[np.float64]:
    totals = np.concatenate([times_DN @ right_N for times_DN in samples(len(right_N), draws=DRAWS, seed=seed)])
    return 100 * totals / len(right_N)


def _interval(drawn_D: NDArray[np.float64]) -> list[float]:
    return [round(bound, 2) for bound in np.quantile(drawn_D, [0.025, 0.975]).tolist()]


def _confusion(one: Answered) -> list[list[int]]:
    cell_N, classes = one.labels_N * len(LABELS) + one.answers_N, len(LABELS)
    counted: list[list[int]] = np.bincount(cell_N, minlength=classes**2).reshape(classes, classes).tolist()
    return counted
