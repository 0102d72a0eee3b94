"""What pretraining and distillation have in common: settings, batches from token shards, models to begin with, saving."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Self

import numpy as np
import torch
from pydantic import Field, model_validator

from understudy.artifact import Artifact, Draft
from understudy.config import EncoderRef, NounsRef, ShardsRef, StageConfig, TokenizerRef
from understudy.corpus.order import Permutation
from understudy.corpus.tokenset import Split, TokenSet
from understudy.errors import ArtifactError, TrainingError
from understudy.model.encoder import Attention, MaskedLM, initialise
from understudy.model.folder import fill_named, load_encoder, read_config, read_weights, save_encoder
from understudy.model.presets import Shape, shape
from understudy.tokenizer import Tokenizer
from understudy.training.batches import MaskedBatch, MaskedSequences, Pieces, Source, batches, one_epoch, onto
from understudy.training.journal import copy_log
from understudy.training.masking import Masking
from understudy.training.milestones import at_checkpoint
from understudy.training.optim import OptimConfig
from understudy.training.parallel import Fill, ParallelConfig, whole_state
from understudy.training.precision import Compile, Precision
from understudy.training.ranks import ranks
from understudy.training.schedule import ScheduleConfig
from understudy.training.sinks import LogTo
from understudy.training.teachings import Heard, TaughtSequences, Teachings

__all__ = [
    "Corpus", "MaskedConfig", "MaskingConfig", "finish", "held_out", "open_model", "rebuilt", "same_vocabulary", "start_model",
    "validation", "vocabulary",
]  # fmt: skip

VALID_RATE = 0.15  # and as many of them, whatever the run trains with
VALID_SEED = 0


class MaskingConfig(StageConfig):
    """Settings of stages that show token shards with masks in them to a model.

    data, tokenizer: the shards, and the tokenizer they were made with.
    max_length: longer sequences are cut into pieces of it; the encoder's own by default.
    mask_rate: share of tokens chosen for prediction. whole_words: a share of words, each with all its pieces.
    precision: of products in training; "auto" is bf16 where the processor multiplies it, else fp32.
    compile: whether blocks are compiled; "auto" does so on a GPU that can, never on a CPU.
    """

    data: ShardsRef
    tokenizer: TokenizerRef
    batch_tokens: int = Field(default=4096, ge=8)
    max_length: int | None = Field(default=None, ge=8)
    mask_rate: float = Field(default=0.15, gt=0, lt=1)
    whole_words: bool = False
    precision: Precision = "auto"
    compile: Compile = "auto"


class MaskedConfig(MaskingConfig):
    """Settings of stages that learn from token shards with masks, beside those of `MaskingConfig`.

    model: a preset's name or a table, to begin anew: see `model.presets.shape`. init: or an encoder to go on from, none that was
        adopted. checkpoint: of `init`, the encoder as it was at that one of its checkpoints.
    batch_tokens: tokens of one update. accumulate: micro-batches that it is taken in.
    optimizer, schedule: see `optim.OptimConfig` and `schedule.ScheduleConfig`.
    dropout: in place of the encoder's own, hidden and attention.
    float8: products inside blocks in float8, on GPUs that can: see `float8.use_float8`. parallel: see `parallel.ParallelConfig`.
    eval_every, save_every: in updates. eval_tokens: how much of the validation set is looked at.
    nouns: what a `nouns` stage made; each evaluation then also masks these and counts those guessed wholly right (`fill`).
    keep_examples: after so many examples (sequences, over all ranks) the encoder is evaluated and kept too, in `checkpoints/`.
    log_to: tools that are told of every update, "tensorboard", "wandb", "mlflow"; `log.jsonl` always is.
    """

    model: Shape | None = None
    init: EncoderRef | None = None
    checkpoint: int | None = Field(default=None, gt=0)
    accumulate: int = Field(default=1, ge=1)
    optimizer: OptimConfig = OptimConfig()
    schedule: ScheduleConfig = ScheduleConfig()
    dropout: float | None = Field(default=None, ge=0, lt=1)
    float8: bool = False
    parallel: ParallelConfig = ParallelConfig()
    eval_every: int = Field(default=1000, gt=0)
    eval_tokens: int = Field(default=65536, gt=0)
    save_every: int = Field(default=500, gt=0)
    nouns: NounsRef | None = None
    keep_examples: tuple[Annotated[int, Field(gt=0)], ...] = ()
    log_to: LogTo = ()

    @model_validator(mode="after")
    def _one_beginning(self) -> Self:
        if (self.model is None) == (self.init is None):
            raise ValueError("exactly one of 'model' (begin anew) and 'init' (go on from an encoder) is wanted")
        if self.checkpoint is not None and self.init is None:
            raise ValueError("'checkpoint' goes with 'init': it says which of that encoder's")
        return self


@dataclass(frozen=True)
class Corpus:
    """Token shards as the loop wants them.

    device: where batches are put.
    """

    train: Source[MaskedBatch]
    valid: Source[MaskedBatch]
    languages: tuple[str, ...]
    device: torch.device

    @classmethod
    def open(
        cls, shards: Artifact, tokenizer: Artifact, config: MaskingConfig, *, max_length: int, seed: int, device: torch.device
    ) -> Corpus:
        """Raises TrainingError where there is nothing to learn from."""
        splits: tuple[Split, Split] = ("train", "valid")
        sets = {name: TokenSet.open(shards.path, name) for name in splits}
        if not len(sets["train"]):
            raise TrainingError("there is nothing to learn from", where=shards.path, got="no training sequences")
        size, specials = sets["train"].vocab_size, sets["train"].specials
        pieces = {name: Pieces(tokens, max_length=max_length) for name, tokens in sets.items()}
        begins_V = Tokenizer.load(tokenizer.path).begins_V if config.whole_words else None
        train = MaskedSequences(pieces["train"], Masking(config.mask_rate, size, specials, begins_V), seed=seed)
        valid = held_out(pieces["valid"], sets["valid"])
        return cls(train, valid, tuple(sets["train"].languages), device)

    def taught(self, path: Path, heard: Heard) -> Corpus:
        """The same batches with what a teacher said of them, kept at `path`. Raises ArtifactError where they do not fit."""
        train = Teachings.open(path, "train", heard, epochs=heard.epochs)
        valid = Teachings.open(path, "valid", heard, epochs=1)
        return replace(self, train=TaughtSequences(self.train, train), valid=TaughtSequences(self.valid, valid))

    def stream(self, config: MaskedConfig, seed: int) -> Callable[[int], Iterator[tuple[MaskedBatch, ...]]]:
        """The training batches that follow a given number of updates."""

        def following(start: int) -> Iterator[tuple[MaskedBatch, ...]]:
            here = ranks()
            made = batches(
                self.train,
                budget=config.batch_tokens,
                seed=seed,
                parts=config.accumulate,
                rank=here.rank,
                world=here.world,
                start=start,
            )
            return onto(self.device, made)

        return following

    def validation(self, *, tokens: int, budget: int) -> list[MaskedBatch]:
        """About `tokens` tokens of the validation set: see `validation`."""
        return validation(self.valid, tokens=tokens, budget=budget, device=self.device)


def held_out(pieces: Pieces, tokens: TokenSet) -> MaskedSequences:
    """The validation set, with the same masks in every run, so that losses can be compared between runs."""
    return MaskedSequences(pieces, Masking(VALID_RATE, tokens.vocab_size, tokens.specials), seed=VALID_SEED)


def validation(source: Source[MaskedBatch], *, tokens: int | None, budget: int, device: torch.device) -> list[MaskedBatch]:
    """About `tokens` tokens of a validation set, the same ones each time, or all of it, in batches of `budget` on `device`."""
    if not len(source.lengths):
        return []
    chosen = Permutation(len(source.lengths), key="validation")[:]
    if tokens is not None:
        chosen = chosen[: int(np.searchsorted(np.cumsum(source.lengths[chosen]), tokens)) + 1]
    lengths = source.lengths[chosen]
    cut = one_epoch(lengths, budget=budget, key="validation", order_by=lengths)
    return [source.batch(chosen[part], epoch=0).to(device) for part in cut]


def vocabulary(artifact: Artifact) -> str | None:
    """What identifies the tokenizer that an artifact was made with: the SHA-256 of its `tokenizer.json`."""
    file = artifact.manifest.files.get("tokenizer.json")
    return file.sha256 if file is not None else artifact.manifest.tokenizer


def same_vocabulary(tokenizer: Artifact, *others: Artifact) -> None:
    """Raises ArtifactError where one of `others` was made with another tokenizer."""
    for other in others:
        if (got := vocabulary(other)) != (wanted := vocabulary(tokenizer)):
            raise ArtifactError(
                f"this {other.kind} was made with another tokenizer",
                where=other.path,
                got=got and f"tokenizer {got[:12]}…",
                wanted=f"tokenizer {str(wanted)[:12]}… of {tokenizer.path}",
                hint="Make both with one tokenizer: token ids of different tokenizers mean different words",
            )


def start_model(
    config: MaskedConfig, inputs: Mapping[str, Artifact], *, seed: int, parted: bool = False
) -> tuple[MaskedLM, list[Fill]]:
    """A new encoder, its weights drawn from `seed`, or the one to go on from.

    `parted`, it stands on the meta device and comes with what fills it, part by part, once it is sharded, so that no process
    ever holds it whole. Checks that tokenizers agree.
    """
    tokenizer, shards = inputs[config.tokenizer], inputs[config.data]
    same_vocabulary(tokenizer, shards)
    if config.init is not None:
        same_vocabulary(tokenizer, inputs[config.init])
        model, fills = open_model(at_checkpoint(inputs[config.init], config.checkpoint), parted=parted)
    else:
        assert config.model is not None
        size = TokenSet.open(shards.path, "train").vocab_size
        generator = torch.Generator().manual_seed(seed)
        with torch.device("meta" if parted else "cpu"):
            model = MaskedLM(shape(config.model, size), generator=generator)
        fills = [lambda put: initialise(model, generator=generator, put=put)] if parted else []
    if config.dropout is not None:
        set_dropout(model, config.dropout)
    return model, fills


def open_model(encoder: Artifact, *, parted: bool) -> tuple[MaskedLM, list[Fill]]:
    """The encoder of an artifact, in fp32 whatever its file holds; `parted`, on the meta device with what fills it."""
    if not parted:
        return load_encoder(encoder.path).float(), []
    with torch.device("meta"):
        model = MaskedLM(read_config(encoder.path))
    return model, [lambda put: fill_named(model, read_weights(encoder.path), where=encoder.path, put=put)]


def set_dropout(model: torch.nn.Module, rate: float) -> None:
    """Another dropout for every part of an encoder; its config, which is saved, stays as it is."""
    for part in model.modules():
        if isinstance(part, torch.nn.Dropout):
            part.p = rate
        elif isinstance(part, Attention):
            part.dropout = rate


def rebuilt(sharded: MaskedLM, config: MaskedConfig) -> MaskedLM:
    """An encoder of which ranks hold parts, whole on the CPU again, as `start_model` leaves one. All ranks must ask."""
    with torch.device("meta"):
        model = MaskedLM(sharded.config)
    model.load_state_dict(whole_state(sharded, everywhere=True), assign=True)
    if config.dropout is not None:
        set_dropout(model, config.dropout)
    return model.requires_grad_()


def finish(model: MaskedLM, tokenizer: Artifact, draft: Draft, logs: Mapping[str, Path]) -> None:
    """Write the encoder, its tokenizer and the logs of its training. All ranks must call it; the leader writes."""
    state = whole_state(model)
    if not ranks().leads:
        return
    save_encoder(model, draft.path, tokenizer.path, state=state)
    for name, path in logs.items():
        copy_log(path, draft.path / name)
    draft.tokenizer = vocabulary(tokenizer)
