"""Temperatures, thresholds and class weights: by hand, at their bounds, and folded into a model."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers_training import World, tiny

from understudy.interpretation import Interpretation
from understudy.model.encoder import Layout
from understudy.model.heads import NLU
from understudy.runtime.decode import Labels
from understudy.tokenizer import Tokenizer
from understudy.training.calibration import COLDEST, HOTTEST, Calibration, fold, temperature, threshold
from understudy.training.labelled import class_weights, number
from understudy.training.losses import label_cross_entropy

LN3 = math.log(3.0)


@pytest.mark.parametrize(("margin", "wanted"), [(2 * LN3, 2.0), (LN3, 1.0), (LN3 / 2, 0.5)])
def test_a_temperature_by_hand(margin: float, wanted: float) -> None:
    # Three of four are right: softmax must give the first class 3/4, so margin / T = ln 3.
    logits_NC = torch.tensor([[margin, 0.0]] * 4)
    assert temperature(logits_NC, torch.tensor([0, 0, 0, 1])) == pytest.approx(wanted, rel=1e-6)


def test_a_temperature_is_the_best_there_is() -> None:
    generator = torch.Generator().manual_seed(0)
    logits_NC = 3 * torch.randn(200, 7, generator=generator, dtype=torch.float64)
    targets_N = torch.multinomial((logits_NC / 2.5).softmax(-1), 1, generator=generator)[:, 0]
    best = temperature(logits_NC, targets_N)
    losses = [float(F.cross_entropy(logits_NC / (best * factor), targets_N)) for factor in (0.99, 1.0, 1.01)]
    assert losses[1] < min(losses[0], losses[2])
    assert best == pytest.approx(2.5, rel=0.2)  # the temperature that the targets were drawn at


def test_where_all_are_right_or_nothing_helps_a_temperature_has_bounds() -> None:
    logits_NC = torch.tensor([[1.0, 0.0], [0.0, 2.0]])
    assert temperature(logits_NC, torch.tensor([0, 1])) == pytest.approx(COLDEST)
    assert temperature(logits_NC, torch.tensor([1, 0])) == pytest.approx(HOTTEST)


def test_nothing_to_choose_between_needs_no_temperature() -> None:
    assert temperature(torch.zeros(3, 1), torch.zeros(3, dtype=torch.long)) == 1.0
    assert temperature(torch.zeros(2, 4), torch.tensor([-1, -1])) == 1.0
    with_unknown = temperature(torch.tensor([[LN3, 0.0]] * 5), torch.tensor([0, 0, 0, 1, -1]))
    assert with_unknown == pytest.approx(1.0, rel=1e-6)


@pytest.mark.parametrize(("accept", "wanted"), [(1.0, 0.5123), (0.8, 0.6), (0.5, 0.7), (0.2, 0.9), (0.01, 0.9)])
def test_a_threshold_lets_the_share_pass(accept: float, wanted: float) -> None:
    confidences_N = torch.tensor([0.7, 0.9, 0.51239, 0.8, 0.6], dtype=torch.float64)
    found = threshold(confidences_N, accept)
    assert found == pytest.approx(wanted, abs=1e-4)
    assert float((confidences_N >= found).double().mean()) >= accept


def test_folding_divides_the_logits_of_the_named_heads(world: World) -> None:
    nlu = NLU(tiny(world.vocab_size).encoder, 2, 3, domains=2).eval()
    ids_T, layout = torch.tensor([0, 9, 8, 2]), Layout.packed([4])
    before = nlu(ids_T, layout)
    nlu.load_state_dict(fold(nlu.state_dict(), {"intent": 2.0, "domain": 0.5}))
    after = nlu(ids_T, layout)
    torch.testing.assert_close(after.intents_BI, before.intents_BI / 2)
    torch.testing.assert_close(after.domains_BC, before.domains_BC / 0.5)
    assert torch.equal(after.slots_TS, before.slots_TS)
    assert fold({}, {"intent": 2.0}) == {}


def test_what_is_not_asked_for_is_not_told() -> None:
    assert Calibration().to_metrics() == {}
    assert Calibration({"intent": 1.23456}, 0.5).to_metrics() == {"temperatures": {"intent": 1.2346}, "threshold": 0.5}


def test_class_weights_by_hand() -> None:
    # Counts 4 and 1, one class unseen. Balanced: 5 / (2 * 4) and 5 / (2 * 1). Square root: 1/2 and 1, times 5 / (4/2 + 1).
    targets = [0, 0, 2, 0, 0, -1]
    assert class_weights(targets, 3, "balanced").tolist() == pytest.approx([0.625, 1.0, 2.5])
    assert class_weights(targets, 3, "sqrt").tolist() == pytest.approx([5 / 6, 1.0, 5 / 3])
    assert class_weights([], 2, "sqrt").tolist() == [1.0, 1.0]
    drawn = np.random.default_rng(0).integers(0, 5, 100).tolist()
    for how in ("sqrt", "balanced"):
        assert float(class_weights(drawn, 5, how)[drawn].mean()) == pytest.approx(1.0)


def test_weighted_label_losses_by_hand() -> None:
    # Two equal logits cost ln 2 whatever the target; a target of -1 costs nothing.
    targets_N = torch.tensor([0, 1, -1])
    for smoothing in (0.0, 0.1):
        total = label_cross_entropy(torch.zeros(3, 2), targets_N, smoothing=smoothing, weights_C=torch.tensor([1.0, 3.0]))
        assert float(total) == pytest.approx(4 * math.log(2))
        assert float(label_cross_entropy(torch.zeros(3, 2), targets_N, smoothing=smoothing)) == pytest.approx(2 * math.log(2))


def test_the_domain_of_an_utterance_is_its_own_else_its_intents(world: World) -> None:
    labels = Labels.from_inventory(["a", "b", "c"], {"a": "x", "b": "y"}, [])
    gold = [Interpretation("wake", intent, domain=domain) for intent, domain in (("a", "y"), ("a", "z"), ("b", ""), ("c", ""))]
    numbered = number(gold, Tokenizer.load(world.tokenizer.path), labels, max_length=8, spoken=False, lower=False)
    assert [one.domain for one in numbered] == [1, 0, 1, -1]
