"""The gate on understanding: what is a loss, and what is chance."""

from __future__ import annotations

import pytest

from understudy.errors import ExportError
from understudy.export.gates import ALL, Loss, by_chance, drop_gate, losses
from understudy.interpretation import Interpretation


def said(intents: str, locale: str = "en-US") -> list[Interpretation]:
    return [Interpretation(str(i), intent, locale=locale) for i, intent in enumerate(intents)]


def test_losses_by_hand():
    # Right before and after, lost, gained, wrong twice.
    gold, before, after = said("aaaa") + said("a", "de-DE"), said("aabb") + said("a", "de-DE"), said("abab") + said("a", "de-DE")
    found = losses(gold, before, after)
    assert list(found) == ["de-DE", "en-US", ALL]
    assert found["en-US"] == Loss(n=4, before=2, lost=1, gained=1)
    assert found[ALL].to_dict() == {"float": 60.0, "exported": 60.0, "n": 5, "lost": 1, "gained": 1}
    assert list(losses(gold[:4], before[:4], after[:4])) == ["en-US"]


def test_a_sign_test_by_hand():
    assert by_chance(Loss(100, 90, lost=3, gained=0), 0) == 1 / 8
    assert by_chance(Loss(100, 90, lost=3, gained=1), 0) == 5 / 16  # 4 + 1 of 16
    assert by_chance(Loss(100, 90, lost=2, gained=2), 0) == 1.0
    assert by_chance(Loss(1000, 900, lost=6, gained=0), 0.3) == 1 / 8  # 3 of 1,000 are allowed


@pytest.mark.parametrize(
    ("loss", "passes"),
    [
        (Loss(20, 20, lost=4, gained=0), True),  # a fifth of all, yet 1 in 16 by chance
        (Loss(20, 20, lost=5, gained=0), False),  # 1 in 32
        (Loss(2000, 1800, lost=10, gained=0), True),  # 6 allowed, 4 of 4 left
        (Loss(2000, 1800, lost=11, gained=0), False),
        (Loss(2000, 1800, lost=60, gained=54), True),  # 0.3 points: as much as is allowed
        (Loss(2000, 1800, lost=60, gained=20), False),
        (Loss(2000, 1800, lost=0, gained=60), True),
    ],
)
def test_the_gate_closes_where_chance_does_not_explain_the_loss(loss: Loss, passes: bool):
    if passes:
        drop_gate({"de-DE": loss}, max_drop=0.3)
    else:
        with pytest.raises(ExportError, match=r"^de-DE: .*points of exact match lost.*nothing was written"):
            drop_gate({"de-DE": loss}, max_drop=0.3)


def test_many_small_losses_are_seen_together():
    each = {f"l{i}": Loss(500, 400, lost=4, gained=0) for i in range(8)}
    drop_gate(each, max_drop=0.3)
    with pytest.raises(ExportError, match="all: .*0.80 points"):
        drop_gate(each | {ALL: sum(each.values(), Loss(0, 0, 0, 0))}, max_drop=0.3)
