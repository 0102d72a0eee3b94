"""What is known of a recipe's encoders before they are made: their shapes, and whether they fit one another.

Days may lie between the first stage of a recipe and one that cannot use what was made, so what can be told is told before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from understudy import artifact
from understudy.config import Ref, StageConfig
from understudy.corpus.shards import ShardsConfig
from understudy.errors import RecipeError
from understudy.evaluation.xnli import XnliConfig
from understudy.model.adopt import AdoptConfig
from understudy.model.encoder import EncoderConfig
from understudy.model.folder import is_foreign, read_config
from understudy.model.foreign import read_shape
from understudy.model.presets import shape
from understudy.tokenizer import Tokenizer
from understudy.tokenizer.train import TokenizerConfig
from understudy.training.distill import DistillConfig, check_kept, check_layers
from understudy.training.finetune import FinetuneConfig
from understudy.training.listen import ListenConfig
from understudy.training.masked import MaskedConfig, MaskingConfig

__all__ = ["Stages", "begun", "check", "encoder", "teacher"]

Stages = Mapping[str, StageConfig]
"""A recipe's, by name. A reference that is none of them is the path of an artifact."""


def begun(stages: Stages, config: MaskedConfig | FinetuneConfig | XnliConfig) -> EncoderConfig:
    """The shape of what a stage goes on from or begins anew. Raises as `encoder`."""
    before = config.init if isinstance(config, MaskedConfig) else config.encoder
    if before is not None or isinstance(config, XnliConfig):
        return encoder(stages, str(before))
    assert config.model is not None
    assert config.tokenizer is not None
    return shape(config.model, _vocab_size(stages, config.tokenizer))


def encoder(stages: Stages, ref: str) -> EncoderConfig:
    """The shape of the encoder that a stage will make or put heads on, or that an artifact holds.

    Raises ArtifactError or RecipeError where it cannot be read.
    """
    made = stages.get(ref)
    if isinstance(made, AdoptConfig):
        return read_shape(made.model, revision=made.revision)
    if isinstance(made, MaskedConfig | FinetuneConfig):
        return begun(stages, made)
    return read_shape(ref) if is_foreign(Path(ref)) else read_config(Path(ref))


def teacher(stages: Stages, ref: str) -> EncoderConfig | None:
    """The shape of a teacher; None where what it says was written down, and nothing of it is held or computed. Raises as `encoder`."""
    made = stages.get(ref)
    manifest = artifact.peek(Path(ref)) if made is None else None
    kept = isinstance(made, ListenConfig) or (manifest is not None and manifest.kind == "teachings")
    return None if kept else encoder(stages, ref)


def _vocab_size(stages: Stages, ref: str) -> int:
    made = stages.get(ref)
    if isinstance(made, MaskedConfig | AdoptConfig):
        return encoder(stages, ref).vocab_size
    return made.vocab_size if isinstance(made, TokenizerConfig) else Tokenizer.load(artifact.open(Path(ref)).path).size


def check(stages: Stages) -> None:
    """Raises RecipeError where a stage would refuse what others are to make: another vocabulary, a layer or a checkpoint that will not
    be there, a teacher that was listened to otherwise. What comes from elsewhere is looked at when the stage begins."""
    for name, config in stages.items():
        _check_vocabularies(stages, config, f"stage.{name}")
        for ref, checkpoint, where in _checkpoints(config, f"stage.{name}"):
            made = stages.get(ref)
            if isinstance(made, MaskedConfig) and checkpoint not in made.keep_examples:
                wanted = f"one of {', '.join(map(str, made.keep_examples))}" if made.keep_examples else None
                hint = f"Name it under stage.{ref}.keep_examples"
                raise RecipeError("this encoder keeps no such checkpoint", where=where, got=checkpoint, wanted=wanted, hint=hint)
        if isinstance(config, DistillConfig) and _is_here(stages.get(config.tokenizer)):
            _check_teachers(stages, config, f"stage.{name}")


def _check_vocabularies(stages: Stages, config: StageConfig, where: str) -> None:
    known = {ref: made for ref in _of_one_vocabulary(config) if (made := _tokenizer(stages, ref)) is not None}
    if len(set(known.values())) > 1:
        raise RecipeError(
            "what this stage uses is made with different tokenizers",
            where=where,
            got=", ".join(ref if ref == made else f"{ref} with {made}" for ref, made in known.items()),
            hint="Make all with one tokenizer: token ids of different tokenizers mean different words",
        )


def _of_one_vocabulary(config: StageConfig) -> Iterator[Ref]:
    """What a stage uses together, so that one vocabulary must be behind it."""
    if isinstance(config, MaskingConfig):
        yield from (config.tokenizer, config.data)
    if isinstance(config, ListenConfig):
        yield config.teacher
    if isinstance(config, MaskedConfig) and config.init is not None:
        yield config.init
    if isinstance(config, DistillConfig):
        for turn in config.teachers:
            yield from (ref for ref in (turn.use, turn.data) if ref is not None)
    if isinstance(config, FinetuneConfig):
        yield from (ref for ref in (config.encoder, config.tokenizer, config.teacher) if ref is not None)


def _tokenizer(stages: Stages, ref: Ref) -> Ref | None:
    """The stage whose vocabulary is behind what a stage makes; None where it comes from elsewhere."""
    match stages.get(ref):
        case TokenizerConfig() | AdoptConfig():
            return ref
        case ShardsConfig() | MaskingConfig() as made:
            return _tokenizer(stages, made.tokenizer)
        case FinetuneConfig() as made:
            before = made.encoder or made.tokenizer
            return None if before is None else _tokenizer(stages, before)
        case _:
            return None


def _checkpoints(config: StageConfig, where: str) -> Iterator[tuple[Ref, int, str]]:
    """Encoders that a stage uses as they were at a checkpoint, the checkpoint, and where the recipe says so."""
    before = config.init if isinstance(config, MaskedConfig) else config.encoder if isinstance(config, FinetuneConfig) else None
    if isinstance(config, MaskedConfig | FinetuneConfig) and before is not None and config.checkpoint is not None:
        yield before, config.checkpoint, f"{where}.checkpoint"
    if isinstance(config, DistillConfig):
        for number, turn in enumerate(config.teachers):
            if turn.checkpoint is not None:
                yield turn.use, turn.checkpoint, f"{where}.teachers.{number}.checkpoint"


def _check_teachers(stages: Stages, config: DistillConfig, where: str) -> None:
    for turn in config.teachers:
        own, made = config.turn(turn), stages.get(turn.use)
        if isinstance(made, ListenConfig):
            if made.data != own.data:
                hint = "Listen to it on the data that the student learns from"
                raise RecipeError(
                    "this teacher is listened to on other data", where=where, got=made.data, wanted=own.data, hint=hint
                )
            if _is_here(stages.get(made.teacher)):
                most = encoder(stages, made.teacher).max_length
                longest = min(made.max_length or most, most)
                check_kept(own, made, student=begun(stages, config).max_length, longest=longest, where=where)
        elif (
            config.hidden and config.layer_map is not None and _is_here(made) and (known := teacher(stages, turn.use)) is not None
        ):
            student = begun(stages, config)
            check_layers(config.layer_map, student=student.layers, teacher=known.layers, where=f"{where}.layer_map")


def _is_here(made: StageConfig | None) -> bool:
    """Whether a shape can be told without asking a hub."""
    return not isinstance(made, AdoptConfig) or Path(made.model).exists()
