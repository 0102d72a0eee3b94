"""The masked-lm stage: how well encoders foresee masked tokens and masked nouns, before any fine-tuning (A 2.7, table 3)."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any, Literal, Self

import torch
from pydantic import Field, model_validator

from understudy.artifact import Artifact, Draft
from understudy.config import EncoderRef, NounsRef, ShardsRef, StageConfig
from understudy.corpus.nouns import read_nouns
from understudy.corpus.tokenset import TokenSet
from understudy.errors import DataError
from understudy.model.foreign import load_teacher
from understudy.tokenizer import Tokenizer
from understudy.training.batches import Pieces
from understudy.training.filling import Filling
from understudy.training.masked import held_out, validation, vocabulary
from understudy.training.measured import figures
from understudy.training.objectives import MaskedLanguageModelling
from understudy.training.precision import Precision, autocast, default_device, resolve
from understudy.training.ranks import ranks
from understudy.training.tally import Autocast, Metrics, evaluate

__all__ = ["MaskedLmConfig", "run"]

log = logging.getLogger(__name__)


class MaskedLmConfig(StageConfig):
    """Settings of a masked-lm stage.

    encoders: what is measured, by the names that the report gives them; adopted encoders too.
    data: shards on whose held-out part perplexity is measured, that of encoders with their tokenizer: between tokenizers it cannot be
        compared.
    nouns: what a `nouns` stage made, for encoders of any tokenizer to fill.
    batch_tokens: of one forward pass. precision: see `masked.MaskedConfig`.
    """

    kind: Literal["masked-lm"] = "masked-lm"
    encoders: dict[str, EncoderRef] = Field(min_length=1)
    data: ShardsRef | None = None
    nouns: NounsRef | None = None
    batch_tokens: int = Field(default=4096, ge=8)
    precision: Precision = "auto"

    @model_validator(mode="after")
    def _something_to_measure(self) -> Self:
        if self.data is None and self.nouns is None:
            raise ValueError("'data', 'nouns' or both are wanted: there is nothing to measure by")
        return self


def run(config: MaskedLmConfig, inputs: Mapping[str, Artifact], draft: Draft, *, seed: int) -> None:
    """Write `report.json`: under `encoders`, for each, what its training says of itself too, over all of the held-out text: `perplexity`,
    its mean over languages `perplexity_macro` and `perplexity_by_language`, and in percent `fill` and `fill_by_language`.

    Masks are those of every training's evaluations, whatever the seed. Raises DataError where the shards hold nothing out.
    """
    found: dict[str, dict[str, Any]] = {}
    for name, ref in config.encoders.items():
        found[name] = figures(_measured(config, inputs[ref], inputs))
        log.info("%s: %s", name, ", ".join(f"{k} {v}" for k, v in found[name].items() if not isinstance(v, dict)))
    if ranks().leads:
        content = {"kind": config.kind, "encoders": found}
        (draft.path / "report.json").write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")
        draft.metrics["encoders"] = found


@torch.no_grad()
def _measured(config: MaskedLmConfig, encoder: Artifact, inputs: Mapping[str, Artifact]) -> Metrics:
    device = default_device()
    model = load_teacher(encoder.path).eval().to(device)
    objective, cast = MaskedLanguageModelling(model), autocast(resolve(config.precision, device), device)
    found: Metrics = {}
    if config.data is not None and vocabulary(encoder) == vocabulary(inputs[config.data]):
        found |= _losses(objective, inputs[config.data], config.batch_tokens, cast, device)
    elif config.data is not None:
        log.warning("%s has another tokenizer than %s: no perplexity", encoder.path, inputs[config.data].path)
    if config.nouns is not None:
        nouns, tokenizer = read_nouns(inputs[config.nouns].path), Tokenizer.load(encoder.path)
        length = model.config.max_length
        filling = Filling.of(nouns, tokenizer, max_length=length, budget=config.batch_tokens, device=device)
        found |= filling.accuracy(objective, autocast=cast)
    return found


def _losses(objective: MaskedLanguageModelling, shards: Artifact, budget: int, cast: Autocast, device: torch.device) -> Metrics:
    tokens = TokenSet.open(shards.path, "valid")
    source = held_out(Pieces(tokens, max_length=objective.model.config.max_length), tokens)
    batches = validation(source, tokens=None, budget=budget, device=device)
    if not batches:
        raise DataError("these shards hold no text out", where=shards.path, got="no validation sequences", wanted="one at least")
    return evaluate(objective, batches, autocast=cast, languages=tokens.languages)
