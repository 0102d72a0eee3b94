"""How like general text a domain is, by words and by a model."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
import torch
from scipy.spatial.distance import jensenshannon

from understudy.errors import DataError
from understudy.evaluation.domains import mean_and_spread, scores_by_domain
from understudy.evaluation.similarity import divergences, jensen_shannon, pseudo_perplexity, unigrams
from understudy.interpretation import Interpretation
from understudy.model.encoder import EncoderConfig, MaskedLM
from understudy.model.layout import Layout

SHAPE = EncoderConfig(layers=1, hidden=8, ffn=16, heads=2, vocab_size=11, max_length=16, dropout=0.0, attention_dropout=0.0)


def test_divergence_by_hand() -> None:
    assert jensen_shannon({"a": 2}, {"b": 7}) == 1.0
    assert jensen_shannon({"a": 1, "b": 3}, {"a": 2, "b": 6}) == 0.0
    # Shares (1/2, 1/2) and (1, 0), their mean (3/4, 1/4): (1/2 log 2/3 + 1/2 log 2) / 2 + (log 4/3) / 2.
    assert jensen_shannon({"a": 1, "b": 1}, {"a": 5}) == pytest.approx(0.311278, abs=1e-6)


def test_divergence_equals_scipys() -> None:
    generator = np.random.default_rng(0)
    for _ in range(20):
        p, q = generator.integers(0, 5, size=(2, 12)) + np.eye(2, 12, dtype=np.int64)
        words = [str(i) for i in range(12)]
        ours = jensen_shannon(dict(zip(words, p.tolist(), strict=True)), dict(zip(words, q.tolist(), strict=True)))
        assert ours == pytest.approx(jensenshannon(p, q, base=2) ** 2, abs=1e-9)


def test_a_distribution_needs_a_word() -> None:
    with pytest.raises(ValueError, match="at least one word"):
        jensen_shannon({"a": 1}, {})


def test_words_are_compared_without_case_and_marks() -> None:
    assert unigrams("Play “Nina”, then stop! - o'clock") == ["play", "nina", "then", "stop", "o'clock"]


def test_every_domain_is_measured_by_as_many_words_of_a_language() -> None:
    generic = {"en": Counter({"one": 1, "two": 1}), "fr": Counter({"un": 1})}
    utterances = {"small": {"en": ["one two"]}, "large": {"en": ["one two"] * 50}, "strange": {"en": ["x y"], "ja": ["私"]}}
    found = divergences(generic, utterances)
    assert found == {"small": {"en": 0.0}, "large": {"en": 0.0}, "strange": {"en": 1.0}}


def test_a_model_that_knows_nothing_is_as_perplexed_as_there_are_words() -> None:
    model = MaskedLM(SHAPE)
    for weight in model.parameters():
        torch.nn.init.zeros_(weight)
    assert pseudo_perplexity(model, [[0, 5, 6, 2], [0, 7, 2]], mask=4) == pytest.approx(11.0)


def test_pseudo_perplexity_is_that_of_one_mask_after_another() -> None:
    model = MaskedLM(SHAPE, generator=torch.Generator().manual_seed(1)).eval()
    for weight in model.parameters():
        weight.data.mul_(5)
    sequences = [[0, 5, 6, 9, 2], [0, 7, 8, 2], [0, 10, 2]]
    losses = []
    for ids in sequences:
        for at in range(1, len(ids) - 1):
            shown = torch.tensor([*ids[:at], 4, *ids[at + 1 :]])
            logits = model(shown, Layout.packed([len(ids)]))[at]
            losses.append(-logits.log_softmax(-1)[ids[at]].item())
    slow = math.exp(sum(losses) / len(losses))
    assert pseudo_perplexity(model, sequences, mask=4, batch_tokens=11) == pytest.approx(slow, rel=1e-5)


def test_nothing_to_foresee() -> None:
    with pytest.raises(DataError, match="nothing to foresee"):
        pseudo_perplexity(MaskedLM(SHAPE), [[0, 2]], mask=4)


def test_scores_by_the_domain_of_the_gold_label() -> None:
    def said(text: str, intent: str, domain: str) -> Interpretation:
        return Interpretation(text, intent, domain=domain)

    gold = [said("a", "set", "alarm"), said("b", "set", "alarm"), said("c", "play", "music")]
    predicted = [said("a", "set", "alarm"), said("b", "play", "music"), said("c", "play", "music")]
    scores = scores_by_domain(gold, predicted)
    assert {name: (s.n, s.intent_accuracy, s.domain_accuracy, s.exact_match) for name, s in scores.items()} == {
        "alarm": (2, 50.0, 50.0, 50.0),
        "music": (1, 100.0, 100.0, 100.0),
    }


def test_mean_and_spread_over_seeds() -> None:
    gold = [Interpretation("a", "set", domain="alarm"), Interpretation("b", "set", domain="alarm")]
    wrong = Interpretation("b", "play", domain="music")
    seeds = [scores_by_domain(gold, predicted)["alarm"] for predicted in (gold, [gold[0], wrong])]
    mean, spread = mean_and_spread(seeds)
    assert (mean["exact_match"], spread["exact_match"]) == (75.0, pytest.approx(35.3553))  # 100 and 50: 25 * sqrt(2)
    assert mean["slot_f1"] is None
    assert mean_and_spread(seeds[:1])[1] == {}
