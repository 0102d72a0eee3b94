"""What the training stages of a recipe will need, before anything runs: memory of each rank, arithmetic, and time."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from rich.table import Table

from understudy import artifact
from understudy.config import StageConfig
from understudy.corpus.shards import ShardsConfig
from understudy.errors import RecipeError, nearest
from understudy.model.adopt import AdoptConfig
from understudy.model.encoder import EncoderConfig
from understudy.model.folder import is_foreign, read_config
from understudy.model.foreign import read_shape
from understudy.model.presets import shape
from understudy.recipe import Recipe
from understudy.tokenizer import Tokenizer
from understudy.tokenizer.train import TokenizerConfig
from understudy.training.distill import DistillConfig
from understudy.training.footprint import Device, Memory, Run, memory
from understudy.training.listen import ListenConfig
from understudy.training.masked import MaskedConfig

__all__ = ["CPU", "GPUS", "Planned", "plan", "tables"]

UTTERANCE = 16  # tokens of a row that is not packed, with <s> and </s>


GPUS: Final[Mapping[str, Device]] = {
    "h200": Device(141e9, 989e12),
    "h100": Device(80e9, 989e12),
    "a100-80g": Device(80e9, 312e12),
    "a100-40g": Device(40e9, 312e12),
    "l40s": Device(48e9, 362e12),
    "a10g": Device(24e9, 70e12),
    "l4": Device(24e9, 121e12),
    "v100-32g": Device(32e9, 125e12),  # fp16: it knows no bf16
    "t4": Device(16e9, 65e12),  # the same
}
CPU = Device(math.inf, 0.0, gpu=False)


@dataclass(frozen=True)
class Planned:
    """One run of a stage. tokens: of an update over all ranks; tokens_per_rank: of a micro-batch. flops: of all updates. None where it cannot be told."""

    stage: str
    teacher: str | None
    model: EncoderConfig
    memory: Memory
    fits: bool
    updates: int
    tokens: int
    tokens_per_rank: int
    flops: float
    tokens_per_s: float
    hours: float

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, sizes in bytes."""
        return {**asdict(self), "model": self.model.model_dump(), "parameters": self.model.parameters_total}


def plan(recipe: Recipe, *, gpus: int, gpu: str, mfu: float = 0.4) -> list[Planned]:
    """Every run of the recipe's pretrain and distill stages.

    Args:
        gpus: one rank each. gpu: a name of GPUS. mfu: share of the device's FLOP/s that the model's own arithmetic reaches.

    Raises RecipeError for an unknown GPU or ranks that cannot be cut in `replicas`, ArtifactError for an unreadable input.
    """
    if gpu not in GPUS:
        raise RecipeError("there is no such GPU here", got=gpu, wanted=f"one of {', '.join(GPUS)}", hint=nearest(gpu, GPUS))
    rows = []
    for name, config in recipe.stage.items():
        if not isinstance(config, MaskedConfig):
            continue
        if gpus % config.parallel.replicas:
            where = f"stage.{name}.parallel.replicas"
            raise RecipeError("the ranks cannot be cut in so many equal groups", where=where, got=f"{gpus} ranks")
        rows += [_planned(name, recipe, config, turn, gpus, GPUS[gpu], mfu) for turn in _turns(config)]
    return rows


@dataclass(frozen=True)
class _Turn:
    steps: int
    data: str
    optimizer: str
    teacher: str | None = None


def _turns(config: MaskedConfig) -> list[_Turn]:
    """A pretrain stage is one run; a distill stage one for each of its teachers."""
    if isinstance(config, DistillConfig):
        return [_Turn(t.steps, t.data or config.data, (t.optimizer or config.optimizer).name, t.use) for t in config.teachers]
    return [_Turn(config.steps, config.data, config.optimizer.name)]


