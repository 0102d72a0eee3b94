"""The xnli stage: what an encoder understood in one language, measured in others that it was never fine-tuned on (A 3.1).

A classifier learns from pairs of sentences in one language whether the first entails the second, contradicts it or neither, and
is tested in every language. Nothing but that language chooses its epoch.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import torch
from pydantic import Field, model_validator

from understudy.artifact import Artifact, Draft
from understudy.config import EncoderRef, StageConfig
from understudy.corpus.files import language_of, local_files
from understudy.corpus.pairs import LABELS, SUFFIXES, Pair, read_pairs
from understudy.corpus.sampling import fraction, normal
from understudy.errors import RecipeError, TrainingError
from understudy.evaluation.entailment import Answered, scores
from understudy.model.classifier import save_classifier
from understudy.model.foreign import Body, ForeignEncoder, load_teacher
from understudy.model.heads import Classifier, Pooling
from understudy.text.spoken import LANGUAGES, Formatter
from understudy.tokenizer import Tokenizer
from understudy.training.batches import batches, onto
from understudy.training.journal import copy_log
from understudy.training.loop import train
from understudy.training.machine import Machine
from understudy.training.masked import set_dropout, vocabulary
from understudy.training.milestones import at_checkpoint
from understudy.training.optim import OptimConfig, build
from understudy.training.outcome import Outcome
from understudy.training.pairs import MARKS, PairBatch, PairSequences, Relation, number, prepared, told
from understudy.training.parallel import ParallelConfig, whole_state
from understudy.training.precision import Compile, Precision
from understudy.training.ranks import ranks
from understudy.training.schedule import ScheduleConfig
from understudy.training.sinks import LogTo, Watch
from understudy.training.tally import Metrics, evaluate

__all__ = ["XnliConfig", "run"]


class XnliConfig(StageConfig):
    """Settings of an xnli stage.

    encoder: what to fine-tune and test, an adopted one too. checkpoint: the encoder as it was at that one of its checkpoints.
    train: pairs to learn from: a file, a folder, a pattern or a URL. lang: their language.
    test: pairs to test on, `{lang}` standing for each of `languages`; without it the file must have a column `language`.
    languages: those that are tested.
    held_out: share of the premises of `train` set aside with all their pairs; the epoch with the most of them right is the one
        that is tested. 0 tests the last one.
    epochs: passes over the pairs. batch: pairs per update.
    lr: peak for the encoder. head_lr: for the head; the same by default. weight_decay, clip: see `optim.OptimConfig`.
    schedule: see `schedule.ScheduleConfig`.
    dropout: in place of the encoder's own; also in the head. width: of the head's two layers. pooling: what the head reads, the
        mean of all tokens or the first.
    max_length: tokens of both sentences together, the longer one is shortened; the encoder's own by default.
    spoken: turn sentences into spoken form first: true for all, "test" for those of the test alone, to learn what a model of
        written text loses (A 2.2).
    parallel: see `parallel.ParallelConfig`. precision, compile, save_every, log_to: see `masked.MaskedConfig`.
    """

    kind: Literal["xnli"] = "xnli"
    encoder: EncoderRef
    checkpoint: int | None = Field(default=None, gt=0)
    train: str
    lang: str = "en"
    test: str
    languages: tuple[str, ...] = Field(default=("en", "ar", "de", "es", "fr", "hi"), min_length=1)
    held_out: float = Field(default=0.05, ge=0, lt=1)
    epochs: float = Field(default=2.0, gt=0)
    batch: int = Field(default=32, gt=0)
    lr: float = Field(default=5e-5, gt=0)
    head_lr: float | None = Field(default=None, gt=0)
    weight_decay: float = Field(default=0.01, ge=0)
    clip: float = Field(default=1.0, ge=0)
    schedule: ScheduleConfig = ScheduleConfig()
    dropout: float | None = Field(default=None, ge=0, lt=1)
    width: int = Field(default=256, gt=0)
    pooling: Pooling = "mean"
    max_length: int | None = Field(default=None, ge=MARKS + 2)
    spoken: bool | Literal["test"] = False
    precision: Precision = "auto"
    compile: Compile = "auto"
    parallel: ParallelConfig = ParallelConfig()
    save_every: int = Field(default=500, gt=0)
    log_to: LogTo = ()

    @model_validator(mode="after")
    def _languages_are_known(self) -> Self:
        for code in (self.lang, *self.languages):
            if language_of(code) != code:
                raise ValueError(f"'{code}' is not a language code; wanted two letters such as 'de'")
            if self.spoken and code not in LANGUAGES:
                raise ValueError(f"no spoken form is known for '{code}'; it is for {', '.join(LANGUAGES)}")
        if len(set(self.languages)) < len(self.languages):
            raise ValueError("a language is named twice")
        return self

    def reads(self) -> list[Path]:
        return [file for path in self.named() for file in local_files(path, SUFFIXES)]

    def named(self) -> list[str]:
        return list(dict.fromkeys([self.train, *(self.tested(lang) for lang in self.languages)]))

    def tested(self, lang: str) -> str:
        """Where the test pairs of a language stand."""
        return self.test.replace("{lang}", lang)


def run(config: XnliConfig, inputs: Mapping[str, Artifact], draft: Draft, *, seed: int) -> None:
    """Fine-tune on `config.lang`, test in every language, write `report.json` and the model (see `entailment.Entailment`); accuracies
    go into the metrics too.

    Raises DataError for files that cannot be read, before anything is trained; TrainingError where there is nothing to learn
    from; RecipeError where an adopted encoder's activations were to be checkpointed.
    """
    source = at_checkpoint(inputs[config.encoder], config.checkpoint)
    encoder = _encoder(config, source)
    longest = min(config.max_length or encoder.config.max_length, encoder.config.max_length)
    learned, held, tests = _read(config, Tokenizer.load(source.path), longest, seed)
    head = {"width": config.width, "pooling": config.pooling, "dropout": 0.1 if config.dropout is None else config.dropout}
    generator = torch.Generator().manual_seed(seed)
    objective = Relation(Classifier(encoder, len(LABELS), generator=generator, **head))  # type: ignore[arg-type]
    machine = Machine.prepare(objective, config.precision, config.compile, config.parallel)
    outcome = _train(config, objective, learned, held, machine, draft, seed)
    answered = {
        lang: _answered(objective, sequences, prepared(sequences, machine.device), machine) for lang, sequences in tests.items()
    }
    state = whole_state(objective.classifier)
    if not ranks().leads:
        return
    content: dict[str, Any] = {
        "kind": "xnli",
        "encoder": inputs[config.encoder].path.name,
        "checkpoint": config.checkpoint,
        "trained_on": {"language": config.lang, "pairs": len(learned), "held_out": len(held), "updates": outcome.steps},
        "spoken": config.spoken,
        "valid": _chosen(outcome),
        **scores(answered, trained=config.lang, seed=seed),
        "seed": seed,
    }
    (draft.path / "report.json").write_text(json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False), encoding="utf-8")
    copy_log(draft.scratch / "log.jsonl", draft.path / "log.jsonl")
    kept = {"labels": LABELS, "max_length": longest, "spoken": config.spoken is True}
    save_classifier(objective.classifier, draft.path, source.path, **kept, state=state)  # type: ignore[arg-type]
    draft.tokenizer = vocabulary(source)
    draft.metrics.update(
        accuracy={lang: found["accuracy"] for lang, found in content["languages"].items()},
        mean=content["mean"],
        zero_shot=content["zero_shot"],
        valid=content["valid"],
        pairs=len(learned),
        held_out=len(held),
        steps=outcome.steps,
        loss=round(outcome.loss, 5),
        seconds=round(outcome.seconds, 1),
        parameters=sum(w.numel() for w in objective.parameters()),
        body_parameters=encoder.config.body_parameters,
        precision=machine.precision,
    )


def _encoder(config: XnliConfig, source: Artifact) -> Body:
    encoder = load_teacher(source.path).encoder.float()
    if isinstance(encoder, ForeignEncoder) and (got := config.parallel.checkpointing) != "none":
        raise RecipeError(
            "an adopted encoder cannot be fine-tuned like this", where="parallel.checkpointing", got=got, wanted="none"
        )
    if config.dropout is not None:
        set_dropout(encoder, config.dropout)
    return encoder


def _answered(objective: Relation, sequences: PairSequences, batches: Sequence[PairBatch], machine: Machine) -> Answered:
    return Answered(sequences.labels, told(objective, batches, autocast=machine.autocast).argmax(-1))


def _read(
    config: XnliConfig, tokenizer: Tokenizer, longest: int, seed: int
) -> tuple[PairSequences, PairSequences, dict[str, PairSequences]]:
    """What is learned from, what is set aside to choose by, and what is tested on, by language."""

    def numbered(pairs: Iterator[Pair] | list[Pair], lang: str, spoken: bool) -> PairSequences:
        return number(pairs, tokenizer, max_length=longest, formatter=Formatter(lang) if spoken else None)

    parts: tuple[list[Pair], list[Pair]] = ([], [])
    for pair in read_pairs(config.train, lang=config.lang):
        # By premise: MultiNLI has three hypotheses for each, and pairs of one premise on both sides would flatter an epoch.
        parts[fraction("xnli", seed, normal(pair.premise)) < config.held_out].append(pair)
    if not parts[0]:
        raise TrainingError("there is nothing to learn from", where=config.train, got="every premise is held out")
    learned, held = (numbered(part, config.lang, config.spoken is True) for part in parts)
    mixed = "{lang}" not in config.test and len(config.languages) > 1
    tests = {
        lang: numbered(read_pairs(config.tested(lang), lang=lang, mixed=mixed), lang, bool(config.spoken))
        for lang in config.languages
    }
    return learned, held, tests


def _train(
    config: XnliConfig,
    objective: Relation,
    learned: PairSequences,
    held: PairSequences,
    machine: Machine,
    draft: Draft,
    seed: int,
) -> Outcome:
    """The loop over pairs; the weights of the best epoch are left in `objective`."""
    per_epoch = math.ceil(len(learned) / config.batch)
    total = max(1, round(config.epochs * per_epoch))
    optim = OptimConfig(lr=config.lr, weight_decay=config.weight_decay)
    return train(
        objective,
        _stream(learned, config.batch, seed, machine),
        build(objective, optim, scales={"classifier.label.": (config.head_lr or config.lr) / config.lr}),
        config.schedule.of(peak=config.lr, steps=total, width=objective.classifier.encoder.config.hidden),
        machine,
        steps_total=total,
        label="xnli",
        scratch=draft.scratch,
        clip=config.clip,
        seed=seed,
        validate=_validator(objective, held, machine) if len(held) else None,
        eval_every=per_epoch,
        save_every=config.save_every,
        maximise="accuracy" if len(held) else None,
        watch=Watch(config.log_to, draft.runs),
    )


def _stream(
    sequences: PairSequences, batch: int, seed: int, machine: Machine
) -> Callable[[int], Iterator[tuple[PairBatch, ...]]]:
    ones = np.ones_like(sequences.lengths)

    def following(start: int) -> Iterator[tuple[PairBatch, ...]]:
        here = ranks()
        made = batches(sequences, budget=batch, seed=seed, costs=ones, rank=here.rank, world=here.world, start=start)
        return onto(machine.device, made)

    return following


def _validator(objective: Relation, held: PairSequences, machine: Machine) -> Callable[[], Metrics]:
    looked_at = prepared(held, machine.device)

    def validate() -> Metrics:
        losses, found = evaluate(objective, looked_at, autocast=machine.autocast), _answered(objective, held, looked_at, machine)
        return {**losses, "accuracy": float((found.labels_N == found.answers_N).mean())}

    return validate


def _chosen(outcome: Outcome) -> dict[str, float] | None:
    """Held-out figures of the epoch that is tested (accuracy in percent); None where nothing was held out."""
    if not outcome.validations:
        return None
    best = max(outcome.validations, key=lambda v: v["accuracy"])
    return {"step": best["step"], "loss": round(best["loss"], 5), "accuracy": round(100 * best["accuracy"], 2)}
