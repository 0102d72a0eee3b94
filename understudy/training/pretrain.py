"""The pretrain stage: masked language modelling, from scratch or going on from an encoder (A 2.4; Stage 2 is `init`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from understudy.artifact import Artifact, Draft
from understudy.training.loop import train
from understudy.training.machine import Machine
from understudy.training.masked import Corpus, MaskedConfig, finish, start_model
from understudy.training.measured import summary, validator
from understudy.training.milestones import Milestones
from understudy.training.objectives import MaskedLanguageModelling
from understudy.training.optim import build
from understudy.training.parallel import in_parts
from understudy.training.sinks import Watch

__all__ = ["PretrainConfig", "run"]


class PretrainConfig(MaskedConfig):
    """Settings of a pretrain stage, beside those of `MaskedConfig`.

    steps: updates.
    """

    kind: Literal["pretrain"] = "pretrain"
    steps: int = Field(gt=0)


def run(config: PretrainConfig, inputs: Mapping[str, Artifact], draft: Draft, *, seed: int) -> None:
    """Train and write an encoder.

    Metrics: loss (mean of the last 100 updates), valid_loss, perplexity over all, by language and in their mean, with `nouns` the
    same of `fill`, tokens, examples, tokens_per_s, parameters, `checkpoints`. The artifact keeps `log.jsonl`.

    Raises ArtifactError where tokenizers differ, TrainingError where a loss is not finite or there is no data.
    """
    model, fills = start_model(config, inputs, seed=seed, parted=in_parts(config.parallel))
    objective = MaskedLanguageModelling(model)
    machine = Machine.prepare(objective, config.precision, config.compile, config.parallel, fills=fills, float8=config.float8)
    length = min(config.max_length or model.config.max_length, model.config.max_length)
    corpus = Corpus.open(
        inputs[config.data], inputs[config.tokenizer], config, max_length=length, seed=seed, device=machine.device
    )
    milestones = Milestones(model, inputs[config.tokenizer].path, draft.scratch, config.keep_examples)
    outcome = train(
        objective,
        corpus.stream(config, seed),
        build(objective, config.optimizer),
        config.schedule.of(peak=config.optimizer.lr, steps=config.steps, width=model.config.hidden),
        machine,
        steps_total=config.steps,
        label="pretrain",
        scratch=draft.scratch,
        clip=config.optimizer.clip,
        seed=seed,
        languages=corpus.languages,
        validate=validator(objective, corpus, config, machine, inputs, max_length=length),
        eval_every=config.eval_every,
        save_every=config.save_every,
        watch=Watch(config.log_to, draft.runs),
        milestones=milestones,
    )
    draft.metrics.update(summary(outcome, model, machine))
    finish(model, inputs[config.tokenizer], draft, {"log.jsonl": draft.scratch / "log.jsonl"})
    milestones.deliver(outcome, draft)
