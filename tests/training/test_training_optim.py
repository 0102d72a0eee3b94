"""Optimizers: AdamW as torch's, LAMB by hand, Muon's orthogonal updates, groups of parameters."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from helpers_training import tiny
from torch import nn

from understudy.training import optim
from understudy.training.optim import Lamb, Muon, OptimConfig, build, orthogonalise, set_lr


def descend(model: nn.Module, optimizer: torch.optim.Optimizer, steps: int = 3) -> list[torch.Tensor]:
    torch.manual_seed(1)
    x = torch.randn(8, 4)
    for _ in range(steps):
        optimizer.zero_grad()
        model(x).square().sum().backward()
        optimizer.step()
    return [w.detach().clone() for w in model.parameters()]


def linear() -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(4, 3)


@pytest.mark.parametrize("name", ["adam", "muon"])  # outside of blocks Muon is AdamW
def test_adamw_is_torchs_with_decay_on_matrices_only(name: Any) -> None:
    ours, theirs = linear(), linear()
    groups = [{"params": [theirs.weight], "weight_decay": 0.1}, {"params": [theirs.bias], "weight_decay": 0.0}]
    reference = torch.optim.AdamW(groups, lr=0.05, betas=(0.9, 0.98), eps=1e-8, foreach=False, fused=False)
    found = descend(ours, build(ours, OptimConfig(name=name, lr=0.05, weight_decay=0.1)))
    torch.testing.assert_close(found, descend(theirs, reference))


def test_lambs_first_step_by_hand() -> None:
    w = nn.Parameter(torch.tensor([[3.0, 4.0]]))
    optimizer = Lamb([w], lr=0.1, betas=(0.9, 0.999), eps=0.0, weight_decay=0.1)
    w.grad = torch.tensor([[2.0, -5.0]])
    optimizer.step()
    # After correction m = g and v = g^2, so Adam's direction is the sign (1, -1); with decay (1.3, -0.6), of norm
    # sqrt(2.05). The weight's norm is 5: the step is 0.1 * 5 / sqrt(2.05) * (1.3, -0.6).
    step = 0.1 * 5 / 2.05**0.5
    torch.testing.assert_close(w.detach(), torch.tensor([[3.0 - 1.3 * step, 4.0 + 0.6 * step]]))


def test_lamb_does_not_rescale_what_is_not_decayed() -> None:
    b = nn.Parameter(torch.tensor([10.0]))
    optimizer = Lamb([b], lr=0.1, betas=(0.9, 0.999), eps=0.0, weight_decay=0.0)
    b.grad = torch.tensor([7.0])
    optimizer.step()
    assert b.item() == pytest.approx(9.9)


def test_lambs_second_step_follows_the_formula() -> None:
    w = nn.Parameter(torch.tensor([1.0]))
    optimizer = Lamb([w], lr=0.01, betas=(0.5, 0.5), eps=0.0, weight_decay=0.0)
    for gradient in (1.0, 3.0):
        w.grad = torch.tensor([gradient])
        optimizer.step()
    # Second step: m = (0.5 * 0.5 + 0.5 * 3) / 0.75, v = (0.5 * 0.5 + 0.5 * 9) / 0.75.
    m, v = 1.75 / 0.75, 4.75 / 0.75
    assert w.item() == pytest.approx(1.0 - 0.01 - 0.01 * m / v**0.5)


@pytest.mark.parametrize("shape", [(8, 8), (8, 24), (24, 8)])
def test_orthogonalised_matrices_have_singular_values_near_one(shape: tuple[int, int]) -> None:
    values = torch.linalg.svdvals(orthogonalise(torch.randn(3, *shape)))
    assert values.min() > 0.4
    assert values.max() < 1.4


def test_muon_takes_the_matrices_inside_blocks_and_nothing_else() -> None:
    model = tiny(40)
    optimizer = build(model, OptimConfig(name="muon", lr=1e-3, muon_lr=0.02))
    orthogonal = {name for g in optimizer.param_groups if g["orthogonal"] for name in g["names"]}
    every = {name for g in optimizer.param_groups for name in g["names"]}
    assert orthogonal == {n for n, w in model.named_parameters() if ".blocks." in n and w.ndim == 2}
    assert every == {n for n, _ in model.named_parameters()}
    set_lr(optimizer, 5e-4)  # half of the peak
    assert {round(g["lr"], 6) for g in optimizer.param_groups} == {0.0005, 0.01}


def test_muons_step_has_the_same_size_whatever_the_gradients_scale() -> None:
    steps = []
    for scale in (1.0, 1e4):
        model = tiny(40)
        optimizer = build(model, OptimConfig(name="muon", weight_decay=0.0, muon_lr=0.1, lr=0.1))
        weight = model.encoder.blocks[0].get_parameter("ffn_in.weight")
        before = weight.detach().clone()
        torch.manual_seed(3)
        for w in model.parameters():
            w.grad = torch.randn_like(w) * scale
        optimizer.step()
        steps.append(weight.detach() - before)
    torch.testing.assert_close(steps[0], steps[1], rtol=1e-3, atol=1e-4)


def test_muon_parts_query_key_and_value_and_nothing_that_has_their_shape() -> None:
    optimizer = build(tiny(40, hidden=32, ffn=96), OptimConfig(name="muon"))
    parts = {
        name.rpartition("blocks.0.")[2]: g["parts"] for g in optimizer.param_groups for name in g["names"] if "blocks.0." in name
    }
    assert {name for name, n in parts.items() if n == 3} == {"attention.qkv.weight"}
    assert parts["ffn_in.weight"] == 1


def test_muon_orthogonalises_each_part_by_itself() -> None:
    torch.manual_seed(0)
    gradient = torch.randn(96, 32)
    moved = []
    for parts in (1, 3):
        weight = nn.Parameter(torch.zeros(96, 32))
        weight.grad = gradient.clone()
        Muon([{"params": [weight], "orthogonal": True, "parts": parts}], lr=1.0, betas=(0.9, 0.98), eps=1e-8).step()
        moved.append(-weight.detach())
    torch.testing.assert_close(moved[0] / 3**0.5, orthogonalise(gradient[None])[0], rtol=1e-2, atol=1e-2)
    torch.testing.assert_close(moved[1], orthogonalise(torch.stack(gradient.chunk(3))).flatten(0, 1), rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize("room", [1, 2 * 16 * 8, 1 << 22])  # matrices one by one, two and one, all at a time
def test_muon_moves_each_matrix_as_if_it_were_alone(room: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(optim, "BATCH", room)
    torch.manual_seed(0)
    weights = [nn.Parameter(torch.randn(shape)) for shape in [(16, 8), (8, 16), (16, 8), (16, 8)]]
    before = [w.detach().clone() for w in weights]
    for scale, w in enumerate(weights, 1):
        w.grad = torch.randn_like(w) * scale
    Muon([{"params": weights, "orthogonal": True}], lr=0.5, betas=(0.9, 0.98), eps=1e-8, weight_decay=0.1).step()
    for w, old in zip(weights, before, strict=True):
        assert w.grad is not None
        direction = orthogonalise(w.grad[None])[0] * max(1.0, w.shape[0] / w.shape[1]) ** 0.5
        torch.testing.assert_close(w.detach(), old * (1 - 0.5 * 0.1) - 0.5 * direction, rtol=1e-2, atol=1e-2)


def test_scales_go_by_the_longest_prefix() -> None:
    model = nn.ModuleDict({"a": nn.Linear(2, 2), "b": nn.Linear(2, 2)})
    optimizer = build(model, OptimConfig(lr=1.0), scales={"a.": 0.5, "a.bias": 0.25})
    set_lr(optimizer, 2.0)
    rates = {name: g["lr"] for g in optimizer.param_groups for name in g["names"]}
    assert rates == {"a.weight": 1.0, "a.bias": 0.5, "b.weight": 2.0, "b.bias": 2.0}


def test_frozen_weights_are_left_out() -> None:
    model = linear()
    model.bias.requires_grad_(False)
    assert [n for g in build(model, OptimConfig()).param_groups for n in g["names"]] == ["weight"]
