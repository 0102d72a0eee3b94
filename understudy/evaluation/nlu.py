"""A model's understanding of labelled utterances, per locale.

`evaluate` scores anything that parses a batch of texts; `evaluate_folder` does it for a model on disk and a folder of
labelled data.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy import artifact, atomic
from understudy.artifact import Artifact
from understudy.corpus.utterances import partition_of, read_partitions
from understudy.errors import DataError
from understudy.evaluation.metrics import FIGURES, Scores, confidence_figures, counts, mean, resample, squeeze
from understudy.interpretation import Interpretation, Parser, parse
from understudy.model.nlu import Predictor
from understudy.progress import progress
from understudy.runtime.session import Runtime

__all__ = [
    "NluReport",
    "Section",
    "Seen",
    "evaluate",
    "evaluate_folder",
    "load_parser",
    "relative_error_change",
    "unseen",
]

BATCH = 64
DRAWS = 1000

ParseBatch = Callable[[Sequence[str]], list[Interpretation]]
Seen = Mapping[str, Collection[str]] | Collection[str]


@dataclass(frozen=True)
class Section:
    """Scores per locale and their unweighted mean."""

    locales: dict[str, Scores]
    mean: Scores

    def to_json(self) -> dict[str, Any]:
        return {"locales": {name: s.to_dict() for name, s in self.locales.items()}, "mean": self.mean.to_dict()}


@dataclass(frozen=True)
class NluReport:
    """Scores of one model on one set of utterances, and the interpretations they were made from.

    `unseen` holds the same scores without utterances whose text also occurs in the training data of their locale; None
    where no training data was given.
    """

    scores: Section
    unseen: Section | None
    gold: tuple[Interpretation, ...]
    predicted: tuple[Interpretation, ...]

    @property
    def mean(self) -> Scores:
        return self.scores.mean

    def to_json(self) -> dict[str, Any]:
        """Percentages to two decimals: locales, mean, and both again under without_train_duplicates (or None)."""
        return {**self.scores.to_json(), "without_train_duplicates": self.unseen.to_json() if self.unseen else None}


def evaluate(
    parser: Parser | ParseBatch,
    gold: Sequence[Interpretation],
    *,
    seen: Seen | None = None,
    label: str = "evaluate",
    seed: int = 0,
) -> NluReport:
    """Parse the texts of `gold` and score what comes back, per locale.

    Args:
        parser: what parses, an object with `.batch`, which is told the locales as well, or a function of a sequence of texts.
        gold: labelled utterances; those without a locale are scored under "und".
        seen: texts of the training data, of all locales or by locale.
        label: name of the progress bar.
        seed: of the bootstrap.

    Raises DataError where there is nothing to score.
    """
    if not gold:
        raise DataError("there is nothing to evaluate on", got="no utterances", wanted="at least one")
    predicted: list[Interpretation] = []
    with progress(label, len(gold)) as advance:
        for at in range(0, len(gold), BATCH):
            some = gold[at : at + BATCH]
            predicted += parse(parser, some) if isinstance(parser, Parser) else parser([g.text for g in some])
            advance(len(some))
    counted = counts(gold, predicted)
    kept = None if seen is None else unseen(gold, seen)
    return NluReport(
        scores=_section(gold, predicted, counted, range(len(gold)), seed),
        unseen=None if kept is None else _section(gold, predicted, counted, kept, seed),
        gold=tuple(gold),
        predicted=tuple(predicted),
    )


def _section(
    gold: Sequence[Interpretation],
    predicted: Sequence[Interpretation],
    counted: NDArray[np.int64],
    indices: Collection[int],
    seed: int,
) -> Section:
    # A model with a threshold has figures of it in all locales, also where it refused nothing.
    judged = any(p.out_of_domain for p in predicted)
    scores, draws = {}, []
    for locale, (places, kept) in places_of(gold, indices).items():
        draws.append(resample(counted[places] * kept[:, None], draws=DRAWS, seed=seed))
        rows = counted[places[kept]]
        confidence = confidence_figures([predicted[i] for i in places[kept]], rows, judged=judged)
        scores[locale] = Scores.of(rows.sum(axis=0), draws[-1], confidence)
    return Section(scores, mean(list(scores.values()), draws))


def places_of(gold: Sequence[Interpretation], indices: Collection[int]) -> dict[str, tuple[NDArray[np.int64], NDArray[np.bool_]]]:
    """The places of each locale's utterances in `gold`, and which of them are among `indices`; locales sorted, those without one left
    out. What is left out of a locale keeps its place there: see `resample`."""
    chosen = np.zeros(len(gold), dtype=bool)
    chosen[list(indices)] = True
    by_locale: defaultdict[str, list[int]] = defaultdict(list)
    for index, one in enumerate(gold):
        by_locale[one.locale or "und"].append(index)
    places = {locale: np.array(by_locale[locale]) for locale in sorted(by_locale)}
    return {locale: (of, chosen[of]) for locale, of in places.items() if chosen[of].any()}


def unseen(gold: Sequence[Interpretation], seen: Seen) -> list[int]:
    """Indices of the utterances that do not stand in the training data, white space apart."""
    if isinstance(seen, Mapping):
        known = {locale: {squeeze(text) for text in texts} for locale, texts in seen.items()}
        return [i for i, g in enumerate(gold) if squeeze(g.text) not in known.get(g.locale, ())]
    everywhere = {squeeze(text) for text in seen}
    return [i for i, g in enumerate(gold) if squeeze(g.text) not in everywhere]


def relative_error_change(report: NluReport, baseline: NluReport) -> dict[str, dict[str, float | None]]:
    """Change of error against `baseline` in percent, negative is better (A tables 4 and 5).

    The error of an accuracy a is 100 - a; SemER is an error already. Per locale, and under "mean" that of the mean figures
    (not the mean of changes). None where the baseline makes no error.
    """
    pairs = {name: (s, baseline.scores.locales[name]) for name, s in report.scores.locales.items()}
    pairs["mean"] = (report.mean, baseline.mean)
    return {where: {name: _change(new, old, name) for name in FIGURES} for where, (new, old) in pairs.items()}


def _change(new: Scores, old: Scores, name: str) -> float | None:
    now, then = (getattr(s, name) if name == "semer" else 100 - getattr(s, name) for s in (new, old))
    return None if then == 0 or np.isnan(now) or np.isnan(then) else round(100 * (now - then) / then, 2)


def load_parser(model: Artifact) -> Parser:
    """The model of an artifact: a torch predictor of kind "nlu", an ONNX runtime of kind "runtime"."""
    return Runtime.load(model.path) if model.kind == "runtime" else Predictor.load(model.path)


def evaluate_folder(
    model_dir: Path,
    data: Path,
    *,
    format: str,
    partition: str = "dev",
    locale: str | None = None,
    hypotheses: Path | None = None,
) -> NluReport:
    """Evaluate a model on disk on one partition of labelled data.

    Duplicates are judged against the train partition of the same data, where there is one, locale by locale.

    Args:
        model_dir: an artifact of kind nlu or runtime.
        data: a labels artifact, or a file or folder as `LabelSource` takes it, e.g. `{locale}.jsonl` files of MASSIVE.
        format: the data's format, as in `LabelSource`.
        partition: which part to parse.
        locale: of utterances that do not say theirs.
        hypotheses: where to write one JSON object per utterance, in the order of the data, for an external scorer.

    Raises ArtifactError for a directory that is no model or hypotheses that cannot be written there, DataError for data that cannot
    be read or has no such partition.
    """
    if hypotheses is not None:
        atomic.writable(hypotheses)
    parser = load_parser(artifact.open(model_dir, kind=["nlu", "runtime"]))
    parts = read_partitions(data, format, locale)
    gold = partition_of(parts, partition, where=data)
    report = evaluate(parser, gold, seen=train_texts(parts.get("train", [])) if partition != "train" else None)
    if hypotheses is not None:
        write_hypotheses(hypotheses, report)
    return report


def train_texts(train: Sequence[Interpretation]) -> dict[str, set[str]] | None:
    """Texts by locale, None where there are none."""
    texts: defaultdict[str, set[str]] = defaultdict(set)
    for interpretation in train:
        texts[interpretation.locale].add(interpretation.text)
    return dict(texts) or None


def write_hypotheses(path: Path, report: NluReport) -> None:
    """One JSON line per utterance in the order of the data: locale, text, intent, domain, slots, confidences."""
    rows = ({"locale": gold.locale, **predicted.to_dict()} for gold, predicted in zip(report.gold, report.predicted, strict=True))
    atomic.write_texts(path.parent, {path.name: "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)})
