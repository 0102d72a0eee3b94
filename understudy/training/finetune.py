"""The finetune stage: intent and slots from labelled utterances, on top of an encoder or from scratch (A 2.5, 3.2)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, Self, TypedDict

import numpy as np
import torch
from pydantic import Field, model_validator

from understudy.artifact import Artifact, Draft
from understudy.config import CorpusRef, EncoderRef, StageConfig, TokenizerRef
from understudy.corpus.labels import read_labels
from understudy.errors import RecipeError, TrainingError
from understudy.model.encoder import MaskedLM
from understudy.model.folder import is_foreign, load_encoder
from understudy.model.foreign import Body, load_foreign
from understudy.model.heads import NLU, Pooling
from understudy.model.nlu import save_nlu
from understudy.model.presets import Shape, shape
from understudy.runtime.decode import Labels
from understudy.tokenizer import Tokenizer
from understudy.training.batches import LabelledBatch, LabelledSequences, batches, one_epoch, onto
from understudy.training.journal import copy_log
from understudy.training.labelled import budgeted, hold_out, number
from understudy.training.loop import Outcome, train
from understudy.training.machine import Machine
from understudy.training.masked import set_dropout, vocabulary
from understudy.training.optim import OptimConfig, build
from understudy.training.parallel import ParallelConfig, whole_state
from understudy.training.precision import Compile, Precision
from understudy.training.ranks import ranks
from understudy.training.schedule import ScheduleConfig
from understudy.training.sinks import LogTo, Watch
from understudy.training.tally import Metrics, evaluate
from understudy.training.understanding import Understanding, accuracy

__all__ = ["FinetuneConfig", "run"]


class FinetuneConfig(StageConfig):
    """Settings of a finetune stage.

    encoder, or model with tokenizer: what to fine-tune (an adopted one too), or the shape of an encoder to train from scratch.
    data: labelled utterances. partition: the one to learn from.
    labels: share of each locale's utterances that is used, drawn by the seed; smaller shares are parts of larger ones.
    held_out: share of the used utterances set aside and measured after each epoch. select: "best" keeps the epoch with the
        most of them wholly right, "last" the last one.
    mode: "full" trains everything, "frozen" only the heads.
    lr: peak for the encoder, and for the heads where `head_lr` is not given. layer_decay: each block below the top learns
        this much slower than the one above it. optimizer, muon_lr: see `optim.OptimConfig`.
    epochs: passes over the utterances; `steps` counts updates instead. batch: utterances per update.
    dropout: in place of the encoder's own; also in the heads. smoothing: of labels.
    max_length: tokens of an utterance, the rest is cut off; the encoder's own by default.
    parallel: see `parallel.ParallelConfig`. float8, log_to: see `masked.MaskedConfig`.
    spoken, lower: how typed text is made ready, in training and ever after.
    """

    kind: Literal["finetune"] = "finetune"
    encoder: EncoderRef | None = None
    model: Shape | None = None
    tokenizer: TokenizerRef | None = None
    data: CorpusRef
    partition: str = "train"
    labels: float = Field(default=1.0, gt=0, le=1)
    held_out: float = Field(default=0.0, ge=0, lt=1)
    select: Literal["last", "best"] = "last"
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
        if self.select == "best" and not self.held_out:
            raise ValueError("select = 'best' needs utterances to choose by: set 'held_out' above 0")
        return self


class _Ready(TypedDict):
    """How text is made ready for the model; see `runtime.encode`."""

    max_length: int
    spoken: bool
    lower: bool


def run(config: FinetuneConfig, inputs: Mapping[str, Artifact], draft: Draft, *, seed: int) -> None:
    """Train and write an nlu artifact.

    Metrics: loss, utterances, steps, seconds, and where some were held out, their intent_accuracy, tag_accuracy and exact.

    Raises DataError for labels that `labels.json` does not know, TrainingError where there is nothing to learn from.
    """
    source = inputs[config.encoder or str(config.tokenizer)]
    encoder = _encoder(config, source, seed)
    labels = Labels.load(inputs[config.data].path / "labels.json")
    path = inputs[config.data].path / f"{config.partition}.jsonl"
    gold = budgeted(read_labels(path), config.labels, seed=seed)
    if not gold:
        raise TrainingError("there is nothing to learn from", where=path, got="no utterances")
    learned, aside = hold_out(gold, config.held_out, seed=seed)
    max_length = min(config.max_length or encoder.config.max_length, encoder.config.max_length)
    tokenizer = Tokenizer.load(source.path)
    ready = _Ready(max_length=max_length, spoken=config.spoken, lower=config.lower)
    sequences, held = (LabelledSequences(number(g, tokenizer, labels, where=path, **ready)) for g in (learned, aside))
    heads = {"width": config.width, "pooling": config.pooling, "dropout": 0.1 if config.dropout is None else config.dropout}
    generator = torch.Generator().manual_seed(seed)
    nlu = NLU(encoder, len(labels.intents), len(labels.tags), generator=generator, **heads)  # type: ignore[arg-type]
    objective = Understanding(nlu, smoothing=config.smoothing, frozen=config.mode == "frozen")
    machine = Machine.prepare(objective, config.precision, config.compile, config.parallel, float8=config.float8)
    per_epoch = math.ceil(len(learned) / config.batch)
    total = config.steps or max(1, round(config.epochs * per_epoch))
    outcome = train(
        objective,
        _stream(sequences, config.batch, seed, machine),
        build(objective, _optimizer(config), scales=scales(config, encoder.config.layers)),
        config.schedule.of(peak=config.lr, steps=total, width=encoder.config.hidden),
        machine,
        steps_total=total,
        label="finetune",
        scratch=draft.scratch,
        clip=config.clip,
        seed=seed,
        validate=_validator(objective, held, machine) if aside else None,
        eval_every=per_epoch,
        save_every=config.save_every,
        maximise="exact" if config.select == "best" else None,
        watch=Watch(config.log_to, draft.runs),
    )
    draft.metrics.update(_summary(outcome, nlu, machine, best=config.select == "best"))
    draft.metrics.update(utterances=len(learned), held_out=len(aside))
    state = whole_state(nlu)
    if not ranks().leads:
        return
    save_nlu(nlu, labels, draft.path, source.path, state=state, **ready)
    copy_log(draft.scratch / "log.jsonl", draft.path / "log.jsonl")
    draft.tokenizer = vocabulary(source)


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


def _encoder(config: FinetuneConfig, source: Artifact, seed: int) -> Body:
    encoder: Body
    if is_foreign(source.path) and config.encoder is not None:
        _check_plain(config)
        encoder = load_foreign(source.path).encoder
    elif config.encoder is not None:
        encoder = load_encoder(source.path).encoder
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


def _optimizer(config: FinetuneConfig) -> OptimConfig:
    settings = {"name": config.optimizer, "lr": config.lr, "muon_lr": config.muon_lr, "clip": config.clip}
    return OptimConfig(**settings, betas=(0.9, 0.98), weight_decay=config.weight_decay)  # type: ignore[arg-type]


def scales(config: FinetuneConfig, layers: int) -> dict[str, float]:
    """Factors of the learning rate by parts of the model: heads, blocks from top to bottom, embeddings slowest."""
    encoder = "nlu.encoder."
    factors = {f"{encoder}blocks.{i}.": config.layer_decay ** (layers - 1 - i) for i in range(layers)}
    factors |= {encoder: config.layer_decay**layers, f"{encoder}final_norm.": 1.0}
    return {**factors, "nlu.heads.": (config.head_lr or config.lr) / config.lr}


def _stream(
    sequences: LabelledSequences, batch: int, seed: int, machine: Machine
) -> Callable[[int], Iterator[tuple[LabelledBatch, ...]]]:
    ones = np.ones_like(sequences.lengths)

    def following(start: int) -> Iterator[tuple[LabelledBatch, ...]]:
        here = ranks()
        made = batches(
            sequences, budget=batch, seed=seed, costs=ones, bucketed=False, rank=here.rank, world=here.world, start=start
        )
        return onto(machine.device, made)

    return following


def _validator(objective: Understanding, held: LabelledSequences, machine: Machine) -> Callable[[], Metrics]:
    cut = one_epoch(held.lengths, budget=8192, key="held-out", order_by=held.lengths)
    prepared = [held.batch(indices, epoch=0).to(machine.device) for indices in cut]

    def validate() -> Metrics:
        losses = evaluate(objective, prepared, autocast=machine.autocast)
        return {**losses, **accuracy(objective, prepared, machine)}

    return validate
