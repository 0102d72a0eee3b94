"""The vocabulary's losses against plain torch, in float64, for every size of chunk."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils._pytree import tree_leaves

from understudy.training import losses
from understudy.training.losses import Decoder, Part, label_cross_entropy, mixed_cross_entropy

pytestmark = pytest.mark.usefixtures("rows")

M, D, E, V = 7, 5, 3, 11
CHUNKS = [1, 3, 100]


def decoder(width: int, *, seed: int) -> Decoder:
    generator = torch.Generator().manual_seed(seed)
    made = [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in ((M, width), (V, width), (V,))]
    return Decoder(*(t.requires_grad_() for t in made))


def logits(d: Decoder) -> Tensor:
    return F.linear(*d)


def masked_cross_entropy(d: Decoder, targets_M: Tensor, *, chunk: int | None = None) -> Tensor:
    return mixed_cross_entropy(d, None, targets_M, soft_weight=0.0, chunk=chunk).total


def soft_cross_entropy(student: Decoder, teacher: Decoder, *, temperature: float = 1.0, chunk: int | None = None) -> Tensor:
    return mixed_cross_entropy(student, teacher, None, hard_weight=0.0, temperature=temperature, chunk=chunk).total


TARGETS = torch.tensor([0, 10, 3, 3, 7, 1, 9])


def test_even_logits_over_two_words_cost_the_logarithm_of_two() -> None:
    loss = masked_cross_entropy(Decoder(torch.zeros(3, 4), torch.ones(2, 4), torch.zeros(2)), torch.tensor([0, 1, 1]))
    assert loss.item() == pytest.approx(3 * math.log(2))


@pytest.fixture(params=[losses.TILE, 4], ids=["one tile", "tiles of four"], autouse=True)
def _tiles(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(losses, "TILE", request.param)


@pytest.mark.parametrize("chunk", CHUNKS)
def test_masked_cross_entropy_and_its_gradients_are_torchs(chunk: int) -> None:
    d = decoder(D, seed=1)
    loss = masked_cross_entropy(d, TARGETS, chunk=chunk)
    wanted = F.cross_entropy(logits(d), TARGETS, reduction="sum")
    torch.testing.assert_close(loss, wanted)
    found = torch.autograd.grad(loss * 0.3, d)
    torch.testing.assert_close(found, torch.autograd.grad(wanted * 0.3, d))


@pytest.mark.parametrize("chunk", CHUNKS)
@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_soft_cross_entropy_and_its_gradients_are_torchs(chunk: int, temperature: float) -> None:
    student, teacher = decoder(D, seed=1), decoder(E, seed=2)
    loss = soft_cross_entropy(student, teacher, temperature=temperature, chunk=chunk)
    wanted = -(F.softmax(logits(teacher).detach() / temperature, 1) * F.log_softmax(logits(student) / temperature, 1)).sum()
    torch.testing.assert_close(loss, wanted)
    torch.testing.assert_close(torch.autograd.grad(loss, student), torch.autograd.grad(wanted, student))


def test_no_gradient_reaches_the_teacher() -> None:
    student, teacher = decoder(D, seed=1), decoder(E, seed=2)
    soft_cross_entropy(student, teacher).backward()
    assert student.weight_VD.grad is not None
    assert all(t.grad is None for t in teacher)


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_both_losses_from_one_pass_are_the_two_apart(temperature: float) -> None:
    student, teacher = decoder(D, seed=1), decoder(E, seed=2)
    mixed = mixed_cross_entropy(student, teacher, TARGETS, hard_weight=0.5, soft_weight=2.0, temperature=temperature, chunk=2)
    hard = masked_cross_entropy(student, TARGETS)
    soft = soft_cross_entropy(student, teacher, temperature=temperature)
    torch.testing.assert_close(mixed.total, 0.5 * hard + 2.0 * soft)
    torch.testing.assert_close(mixed.hard_M.sum(), hard.detach())
    torch.testing.assert_close(mixed.soft_M.sum(), soft.detach())
    assert not mixed.hard_M.requires_grad
    torch.testing.assert_close(torch.autograd.grad(mixed.total, student), torch.autograd.grad(0.5 * hard + 2.0 * soft, student))


def test_a_teacher_of_itself_costs_its_entropy_and_moves_nothing() -> None:
    d = decoder(D, seed=1)
    loss = soft_cross_entropy(d, d)
    p = F.softmax(logits(d), 1)
    torch.testing.assert_close(loss, -(p * p.log()).sum())
    for gradient in torch.autograd.grad(loss, d):
        assert gradient.abs().max() < 1e-12


def test_without_gradients_only_the_losses_are_made() -> None:
    d = decoder(D, seed=1)
    with torch.no_grad():
        loss = masked_cross_entropy(d, TARGETS)
    assert not loss.requires_grad
    torch.testing.assert_close(loss, F.cross_entropy(logits(d), TARGETS, reduction="sum").detach())


def test_an_update_without_masked_positions_costs_nothing() -> None:
    d = Decoder(torch.zeros(0, D, requires_grad=True), torch.ones(V, D, requires_grad=True), torch.zeros(V, requires_grad=True))
    loss = masked_cross_entropy(d, torch.zeros(0, dtype=torch.int64))
    loss.backward()
    assert loss.item() == 0
    assert d.weight_VD.grad is not None
    assert not d.weight_VD.grad.any()


def test_in_bf16_sums_and_gradients_stay_in_fp32() -> None:
    d = Decoder(*(t.detach().float().requires_grad_() for t in decoder(D, seed=1)))
    wanted = F.cross_entropy(logits(d), TARGETS, reduction="sum")
    with torch.autocast("cpu", torch.bfloat16):
        loss = masked_cross_entropy(d, TARGETS)
    loss.backward()
    assert loss.dtype == torch.float32
    assert d.weight_VD.grad is not None
    assert d.weight_VD.grad.dtype == torch.float32
    torch.testing.assert_close(loss, wanted, rtol=0.02, atol=0.02)


def test_whoever_shards_an_objective_finds_the_sums_in_what_it_gives() -> None:
    total = torch.ones((), requires_grad=True)
    assert any(leaf is total for leaf in tree_leaves({"mlm": Part(total)}))


def test_smoothed_labels_by_hand() -> None:
    # Two classes, log-odds of ln 3: p = (3/4, 1/4). Smoothing 0.2 asks for (0.9, 0.1).
    loss = label_cross_entropy(torch.tensor([[math.log(3.0), 0.0]]), torch.tensor([0]), smoothing=0.2)
    assert loss.item() == pytest.approx(-0.9 * math.log(0.75) - 0.1 * math.log(0.25))
