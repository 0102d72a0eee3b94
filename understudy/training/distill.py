"""The distill stage: a student learns from a teacher, or from several one after another (A 2.4, 2.6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from pydantic import Field

from understudy.artifact import Artifact, Draft
from understudy.config import Config, ShardsRef, TeacherRef
from understudy.corpus.tokenset import TokenSet
from understudy.errors import ArtifactError, RecipeError, TrainingError
from understudy.model.encoder import MaskedLM
from understudy.model.folder import is_foreign, read_config
from understudy.model.foreign import Teacher, load_foreign, read_shape
from understudy.training.listen import ListenConfig
from understudy.training.loop import Convergence, train
from understudy.training.machine import Machine
from understudy.training.masked import (
    Corpus,
    MaskedConfig,
    finish,
    open_model,
    rebuilt,
    same_vocabulary,
    start_model,
)
from understudy.training.measured import summary, validator
from understudy.training.milestones import Milestones, at_checkpoint
from understudy.training.objectives import Distillation
from understudy.training.optim import OptimConfig, build
from understudy.training.outcome import Outcome
from understudy.training.parallel import Fill, in_parts
from understudy.training.ranks import ranks
from understudy.training.schedule import ScheduleConfig
from understudy.training.sinks import Watch
from understudy.training.teachings import Heard

__all__ = ["OWN", "DistillConfig", "TeacherConfig", "run"]

OWN = ("data", "batch_tokens", "max_length", "optimizer", "schedule")
"""Settings of the stage that a turn may have its own of."""


class TeacherConfig(Config):
    """One teacher's turn.

    use: the teacher, or a `listen` stage that has written down what it says. checkpoint: the teacher as it was at that one of its
        checkpoints.
    steps: updates, with `until = "converged"` at most so many. until: "converged" ends the turn when `patience` evaluations in a
        row have not lowered the best validation loss by the share `tolerance`. patience, tolerance: see `until`.
    data, batch_tokens, max_length, optimizer, schedule: in place of the stage's own. Each turn begins with fresh moments and a
        schedule of its own.
    """

    use: TeacherRef
    checkpoint: int | None = Field(default=None, gt=0)
    steps: int = Field(gt=0)
    until: Literal["steps", "converged"] = "steps"
    patience: int = Field(default=3, ge=1)
    tolerance: float = Field(default=0.005, ge=0, lt=1)
    data: ShardsRef | None = None
    batch_tokens: int | None = Field(default=None, ge=8)
    max_length: int | None = Field(default=None, ge=8)
    optimizer: OptimConfig | None = None
    schedule: ScheduleConfig | None = None


class DistillConfig(MaskedConfig):
    """Settings of a distill stage, beside those of `MaskedConfig`.

    teachers: in the order of their turns. Of several, `keep_examples` counts the examples of the last one's turn.
    mlm, soft, hidden: weights of the three losses; hidden 0 leaves hidden layers alone.
    temperature: of both softmaxes of the soft loss. layer_map: the teacher's layer (from 0) for each of the student's,
        evenly spread by default: (3, 7, 11, 15) for 4 of 16.

    With a `listen` stage as a teacher, masks are those that it was shown.
    """

    kind: Literal["distill"] = "distill"
    teachers: tuple[TeacherConfig, ...] = Field(min_length=1)
    mlm: float = Field(default=1.0, ge=0)
    soft: float = Field(default=1.0, ge=0)
    hidden: float = Field(default=0.0, ge=0)
    temperature: float = Field(default=1.0, gt=0)
    layer_map: tuple[int, ...] | None = None

    def turn(self, teacher: TeacherConfig) -> DistillConfig:
        """The settings of a teacher's turn: the stage's, with the teacher's own in their place."""
        return self.model_copy(update={key: value for key in OWN if (value := getattr(teacher, key)) is not None})


def run(config: DistillConfig, inputs: Mapping[str, Artifact], draft: Draft, *, seed: int) -> None:
    """Train and write a student. Metrics: those of pretraining for the last turn, and each turn's under `turns`.

    Raises ArtifactError where tokenizers differ or a teacher was listened to on other data, RecipeError where the layer map or the
    settings of a listen stage do not fit, TrainingError where a loss is not finite or there is no data.
    """
    student, _ = start_model(config, inputs, seed=seed)
    fitting = [_fitting(config.turn(teacher), teacher, student, inputs) for teacher in config.teachers]
    logs = {}
    turns = []
    for number, (turn, used) in enumerate(zip(config.teachers, fitting, strict=True)):
        heard = used.kind == "teachings"
        teacher, fills = (None, []) if heard else _open_teacher(used, parted=in_parts(config.parallel))
        scratch = draft.scratch / f"turn-{number}"
        examples = config.keep_examples if number == len(config.teachers) - 1 else ()
        milestones = Milestones(student, inputs[config.tokenizer].path, scratch, examples)
        outcome, machine = _turn(
            config.turn(turn), turn, inputs, draft, student, teacher, fills=fills, milestones=milestones, number=number, seed=seed
        )
        turns.append({"teacher": str(turn.use), **summary(outcome, student, machine)})
        if ranks().world > 1:  # a sharded student cannot be sharded again, so the next turn begins with a whole one
            student = rebuilt(student, config)
        logs["log.jsonl" if len(config.teachers) == 1 else f"log-{number}.jsonl"] = scratch / "log.jsonl"
    draft.metrics.update({key: value for key, value in turns[-1].items() if key != "teacher"})
    draft.metrics["turns"] = turns
    finish(student, inputs[config.tokenizer], draft, logs)
    milestones.deliver(outcome, draft)


