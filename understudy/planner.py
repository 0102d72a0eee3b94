"""What the training stages of a recipe will need, before anything runs: memory of each rank, arithmetic, and time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.table import Table
from rich.text import Text

from understudy import artifact, shapes
from understudy.artifact import Manifest
from understudy.config import StageConfig
from understudy.corpus.files import local_files
from understudy.corpus.pairs import SUFFIXES, read_pairs
from understudy.corpus.shards import ShardsConfig
from understudy.errors import RecipeError, nearest
from understudy.evaluation.xnli import XnliConfig
from understudy.model.encoder import EncoderConfig
from understudy.recipe import Recipe
from understudy.training.distill import DistillConfig, TeacherConfig
from understudy.training.finetune import FinetuneConfig
from understudy.training.footprint import CPU, GPUS, Device, Memory, Run, memory
from understudy.training.listen import ListenConfig
from understudy.training.masked import MaskedConfig
from understudy.training.parallel import ParallelConfig
from understudy.training.pretrain import PretrainConfig

__all__ = ["CPU", "GPUS", "UTTERANCE", "Planned", "plan", "tables"]

UTTERANCE = 16  # tokens of a row that is not packed, with <s> and </s>
PAIR = 48  # tokens of two sentences as in XNLI
UNKNOWN = "–"


@dataclass(frozen=True)
class Planned:
    """One run of a stage. updates: for a listen stage batches of its teacher. tokens: of an update over all ranks; tokens_per_rank: of
    a micro-batch. flops: of all updates. updates, flops and hours are None where data that says how many there are is yet to be made."""

    stage: str
    teacher: str | None
    model: EncoderConfig
    memory: Memory
    fits: bool
    updates: int | None
    tokens: int
    tokens_per_rank: int
    flops: float | None
    tokens_per_s: float
    hours: float | None

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, sizes in bytes."""
        return {**asdict(self), "model": self.model.model_dump(), "parameters": self.model.parameters_total}


def plan(recipe: Recipe, *, gpus: int, gpu: str, mfu: float = 0.4) -> list[Planned]:
    """Every run of the recipe's pretrain, distill, listen, finetune and xnli stages.

    Args:
        gpus: one rank each. gpu: a name of GPUS. mfu: share of the device's FLOP/s that the model's own arithmetic reaches.

    Raises RecipeError for an unknown GPU or ranks that cannot be cut in `replicas`, ArtifactError or DataError for an
    unreadable input.
    """
    if gpu not in GPUS:
        raise RecipeError("there is no such GPU here", got=gpu, wanted=f"one of {', '.join(GPUS)}", hint=nearest(gpu, GPUS))
    device, rows = GPUS[gpu], []
    for name, config in recipe.stage.items():
        parallel = getattr(config, "parallel", ParallelConfig())
        if gpus % parallel.replicas:
            where = f"stage.{name}.parallel.replicas"
            raise RecipeError("the ranks cannot be cut in so many equal groups", where=where, got=f"{gpus} ranks")
        rows += [_planned(name, work, gpus, device, mfu) for work in _works(recipe, config, gpus)]
    return rows


@dataclass(frozen=True)
class _Work:
    """What a run computes. updates: None where it is not known. tokens: of an update; flops: of its arithmetic."""

    model: EncoderConfig
    run: Run
    updates: int | None
    tokens: int
    flops: float
    teacher: str | None = None


def _planned(name: str, work: _Work, gpus: int, device: Device, mfu: float) -> Planned:
    needed = memory(work.model, work.run, device)
    seconds = work.flops / (gpus * device.flops * mfu)
    return Planned(
        name,
        work.teacher,
        work.model,
        needed,
        needed.peak <= device.memory,
        work.updates,
        work.tokens,
        work.run.tokens,
        None if work.updates is None else work.flops * work.updates,
        work.tokens / seconds,
        None if work.updates is None else work.updates * seconds / 3600,
    )


