"""The claims of the papers, tried on the tiny recipe made tinier, from text to verdicts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from test_study_runs import SMALL, TINY, study

from understudy.errors import RecipeError
from understudy.recipe import Recipe
from understudy.study import run
from understudy.study.claims import CLAIMS, claims
from understudy.study.parts import Parts

BRIEF = ["study.budgets={}", "stage.student-nlu.epochs=2", "stage.scratch-nlu.epochs=2"]


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the study has run."""
    folder = tmp_path_factory.mktemp("artifacts")
    study(folder, "claims", "--budgets", "50", "100", "--seeds", "2", *BRIEF)
    return folder


def content(artifacts: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((artifacts / "study" / "claims" / "table.json").read_text())
    return found


def manifest(artifacts: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((artifacts / "study" / "claims" / name / "artifact.json").read_text())
    return found


def test_every_claim_is_judged_at_every_budget_and_after_that_only_read(artifacts: Path) -> None:
    found = content(artifacts)
    assert list(found["claims"]) == [claim.name for claim in CLAIMS]
    for claim in found["claims"].values():
        assert list(claim["budgets"]) == ["50 %", "100 %"]
        assert all(one["exact_match"]["verdict"] in ("holds", "fails", "open") for one in claim["budgets"].values())
    assert (artifacts / "study" / "claims" / "figure.svg").is_file()
    before = {path: path.stat().st_mtime_ns for path in artifacts.rglob("artifact.json")}
    page = study(artifacts, "claims", "--budgets", "50", "100", "--seeds", "2", *BRIEF)
    assert {path: path.stat().st_mtime_ns for path in artifacts.rglob("artifact.json")} == before
    assert (artifacts / "study" / "claims" / "table.md").read_text() in page


def test_a_difference_is_that_of_the_reports(artifacts: Path) -> None:
    def report(arm: str) -> dict[str, Any]:
        model, _, misheard = arm.partition(", ")
        folder = artifacts / "study" / "claims" / "100" / f"{model}-{misheard or 'report'}"
        found: dict[str, Any] = json.loads((folder / "report.json").read_text())["models"][model]
        return found

    for claim in content(artifacts)["claims"].values():
        told = claim["budgets"]["100 %"]["intent_accuracy"]
        ours, theirs = (report(claim[side])["mean"]["intent_accuracy"] for side in ("arm", "against"))
        assert told["difference"]["mean"] == pytest.approx(ours - theirs, abs=0.011)
        assert told["arm"]["sd"] == pytest.approx(report(claim["arm"])["sd"]["mean"]["intent_accuracy"], abs=0.006)


def test_a_budget_is_a_share_of_the_labels_and_both_arms_are_given_the_same(artifacts: Path) -> None:
    half, whole = manifest(artifacts, "50/student"), manifest(artifacts, "100/student")
    assert half["metrics"]["utterances"] * 2 == whole["metrics"]["utterances"] > 0
    second = manifest(artifacts, "50/taught-1")
    assert second["seed"] == manifest(artifacts, "50/student@1")["seed"] == manifest(artifacts, "50/assistant@1")["seed"] == 1
    assert second["metrics"]["unlabelled"] > 0
    assert manifest(artifacts, "100/noised")["metrics"]["noised"] == whole["metrics"]["utterances"]


def zero_shot(artifacts: Path, locale: str) -> run.Derived:
    def make(recipe: Recipe, parts: Parts) -> run.Study:
        return claims(recipe, parts, percents=[], zero_shot=locale, only=["pretraining"], seeds=2)

    elsewhere = f'study.arms={{ student = "{artifacts / "student"}" }}'
    return run.derive(TINY, [f"artifacts={artifacts}", *SMALL, *BRIEF, elsewhere], make)


def test_zero_shot_scores_the_other_locales_and_makes_no_encoder_anew(artifacts: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in artifacts.glob("*/artifact.json")}
    derived = zero_shot(artifacts, "de-DE")
    assert "student" not in derived.names  # named by its path, as one from elsewhere would be
    run.run(derived)
    assert {path: path.stat().st_mtime_ns for path in artifacts.glob("*/artifact.json")} == before
    told = content(artifacts)["claims"]["pretraining"]["budgets"]["zero-shot from de-DE"]["intent_accuracy"]
    models = json.loads((artifacts / "study/claims/zero-shot-de-DE/student-report/report.json").read_text())["models"]
    assert told["arm"]["mean"] == pytest.approx(models["student"]["locales"]["en-US"]["intent_accuracy"], abs=0.006)
    with pytest.raises(RecipeError, match=r"--zero-shot.*Got: de.*Wanted: one of de-DE, en-US"):
        zero_shot(artifacts, "de")
