"""The finetune stage: intent, slots and domain from labelled utterances, on top of an encoder or from scratch (A 2.5, 3.2)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self, TypedDict

import torch
from pydantic import Field, model_validator
from torch import Tensor

from understudy.artifact import Artifact, Draft
from understudy.config import CorpusRef, EncoderRef, NluRef, StageConfig, TokenizerRef
from understudy.corpus.labels import read_labels
from understudy.errors import TrainingError
from understudy.interpretation import Interpretation
from understudy.model.encoder import Encoder, MaskedLM
from understudy.model.folder import load_encoder
from understudy.model.heads import NLU, Pooling
from understudy.model.nlu import save_nlu
from understudy.model.presets import Shape, shape
from understudy.runtime.decode import Labels
from understudy.tokenizer import Tokenizer
from understudy.training.batches import Labelled, LabelledSequences
from understudy.training.calibration import calibration, fold
from understudy.training.journal import copy_log
from understudy.training.labelled import budgeted, class_weights, following, hold_out, number
from understudy.training.loop import Outcome, train
from understudy.training.machine import Machine
from understudy.training.masked import set_dropout, vocabulary
from understudy.training.milestones import at_checkpoint
from understudy.training.noise import NoiseConfig, noisy
from understudy.training.optim import OptimConfig, build
from understudy.training.parallel import ParallelConfig, whole_state
from understudy.training.precision import Compile, Precision
from understudy.training.ranks import ranks
from understudy.training.schedule import ScheduleConfig
from understudy.training.sinks import LogTo, Watch
from understudy.training.understanding import Understanding, prepared, validator
from understudy.training.unlabelled import UnlabelledSequences, open_teacher

__all__ = ["FinetuneConfig", "run"]


class FinetuneConfig(StageConfig):
    """Settings of a finetune stage.

    seeds: so many artifacts, each with a seed of its own, beginning with the stage's: see `seeds.expand`. Not dumped: a seed
        more leaves those there are up to date.
    encoder, or model with tokenizer: what to fine-tune, or the shape of an encoder to train from scratch. checkpoint: the encoder
        as it was at that one of its checkpoints.
    data: labelled utterances. partition: the one to learn from.
    labels: share of each locale's utterances that is used, drawn by the seed; smaller shares are parts of larger ones.
    held_out: share of the used utterances set aside and measured after each epoch. select: "best" keeps the epoch with the
        most of them wholly right, "last" the last one.
    noise: noised copies of the utterances that are learned from, see `noise.NoiseConfig`; an epoch passes over them too.
    teacher: a model fine-tuned on the same labels, whose intents and slots are learned as well as the labels. soft: weight of
        its share. temperature: of both sides' softmaxes; the loss is multiplied by its square.
    unlabelled: utterances that only the teacher says anything of, a corpus or labels whose labels are not looked at;
        `unlabelled_batch` of them in each update, as many as labelled ones by default. They may be among those held out: their
        labels are not used here, but a teacher that learned from them knows them, and `select` then judges too kindly.
    mode: "full" trains everything, "frozen" only the heads.
    lr: peak for the encoder, and for the heads where `head_lr` is not given. layer_decay: each block below the top learns
        this much slower than the one above it. optimizer, muon_lr: see `optim.OptimConfig`.
    epochs: passes over the utterances; `steps` counts updates instead. batch: utterances per update.
    dropout: in place of the encoder's own; also in the heads. smoothing: of labels.
    domain: weight of the loss of a third head, for the utterance's domain, which is there where the labels name two domains or
        more; 0 leaves it out, and the domain is then the one of the intent.
    class_weights: of intents and domains: "balanced" counts all of them alike, however rare, "sqrt" half as much so.
    calibrate: where utterances are held out, confidences are made to fit them: a temperature for each head, folded into it.
    accept: share of the held-out utterances sure enough to be believed; those less sure are called out of domain ever after.
    max_length: tokens of an utterance, the rest is cut off; the encoder's own by default.
    parallel: see `parallel.ParallelConfig`. float8, log_to: see `masked.MaskedConfig`.
    spoken, lower: how typed text is made ready, in training and ever after.
    """

    kind: Literal["finetune"] = "finetune"
    seeds: int = Field(default=1, ge=1, exclude=True)
    encoder: EncoderRef | None = None
    checkpoint: int | None = Field(default=None, gt=0)
    model: Shape | None = None
    tokenizer: TokenizerRef | None = None
    data: CorpusRef
    partition: str = "train"
    labels: float = Field(default=1.0, gt=0, le=1)
    held_out: float = Field(default=0.0, ge=0, lt=1)
    select: Literal["last", "best"] = "last"
    noise: NoiseConfig | None = None
    teacher: NluRef | None = None
    soft: float = Field(default=1.0, ge=0)
    temperature: float = Field(default=1.0, gt=0)
    unlabelled: CorpusRef | None = None
    unlabelled_batch: int | None = Field(default=None, gt=0)
    mode: Literal["full", "frozen"] = "full"
    lr: float = Field(default=5e-4, gt=0)
    head_lr: float | None = Field(default=None, gt=0)
    layer_decay: float = Field(default=1.0, gt=0, le=1)
    optimizer: Literal["adam", "lamb", "muon"] = "adam"
    muon_lr: float = Field(default=0.005, gt=0)
    weight_decay: float = Field(default=0.01, ge=0)
    clip: float = Field(default=1.0, ge=0)
    schedule: ScheduleConfig = ScheduleConfig()
    epochs: float = Field(default=5.0, gt=0)
    steps: int | None = Field(default=None, gt=0)
    batch: int = Field(default=32, gt=0)
    dropout: float | None = Field(default=None, ge=0, lt=1)
    smoothing: float = Field(default=0.0, ge=0, lt=1)
    domain: float = Field(default=1.0, ge=0)
    class_weights: Literal["none", "sqrt", "balanced"] = "none"
    calibrate: bool = True
    accept: float | None = Field(default=None, gt=0, le=1)
    width: int = Field(default=256, gt=0)
    pooling: Pooling = "mean"
    max_length: int | None = Field(default=None, ge=3)
    spoken: bool = False
    lower: bool = False
    precision: Precision = "auto"
    float8: bool = False
    compile: Compile = "auto"
    parallel: ParallelConfig = ParallelConfig()
    save_every: int = Field(default=500, gt=0)
    log_to: LogTo = ()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.encoder is None) == (self.model is None):
            raise ValueError("exactly one of 'encoder' (fine-tune it) and 'model' (train from scratch) is wanted")
        if (self.model is None) != (self.tokenizer is None):
            raise ValueError("'tokenizer' goes with 'model'; an encoder brings its own")
        if self.checkpoint is not None and self.encoder is None:
            raise ValueError("'checkpoint' goes with 'encoder': it says which of that encoder's")
        if self.select == "best" and not self.held_out:
            raise ValueError("select = 'best' needs utterances to choose by: set 'held_out' above 0")
        if self.unlabelled is not None and self.teacher is None:
            raise ValueError("nothing can be learned from 'unlabelled' utterances without a 'teacher'")
        if self.unlabelled_batch is not None and self.unlabelled is None:
            raise ValueError("'unlabelled_batch' goes with 'unlabelled'")
        if self.accept is not None and not self.held_out:
            raise ValueError("'accept' needs utterances to choose a threshold by: set 'held_out' above 0")
        return self


class _Ready(TypedDict):
    """How text is made ready for the model; see `runtime.encode`."""

    max_length: int
    spoken: bool
    lower: bool


def run(config: FinetuneConfig, inputs: Mapping[str, Artifact], draft: Draft, *, seed: int) -> None:
    """Train and write an nlu artifact.

    Metrics: loss, utterances, noised copies and unlabelled ones, steps, seconds, and where some were held out, their intent_accuracy, tag_accuracy, exact and
    domain_accuracy (before calibration, which leaves all but the losses as they are), temperatures and threshold.

    Raises DataError for labels that `labels.json` does not know, TrainingError where there is nothing to learn from, and what
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
        build(objective, _optimizer(config), scales=scales(config, encoder.config.layers)),
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
    gold = budgeted(read_labels(path), config.labels, seed=seed)
    if not gold:
        raise TrainingError("there is nothing to learn from", where=path, got="no utterances")
    learned, aside = hold_out(gold, config.held_out, seed=seed)
    if config.accept is not None and not aside:
        raise TrainingError(
            "there are no utterances to choose a threshold by",
            where=path,
            got=f"{len(gold)} utterances, of which a share of {config.held_out:g} sets none aside",
            hint="Raise held_out, or leave out accept",
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


def _heads(config: FinetuneConfig, encoder: Encoder, labels: Labels, seed: int) -> NLU:
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


def _encoder(config: FinetuneConfig, source: Artifact, seed: int) -> Encoder:
    if config.encoder is not None:
        encoder = load_encoder(source.path).encoder
    else:
        assert config.model is not None
        size = Tokenizer.load(source.path).size
        encoder = MaskedLM(shape(config.model, size), generator=torch.Generator().manual_seed(seed)).encoder
    if config.dropout is not None:
        set_dropout(encoder, config.dropout)
    return encoder


def _optimizer(config: FinetuneConfig) -> OptimConfig:
    settings = {"name": config.optimizer, "lr": config.lr, "muon_lr": config.muon_lr, "clip": config.clip}
    return OptimConfig(**settings, betas=(0.9, 0.98), weight_decay=config.weight_decay)  # type: ignore[arg-type]


def scales(config: FinetuneConfig, layers: int) -> dict[str, float]:
    """Factors of the learning rate by parts of the model: heads, blocks from top to bottom, embeddings slowest."""
    encoder = "nlu.encoder."
    factors = {f"{encoder}blocks.{i}.": config.layer_decay ** (layers - 1 - i) for i in range(layers)}
    factors |= {encoder: config.layer_decay**layers, f"{encoder}final_norm.": 1.0}
    return {**factors, "nlu.heads.": (config.head_lr or config.lr) / config.lr}
