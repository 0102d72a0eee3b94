"""The finetune stage: intent, slots and domain from labelled utterances, on top of an encoder or from scratch (A 2.5, 3.2)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

import torch
from torch import Tensor

from understudy.artifact import Artifact, Draft
from understudy.corpus.utterances import read_partition
from understudy.errors import RecipeError, TrainingError
from understudy.interpretation import Interpretation
from understudy.model.encoder import MaskedLM
from understudy.model.folder import is_foreign, load_encoder
from understudy.model.foreign import Body, load_foreign
from understudy.model.heads import NLU
from understudy.model.nlu import save_nlu
from understudy.model.presets import shape
from understudy.runtime.decode import Labels
from understudy.tokenizer import Tokenizer
from understudy.training.batches import Labelled, LabelledSequences
from understudy.training.calibration import calibration, fold
from understudy.training.finetune_config import FinetuneConfig, optimizer, scales
from understudy.training.journal import copy_log
from understudy.training.labelled import budgeted, class_weights, following, hold_out, in_locales, number
from understudy.training.loop import train
from understudy.training.machine import Machine
from understudy.training.masked import set_dropout, vocabulary
from understudy.training.milestones import at_checkpoint
from understudy.training.noise import noisy
from understudy.training.optim import build
from understudy.training.outcome import Outcome
from understudy.training.parallel import whole_state
from understudy.training.ranks import ranks
from understudy.training.sinks import Watch
from understudy.training.understanding import Understanding, prepared, validator
from understudy.training.unlabelled import UnlabelledSequences, open_teacher

__all__ = ["FinetuneConfig", "run"]


class _Ready(TypedDict):
    """How text is made ready for the model; see `runtime.encode`."""

    max_length: int
    spoken: bool
    lower: bool


def run(config: FinetuneConfig, inputs: Mapping[str, Artifact], draft: Draft, *, seed: int) -> None:
    """Train and write an nlu artifact.

    Metrics: loss, utterances, noised copies and unlabelled ones, steps, seconds, and where some were held out, their intent_accuracy, tag_accuracy, exact and
    domain_accuracy (before calibration, which leaves all but the losses as they are), temperatures and threshold.

    Raises DataError for labels that `labels.json` does not know and for a locale without utterances, TrainingError where there is nothing to learn from, and what
    `unlabelled.open_teacher` raises where the teacher does not fit.
    """
    source = at_checkpoint(inputs[config.encoder or str(config.tokenizer)], config.checkpoint)
    encoder = _encoder(config, source, seed)
    labels = Labels.load(inputs[config.data].path / "labels.json")
    path = inputs[config.data].path / f"{config.partition}.jsonl"
    learned, aside = _parted(config, path, seed)
    max_length = min(config.max_length or encoder.config.max_length, encoder.config.max_length)
    tokenizer = Tokenizer.load(source.path)
    ready = _Ready(max_length=max_length, spoken=config.spoken, lower=config.lower)
    copies = noisy(learned, config.noise, seed=seed) if config.noise else []
    examples, apart = (number(g, tokenizer, labels, where=path, **ready) for g in (learned + copies, aside))
    sequences = LabelledSequences(examples)
    others = UnlabelledSequences.read(inputs[config.unlabelled].path, tokenizer, **ready) if config.unlabelled else None
    nlu = _heads(config, encoder, labels, seed)
    teacher = open_teacher(inputs[config.teacher], source, inputs[config.data], labels, **ready) if config.teacher else None
    objective = _objective(config, nlu, teacher, examples)
    machine = Machine.prepare(objective, config.precision, config.compile, config.parallel, float8=config.float8)
    held = prepared(LabelledSequences(apart), machine) if apart else []
    per_epoch = math.ceil(len(examples) / config.batch)
    total = config.steps or max(1, round(config.epochs * per_epoch))
    outcome = train(
        objective,
        following(sequences, others, config.batch, config.unlabelled_batch or config.batch, seed=seed, device=machine.device),
        build(objective, optimizer(config), scales=scales(config, encoder.config.layers)),
        config.schedule.of(peak=config.lr, steps=total, width=encoder.config.hidden),
        machine,
        steps_total=total,
        label="finetune",
        scratch=draft.scratch,
        clip=config.clip,
        seed=seed,
        validate=validator(objective, held, machine) if held else None,
        eval_every=per_epoch,
        save_every=config.save_every,
        maximise="exact" if config.select == "best" else None,
        watch=Watch(config.log_to, draft.runs),
    )
    draft.metrics.update(_summary(outcome, nlu, machine, best=config.select == "best"))
    draft.metrics.update(utterances=len(learned), held_out=len(aside), noised=len(copies))
    draft.metrics["unlabelled"] = len(others.lengths) if others else 0
    found = calibration(objective, held, machine, calibrate=config.calibrate, accept=config.accept)
    draft.metrics.update(found.to_metrics())
    state = fold(whole_state(nlu), found.temperatures)
    if not ranks().leads:
        return
    save_nlu(nlu, labels, draft.path, source.path, threshold=found.threshold, state=state, **ready)
    copy_log(draft.scratch / "log.jsonl", draft.path / "log.jsonl")
    draft.tokenizer = vocabulary(source)


def _parted(config: FinetuneConfig, path: Path, seed: int) -> tuple[list[Interpretation], list[Interpretation]]:
    """What is learned from, and what is held out."""
    gold = budgeted(
        in_locales(read_partition(path.parent, config.partition), config.locales, where=path), config.labels, seed=seed
    )
    if not gold:
        raise TrainingError("there is nothing to learn from", where=path, got="no utterances")
    learned, aside = hold_out(gold, config.held_out, seed=seed)
    needing = "accept" if config.accept is not None else "select = 'best'" if config.select == "best" else None
    if needing and not aside:
        raise TrainingError(
            "there are no held-out utterances to choose by",
            where=path,
            got=f"{len(gold)} utterances, of which a share of {config.held_out:g} sets none aside",
            hint=f"Raise held_out, or leave out {needing}",
        )
    return learned, aside


def _summary(outcome: Outcome, nlu: NLU, machine: Machine, *, best: bool) -> dict[str, Any]:
    found: dict[str, Any] = {
        "loss": round(outcome.loss, 5),
        "steps": outcome.steps,
        "seconds": round(outcome.seconds, 1),
        "tokens_per_s": round(outcome.tokens / max(outcome.seconds, 1e-9)),
        "parameters": sum(w.numel() for w in nlu.parameters()),
        "body_parameters": nlu.encoder.config.body_parameters,
        "precision": machine.precision,
    }
    if outcome.validations:
        chosen = max(outcome.validations, key=lambda v: v["exact"]) if best else outcome.validations[-1]
        found["valid"] = {name: round(value, 5) for name, value in chosen.items()}
    return found


def _heads(config: FinetuneConfig, encoder: Body, labels: Labels, seed: int) -> NLU:
    return NLU(
        encoder,
        len(labels.intents),
        len(labels.tags),
        domains=len(labels.domain_names) if config.domain and len(labels.domain_names) > 1 else 0,
        width=config.width,
        pooling=config.pooling,
        dropout=0.1 if config.dropout is None else config.dropout,
        generator=torch.Generator().manual_seed(seed),
    )


def _objective(config: FinetuneConfig, nlu: NLU, teacher: NLU | None, examples: Sequence[Labelled]) -> Understanding:
    return Understanding(
        nlu,
        slots=config.slots,
        domain=config.domain,
        smoothing=config.smoothing,
        frozen=config.mode == "frozen",
        teacher=teacher,
        soft=config.soft,
        temperature=config.temperature,
        class_weights=_class_weights(config, nlu, examples),
    )


def _class_weights(config: FinetuneConfig, nlu: NLU, examples: Sequence[Labelled]) -> dict[str, Tensor]:
    if config.class_weights == "none":
        return {}
    made = {"intent": class_weights([e.intent for e in examples], nlu.outputs[0], config.class_weights)}
    if nlu.domains:
        made["domain"] = class_weights([e.domain for e in examples], nlu.domains, config.class_weights)
    return made


def _encoder(config: FinetuneConfig, source: Artifact, seed: int) -> Body:
    encoder: Body
    if is_foreign(source.path) and config.encoder is not None:
        _check_plain(config)
        encoder = load_foreign(source.path).encoder
    elif config.encoder is not None:
        encoder = load_encoder(source.path).encoder.float()  # a hub's folder may hold half precision, which does not learn
    else:
        assert config.model is not None
        size = Tokenizer.load(source.path).size
        encoder = MaskedLM(shape(config.model, size), generator=torch.Generator().manual_seed(seed)).encoder
    if config.dropout is not None:
        set_dropout(encoder, config.dropout)
    return encoder


def _check_plain(config: FinetuneConfig) -> None:
    """Raises RecipeError for a setting that tells blocks apart, which only encoders of ours let it do."""
    refused = {
        "layer_decay": (config.layer_decay, 1.0),
        "optimizer": ("muon" if config.optimizer == "muon" else "adam", "adam"),
        "parallel.checkpointing": (config.parallel.checkpointing, "none"),
    }
    for key, (got, wanted) in refused.items():
        if got != wanted:
            raise RecipeError("an adopted encoder cannot be fine-tuned like this", where=key, got=got, wanted=wanted)
