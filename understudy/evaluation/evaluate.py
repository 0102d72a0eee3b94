"""The evaluate stage: models against held-out labelled utterances, the exported one also against the clock."""

from __future__ import annotations

import json
import logging
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import numpy as np
from pydantic import BeforeValidator, Field, PlainSerializer, model_validator

from understudy.artifact import Artifact, Draft
from understudy.config import LabelsRef, ModelRef, StageConfig
from understudy.corpus.utterances import read_labels, read_partition
from understudy.errors import nearest
from understudy.evaluation.lineage import Ancestor, curves, data_cards, family
from understudy.evaluation.metrics import COUNTS, counts
from understudy.evaluation.mistakes import confusions, slot_mistakes
from understudy.evaluation.nlu import NluReport, evaluate, load_parser, relative_error_change, train_texts
from understudy.evaluation.paired import outcomes
from understudy.evaluation.report import render
from understudy.evaluation.several import best_by_locale, change_spread, seeds_of, to_json, together
from understudy.interpretation import Interpretation, Parser, parse
from understudy.limits import available_cpus
from understudy.runtime.session import Runtime
from understudy.training.noise import NoiseConfig, noisy

__all__ = ["EvaluateConfig", "latency", "run"]

log = logging.getLogger(__name__)
T = TypeVar("T")
WARM_UP = 50
EXAMPLE_LENGTH = (15, 60)  # characters of a good example
SHOWN_FIRST = (
    "en",
    "de",
    "ja",
    "hi",
    "ar",
    "ta",
    "es",
    "fr",
    "te",
    "it",
    "mr",
    "pt",
)  # languages of examples: many scripts early


# One model, or one for each seed; a single one is dumped as it is written, so that its report stays up to date.
Each = Annotated[
    tuple[ModelRef, ...],
    Field(min_length=1),
    BeforeValidator(lambda refs: (refs,) if isinstance(refs, str) else refs),
    PlainSerializer(lambda refs: str(refs[0]) if len(refs) == 1 else [str(ref) for ref in refs]),
]


class EvaluateConfig(StageConfig):
    """Settings of the evaluate stage.

    Attributes:
        models: the models to compare by the name the report gives them; the report looks closely at the first. A finetune
            stage with `seeds` stands for all of them, and so does a list of models: their mean is reported, and their spread.
        labels: labelled data; its train partition is only used to find duplicates.
        partition: the part of `labels` to parse.
        noise: utterances are scored as they are misheard, or switch language, in place of as they stand; see `noise.NoiseConfig`.
        runtime: an exported model whose size and latency are measured and which parses the examples.
        latency_calls: single calls timed, after warm-up.
        examples: utterances shown, each in another language as far as there are languages.
        baseline: the model that relative error changes refer to.
        outcomes: also write what was counted in each utterance, for comparisons in pairs.
    """

    kind: Literal["evaluate"] = "evaluate"
    models: dict[str, Each] = Field(min_length=1)
    labels: LabelsRef
    partition: str = "dev"
    noise: NoiseConfig | None = None
    runtime: ModelRef | None = None
    latency_calls: int = Field(default=1000, ge=1)
    examples: int = Field(default=6, ge=0)
    baseline: str | None = None
    outcomes: bool = False

    @model_validator(mode="after")
    def _baseline_is_a_model(self) -> EvaluateConfig:
        if self.baseline is not None and self.baseline not in self.models:
            hint = nearest(self.baseline, self.models)
            raise ValueError(
                f"the baseline '{self.baseline}' is none of the models {', '.join(self.models)}. {hint or ''}".strip()
            )
        return self


