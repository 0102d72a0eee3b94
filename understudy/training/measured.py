"""What a run on token shards is measured by: its evaluations, and the figures in its manifest."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from typing import Any

from understudy.artifact import Artifact
from understudy.corpus.nouns import read_nouns
from understudy.errors import TrainingError
from understudy.model.encoder import MaskedLM
from understudy.tokenizer import Tokenizer
from understudy.training.filling import Filling
from understudy.training.machine import Machine
from understudy.training.masked import Corpus, MaskedConfig
from understudy.training.objectives import Distillation, MaskedLanguageModelling
from understudy.training.outcome import Outcome
from understudy.training.tally import Metrics, evaluate

__all__ = ["figures", "summary", "validator"]

log = logging.getLogger(__name__)


def validator(
    objective: MaskedLanguageModelling | Distillation,
    corpus: Corpus,
    config: MaskedConfig,
    machine: Machine,
    inputs: Mapping[str, Artifact],
    *,
    max_length: int,
) -> Callable[[], Metrics] | None:
    """What evaluates a run: losses on the validation set, and noun filling where the settings ask for it. None without the set.

    Raises TrainingError where nouns are to be filled and there is no set.
    """
    budget = max(4096, config.batch_tokens // config.accumulate)
    held_out = corpus.validation(tokens=config.eval_tokens, budget=budget)
    if not held_out:
        if config.nouns is not None:
            raise TrainingError(
                "nouns are filled when a run is evaluated, and there is nothing to evaluate it on",
                where=inputs[config.data].path,
                got="no validation sequences",
                hint="Hold some text out (`valid` of the corpus), or leave `nouns` out",
            )
        log.warning("the shards hold no validation sequences: nothing is evaluated")
        return None
    filling = None
    if config.nouns is not None:
        nouns, tokenizer = read_nouns(inputs[config.nouns].path), Tokenizer.load(inputs[config.tokenizer].path)
        filling = Filling.of(nouns, tokenizer, max_length=max_length, budget=budget, device=machine.device)

    def validate() -> Metrics:
        losses = evaluate(objective, held_out, autocast=machine.autocast, languages=corpus.languages)
        return losses if filling is None else {**losses, **filling.accuracy(objective, autocast=machine.autocast)}

    return validate


def summary(outcome: Outcome, model: MaskedLM, machine: Machine) -> dict[str, Any]:
    """What a manifest says of a run: losses, perplexities and noun filling over all and by language, speed, size; the same figures
    of each encoder that was kept on the way, under `checkpoints`."""
    found: dict[str, Any] = {
        "steps": outcome.steps,
        "loss": round(outcome.loss, 4),
        "tokens": outcome.tokens,
        "examples": outcome.examples,
        "seconds": round(outcome.seconds, 1),
        "tokens_per_s": round(outcome.tokens / max(outcome.seconds, 1e-9)),
        "parameters": sum(w.numel() for w in model.parameters()),
        "body_parameters": model.config.body_parameters,
        "precision": machine.precision,
        "compiled": machine.compiled,
        "device": machine.device.type,
    }
    if outcome.validations:
        found |= _evaluated(outcome.validations[-1])
    if outcome.kept:
        found["checkpoints"] = [{**_without(entry, "valid"), **_evaluated(entry["valid"])} for entry in outcome.kept]
    return found


def _evaluated(metrics: Metrics) -> dict[str, Any]:
    """An evaluation as figures: its losses beside `figures`."""
    if not metrics:
        return {}
    apart = {f"valid_{name}": round(metrics[name], 4) for name in ("soft", "hidden") if name in metrics}
    return {"valid_loss": round(metrics["loss"], 4), **figures(metrics), **apart}


def figures(metrics: Metrics) -> dict[str, Any]:
    """Perplexity, exp of the masked-LM loss, and noun filling in percent, as far as they were measured: over all text or nouns, by
    language and in the mean of languages (A table 3)."""
    found: dict[str, Any] = {}
    if "mlm" in metrics:
        perplexities = {lang: math.exp(min(loss, 50.0)) for lang, loss in _by_language(metrics, "mlm").items()}
        found = {
            "perplexity": round(math.exp(min(metrics["mlm"], 50.0)), 3),
            "perplexity_macro": round(sum(perplexities.values()) / max(1, len(perplexities)), 3),
            "perplexity_by_language": {lang: round(value, 3) for lang, value in perplexities.items()},
        }
    if "fill" in metrics:
        found["fill"] = round(metrics["fill"], 2)
        found["fill_by_language"] = {lang: round(value, 2) for lang, value in _by_language(metrics, "fill").items()}
    return found


def _without(table: Mapping[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in table.items() if name != key}


def _by_language(metrics: Metrics, part: str) -> dict[str, float]:
    return {name.removeprefix(f"{part}."): value for name, value in sorted(metrics.items()) if name.startswith(f"{part}.")}
