"""What the training stages of a recipe will need, before anything runs: memory of each rank, arithmetic, and time.

Memory is reckoned from what the code keeps, and held against torch's memory trackers by `benchmarks/planner.py`. Bytes of a rank
with T tokens in a micro-batch, s bytes a number in products (2, or 4 in fp32), n ranks that hold the weights between them:

| weights       | 4 P / n held; the root (embeddings, head) whole in fp32; blocks gathered in s: two at a time, or all        |
| gradients     | 4 P / n                                                                                                     |
| optimizer     | 8 P / n                                                                                                     |
| activations   | per token and block 8 D + 6 s D + 2 s F; "selective" 4 D + 6 s D + s F; "block" 4 D; dropout's masks        |
| vocabulary    | V D (4 of the gradient, 4 + s of a chunk's share of it, s of a copy of the weights), and a chunk of logits  |

Blocks that are compiled keep less, so this is the most. P parameters, D width, F feed-forward width, V vocabulary, L longest.
"""

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
from understudy.model.encoder import EncoderConfig
from understudy.model.folder import read_config
from understudy.model.presets import shape
from understudy.recipe import Recipe
from understudy.tokenizer import Tokenizer
from understudy.tokenizer.train import TokenizerConfig
from understudy.training.distill import DistillConfig
from understudy.training.losses import CHUNK_ELEMENTS, CHUNK_ELEMENTS_CUDA
from understudy.training.masked import MaskedConfig
from understudy.training.parallel import ParallelConfig

__all__ = ["CPU", "GPUS", "Device", "Memory", "Planned", "Run", "memory", "plan", "tables"]

UTTERANCE = 16  # tokens of a row that is not packed, with <s> and </s>


@dataclass(frozen=True)
class Device:
    """Bytes of memory and FLOP/s in bf16 products, as the maker prints them (dense, without sparsity)."""

    memory: float
    flops: float
    gpu: bool = True


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
class Run:
    """How a model is trained. tokens: of one rank's micro-batch. length: of a sequence. low: products in bf16 or fp16."""

    tokens: int
    length: int
    masked: int
    world: int
    parallel: ParallelConfig
    low: bool = True
    optimizer: str = "adam"
    accumulate: int = 1
    teacher: EncoderConfig | None = None
    matched: int = 0  # hidden layers that are compared


@dataclass(frozen=True)
class Memory:
    """Bytes of one rank. `peak` is less than the sum: not all are needed at once."""

    weights: float
    gradients: float
    optimizer: float
    activations: float
    vocabulary: float
    peak: float


def memory(model: EncoderConfig, run: Run, device: Device) -> Memory:
    """The most that a rank will hold on its device in an update."""
    parallel, s = run.parallel, 2 if run.low else 4
    n = 1 if parallel.shard == "none" else run.world // parallel.replicas
    P, D, V = model.parameters_total, model.hidden, model.vocab_size
    block = model.body_parameters / model.layers + 9 * D + model.ffn
    root = P - model.layers * block
    held, grads, states = (0.0,) * 3 if parallel.offload else (4 * P / n, 4 * P / n, 8 * P / n)
    if run.world > 1:
        gathered = 4 * root + s * block * (2 if parallel.shard == "full" else model.layers + 1)
    else:
        gathered = s * (model.body_parameters + D * D) if run.low else 0  # autocast's copies
    beside = _listened(run, device, s, n)
    kept = _activations(model, run, device, s)
    again = _per_token(model, run, device, s, "none") * run.tokens if parallel.checkpointing == "block" else 0
    vocabulary = _vocabulary(model, run, device, s)
    listening = held + gathered + states + beside + kept + max(vocabulary, again) + (grads if run.accumulate > 1 else 0)
    learning = held + states + grads + beside + 8 * V * D + (8 * root if run.world > 1 else 0)
    updating = held + states + grads + beside + {"lamb": 12 * P / n, "muon": 8 * P / n}.get(run.optimizer, 0)
    return Memory(held + gathered + beside, grads, states, kept, vocabulary, max(listening, learning, updating))