def run(config: EvaluateConfig, inputs: Mapping[str, Artifact], draft: Draft, *, seed: int) -> None:
    """Evaluate every model and write `report.json`, `report.html` and, where asked for, `outcomes.safetensors`; a summary goes into the metrics.

    Raises DataError where the labels have no such partition.
    """
    labels = inputs[config.labels]
    gold = read_partition(labels.path, config.partition)
    if config.noise:
        gold = noisy(gold, config.noise, seed=seed)
    train = labels.path / "train.jsonl"
    seen = train_texts(read_labels(train)) if config.partition != "train" and train.is_file() else None
    reports: dict[str, NluReport] = {}
    parser: Parser | None = None
    for name, refs in config.models.items():
        each = []
        for number, ref in enumerate(refs, start=1):
            model = load_parser(inputs[ref])
            parser = parser or model
            label = f"evaluate {name}" + (f", {number} of {len(refs)}" if len(refs) > 1 else "")
            each.append(evaluate(model, gold, seen=seen, label=label, seed=seed))
        reports[name] = together(each, seen=seen, seed=seed)
        log.info("%s: mean exact match %.2f %%", name, reports[name].mean.exact_match)
    assert parser is not None
    deployed, measured = parser, None
    if config.runtime is not None:
        runtime = Runtime.load(inputs[config.runtime].path)
        deployed, measured = runtime, _measured(config, inputs[config.runtime], runtime, gold, seed)
    chosen = _chosen(gold, config.examples, seed)
    content = {
        **_scores(config, inputs, reports, seed),
        "utterances": len(gold),
        "partition": config.partition,
        "noise": config.noise.model_dump() if config.noise else None,
        "labels": labels.path.name,
        "runtime": measured,
        "examples": _examples(chosen, deployed),
        "examples_by": inputs[config.runtime].path.name if config.runtime else next(iter(config.models)),
        **_history(list(inputs.values()), [[inputs[ref] for ref in refs] for refs in config.models.values()]),
        "seed": seed,
        "machine": _machine(),
    }
    (draft.path / "report.json").write_text(json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False), encoding="utf-8")
    (draft.path / "report.html").write_text(render(content), encoding="utf-8")
    if config.outcomes:
        outcomes(reports).save(draft.path)
    draft.metrics["models"] = {name: report.mean.to_dict() for name, report in reports.items()}
    if measured:
        draft.metrics |= {"latency": measured["latency"], "size_bytes": measured["size_bytes"]}


def _scores(
    config: EvaluateConfig, inputs: Mapping[str, Artifact], reports: Mapping[str, NluReport], seed: int
) -> dict[str, Any]:
    first = next(iter(reports.values()))
    # Mistakes are shown by the first example met: a random order shows all locales, not the first of the data.
    order = np.random.default_rng(seed).permutation(len(first.gold))
    gold, predicted = [first.gold[i] for i in order], [first.predicted[i] for i in order]
    baseline = reports[config.baseline] if config.baseline else None
    firsts = {name: inputs[refs[0]] for name, refs in config.models.items()}
    about = {name: {"artifact": model.path.name, "kind": model.kind} for name, model in firsts.items()}
    several = {n: r for n, r in reports.items() if baseline and len(seeds_of(r)) > 1}
    return {
        "models": {name: {**about[name], **to_json(report)} for name, report in reports.items()},
        "baseline": config.baseline,
        "relative_error_change": {n: relative_error_change(r, baseline) for n, r in reports.items()} if baseline else {},
        "relative_error_change_sd": {n: change_spread(r, baseline) for n, r in several.items()} if baseline else {},
        "best_by_locale": best_by_locale(reports),
        "confusions": confusions(gold, predicted),
        "slot_mistakes": slot_mistakes(gold, predicted),
    }


def latency(runtime: Callable[[T], object], texts: Sequence[T], n: int = 500) -> dict[str, float]:
    """Time of single calls in milliseconds: p50_ms, p90_ms, p99_ms, mean_ms, over `n` calls.

    The texts are gone through in order, again and again; `WARM_UP` calls before are not counted. How many cores a call
    uses is the runtime's business.
    """
    for index in range(WARM_UP):
        runtime(texts[index % len(texts)])
    taken = np.empty(n)
    for index in range(n):
        text = texts[index % len(texts)]
        before = time.perf_counter_ns()
        runtime(text)
        taken[index] = (time.perf_counter_ns() - before) / 1e6
    p50, p90, p99 = np.quantile(taken, [0.5, 0.9, 0.99])
    times = {"p50_ms": p50, "p90_ms": p90, "p99_ms": p99, "mean_ms": taken.mean()}
    return {"n": n, **{name: round(float(value), 3) for name, value in times.items()}}


