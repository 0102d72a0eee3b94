"""What is kept of a teacher's distribution, and the cross-entropy against it beside plain torch in float64."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from understudy.training.kept import Kept, keep
from understudy.training.losses import Decoder, mixed_cross_entropy

pytestmark = pytest.mark.usefixtures("rows")

M, D, E, V = 7, 5, 3, 11
TARGETS = torch.tensor([0, 10, 3, 3, 7, 1, 9])


def decoder(width: int, *, seed: int) -> Decoder:
    generator = torch.Generator().manual_seed(seed)
    made = [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in ((M, width), (V, width), (V,))]
    return Decoder(*(t.requires_grad_() for t in made))


def kept(teacher: Decoder, k: int, samples: int, *, temperature: float = 1.0, draw: float = 0.5) -> Kept:
    ids, logp = keep(F.linear(*teacher).detach() / temperature, torch.full((M,), draw), k=k, samples=samples)
    return Kept(ids, torch.cat((logp[:, :-1].exp(), (logp[:, -1:].exp() / samples).expand(-1, samples)), 1))


def dense(wanted: Kept) -> Tensor:
    """The same as a distribution over the whole vocabulary."""
    return torch.zeros(M, V, dtype=torch.float64).scatter_add_(1, *wanted)


def test_likeliest_words_and_samples_of_the_others_by_hand() -> None:
    # Words 0, 2, 3 and 4 are left, each with 0.1 of 0.4. Two samples, 1/8 and 1/8 + 1/2 of the way, fall on words 0 and 3.
    p = torch.tensor([[0.1, 0.6, 0.1, 0.1, 0.1]])
    ids, logp = keep(p.log() + 3.0, torch.tensor([0.25]), k=1, samples=2)
    assert ids.tolist() == [[1, 0, 3]]
    torch.testing.assert_close(logp.exp(), torch.tensor([[0.6, 0.4]]))


def test_where_all_words_are_kept_nothing_is_left_for_samples() -> None:
    ids, logp = keep(torch.zeros(1, 4), torch.zeros(1), k=4, samples=1)
    assert sorted(ids[0, :4].tolist()) == [0, 1, 2, 3]
    assert logp[0, -1] == -math.inf


def test_what_a_sure_teacher_leaves_to_others_is_exact() -> None:
    _, logp = keep(torch.tensor([[40.0, 0.0, 0.0]]), torch.zeros(1), k=1, samples=1)
    assert logp[0, 1].item() == pytest.approx(math.log(2) - 40.0)


def test_over_all_draws_samples_are_the_teachers_distribution() -> None:
    teacher = decoder(E, seed=2)
    draws = [(n + 0.5) / 4000 for n in range(4000)]
    mean = sum(dense(kept(teacher, 2, 3, draw=draw)) for draw in draws) / len(draws)
    torch.testing.assert_close(mean, F.softmax(F.linear(*teacher).detach(), 1), rtol=0, atol=3e-4)


def test_loss_and_gradient_by_hand() -> None:
    # The student says 1/2, 1/4, 1/4. Word 0 has a mass of 0.5, and two samples, both word 2, have 0.25 each.
    logits = torch.tensor([2.0, 1.0, 1.0], dtype=torch.float64).log().requires_grad_()
    student = Decoder(torch.zeros(1, 1).double(), torch.zeros(3, 1).double(), logits)
    wanted = Kept(torch.tensor([[0, 2, 2]]), torch.tensor([[0.5, 0.25, 0.25]], dtype=torch.float64))
    loss = mixed_cross_entropy(student, wanted, None).total
    assert loss.item() == pytest.approx(1.5 * math.log(2))
    (grad,) = torch.autograd.grad(loss, logits)
    torch.testing.assert_close(grad, torch.tensor([0.0, 0.25, -0.25], dtype=torch.float64))


@pytest.mark.parametrize("chunk", [1, 3, 100])
@pytest.mark.parametrize(("k", "temperature"), [(1, 1.0), (4, 2.0), (V, 1.0)])
def test_both_losses_and_their_gradients_are_torchs(chunk: int, k: int, temperature: float) -> None:
    student, wanted = decoder(D, seed=1), kept(decoder(E, seed=2), k, 3, temperature=temperature)
    mixed = mixed_cross_entropy(student, wanted, TARGETS, hard_weight=0.5, soft_weight=2.0, temperature=temperature, chunk=chunk)
    logits = F.linear(*student)
    soft = -(dense(wanted) * F.log_softmax(logits / temperature, 1)).sum()
    both = 0.5 * F.cross_entropy(logits, TARGETS, reduction="sum") + 2.0 * soft
    torch.testing.assert_close(mixed.soft_M.sum(), soft.detach())
    torch.testing.assert_close(mixed.total, both)
    torch.testing.assert_close(torch.autograd.grad(mixed.total, student), torch.autograd.grad(both, student))


def test_with_all_words_kept_it_is_the_whole_cross_entropy() -> None:
    student, teacher = decoder(D, seed=1), decoder(E, seed=2)
    whole = mixed_cross_entropy(student, teacher, None, hard_weight=0.0).total
    cut = mixed_cross_entropy(student, kept(teacher, V, 1), None, hard_weight=0.0).total
    torch.testing.assert_close(cut, whole)
    torch.testing.assert_close(torch.autograd.grad(cut, student), torch.autograd.grad(whole, student))


def test_without_gradients_only_the_losses_are_made() -> None:
    student = decoder(D, seed=1)
    with torch.no_grad():
        loss = mixed_cross_entropy(student, kept(decoder(E, seed=2), 2, 2), TARGETS).total
    assert not loss.requires_grad