def _turn(
    config: DistillConfig,
    turn: TeacherConfig,
    inputs: Mapping[str, Artifact],
    draft: Draft,
    student: MaskedLM,
    teacher: Teacher | None,
    *,
    fills: Sequence[Fill],
    milestones: Milestones,
    number: int,
    seed: int,
) -> tuple[Outcome, Machine]:
    """One teacher's turn, with the settings of it; one that was finished before is only loaded."""
    # Each turn draws its own order, masks and projections.
    turn_seed = seed + 7919 * number
    torch.manual_seed(turn_seed)
    objective = Distillation(
        student,
        teacher,
        mlm=config.mlm,
        soft=config.soft,
        hidden=config.hidden,
        temperature=config.temperature,
        layer_map=config.layer_map,
    )
    machine = Machine.prepare(objective, config.precision, config.compile, config.parallel, fills=fills, float8=config.float8)
    shards, tokenizer = inputs[config.data], inputs[config.tokenizer]
    if teacher is None:
        heard = Heard.read(inputs[turn.use].path)
        length = heard.max_length
        corpus = Corpus.open(shards, tokenizer, config, max_length=length, seed=heard.seed, device=machine.device)
        corpus = corpus.taught(inputs[turn.use].path, heard)
    else:
        length = min(config.max_length or student.config.max_length, student.config.max_length, teacher.config.max_length)
        corpus = Corpus.open(shards, tokenizer, config, max_length=length, seed=turn_seed, device=machine.device)
    outcome = train(
        objective,
        corpus.stream(config, turn_seed),
        build(objective, config.optimizer),
        config.schedule.of(peak=config.optimizer.lr, steps=turn.steps, width=student.config.hidden),
        machine,
        steps_total=turn.steps,
        label=f"distill from {turn.use}",
        scratch=draft.scratch / f"turn-{number}",
        clip=config.optimizer.clip,
        seed=turn_seed,
        languages=corpus.languages,
        validate=validator(objective, corpus, config, machine, inputs, max_length=length),
        eval_every=config.eval_every,
        save_every=config.save_every,
        until=Convergence(turn.patience, turn.tolerance) if turn.until == "converged" else None,
        milestones=milestones,
        watch=Watch(
            config.log_to, draft.runs if len(config.teachers) == 1 else draft.runs.with_name(f"{draft.runs.name}.turn-{number}")
        ),
    )
    return outcome, machine


def _fitting(config: DistillConfig, turn: TeacherConfig, student: MaskedLM, inputs: Mapping[str, Artifact]) -> Artifact:
    """The teacher of a turn. Raises ArtifactError or RecipeError where something does not fit, so that this is told before the
    first turn and not after days of it."""
    same_vocabulary(inputs[config.tokenizer], inputs[turn.use], inputs[config.data])
    if turn.until == "converged" and not len(TokenSet.open(inputs[config.data].path, "valid")):
        raise TrainingError(
            "a turn cannot end by its validation loss where there is nothing to validate on",
            where=inputs[config.data].path,
            got="no validation sequences",
            hint='Hold some text out (`valid` of the corpus), or say until = "steps"',
        )
    used = at_checkpoint(inputs[turn.use], turn.checkpoint)
    if used.kind == "teachings":
        check_heard(config, student, used, inputs[config.data])
    elif config.hidden and config.layer_map is not None:
        teacher = read_shape(used.path) if is_foreign(used.path) else read_config(used.path)
        check_layers(config.layer_map, student=student.config.layers, teacher=teacher.layers)
    return used


def _open_teacher(encoder: Artifact, *, parted: bool) -> tuple[Teacher, list[Fill]]:
    """As `open_model`; an adopted encoder is always whole."""
    return (load_foreign(encoder.path), []) if is_foreign(encoder.path) else open_model(encoder, parted=parted)


def check_layers(layer_map: Sequence[int], *, student: int, teacher: int, where: str = "layer_map") -> None:
    """Raises RecipeError where the layer map names a layer that is not there, or maps too few or too many."""
    if len(layer_map) != student or not all(0 <= layer < teacher for layer in layer_map):
        raise RecipeError(
            "the layer map does not fit",
            where=where,
            got=list(layer_map),
            wanted=f"{student} layers, one for each of the student's, each from 0 to {teacher - 1}",
        )


def check_heard(config: DistillConfig, student: MaskedLM, teachings: Artifact, shards: Artifact) -> None:
    """Raises ArtifactError where the teacher was shown other data, RecipeError where a setting asks for what was not kept."""
    heard = Heard.read(teachings.path)
    if heard.data != shards.hash:
        raise ArtifactError(
            "this teacher was listened to on other data",
            where=teachings.path,
            got=f"shards {heard.data[:12]}…",
            wanted=f"shards {shards.hash[:12]}… of {shards.path}",
            hint="Run the listen stage on the data that the student learns from",
        )
    check_kept(config, heard, student=student.config.max_length, longest=heard.max_length)


def check_kept(
    config: DistillConfig, heard: Heard | ListenConfig, *, student: int, longest: int, where: str | None = None
) -> None:
    """Raises RecipeError where a setting asks for what is not kept of a teacher.

    Args:
        student: its `max_length`. longest: pieces of a sequence that were heard. where: the stage.
    """
    kept = {"hidden": 0.0} | {key: getattr(heard, key) for key in ("temperature", "mask_rate", "whole_words")}
    asked = {key: getattr(config, key) for key in kept}
    kept["max_length"], asked["max_length"] = longest, min(config.max_length or longest, student)
    for key, got in asked.items():
        if got != kept[key]:
            raise RecipeError(
                "what was kept of this teacher does not give that",
                where=key if where is None else f"{where}.{key}",
                got=got,
                wanted=f"{kept[key]:g}" if key != "whole_words" else kept[key],
                hint="Learn from the teacher itself" if key == "hidden" else "Change it, or listen again with this setting",
            )