def _per_token(model: EncoderConfig, run: Run, device: Device, s: int, checkpointing: str) -> float:
    """Bytes that a block keeps of each token for its backward pass."""
    D, F, H = model.hidden, model.ffn, model.heads
    if checkpointing == "block":
        return 4 * D
    dropout, attention_dropout = model.dropout > 0, model.attention_dropout > 0
    # One look at every other token: kept by the kernels that do attention in one go as a sum per head only.
    cells = H * run.length
    if device.gpu:
        attention = 4.0 * H
    elif run.low or attention_dropout:
        attention = cells * s * (3 if attention_dropout and checkpointing == "none" else 1)
    else:
        attention = 4.0 * H
    if checkpointing == "selective":
        return 4 * D + 6 * s * D + s * F + attention
    masks = 2 * D * (1 if device.gpu else s) if dropout else 0
    return 8 * D + 6 * s * D + 2 * s * F + masks + attention


def _activations(model: EncoderConfig, run: Run, device: Device, s: int) -> float:
    """What the whole forward pass keeps, its embeddings and final norm with it."""
    blocks = model.layers * _per_token(model, run, device, s, run.parallel.checkpointing)
    return run.tokens * (blocks + 16 * model.hidden + 4 * run.matched * model.hidden)


def _vocabulary(model: EncoderConfig, run: Run, device: Device, s: int) -> float:
    """What the loss needs of its own at the most: the gradient of the decoder, and a chunk of logits."""
    if not run.masked:
        return 0.0
    V, D = model.vocab_size, model.hidden
    chunk = min(run.masked, max(32, (CHUNK_ELEMENTS_CUDA if device.gpu else CHUNK_ELEMENTS) // V))
    copies = (s if run.low else 0) + (4 + s if run.low else 4) + (4 if run.masked > chunk else 0)
    logits = chunk * V * (4 + (2 * s if run.low else 4))
    if run.teacher is not None:
        copies += s * run.teacher.hidden / D if run.low else 0
        logits += chunk * V * (s + 12)
    return V * D * copies + logits + 12 * run.masked * D


def _listened(run: Run, device: Device, s: int, n: int) -> float:
    """The teacher's weights, and what its forward pass leaves behind."""
    if (teacher := run.teacher) is None:
        return 0.0
    P, block = teacher.parameters_total, teacher.body_parameters / teacher.layers
    root = P - teacher.body_parameters
    held = 0 if run.parallel.offload else 4 * P / n
    if run.world == 1:
        gathered: float = s * teacher.body_parameters if run.low else 0
    else:
        gathered = 4 * root + s * block * (2 if run.parallel.shard == "full" else teacher.layers)
    return held + gathered + 4 * run.tokens * run.matched * teacher.hidden


@dataclass(frozen=True)
class Planned:
    """One run of a stage. tokens: of an update over all ranks. flops: of all updates. None where it cannot be told."""

    stage: str
    teacher: str | None
    model: EncoderConfig
    memory: Memory
    fits: bool
    updates: int
    tokens: int
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
    teacher = None if turn.teacher is None else _encoder(recipe, turn.teacher)
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
    return _model(recipe, made) if isinstance(made, MaskedConfig) else read_config(Path(ref))


def _vocab_size(recipe: Recipe, ref: str) -> int:
    made = recipe.stage.get(ref)
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
        (work, ("all ranks", "parameters", "updates", "FLOPs", "tokens/s", "hours")),
    ):
        shown.add_column(columns[0], no_wrap=True)
        for column in columns[1:]:
            shown.add_column(column, justify="right", no_wrap=True)
    for row in planned:
        name = row.stage if row.teacher is None else f"{row.stage}\n  from {row.teacher}"
        gigabytes = [f"{value / 1e9:.1f}" for value in asdict(row.memory).values()]
        parts.add_row(name, *gigabytes, "yes" if row.fits else f"[red]no: {device.memory / 1e9:.0f}[/red]")
        millions = f"{row.model.parameters_total / 1e6:,.1f}M"
        work.add_row(name, millions, f"{row.updates:,}", f"{row.flops:.1e}", f"{row.tokens_per_s:,.0f}", f"{row.hours:,.1f}")
    return [parts, work]
