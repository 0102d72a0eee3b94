"""The kinds of stage: which settings each takes, what it makes, and the function that does it.

A stage is a function from artifacts to one new artifact. The work itself lives in the rooms; this is their table of
contents.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from understudy.artifact import Artifact, Draft
from understudy.config import Kind, StageConfig, parse
from understudy.corpus import build, labels, nouns, shards
from understudy.corpus.build import CorpusConfig
from understudy.corpus.labels import LabelsConfig
from understudy.corpus.nouns import NounsConfig
from understudy.corpus.shards import ShardsConfig
from understudy.errors import RecipeError, nearest
from understudy.evaluation import domains, evaluate, masked_lm, xnli
from understudy.evaluation.domains import DomainsConfig
from understudy.evaluation.evaluate import EvaluateConfig
from understudy.evaluation.masked_lm import MaskedLmConfig
from understudy.evaluation.xnli import XnliConfig
from understudy.export import export
from understudy.export.export import ExportConfig
from understudy.model import adopt
from understudy.model.adopt import AdoptConfig
from understudy.model.presets import shape
from understudy.tokenizer import train as tokenizer
from understudy.tokenizer.backend import SPECIALS
from understudy.tokenizer.train import TokenizerConfig
from understudy.training import distill, finetune, listen, pretrain
from understudy.training.distill import DistillConfig
from understudy.training.finetune import FinetuneConfig
from understudy.training.listen import ListenConfig
from understudy.training.pretrain import PretrainConfig

__all__ = ["STAGES", "Stage", "describe", "parse_stage", "run", "timed"]


class Stage(NamedTuple):
    """A kind of stage: its settings, the kind of artifact that it makes, the function that does it, and whether many processes can run
    it together."""

    config: type[StageConfig]
    makes: Kind
    run: Callable[..., None]
    parallel: bool = False


STAGES: dict[str, Stage] = {
    "corpus": Stage(CorpusConfig, "corpus", build.run),
    "labels": Stage(LabelsConfig, "labels", labels.run),
    "nouns": Stage(NounsConfig, "nouns", nouns.run),
    "tokenizer": Stage(TokenizerConfig, "tokenizer", tokenizer.run),
    "shards": Stage(ShardsConfig, "shards", shards.run),
    "adopt": Stage(AdoptConfig, "encoder", adopt.run),
    "pretrain": Stage(PretrainConfig, "encoder", pretrain.run, parallel=True),
    "listen": Stage(ListenConfig, "teachings", listen.run, parallel=True),
    "distill": Stage(DistillConfig, "encoder", distill.run, parallel=True),
    "finetune": Stage(FinetuneConfig, "nlu", finetune.run, parallel=True),
    "export": Stage(ExportConfig, "runtime", export.run),
    "evaluate": Stage(EvaluateConfig, "report", evaluate.run),
    "xnli": Stage(XnliConfig, "report", xnli.run, parallel=True),
    "masked-lm": Stage(MaskedLmConfig, "report", masked_lm.run, parallel=True),
    "domains": Stage(DomainsConfig, "domains", domains.run),
}


def parse_stage(table: Mapping[str, Any], *, where: str) -> StageConfig:
    """The settings of one stage. Raises RecipeError for an unknown kind or key."""
    kind = table.get("kind")
    if not isinstance(kind, str) or kind not in STAGES:
        what = "the key 'kind' is missing" if kind is None else f"there is no stage kind '{kind}'"
        raise RecipeError(what, where=where, wanted=f"one of {', '.join(STAGES)}", hint=nearest(str(kind), STAGES))
    return parse(STAGES[kind].config, table, where=where)


def describe(config: StageConfig) -> str:
    """What a stage will do, in a few words: sizes, parameter counts, steps. For the plan that `--dry-run` prints."""
    match config:
        case CorpusConfig():
            size = f"{config.size:,} rows" if config.size else "all rows"
            alpha = "languages as they are" if config.alpha is None else f"alpha {config.alpha:g}"
            return f"{size}, {alpha}, {config.spoken:.0%} spoken" + (
                f", counts {config.counts}" if config.counts != "none" else ""
            )
        case LabelsConfig():
            held = f", {config.held_out:.0%} of train held out" if config.held_out else ""
            return f"{'spoken form' if config.spoken else 'as written'}{held}"
        case NounsConfig():
            return f"<= {config.limit:,} sentences per language, {'spoken form' if config.spoken else 'as written'}"
        case TokenizerConfig():
            search = f", grown to fit as {config.search.baseline}" if config.search else ""
            return f"{'up to ' if search else ''}{config.vocab_size:,} pieces{search}"
        case ShardsConfig():
            parts = " : ".join(f"{part.parts:g} {part.corpus}" for part in config.mix)
            return f"{parts}, to {config.max_length} tokens"
        case AdoptConfig():
            return f"{config.model}{f' at {config.revision[:12]}' if config.revision else ''}"
        case PretrainConfig():
            return f"{_shape(config)}, {config.steps:,} x {config.batch_tokens:,} tokens"
        case ListenConfig():
            return f"{config.k} words + {config.samples} samples at each masked token, {config.epochs} epoch{'s' * (config.epochs > 1)} of masks"
        case DistillConfig():
            steps = " + ".join(f"{'<= ' if t.until == 'converged' else ''}{t.steps:,}" for t in config.teachers)
            return f"{_shape(config)}, {steps} x {config.batch_tokens:,} tokens"
        case FinetuneConfig():
            length = f"{config.steps:,} steps" if config.steps else f"{config.epochs:g} epochs"
            taught = f", taught by {config.teacher}" if config.teacher else ""
            spoken = f" of {', '.join(config.locales)}" if config.locales else ""
            return f"{_shape(config)}, {100 * config.labels:g}% of the labels{spoken}, {length}, {config.mode}{taught}"
        case ExportConfig():
            return config.precision
        case EvaluateConfig():
            return f"{', '.join(config.models)} on {config.partition}"
        case XnliConfig():
            return f"{config.lang} pairs, {config.epochs:g} epoch{'s' * (config.epochs != 1)}, tested in {', '.join(config.languages)}"
        case MaskedLmConfig():
            return f"{', '.join(config.encoders)}: {' and '.join(filter(None, [config.data and 'perplexity', config.nouns and 'nouns']))}"
        case DomainsConfig():
            return f"{', '.join(config.models)} by domain of {config.partition}"
        case _:
            return ""


def timed(config: StageConfig) -> bool:
    """Whether the stage measures time, so that its figures are right only where nothing runs beside it."""
    return (isinstance(config, EvaluateConfig) and config.runtime is not None) or (
        isinstance(config, ExportConfig) and bool(config.sweep)
    )


def _shape(config: PretrainConfig | DistillConfig | FinetuneConfig) -> str:
    """Size of the body of the model to be made, or where it comes from."""
    if config.model is not None:
        return f"{shape(config.model, len(SPECIALS)).body_parameters / 1e6:,.2f}M body"
    return f"from {config.encoder if isinstance(config, FinetuneConfig) else config.init}"


def run(config: StageConfig, inputs: Mapping[str, Artifact], draft: Draft, *, seed: int) -> None:
    """Do the work of one stage: read `inputs`, write files and metrics to `draft`."""
    STAGES[config.kind].run(config, inputs, draft, seed=seed)