def _planned(name: str, recipe: Recipe, config: MaskedConfig, turn: _Turn, gpus: int, device: Device, mfu: float) -> Planned:
    model = _model(recipe, config)
    if config.dropout is not None:
        model = model.model_copy(update={"dropout": config.dropout, "attention_dropout": config.dropout})
    teacher = None if turn.teacher is None else _teacher(recipe, turn.teacher)
    cap = min(config.max_length or model.max_length, model.max_length)
    length = _length(recipe, turn.data, cap)
    masked = round(config.mask_rate * config.batch_tokens)
    tokens = -(-config.batch_tokens // (config.accumulate * gpus))
    matched = model.layers if isinstance(config, DistillConfig) and config.hidden else 0
    run = Run(
        tokens=tokens,
        length=cap,
        masked=-(-masked // (config.accumulate * gpus)),
        world=gpus,
        parallel=config.parallel,
        low=config.precision != "fp32",
        optimizer=turn.optimizer,
        accumulate=config.accumulate,
        teacher=teacher,
        matched=matched,
    )
    needed = memory(model, run, device)
    work = {"tokens": config.batch_tokens, "pairs": round(config.batch_tokens * length), "masked": masked}
    flops = 3 * model.flops(**work) + (teacher.flops(**work) if teacher is not None else 0.0)
    seconds = flops / (gpus * device.flops * mfu)
    return Planned(
        name,
        turn.teacher,
        model,
        needed,
        needed.peak <= device.memory,
        turn.steps,
        config.batch_tokens,
        tokens,
        flops * turn.steps,
        config.batch_tokens / seconds,
        turn.steps * seconds / 3600,
    )


def _model(recipe: Recipe, config: MaskedConfig) -> EncoderConfig:
    if config.init is not None:
        return _encoder(recipe, config.init)
    assert config.model is not None
    return shape(config.model, _vocab_size(recipe, config.tokenizer))


def _encoder(recipe: Recipe, ref: str) -> EncoderConfig:
    """The shape of an encoder that a stage will make, or that an artifact holds."""
    made = recipe.stage.get(ref)
    if isinstance(made, AdoptConfig):
        return read_shape(made.model, revision=made.revision)
    if isinstance(made, MaskedConfig):
        return _model(recipe, made)
    return read_shape(ref) if is_foreign(Path(ref)) else read_config(Path(ref))


def _teacher(recipe: Recipe, ref: str) -> EncoderConfig | None:
    """The shape of a teacher; None where what it says was written down, and nothing of it is held or computed."""
    made = recipe.stage.get(ref)
    manifest = artifact.peek(Path(ref)) if made is None else None
    kept = isinstance(made, ListenConfig) or (manifest is not None and manifest.kind == "teachings")
    return None if kept else _encoder(recipe, ref)


def _vocab_size(recipe: Recipe, ref: str) -> int:
    made = recipe.stage.get(ref)
    if isinstance(made, MaskedConfig | AdoptConfig):
        return _encoder(recipe, ref).vocab_size
    return made.vocab_size if isinstance(made, TokenizerConfig) else Tokenizer.load(artifact.open(Path(ref)).path).size


def _length(recipe: Recipe, ref: str, cap: int) -> float:
    """Tokens that a token is compared with in attention, in the mean: of the shards where they are made, else by their mixture."""
    made: StageConfig | None = recipe.stage.get(ref)
    manifest = artifact.peek(recipe.directory(ref) if made is not None else Path(ref))
    if manifest is not None:
        return min(cap, float(manifest.metrics["train"]["mean_length"]))
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
        parts.add_row(name, *gigabytes, "yes" if row.fits else f"[red]no: {device.memory / 1e9:.0f}[/red]")
        millions = f"{row.model.parameters_total / 1e6:,.1f}M"
        work.add_row(
            name,
            millions,
            f"{row.updates:,}",
            f"{row.tokens_per_rank:,}",
            f"{row.flops:.1e}",
            f"{row.tokens_per_s:,.0f}",
            f"{row.hours:,.1f}",
        )
    return [parts, work]


def _short(value: float) -> str:
    return f"{value:,.1f}" if value >= 1 else f"{value:.2g}"
