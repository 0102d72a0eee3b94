"""Dropout: how many, how scaled, from which generator."""

from __future__ import annotations

import pytest
import torch

from understudy.model.dropout import Dropout, dropout


@pytest.mark.parametrize("p", [0.05, 0.1, 0.5, 0.9])
def test_the_share_of_zeros_is_p_and_the_mean_stays(p: float) -> None:
    torch.manual_seed(0)
    n = 400_001
    made = dropout(torch.ones(n), p)
    four_sigmas = 4 * (p * (1 - p) / n) ** 0.5
    assert float((made == 0).float().mean()) == pytest.approx(p, abs=four_sigmas)
    assert made[made != 0].unique().tolist() == pytest.approx([1 / (1 - p)])


def test_neighbours_that_share_a_random_number_fall_independently() -> None:
    torch.manual_seed(0)
    gone_N4 = (dropout(torch.ones(400_000), 0.5) == 0).view(-1, 4).double()
    assert torch.corrcoef(gone_N4.T).fill_diagonal_(0).abs().max() < 4 / 100_000**0.5


def test_gradients_pass_where_elements_stay() -> None:
    torch.manual_seed(0)
    x = torch.ones(1000, requires_grad=True)
    made = dropout(x, 0.25)
    made.sum().backward()
    assert torch.equal(x.grad, made.detach())


def test_equal_seeds_drop_the_same() -> None:
    drawn = []
    for _ in range(2):
        torch.manual_seed(3)
        drawn.append(dropout(torch.ones(7, 3), 0.5))
    assert torch.equal(*drawn)


def test_evaluation_drops_nothing() -> None:
    x = torch.randn(5)
    assert Dropout(0.9).eval()(x) is x
