"""The domains stage: models by the domain of the utterance, and how like general text each domain is (B)."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from pydantic import Field

from understudy.artifact import Artifact, Draft
from understudy.config import CorpusRef, EncoderRef, LabelsRef, ModelRef, StageConfig
from understudy.corpus.files import language_of
from understudy.corpus.utterances import read_labels, read_partition
from understudy.errors import DataError
from understudy.evaluation.metrics import FIGURES, Scores, counts
from understudy.evaluation.nlu import evaluate, load_parser
from understudy.evaluation.similarity import corpus_words, divergences, pseudo_perplexity
from understudy.interpretation import Interpretation
from understudy.text.words import split
from understudy.tokenizer import Tokenizer
from understudy.training.masked import open_model

__all__ = ["FILE", "DomainsConfig", "mean_and_spread", "run", "scores_by_domain"]

FILE = "domains.json"


class DomainsConfig(StageConfig):
    """Settings of a domains stage.

    models: by the name they are told by; several of one name are seeds of one model, whose figures are averaged, and so is a
        finetune stage with `seeds`.
    labels, partition: what they are scored on. Domains are those of its gold labels.
    generic: general text, to compare the words of each domain's train utterances with.
    teacher: an encoder that is asked how well it foresees train utterances. utterances: so many of each domain and language.
    """

    kind: Literal["domains"] = "domains"
    models: dict[str, tuple[ModelRef, ...]] = Field(min_length=1)
    labels: LabelsRef
    partition: str = "dev"
    generic: CorpusRef | None = None
    teacher: EncoderRef | None = None
    utterances: int = Field(default=20, gt=0)


def run(config: DomainsConfig, inputs: Mapping[str, Artifact], draft: Draft, *, seed: int) -> None:
    """Write `domains.json`: for each domain its utterances (`n`, `train`), the figures of every model and their spread over seeds,
    and, where they are asked for, `divergence` (bits, the mean over `languages`) and `perplexity`.

    Raises DataError where there are no labels, or where none names a domain.
    """
    labels = inputs[config.labels].path
    gold = [g for g in read_partition(labels, config.partition) if g.domain]
    if not gold:
        raise DataError("no gold label names a domain", where=labels, got=f"none in {config.partition}", wanted="at least one")
    of_models = {
        name: [
            scores_by_domain(gold, evaluate(load_parser(inputs[ref]), gold, label=f"domains {name}").predicted) for ref in refs
        ]
        for name, refs in config.models.items()
    }
    train = by_domain(read_labels(labels / "train.jsonl")) if (labels / "train.jsonl").is_file() else {}
    domains: dict[str, dict[str, Any]] = {}
    for domain in sorted({g.domain for g in gold}):
        each = {name: mean_and_spread([one[domain] for one in found]) for name, found in of_models.items()}
        domains[domain] = {
            "n": sum(g.domain == domain for g in gold),
            "train": sum(map(len, train.get(domain, {}).values())),
            "models": {name: mean for name, (mean, _) in each.items()},
            "sd": {name: spread for name, (_, spread) in each.items() if spread},
        }
    for domain, measured in _similarity(config, inputs, {d: train[d] for d in domains if d in train}, seed).items():
        domains[domain] |= measured
    content = {"partition": config.partition, "models": list(config.models), "domains": domains}
    (draft.path / FILE).write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    draft.metrics.update(domains=len(domains), utterances=len(gold))


def scores_by_domain(gold: Sequence[Interpretation], predicted: Sequence[Interpretation]) -> dict[str, Scores]:
    """Scores of predictions by the domain of the gold label, over the utterances of all locales together.

    Both hold the same utterances in the same order. The domain accuracy of a domain is its recall.
    """
    counted = counts(gold, predicted)
    rows: defaultdict[str, list[int]] = defaultdict(list)
    for index, interpretation in enumerate(gold):
        rows[interpretation.domain].append(index)
    return {domain: Scores.of(counted[rows[domain]].sum(axis=0)) for domain in sorted(rows)}


def mean_and_spread(seeds: Sequence[Scores]) -> tuple[dict[str, float | None], dict[str, float | None]]:
    """Mean of each figure over seeds, and its sample standard deviation (n - 1), empty for one seed; None where undefined."""
    values = {name: np.array([getattr(scores, name) for scores in seeds]) for name in FIGURES}
    mean = {name: _rounded(float(found.mean())) for name, found in values.items()}
    return mean, {name: _rounded(float(found.std(ddof=1))) for name, found in values.items()} if len(seeds) > 1 else {}


def _rounded(value: float) -> float | None:
    return None if np.isnan(value) else round(value, 4)


def by_domain(utterances: Sequence[Interpretation]) -> dict[str, dict[str, list[str]]]:
    """Texts by domain and language."""
    found: defaultdict[str, defaultdict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for utterance in utterances:
        found[utterance.domain][language_of(utterance.locale) or utterance.locale].append(utterance.text)
    return {domain: dict(texts) for domain, texts in found.items()}


def _similarity(
    config: DomainsConfig, inputs: Mapping[str, Artifact], train: Mapping[str, Mapping[str, Sequence[str]]], seed: int
) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {domain: {} for domain in train}
    if config.generic is not None:
        words = corpus_words(inputs[config.generic].path / "train.parquet")
        for domain, languages in divergences(words, train, seed=seed).items():
            if languages:
                found[domain]["divergence"] = round(sum(languages.values()) / len(languages), 6)
                found[domain]["languages"] = {lang: round(value, 6) for lang, value in languages.items()}
    if config.teacher is not None:
        path = inputs[config.teacher].path
        teacher, tokenizer = open_model(inputs[config.teacher], parted=False)[0], Tokenizer.load(path)
        for domain, texts in train.items():
            sequences = []
            for lang in sorted(texts):
                order = np.random.default_rng([seed, *domain.encode(), *lang.encode()]).permutation(len(texts[lang]))
                chosen = [split(texts[lang][index]) for index in order[: config.utterances]]
                sequences += [tokenizer.encode(words, max_length=teacher.config.max_length).ids for words in chosen if words]
            found[domain]["perplexity"] = round(pseudo_perplexity(teacher, sequences, mask=tokenizer.mask), 4)
    return found
