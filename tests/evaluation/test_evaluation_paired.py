"""Differences between two models on the same utterances, and how sure they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from understudy import artifact
from understudy.artifact import Artifact
from understudy.config import parse
from understudy.corpus.utterances import read_labels
from understudy.evaluation.evaluate import EvaluateConfig, run
from understudy.evaluation.metrics import COUNTS, FIGURES
from understudy.evaluation.paired import FILE, Difference, Outcomes, averages, differences, interval, verdict

EXACT = FIGURES.index("exact_match")


def counted(*seeds: Sequence[int]) -> NDArray[np.int64]:
    """Utterances without slots, by seed 1 for each that is right and 0 for each that is wrong."""
    found = np.zeros((len(seeds[0]), len(seeds), len(COUNTS)), np.int64)
    found[:, :, COUNTS.index("n")] = 1
    for name in ("intents", "exact"):
        found[:, :, COUNTS.index(name)] = np.array(seeds).T
    return found


def test_a_difference_by_hand() -> None:
    # Seeds: 75 - 25 = 50 and 50 - 25 = 25, so 37.5 in the mean; they lie 25 apart, a standard deviation of 25 / sqrt 2 and an
    # error of 25 / 2 for the mean of two. By utterance, averaged over seeds, the differences are 1/2, 1/2, 1/2 and 0: the
    # variance of one drawn is 3/16 - 9/64 = 3/64, that of the mean of four 3/256.
    ours, theirs = counted([1, 1, 1, 0], [1, 1, 0, 0]), counted([1, 0, 0, 0], [0, 1, 0, 0])
    found = differences(ours, theirs, ["en-US"] * 4, draws=20_000)["exact_match"]
    assert (found.mean, found.each, found.seeds) == (37.5, (50.0, 25.0), pytest.approx(12.5))
    assert found.utterances == pytest.approx(100 * (3 / 256) ** 0.5, rel=0.02)


def test_the_mean_is_over_locales_not_utterances() -> None:
    # German 100 - 0, English 1/3 - 1/3.
    ours, theirs = counted([1, 1, 0, 0]), counted([0, 1, 0, 0])
    locales = ["de-DE", "en-US", "en-US", "en-US"]
    assert averages(ours, locales)[0, EXACT] == pytest.approx((100 + 100 / 3) / 2)
    assert differences(ours, theirs, locales)["exact_match"].mean == pytest.approx(50)


def test_the_interval_adds_both_errors() -> None:
    # Without the one the other is left: t is 2.776 with 4 degrees of freedom, 4.303 with 2 (any table of it).
    assert interval(10.0, 2.0, None, utterances=5, seeds=1) == pytest.approx((10 - 5.553, 10 + 5.553), abs=1e-3)
    assert interval(10.0, 0.0, 2.0, utterances=5, seeds=3) == pytest.approx((10 - 8.605, 10 + 8.605), abs=1e-3)
    # Equal errors, 4 degrees each: (1 + 1)^2 / (1/4 + 1/4) = 8, t is 2.306, and the root of 2 is what they are together.
    assert interval(0.0, 1.0, 1.0, utterances=5, seeds=5)[1] == pytest.approx(2.306 * 2**0.5, abs=1e-3)
    assert interval(10.0, 0.0, 0.0, utterances=5, seeds=3) == (10.0, 10.0)


def test_one_utterance_says_nothing_of_others() -> None:
    found = differences(counted([1, 1]), counted([0, 0]), ["de-DE", "en-US"])["exact_match"]
    assert (found.mean, found.low, found.high, verdict(found)) == (100, -100, 100, "open")


def test_translations_are_drawn_together() -> None:
    # Three locales right and wrong together know no more than one of them.
    one, other = [1, 1, 1, 0] * 5, [1, 0, 1, 0] * 5
    alone = differences(counted(one), counted(other), ["en-US"] * 20)["exact_match"]
    locales = ["de-DE"] * 20 + ["en-US"] * 20 + ["ja-JP"] * 20
    thrice = differences(counted(one * 3), counted(other * 3), locales)["exact_match"]
    assert (thrice.mean, thrice.utterances) == (alone.mean, pytest.approx(alone.utterances))
    # One utterance less in one locale, and it is drawn apart from the other two: of three with the error e, the mean's variance is
    # (4 e^2 + e^2) / 9.
    apart = differences(counted((one * 3)[:-1]), counted((other * 3)[:-1]), locales[:-1])["exact_match"]
    assert apart.utterances == pytest.approx(alone.utterances * 5**0.5 / 3, rel=0.1)


def test_a_model_is_no_better_than_itself() -> None:
    found = differences(counted([1, 0, 1]), counted([1, 0, 1]), ["en-US"] * 3)
    assert found["exact_match"] == Difference(0.0, 0.0, 0.0, (0.0,), 0.0, None)
    assert "slot_f1" not in found  # there are no slots


@pytest.mark.parametrize(
    ("low", "high", "each", "wanted"),
    [
        (0.1, 2.0, (1.0, 1.1), "holds"),
        (0.1, 2.0, (2.2, -0.1), "open"),
        (-0.1, 2.0, (1.0, 1.0), "open"),
        (-2.0, -0.1, (-1.0, -1.0), "fails"),
        (0.0, 0.0, (0.0, 0.0), "open"),
    ],
)
def test_a_claim_holds_where_interval_and_all_seeds_say_so(low: float, high: float, each: tuple[float, ...], wanted: str) -> None:
    assert verdict(Difference(sum(each) / 2, low, high, each, 0.1, 0.1)) == wanted


def test_counts_of_other_utterances_are_our_own_bug() -> None:
    with pytest.raises(ValueError, match="3 locales"):
        differences(counted([1, 0, 1]), counted([1, 0]), ["en-US"] * 3)


def test_an_evaluation_keeps_what_it_counted(tmp_path: Path, model: Callable[[str], Artifact], labels: Artifact) -> None:
    table: dict[str, Any] = {"models": {"one": ["a", "b"], "other": "a"}, "labels": "labels", "outcomes": True}
    inputs = {"a": model("a"), "b": model("b"), "labels": labels}
    with artifact.writing(tmp_path / "report", kind="report", config={}) as draft:
        run(parse(EvaluateConfig, table, where="stage.report"), inputs, draft, seed=0)
    report = artifact.open(tmp_path / "report")
    assert FILE in report.manifest.files
    found = Outcomes.load(report.path)
    gold = read_labels(labels.path / "dev.jsonl")
    assert found.locales == tuple(one.locale for one in gold)
    assert {name: c.shape for name, c in found.models.items()} == {
        "one": (len(gold), 2, len(COUNTS)),
        "other": (len(gold), 1, len(COUNTS)),
    }
    scored = report.metrics["models"]
    for name, c in found.models.items():
        mean = averages(c, found.locales)[:, EXACT].mean()
        assert scored[name]["exact_match"] == pytest.approx(mean, abs=0.005)
