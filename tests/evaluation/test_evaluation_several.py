"""Several seeds scored as one model: means, spread, and the interval of the mean."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console, RenderableType

from understudy import artifact
from understudy.artifact import Artifact
from understudy.config import parse
from understudy.evaluation.evaluate import EvaluateConfig, run
from understudy.evaluation.metrics import COUNTS, FIGURES, counts, resample
from understudy.evaluation.nlu import NluReport, evaluate, relative_error_change
from understudy.evaluation.report import fold
from understudy.evaluation.several import best_by_locale, change_spread, deviation, to_json, together
from understudy.evaluation.summary import nlu_table, summary
from understudy.interpretation import Interpretation

Gold = list[Interpretation]


def seed(gold: Gold, *wrong: str) -> NluReport:
    """What a seed understood that gets the intent of the texts in `wrong` wrong."""
    known = {g.text: g for g in gold}

    def batch(texts: Sequence[str]) -> list[Interpretation]:
        return [replace(known[t], intent="other", domain="") if t in wrong else known[t] for t in texts]

    return evaluate(batch, gold)


def test_figures_are_means_over_seeds(gold: Gold) -> None:
    # Exact match of the seeds: German 50, 100; English 100, 33.33; Japanese 100, 100; in the mean 83.33, 77.78.
    found = to_json(together([seed(gold, "spiel jazz"), seed(gold, "play jazz cats", "the lights off")]))
    assert [found["locales"][name]["exact_match"] for name in ("de-DE", "en-US", "ja-JP")] == [75.0, 66.67, 100.0]
    assert (found["mean"]["exact_match"], found["mean"]["n"], found["locales"]["en-US"]["n"]) == (80.56, 6, 3)
    assert (found["seeds"], [each["exact_match"] for each in found["each"]]) == (2, [83.33, 77.78])


def test_spread_is_the_sample_standard_deviation(gold: Gold) -> None:
    # Of two figures it is their distance by the root of 2: 50, 66.67, 0 and, of the means, 5.56.
    found = to_json(together([seed(gold, "spiel jazz"), seed(gold, "play jazz cats", "the lights off")]))["sd"]
    assert [found["locales"][name]["exact_match"] for name in ("de-DE", "en-US", "ja-JP")] == [35.36, 47.14, 0.0]
    assert found["mean"]["exact_match"] == 3.93
    assert deviation([1.0, 2.0, 6.0]) == round(7**0.5, 2)  # deviations from 3: 4 + 1 + 9 over 2
    assert deviation([1.0, None]) is None


def test_the_interval_is_that_of_the_mean_over_seeds(gold: Gold) -> None:
    # Each seed misses the other's utterance: whatever is drawn, half is right in the mean, though one seed may miss all.
    both = [seed(gold, "spiel jazz"), seed(gold, "weck mich um sechs")]
    assert dict(both[0].to_json()["locales"]["de-DE"]["intervals"])["exact_match"] == [0.0, 100.0]
    assert to_json(together(both))["locales"]["de-DE"]["intervals"]["exact_match"] == [50.0, 50.0]


def test_seeds_are_drawn_the_same_utterances(gold: Gold) -> None:
    one = counts(gold, seed(gold, "spiel jazz").predicted)
    alone = resample(one, draws=50, seed=3)
    twice = resample(np.stack([one, one], axis=1), draws=50, seed=3)
    np.testing.assert_array_equal(alone, twice)


def test_a_seed_without_a_figure_is_left_out_of_a_draw() -> None:
    # No slot is wanted; the first seed finds none (no figure), the second a wrong one (0).
    none, wrong = (np.zeros((1, len(COUNTS)), dtype=np.int64) for _ in range(2))
    wrong[0, COUNTS.index("slots_found")] = 1
    drawn = resample(np.stack([none, wrong], axis=1), draws=3, seed=0)
    assert drawn[:, FIGURES.index("slot_f1")].tolist() == [0.0] * 3
    assert np.isnan(drawn[:, FIGURES.index("semer")]).all()


def test_one_seed_is_what_it_was(gold: Gold) -> None:
    alone = seed(gold, "spiel jazz")
    assert together([alone]) is alone
    assert to_json(alone) == {**alone.to_json(), "seeds": 1, "each": [alone.mean.to_dict()]}


def test_duplicates_of_training_texts_are_left_out_of_all_seeds(gold: Gold) -> None:
    known = {g.text: g for g in gold}
    each = [evaluate(lambda texts: [known[t] for t in texts], gold, seen=["spiel jazz"]) for _ in range(2)]
    found = to_json(together(each, seen=["spiel jazz"]))["without_train_duplicates"]
    assert (found["mean"]["n"], found["locales"]["de-DE"]["n"]) == (5, 1)
    assert found["sd"]["mean"]["exact_match"] == 0.0


def test_error_change_is_of_the_means_and_spreads_over_seeds(gold: Gold) -> None:
    # German errors 50 and 0, in the mean 25, against 100: -75; of the seeds -50 and -100.
    student = together([seed(gold, "spiel jazz"), seed(gold)])
    baseline = seed(gold, "spiel jazz", "weck mich um sechs")
    assert relative_error_change(student, baseline)["de-DE"]["exact_match"] == -75.0
    assert change_spread(student, baseline)["de-DE"]["exact_match"] == 35.36


def test_seeds_are_held_against_the_baselines_one_by_one(gold: Gold) -> None:
    # Errors 50 and 50 against 100 and 50: -50 and 0, where against the mean of 75 both would be -33.3.
    student = together([seed(gold, "spiel jazz"), seed(gold, "spiel jazz")])
    baseline = together([seed(gold, "spiel jazz", "weck mich um sechs"), seed(gold, "spiel jazz")])
    assert relative_error_change(student, baseline)["de-DE"]["exact_match"] == -33.33
    assert change_spread(student, baseline)["de-DE"]["exact_match"] == 35.36


def test_the_best_model_of_each_locale_is_the_first_of_equal_ones(gold: Gold) -> None:
    reports = {"a": seed(gold, "spiel jazz"), "b": seed(gold, "play jazz cats"), "c": seed(gold, "play jazz cats")}
    assert best_by_locale(reports) == {"de-DE": "b", "en-US": "a", "ja-JP": "a"}


def printed(what: RenderableType, *, style: bool = False, width: int = 80) -> str:
    console = Console(width=width, force_terminal=style, color_system="standard" if style else None)
    with console.capture() as caught:
        console.print(what)
    return caught.get()


def content(gold: Gold) -> dict[str, Any]:
    reports = {
        "student": together([seed(gold, "spiel jazz"), seed(gold, "play jazz cats", "the lights off")]),
        "scratch": seed(gold, "spiel jazz", "the lights off"),
    }
    return {
        "models": {name: to_json(report) for name, report in reports.items()},
        "baseline": "scratch",
        "relative_error_change": {n: relative_error_change(r, reports["scratch"]) for n, r in reports.items()},
        "relative_error_change_sd": {"student": change_spread(reports["student"], reports["scratch"])},
        "best_by_locale": best_by_locale(reports),
        "utterances": 6, "partition": "dev", "runtime": None, "examples": [],
    }  # fmt: skip


def test_the_terminal_says_mean_and_spread(gold: Gold) -> None:
    text = printed(summary(content(gold)))
    for wanted in ("student, mean ± sd of 2 seeds", "75.0 ± 35.4", "80.6 ± 3.9", "Best in exact match: student in de-DE"):
        assert wanted in text
    assert max(len(line.rstrip()) for line in text.splitlines()) <= 80


def test_the_best_is_bold_on_a_terminal(gold: Gold) -> None:
    models = {"a": to_json(seed(gold, "spiel jazz")), "b": to_json(seed(gold, "play jazz cats"))}
    text = printed(nlu_table(models, best={"de-DE": "b"}), style=True)
    assert "\x1b[1m100.0\x1b[0m" in next(line for line in text.splitlines() if "de-DE" in line)


def test_a_report_written_before_there_were_seeds_is_still_printed(gold: Gold) -> None:
    old = content(gold)
    for model in old["models"].values():
        for key in ("seeds", "each", "sd"):
            model.pop(key, None)
    old = {key: value for key, value in old.items() if key not in ("relative_error_change_sd", "best_by_locale")}
    assert "80.6" in printed(summary(old))


def test_seeds_of_a_model_are_one_box() -> None:
    stage = {"size_bytes": 10, "seconds": 2.0, "seed_of": None}
    stages = [
        {**stage, "name": "encoder", "parents": []},
        {**stage, "name": "nlu", "parents": [0]},
        {**stage, "name": "nlu@1", "parents": [0], "seed_of": 1},
        {**stage, "name": "runtime", "parents": [2], "seconds": None},
    ]
    folded = fold(stages)
    assert [(s["name"], s["parents"], s["seeds"]) for s in folded] == [("encoder", [], 1), ("nlu", [0], 2), ("runtime", [1], 1)]
    assert [(s["size_bytes"], s["seconds"]) for s in folded] == [(10, 2.0), (20, 4.0), (10, None)]


def test_seeds_with_teachers_of_their_own_stand_after_all_of_them() -> None:
    stage = {"size_bytes": 10, "seconds": 2.0, "seed_of": None}
    stages = [
        {**stage, "name": "teacher", "parents": []},
        {**stage, "name": "nlu", "parents": [0]},
        {**stage, "name": "teacher@1", "parents": []},
        {**stage, "name": "nlu@1", "parents": [2], "seed_of": 1},
    ]
    assert [(s["name"], s["parents"]) for s in fold(stages)] == [("teacher", []), ("teacher@1", []), ("nlu", [0, 1])]


def test_the_page_shows_seeds(tmp_path: Path, model: Callable[[str], Artifact], labels: Artifact) -> None:
    inputs = {**{name: model(name) for name in ("nlu", "nlu@1", "scratch")}, "labels": labels}
    models = {"student": ["nlu", "nlu@1"], "scratch": "scratch"}
    config = parse(EvaluateConfig, {"models": models, "baseline": "scratch", "labels": "labels"}, where="stage.report")
    with artifact.writing(tmp_path / "report", kind="report", config=config.model_dump(), parents=inputs) as draft:
        run(config, inputs, draft, seed=0)
    page = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    for wanted in ("± 0.0", "finetune x 2", "and 2 seeds", "its first seed"):
        assert wanted in page
    assert page.count('class="plot"') == 3  # exact match; a loss curve of either model, none of the second seed
    found = json.loads((tmp_path / "report" / "report.json").read_text(encoding="utf-8"))
    assert (found["models"]["student"]["artifact"], found["models"]["student"]["seeds"]) == ("nlu", 2)
    assert found["best_by_locale"] == dict.fromkeys(["de-DE", "en-US", "ja-JP"], "student")