def _works(recipe: Recipe, config: StageConfig, gpus: int) -> list[_Work]:
    """A distill stage is one run for each of its teachers, any other that trains or listens one; all else is none."""
    match config:
        case DistillConfig():
            return [_masked(recipe, config.turn(turn), gpus, turn) for turn in config.teachers]
        case PretrainConfig():
            return [_masked(recipe, config, gpus, config)]
        case ListenConfig():
            return [_heard(recipe, config, gpus)]
        case FinetuneConfig() | XnliConfig():
            return [_fine_tuned(recipe, config, gpus)]
        case _:
            return []


def _masked(recipe: Recipe, config: MaskedConfig, gpus: int, turn: PretrainConfig | TeacherConfig) -> _Work:
    model, teacher_name = _dropped(shapes.begun(recipe.stage, config), config.dropout), getattr(turn, "use", None)
    teacher = None if teacher_name is None else shapes.teacher(recipe.stage, teacher_name)
    cap = min(config.max_length or model.max_length, model.max_length)
    masked = round(config.mask_rate * config.batch_tokens)
    run = Run(
        tokens=-(-config.batch_tokens // (config.accumulate * gpus)),
        length=cap,
        masked=-(-masked // (config.accumulate * gpus)),
        world=gpus,
        parallel=config.parallel,
        low=config.precision != "fp32",
        optimizer=config.optimizer.name,
        accumulate=config.accumulate,
        teacher=teacher,
        matched=model.layers if isinstance(config, DistillConfig) and config.hidden else 0,
    )
    work = _arithmetic(config.batch_tokens, _length(recipe, config.data, cap), masked)
    flops = 3 * model.flops(**work) + (teacher.flops(**work) if teacher is not None else 0.0)
    return _Work(model, run, turn.steps, config.batch_tokens, flops, teacher_name)


def _heard(recipe: Recipe, config: ListenConfig, gpus: int) -> _Work:
    """A teacher that every rank holds whole, each listening to batches of its own; the train split, for `valid` is small."""
    model = shapes.encoder(recipe.stage, config.teacher)
    cap = min(config.max_length or model.max_length, model.max_length)
    masked = round(config.mask_rate * config.batch_tokens)
    whole = ParallelConfig(shard="none")
    run = Run(config.batch_tokens, cap, masked, 1, whole, low=config.precision != "fp32", learned="nothing")
    found = _manifest(recipe, config.data)
    tokens = None if found is None else config.epochs * int(found.metrics["train"]["tokens"])
    flops = gpus * model.flops(**_arithmetic(config.batch_tokens, _length(recipe, config.data, cap), masked))
    together = gpus * config.batch_tokens
    return _Work(model, run, None if tokens is None else -(-tokens // together), together, flops, config.teacher)


def _fine_tuned(recipe: Recipe, config: FinetuneConfig | XnliConfig, gpus: int) -> _Work:
    """Utterances or pairs of sentences, of a usual length; what is tested or held out is not counted."""
    model, teacher = _dropped(shapes.begun(recipe.stage, config), config.dropout), None
    length, beside = min(config.max_length or model.max_length, model.max_length, PAIR), 0
    if isinstance(config, FinetuneConfig):
        length = min(length, UTTERANCE)
        beside = (config.unlabelled_batch or config.batch) if config.unlabelled else 0
        teacher = None if config.teacher is None else shapes.encoder(recipe.stage, config.teacher)
    frozen = isinstance(config, FinetuneConfig) and config.mode == "frozen"
    run = Run(
        tokens=-(-max(config.batch, beside) * length // gpus),
        length=length,
        masked=0,
        world=gpus,
        parallel=config.parallel,
        low=config.precision != "fp32",
        optimizer=config.optimizer if isinstance(config, FinetuneConfig) else "adam",
        accumulate=2 if beside else 1,
        teacher=teacher,
        learned="heads" if frozen else "all",
    )
    tokens = (config.batch + beside) * length
    work = _arithmetic(tokens, length, 0)
    flops = (1 if frozen else 3) * model.flops(**work) + (teacher.flops(**work) if teacher is not None else 0.0)
    return _Work(
        model, run, _updates(recipe, config), tokens, flops, config.teacher if isinstance(config, FinetuneConfig) else None
    )


def _updates(recipe: Recipe, config: FinetuneConfig | XnliConfig) -> int | None:
    """Of fine-tuning: those that are asked for, or as many as epochs have, where what they pass over can be counted already."""
    if isinstance(config, XnliConfig):
        examples: float | None = None
        if local_files(config.train, SUFFIXES):
            examples = (1 - config.held_out) * sum(1 for _ in read_pairs(config.train, lang=config.lang))
    elif config.steps is not None:
        return config.steps
    else:
        found = _manifest(recipe, config.data)
        locales = {} if found is None else found.metrics.get("locales", {}).get(config.partition, {})
        examples = sum(n for locale, n in locales.items() if config.locales is None or locale in config.locales) or None
        if examples is not None:
            examples *= config.labels * (1 - config.held_out) * (1 + (config.noise.copies if config.noise else 0))
    return None if examples is None else max(1, round(config.epochs * math.ceil(examples / config.batch)))


def _arithmetic(tokens: int, length: float, masked: int) -> dict[str, int]:
    return {"tokens": tokens, "pairs": round(tokens * length), "masked": masked}


def _dropped(model: EncoderConfig, dropout: float | None) -> EncoderConfig:
    return model if dropout is None else model.model_copy(update={"dropout": dropout, "attention_dropout": dropout})


def _manifest(recipe: Recipe, ref: str) -> Manifest | None:
    """What an input says of itself, where it is there already."""
    return artifact.peek(recipe.locate(ref))


def _length(recipe: Recipe, ref: str, cap: int) -> float:
    """Tokens that a token is compared with in attention, in the mean: of the shards where they are made, else by their mixture."""
    if (manifest := _manifest(recipe, ref)) is not None:
        return min(cap, float((found := manifest.metrics["train"]).get("attended", found["mean_length"])))
    made = recipe.stage.get(ref)
    assert isinstance(made, ShardsConfig)
    lengths = [(part.parts, cap if part.pack_words else min(cap, UTTERANCE)) for part in made.mix]
    return sum(parts * length**2 for parts, length in lengths) / sum(parts * length for parts, length in lengths)


def tables(planned: Sequence[Planned], device: Device) -> list[Table]:
    """A plan for the eye: GB of each rank, then the work of all."""
    parts, work = (Table(box=None, pad_edge=False, header_style="bold") for _ in range(2))
    for shown, columns in (
        (parts, ("GB of a rank", "weights", "grads", "optimizer", "activations", "vocabulary", "peak", "fits")),
        (work, ("all ranks", "parameters", "updates", "tokens/rank", "FLOPs", "tokens/s", "hours")),
    ):
        shown.add_column(columns[0], no_wrap=True)
        for column in columns[1:]:
            shown.add_column(column, justify="right", no_wrap=True)
    for row in planned:
        name = row.stage if row.teacher is None else f"{row.stage}\n  from {row.teacher}"
        gigabytes = [_short(value / 1e9) for value in asdict(row.memory).values()]
        parts.add_row(name, *gigabytes, "yes" if row.fits else Text(f"no: {device.memory / 1e9:.0f}", "red"))
        work.add_row(
            name,
            f"{row.model.parameters_total / 1e6:,.1f}M",
            UNKNOWN if row.updates is None else f"{row.updates:,}",
            f"{row.tokens_per_rank:,}",
            UNKNOWN if row.flops is None else f"{row.flops:.1e}",
            f"{row.tokens_per_s:,.0f}",
            UNKNOWN if row.hours is None else _short(row.hours),
        )
    return [parts, work]


def _short(value: float) -> str:
    return f"{value:,.1f}" if value >= 1 else f"{value:.2g}"
