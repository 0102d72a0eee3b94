"""How well an encoder predicts masked tokens and masked nouns of held-out text, before any fine-tuning (A 2.7)."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from understudy.corpus.nouns import read_nouns
from understudy.corpus.tokenset import TokenSet
from understudy.errors import DataError
from understudy.model.encoder import MaskedLM
from understudy.model.folder import load_encoder
from understudy.tokenizer import Tokenizer
from understudy.training.batches import MaskedSequences, Pieces
from understudy.training.filling import Filling
from understudy.training.masking import Masking
from understudy.training.objectives import MaskedLanguageModelling
from understudy.training.tally import evaluate

__all__ = ["FillAccuracy", "Perplexity", "fill_accuracy", "perplexity"]


@dataclass(frozen=True)
class Perplexity:
    """Perplexity of masked tokens: `overall`, of each language, and their unweighted mean `macro` (as in A table 3).

    It depends on the tokenizer: only encoders with the same one can be compared.
    """

    overall: float
    languages: dict[str, float]

    @property
    def macro(self) -> float:
        return sum(self.languages.values()) / len(self.languages)

    def to_json(self) -> dict[str, Any]:
        return {
            "perplexity": round(self.overall, 3),
            "macro": round(self.macro, 3),
            "languages": {language: round(value, 3) for language, value in self.languages.items()},
        }


def perplexity(
    model: MaskedLM,
    tokens: TokenSet,
    *,
    seed: int = 0,
    rate: float = 0.15,
    batch_tokens: int = 4096,
    max_tokens: int | None = None,
    autocast: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> Perplexity:
    """exp of the mean cross-entropy at masked positions, at masks that depend on nothing but `seed`.

    Args:
        model: the encoder with its masked-LM head, on any device.
        tokens: held-out sequences, the "valid" part of a shards artifact.
        seed: of the masks and, with `max_tokens`, of the sequences taken. Batching changes neither.
        rate: share of tokens to predict.
        batch_tokens: tokens of one forward pass.
        max_tokens: stop after about so many; all by default.
        autocast: context of the forward pass, e.g. bf16.

    Raises DataError where there is nothing to predict, or where the sequences are of another vocabulary than the model's.
    """
    vocabulary = model.encoder.config.vocab_size
    if tokens.vocab_size != vocabulary:
        raise DataError(
            "these tokens are of another vocabulary", got=f"{tokens.vocab_size} pieces", wanted=f"the model's {vocabulary}"
        )
    pieces = Pieces(tokens, max_length=model.encoder.config.max_length)
    if len(pieces) == 0:
        raise DataError("there is no held-out text", got="no sequences", wanted="at least one in the valid part")
    source = MaskedSequences(pieces, Masking(rate, vocabulary, tokens.specials), seed=seed)
    device = next(model.parameters()).device

    cut = _cut(source.lengths, batch_tokens=batch_tokens, max_tokens=max_tokens, seed=seed)
    held_out = [source.batch(indices, epoch=0).to(device) for indices in cut]
    with torch.inference_mode():
        losses = evaluate(MaskedLanguageModelling(model), held_out, autocast=autocast, languages=tokens.languages)
    languages = {name.removeprefix("mlm."): math.exp(loss) for name, loss in losses.items() if name.startswith("mlm.")}
    if not languages:
        raise DataError("no token was masked", got=f"{len(pieces)} sequences at rate {rate}", wanted="more text or a higher rate")
    return Perplexity(math.exp(losses["mlm"]), languages)


@dataclass(frozen=True)
class FillAccuracy:
    """Percent of masked nouns guessed wholly right, of each language; `macro` is their unweighted mean (as in A table 3).

    Encoders of different tokenizers can be compared by it.
    """

    languages: dict[str, float]

    @property
    def macro(self) -> float:
        return sum(self.languages.values()) / len(self.languages)

    def to_json(self) -> dict[str, Any]:
        return {"fill": round(self.macro, 2), "languages": {lang: round(value, 2) for lang, value in self.languages.items()}}


def fill_accuracy(
    encoder: Path,
    nouns: Path,
    *,
    batch_tokens: int = 4096,
    device: torch.device | str = "cpu",
    autocast: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> FillAccuracy:
    """Each noun with all its pieces masked, every piece guessed at once; the same figure as `fill` in a run's log.

    Args:
        encoder: its folder, an artifact or one of the `checkpoints` in it.
        nouns: what a nouns stage made.
        batch_tokens: tokens of one forward pass.
        autocast: context of the forward pass, e.g. bf16.

    Raises ArtifactError where one of the folders cannot be read.
    """
    model, tokenizer = load_encoder(encoder).to(device), Tokenizer.load(encoder)
    length = model.config.max_length
    filling = Filling.of(read_nouns(nouns), tokenizer, max_length=length, budget=batch_tokens, device=torch.device(device))
    found = filling.accuracy(MaskedLanguageModelling(model), autocast=autocast)
    return FillAccuracy({lang: found[f"fill.{lang}"] for lang in filling.languages})


def _cut(lengths: NDArray[np.int64], *, batch_tokens: int, max_tokens: int | None, seed: int) -> list[NDArray[np.int64]]:
    """Indices of each batch: all sequences, or random ones of `max_tokens` together, those of like length side by side."""
    order = np.random.default_rng(seed).permutation(len(lengths))
    if max_tokens is not None:
        order = order[: int(np.searchsorted(np.cumsum(lengths[order]), max_tokens)) + 1]
    order = order[np.argsort(lengths[order], kind="stable")]
    batch = (np.cumsum(lengths[order]) - 1) // batch_tokens
    return np.split(order, np.flatnonzero(np.diff(batch)) + 1)