def _measured(
    config: EvaluateConfig, model: Artifact, runtime: Runtime, gold: Sequence[Interpretation], seed: int
) -> dict[str, Any]:
    order = np.random.default_rng(seed).permutation(len(gold))[: config.latency_calls]
    settings = model.path / "runtime.json"
    about = json.loads(settings.read_text(encoding="utf-8")) if settings.is_file() else {}
    return {
        "name": model.path.name,
        "precision": about.get("precision"),
        "size_bytes": sum(path.stat().st_size for path in model.path.rglob("*") if path.is_file()),
        "files": {name: file.size for name, file in model.manifest.files.items()},
        # In its locale, as it is served: spoken form takes time too.
        "latency": latency(lambda one: runtime(one.text, one.locale or None), [gold[i] for i in order], config.latency_calls),
    }


def _chosen(gold: Sequence[Interpretation], n: int, seed: int) -> list[Interpretation]:
    """`n` utterances to show, from as many languages, chosen by their gold labels alone and never by how they were parsed.

    Utterances of handy length with a slot or more come first.
    """
    by_locale: dict[str, list[Interpretation]] = {}
    for index in np.random.default_rng(seed).permutation(len(gold)):
        by_locale.setdefault(gold[index].locale, []).append(gold[index])
    low, high = EXAMPLE_LENGTH
    for utterances in by_locale.values():
        utterances.sort(key=lambda g: (not g.slots, not low <= len(g.text) <= high))
    order = {language: index for index, language in enumerate(SHOWN_FIRST)}
    locales = sorted(by_locale, key=lambda locale: (order.get(locale[:2], len(order)), locale))
    rounds = zip_longest(*(by_locale[locale] for locale in locales))
    return [g for each in rounds for g in each if g is not None][:n]


def _examples(chosen: Sequence[Interpretation], parser: Parser) -> list[dict[str, Any]]:
    predicted = parse(parser, chosen) if chosen else []
    right = counts(chosen, predicted)[:, COUNTS.index("exact")].tolist()
    return [
        {"locale": gold.locale, "gold": gold.to_dict(), "predicted": found.to_dict(), "right": bool(exact)}
        for gold, found, exact in zip(chosen, predicted, right, strict=True)
    ]


def _history(inputs: Sequence[Artifact], models: Sequence[Sequence[Artifact]]) -> dict[str, Any]:
    """The stages everything came from, their loss curves and data cards, and the versions of what made them.

    `seed_of` of a stage is the place of the first seed of the same model, None of one that leads a model itself.
    """
    ancestors = family(inputs)
    index = {a.path: i for i, a in enumerate(ancestors)}
    places = [[index[model.path.resolve()] for model in each] for each in models]
    leads = {first for first, *_ in places}
    firsts = {other: first for first, *others in places for other in others if other not in leads}
    versions: dict[str, list[str]] = {}
    for ancestor in ancestors:
        for package, version in (ancestor.manifest.versions if ancestor.manifest else {}).items():
            if version not in versions.setdefault(package, []):
                versions[package].append(version)
    return {
        "stages": [{**_stage(a, [index[p] for p in a.parents]), "seed_of": firsts.get(i)} for i, a in enumerate(ancestors)],
        "curves": curves(ancestors),
        "cards": data_cards(ancestors),
        "versions": versions,
    }


def _stage(ancestor: Ancestor, parents: list[int]) -> dict[str, Any]:
    manifest = ancestor.manifest
    return {
        "name": ancestor.name,
        "kind": ancestor.kind,
        "stage": ancestor.stage,
        "state": ancestor.state,
        "parents": parents,
        "parameters": ancestor.parameters,
        "size_bytes": ancestor.size,
        "seconds": manifest.seconds if manifest else None,
        "seed": manifest.seed if manifest else None,
        "hash": manifest.hash if manifest else None,
        "config": manifest.config if manifest else {},
    }


def _machine() -> dict[str, Any]:
    """Processor, cores that may be used, and system the figures were measured on."""
    processor = platform.processor() or platform.machine()
    described = Path("/proc/cpuinfo")
    if described.is_file():
        lines = described.read_text(encoding="utf-8", errors="replace").splitlines()
        processor = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), processor)
    return {"processor": processor, "cores": available_cpus(), "system": platform.system(), "python": platform.python_version()}
