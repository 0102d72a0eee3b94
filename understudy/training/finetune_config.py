"""Settings of the finetune stage, and what they mean to the optimizer."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from understudy.config import EncoderRef, LabelsRef, NluRef, StageConfig, TextRef, TokenizerRef
from understudy.model.heads import Pooling
from understudy.model.presets import Shape
from understudy.training.noise import NoiseConfig
from understudy.training.optim import OptimConfig
from understudy.training.parallel import ParallelConfig
from understudy.training.precision import Compile, Precision
from understudy.training.schedule import ScheduleConfig
from understudy.training.sinks import LogTo

__all__ = ["FinetuneConfig", "optimizer", "scales"]


class FinetuneConfig(StageConfig):
    """Settings of a finetune stage.

    seeds: so many artifacts, each with a seed of its own, beginning with the stage's: see `seeds.expand`. With a seed more, those
        that are there stay up to date.
    encoder, or model with tokenizer: what to fine-tune (an adopted one too), or the shape of an encoder to train from scratch.
        checkpoint: the encoder as it was at that one of its checkpoints.
    data: labelled utterances. partition: the one to learn from.
    locales: those whose utterances are learned from, as the data names them ("en-US"); all by default. What is scored on the others
        is then zero-shot. `labels`, `held_out` and `noise` take of these alone.
    labels: share of each locale's utterances that is used, drawn by the seed; smaller shares are parts of larger ones.
    held_out: share of the used utterances set aside and measured after each epoch; where the data gives utterances an `id`, the
        same ones in all locales, so that no translation of one is learned from. select: "best" keeps the epoch with the most of
        them wholly right, "last" the last one.
    noise: noised copies of the utterances that are learned from, see `noise.NoiseConfig`; an epoch passes over them too.
    teacher: a model fine-tuned on the same labels, whose intents and slots are learned as well as the labels. soft: weight of
        what is learned from it. temperature: of both sides' softmaxes; the loss is multiplied by its square.
    unlabelled: utterances that only the teacher says anything of, a corpus or labels whose labels are not looked at. They may be
        among those held out: their labels are not used here, but a teacher that learned from them knows them, and `select` then
        judges too kindly.
    unlabelled_batch: of them in each update; as many as labelled ones by default.
    mode: "full" trains everything, "frozen" only the heads.
    lr: peak for the encoder. head_lr: for the heads; the same by default. layer_decay: each block below the top learns
        this much slower than the one above it. optimizer, muon_lr, weight_decay, clip: see `optim.OptimConfig`.
    schedule: see `schedule.ScheduleConfig`.
    epochs: passes over the utterances. steps: updates, in place of epochs. batch: utterances per update.
    dropout: in place of the encoder's own; also in the heads. smoothing: of labels.
    slots: weight of the slots' loss, the mean over words, beside the intent's, which weighs 1.
    domain: weight of the loss of a third head, for the utterance's domain, which is there where the labels name two domains or
        more; 0 leaves it out, and the domain is then the one of the intent.
    class_weights: of intents and domains: "balanced" counts all of them alike, however rare, "sqrt" half as much so.
    calibrate: where utterances are held out, confidences are made to fit them: a temperature for each head, folded into it.
    accept: share of the held-out utterances sure enough to be believed; those less sure are called out of domain ever after.
    max_length: tokens of an utterance, the rest is cut off; the encoder's own by default.
    width: of the two layers of each head. pooling: what the heads for intent and domain read, the mean of all tokens or the first.
    parallel: see `parallel.ParallelConfig`. precision, compile, float8, save_every, log_to: see `masked.MaskedConfig`.
    spoken, lower: how typed text is made ready, in training and ever after.
    """

    kind: Literal["finetune"] = "finetune"
    seeds: int = Field(default=1, ge=1, exclude=True)
    encoder: EncoderRef | None = None
    checkpoint: int | None = Field(default=None, gt=0)
    model: Shape | None = None
    tokenizer: TokenizerRef | None = None
    data: LabelsRef
    partition: str = "train"
    locales: tuple[str, ...] | None = Field(default=None, min_length=1)
    labels: float = Field(default=1.0, gt=0, le=1)
    held_out: float = Field(default=0.0, ge=0, lt=1)
    select: Literal["last", "best"] = "last"
    noise: NoiseConfig | None = None
    teacher: NluRef | None = None
    soft: float = Field(default=1.0, ge=0)
    temperature: float = Field(default=1.0, gt=0)
    unlabelled: TextRef | None = None
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
    slots: float = Field(default=3.0, gt=0)
    domain: float = Field(default=0.2, ge=0)
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


def optimizer(config: FinetuneConfig) -> OptimConfig:
    """The optimizer's settings; learning rates are the peaks."""
    return OptimConfig(name=config.optimizer, lr=config.lr, muon_lr=config.muon_lr, weight_decay=config.weight_decay)


def scales(config: FinetuneConfig, layers: int) -> dict[str, float]:
    """Factors of the learning rate by parts of the model: heads, blocks from top to bottom, embeddings slowest."""
    encoder = "nlu.encoder."
    factors = {f"{encoder}blocks.{i}.": config.layer_decay ** (layers - 1 - i) for i in range(layers)}
    factors |= {encoder: config.layer_decay**layers, f"{encoder}final_norm.": 1.0}
    return {**factors, "nlu.heads.": (config.head_lr or config.lr) / config.lr}
