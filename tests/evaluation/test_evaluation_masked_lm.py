"""Perplexity at fixed masks."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
import torch

from understudy.corpus.tokenset import TokenSet
from understudy.errors import DataError
from understudy.evaluation.masked_lm import perplexity
from understudy.model.encoder import EncoderConfig, MaskedLM

VOCABULARY = 40


def token_set(sequences: Sequence[Sequence[int]], vocab_size: int = VOCABULARY) -> TokenSet:
    offsets = np.cumsum([0, *(len(s) for s in sequences)]).astype(np.int64)
    langs = np.array([i % 2 for i in range(len(sequences))], np.uint8)
    ids = np.array([i for s in sequences for i in s], np.uint16)
    return TokenSet(ids, offsets, langs, ("de", "en"), vocab_size, "")


SEQUENCES = [
    [0, *rng.integers(5, VOCABULARY, size=rng.integers(5, 40)).tolist(), 2]
    for rng in [np.random.default_rng(0)]
    for _ in range(30)
]


@pytest.fixture
def tokens() -> TokenSet:
    return token_set(SEQUENCES)


def make(bias: float | None = None) -> MaskedLM:
    torch.manual_seed(0)
    model = MaskedLM(EncoderConfig(layers=1, hidden=16, ffn=32, heads=2, vocab_size=VOCABULARY, max_length=64))
    if bias is not None:
        with torch.no_grad():
            model.decoder_weight_VD.zero_()
            model.decoder_bias_V.fill_(bias)
    return model


def test_a_model_that_knows_nothing_is_as_perplexed_as_its_vocabulary_is_large(tokens: TokenSet) -> None:
    found = perplexity(make(0.5), tokens)
    assert found.overall == pytest.approx(VOCABULARY, rel=1e-4)
    assert found.macro == pytest.approx(VOCABULARY, rel=1e-4)
    assert set(found.languages) == {"de", "en"}


def test_batching_changes_nothing(tokens: TokenSet) -> None:
    model = make()
    one, other = perplexity(model, tokens, batch_tokens=10_000), perplexity(model, tokens, batch_tokens=64)
    assert one.overall == pytest.approx(other.overall, rel=1e-5)
    assert one.languages == pytest.approx(other.languages, rel=1e-5)


def test_the_seed_chooses_the_masks(tokens: TokenSet) -> None:
    model = make()
    assert perplexity(model, tokens, seed=1) == perplexity(model, tokens, seed=1)
    assert perplexity(model, tokens, seed=1).overall != perplexity(model, tokens, seed=2).overall


def test_macro_is_the_mean_over_languages(tokens: TokenSet) -> None:
    found = perplexity(make(), tokens)
    assert found.macro == pytest.approx(sum(found.languages.values()) / 2)
    assert found.to_json()["macro"] == round(found.macro, 3)
    assert math.isfinite(found.overall)


def test_a_share_of_the_text_is_enough(tokens: TokenSet) -> None:
    model = make()
    assert perplexity(model, tokens, max_tokens=200) != perplexity(model, tokens)
    assert perplexity(model, tokens, max_tokens=10**9) == perplexity(model, tokens)


def test_another_vocabulary_is_refused() -> None:
    with pytest.raises(DataError, match=r"another vocabulary\. Got: 99 pieces\. Wanted: the model's 40"):
        perplexity(make(), token_set(SEQUENCES, vocab_size=99))


def test_no_text_is_refused() -> None:
    with pytest.raises(DataError, match="no held-out text"):
        perplexity(make(), token_set([]))
