"""A teacher's distribution cut down to its likeliest words, against plain torch in float64."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from understudy.training.losses import Decoder, mixed_cross_entropy, soft_cross_entropy
from understudy.training.truncated import Truncated, likeliest, truncated_cross_entropy

M, D, E, V = 7, 5, 3, 11
TARGETS = torch.tensor([0, 10, 3, 3, 7, 1, 9])


def decoder(width: int, *, seed: int) -> Decoder:
    generator = torch.Generator().manual_seed(seed)
    made = [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in ((M, width), (V, width), (V,))]
    return Decoder(*(t.requires_grad_() for t in made))


def kept(teacher: Decoder, k: int, *, temperature: float = 1.0) -> Truncated:
    ids_MK, logp_MP = likeliest(F.linear(*teacher).detach() / temperature, k)
    return Truncated(ids_MK, logp_MP.exp())


def plainly(logits_MV: Tensor, wanted: Truncated) -> Tensor:
    """Over K + 1 outcomes, position by position."""
    found = []
    for logq_V, ids_K, mass_P in zip(F.log_softmax(logits_MV, 1), *wanted, strict=True):
        others = torch.ones(V, dtype=torch.bool)
        others[ids_K] = False
        found.append(-(mass_P[:-1] * logq_V[ids_K]).sum())
        if others.any():
            found.append(-mass_P[-1] * logq_V[others].exp().sum().log())
    return torch.stack(found).sum()


def test_the_likeliest_words_by_hand() -> None:
    ids, logp = likeliest(torch.tensor([[1.0, 5.0, 3.0, 1.0]]).log(), 2)  # probabilities of 0.1, 0.5, 0.3, 0.1
    assert ids.tolist() == [[1, 2]]
    torch.testing.assert_close(logp.exp(), torch.tensor([[0.5, 0.3, 0.2]]))


def test_of_a_vocabulary_wholly_known_nothing_is_outside() -> None:
    ids, logp = likeliest(torch.zeros(1, 4), 9)
    assert sorted(ids[0].tolist()) == [0, 1, 2, 3]
    assert logp[0, -1] == -math.inf


def test_what_a_sure_teacher_leaves_to_others_is_exact() -> None:
    _, logp = likeliest(torch.tensor([[40.0, 0.0, 0.0]]), 1)
    assert logp[0, 1].item() == pytest.approx(math.log(2) - 40.0)


def test_loss_and_gradient_by_hand() -> None:
    # The student says 1/2, 1/4, 1/8, 1/8; the teacher 0.7 for the first and 0.3 for all others: the ratio inside them stays.
    logits = torch.tensor([[4.0, 2.0, 1.0, 1.0]], dtype=torch.float64).log()
    wanted = Truncated(torch.tensor([[0]]), torch.tensor([[0.7, 0.3]], dtype=torch.float64))
    loss, grad = truncated_cross_entropy(logits, wanted, grad=True)
    assert loss.item() == pytest.approx(math.log(2))
    assert grad is not None
    torch.testing.assert_close(grad, torch.tensor([[-0.2, 0.1, 0.05, 0.05]], dtype=torch.float64))


@pytest.mark.parametrize("chunk", [1, 3, 100])
@pytest.mark.parametrize(("k", "temperature"), [(1, 1.0), (4, 2.0), (V, 1.0)])
def test_both_losses_and_their_gradients_are_torchs(chunk: int, k: int, temperature: float) -> None:
    student, wanted = decoder(D, seed=1), kept(decoder(E, seed=2), k, temperature=temperature)
    mixed = mixed_cross_entropy(student, wanted, TARGETS, hard_weight=0.5, soft_weight=2.0, temperature=temperature, chunk=chunk)
    logits = F.linear(*student)
    soft, hard = plainly(logits / temperature, wanted), F.cross_entropy(logits, TARGETS, reduction="sum")
    torch.testing.assert_close(mixed.soft_M.sum(), soft.detach())
    torch.testing.assert_close(mixed.total, 0.5 * hard + 2.0 * soft)
    torch.testing.assert_close(torch.autograd.grad(mixed.total, student), torch.autograd.grad(0.5 * hard + 2.0 * soft, student))


def test_with_all_words_known_it_is_the_whole_cross_entropy() -> None:
    student, teacher = decoder(D, seed=1), decoder(E, seed=2)
    whole, _ = soft_cross_entropy(*student, *teacher)
    cut = mixed_cross_entropy(student, kept(teacher, V), None, hard_weight=0.0).total
    torch.testing.assert_close(cut, whole)
    torch.testing.assert_close(torch.autograd.grad(cut, student), torch.autograd.grad(whole, student))


def test_a_teacher_of_itself_moves_nothing() -> None:
    student = decoder(D, seed=1)
    cut = mixed_cross_entropy(student, kept(student, 3), None, hard_weight=0.0).total
    for gradient in torch.autograd.grad(cut, student):
        assert gradient.abs().max() < 1e-12


def test_a_student_surer_than_numbers_go_costs_much_and_learns() -> None:
    logits = torch.tensor([[500.0, 0.0, 0.0]])
    loss, grad = truncated_cross_entropy(logits, Truncated(torch.tensor([[0]]), torch.tensor([[0.9, 0.1]])), grad=True)
    assert grad is not None
    assert 1.0 < loss.item() < math.inf
    assert grad[0, 0].item() == pytest.approx(0.1)
    assert grad.isfinite().all()


def test_without_gradients_only_the_losses_are_made() -> None:
    student = decoder(D, seed=1)
    with torch.no_grad():
        loss = mixed_cross_entropy(student, kept(decoder(E, seed=2), 2), TARGETS).total
    assert not loss.requires_grad
