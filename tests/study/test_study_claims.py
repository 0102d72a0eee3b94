"""The claims study: what it adds to a recipe, and what it makes of outcomes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from understudy import artifact
from understudy import recipe as recipes
from understudy.cli import app
from understudy.errors import RecipeError
from understudy.evaluation.metrics import COUNTS
from understudy.recipe import Recipe
from understudy.study.claims import CLAIMS, budgets, claims
from understudy.study.parts import Parts, Stages, read_parts
from understudy.study.run import Study
from understudy.study.tables import markdown
from understudy.study.verdicts import Pair, Scored, found

TINY = Path(__file__).parents[2] / "recipes" / "tiny.toml"
HERE = "study/claims/"


def load(*overrides: str, name: str = "tiny") -> Recipe:
    return recipes.load(TINY.with_name(f"{name}.toml"), ["data_root=data", *overrides])


def made(*overrides: str, **options: Any) -> Study:
    recipe = load(*overrides)
    return claims(recipe, read_parts(recipe), **{"percents": ["5"], "seeds": 1, **options})


def changed(study: Study, arm: str, template: str) -> dict[str, Any]:
    """The settings in which an arm differs from a stage of the recipe."""
    theirs = load().stage[template].model_dump(mode="json", exclude_unset=True)
    ours = study.stages[HERE + arm]
    return {key: ours.get(key) for key in ours.keys() | theirs.keys() if ours.get(key) != theirs.get(key)}


def test_encoders_differ_from_the_recipes_in_one_thing() -> None:
    study = made()
    assert changed(study, "continued", "teacher2") == {"data": "stage1-tokens"}
    assert changed(study, "direct", "student") == {"teachers": [{"use": "teacher2", "steps": 1000}], "layer_map": None}
    assert changed(study, "generic", "student") == {"data": "stage1-tokens"}
    assert changed(study, "unmatched", "student") == {"hidden": 0.0}


def test_a_turn_with_text_of_its_own_has_general_text_too() -> None:
    turns = 'stage.student.teachers=[{ use = "assistant-alone", data = "stage2-tokens", steps = 5 }]'
    assert made(turns).stages[f"{HERE}generic"]["teachers"] == [{"use": "assistant-alone", "steps": 5}]
    assert made(turns).stages[f"{HERE}direct"]["teachers"] == [{"use": "teacher2", "data": "stage2-tokens", "steps": 5}]


def test_all_arms_are_fine_tuned_alike() -> None:
    models = {name: table for name, table in made().stages.items() if table["kind"] == "finetune"}
    assert set(models) == {
        f"{HERE}5/{arm}"
        for arm in (
            "student",
            "scratch",
            "stage2",
            "continued",
            "direct",
            "generic",
            "unmatched",
            "assistant",
            "noised",
            "taught-0",
        )
    }
    alike = {(t["data"], t["labels"], t["optimizer"], t["lr"]) for t in models.values()}
    assert alike == {("labels", 0.05, "muon", 1e-3)}
    assert {t["epochs"] for name, t in models.items() if not name.endswith("noised")} == {60}


def test_a_twin_that_is_fine_tuned_otherwise_is_told() -> None:
    recipe = load("stage.scratch-nlu.lr=5e-4", "study.full.smoothing=0.1")
    made = Stages(recipe, read_parts(recipe))
    apart = "The twin is fine-tuned as its own stage says, the others otherwise (in brackets): lr 0.0005 (0.001), smoothing 0.0 (0.1)."
    assert made.twin_apart() == [apart]
    recipe = load("stage.scratch-nlu.dropout=0.2")  # a part of its shape
    assert Stages(recipe, read_parts(recipe)).twin_apart() == []


def test_a_seed_of_its_own_goes_over_to_what_is_made_of_a_stage() -> None:
    study = made("stage.student.seed=7", "stage.student-nlu.seed=5", "stage.scratch-nlu.seed=3", seeds=2)
    assert study.stages[f"{HERE}unmatched"]["seed"] == study.stages[f"{HERE}generic"]["seed"] == 7
    assert "seed" not in study.stages[f"{HERE}continued"]
    # Labels are drawn by the seed: all arms have the same ones.
    assert {study.stages[f"{HERE}5/{arm}"]["seed"] for arm in ("student", "scratch", "assistant", "direct")} == {5}
    assert [study.stages[f"{HERE}5/taught-{number}"]["seed"] for number in (0, 1)] == [5, 6]


def test_each_seed_is_taught_by_the_same_seed() -> None:
    study = made("seed=7", only=["task"], seeds=2)
    taught = [study.stages[f"{HERE}5/taught-{number}"] for number in (0, 1)]
    assert [(t["teacher"], t["seed"]) for t in taught] == [(f"{HERE}5/assistant", 7), (f"{HERE}5/assistant@1", 8)]
    assert {t["unlabelled"] for t in taught} == {"traffic"}
    assert study.stages[f"{HERE}5/taught-report"]["models"] == {"taught": [f"{HERE}5/taught-0", f"{HERE}5/taught-1"]}
    assert study.stages[f"{HERE}5/student-report"]["models"] == {"student": [f"{HERE}5/student", f"{HERE}5/student@1"]}


def test_noised_utterances_are_passed_over_half_as_often() -> None:
    noised = made(only=["noise"]).stages[f"{HERE}5/noised"]
    assert (noised["epochs"], noised["noise"]) == (30, {"asr": 0.1, "switch": 0.1})
    counted = made("stage.student-nlu.steps=30", only=["noise"]).stages[f"{HERE}5/noised"]
    assert counted["steps"] == 30


def reports(study: Study) -> dict[str, dict[str, Any]]:
    return {name.removeprefix(f"{HERE}5/"): table for name, table in study.stages.items() if table["kind"] == "evaluate"}


def test_what_is_misheard_is_scored_in_reports_of_its_own() -> None:
    found, noise = reports(made(only=["noise", "misheard"])), {"asr": 0.1, "switch": 0.1}
    assert {name: table.get("noise") for name, table in found.items()} == {
        "noised-report": None,
        "student-report": None,
        "noised-misheard": noise,
        "student-misheard": noise,
    }
    assert found["noised-misheard"]["models"] == found["noised-report"]["models"]
    assert list(reports(made(only=["misheard"]))) == ["noised-misheard", "student-misheard"]


def test_what_a_claim_is_about_is_in_no_other_arm() -> None:
    study = made("stage.student-nlu.noise={ asr = 0.2 }", "stage.student-nlu.teacher=assistant-nlu", only=["pretraining"])
    assert not {"noise", "teacher"} & study.stages[f"{HERE}5/student"].keys()


def test_budgets_have_settings_of_their_own() -> None:
    parts = Parts.model_validate({"budgets": {"5": {"epochs": 25}, "0.5": {"epochs": 60}, "zero-shot": {"epochs": 20}}})
    found = budgets(parts, ["100", "5.0", "0.5", "5"])
    assert [(one.name, one.title, one.percent) for one in found] == [
        ("0_5", "0.5 %", 0.5),
        ("5", "5 %", 5),
        ("100", "100 %", 100),
    ]
    assert [one.settings for one in found] == [{"epochs": 60, "labels": 0.005}, {"epochs": 25, "labels": 0.05}, {"labels": 1.0}]


@pytest.mark.parametrize("text", ["five", "0", "-5", "101", "nan"])
def test_a_budget_is_a_percentage(text: str) -> None:
    with pytest.raises(RecipeError, match=r"--budgets.*percentage"):
        budgets(Parts(), [text])
    with pytest.raises(RecipeError, match=r"study\.budgets.*percentage"):
        budgets(Parts.model_validate({"budgets": {text: {}}}), [])


def test_what_the_recipe_has_is_not_made_again() -> None:
    recipe = load(name="massive-cpu")
    study = claims(recipe, read_parts(recipe), percents=["5", "100"], only=["pretraining"], seeds=1)
    models = {
        (budget, arm): study.stages[f"{HERE}{budget}/{arm}-report"]["models"]
        for budget in (5, 100)
        for arm in ("student", "scratch")
    }
    assert models == {
        (5, "student"): {"student": ["student-nlu-few"]},
        (5, "scratch"): {"scratch": ["scratch-nlu-few"]},
        (100, "student"): {"student": ["student-nlu"]},
        (100, "scratch"): {"scratch": ["scratch-nlu"]},
    }


def test_zero_shot_arms_learn_from_all_labels_of_one_locale() -> None:
    study = made(zero_shot="en-US", only=["pretraining"])
    for arm in ("student", "scratch"):
        table = study.stages[f"{HERE}zero-shot-en-US/{arm}"]
        assert (table["locales"], table["epochs"], "labels" in table) == (["en-US"], 60, False)
    assert "locales" not in study.stages[f"{HERE}5/student"]


def test_zero_shot_may_be_asked_for_alone() -> None:
    command = ["study", "claims", str(TINY), "--budgets", "none", "--claims", "pretraining", "--dry-run"]
    plan = CliRunner().invoke(app, [*command, "--zero-shot", "en-US"], env={"COLUMNS": "200"})
    assert f"{HERE}zero-shot-en-US/student" in plan.output
    assert f"{HERE}5/student" not in plan.output
    with pytest.raises(RecipeError, match="no labels to learn from"):
        CliRunner().invoke(app, command, catch_exceptions=False)


def test_only_some_claims_are_asked_for() -> None:
    study = made(only=["hidden"])
    assert list(reports(study)) == ["student-report", "unmatched-report"]
    assert not any("direct" in name for name in study.stages)
    with pytest.raises(RecipeError, match="Did you mean 'hidden'"):
        made(only=["hiden"])


def test_a_claim_that_cannot_be_tested_says_why() -> None:
    with pytest.raises(RecipeError, match=r"stage\.student\.hidden.*nothing to leave out"):
        made("stage.student.hidden=0")
    assert made("stage.student.hidden=0", only=["assistant"])
    with pytest.raises(RecipeError, match=r"stage 2 goes on from stage 1.*Got: teacher\. Wanted: teacher2"):
        made("study.stage1=teacher2")


def encoder(path: Path, kind: Any = "encoder") -> Path:
    with artifact.writing(path, kind=kind, config={}) as draft:
        (draft.path / "config.json").write_text("{}")
    return path


def test_an_encoder_that_is_there_takes_the_place_of_an_arm(tmp_path: Path) -> None:
    there = encoder(tmp_path / "direct")
    study = made(f'study.arms={{ direct = "{there}", student = "assistant" }}', only=["assistant"])
    assert f"{HERE}direct" not in study.stages
    assert study.stages[f"{HERE}5/direct"]["encoder"] == str(there)
    assert study.stages[f"{HERE}5/student"]["encoder"] == "assistant"


def test_what_takes_the_place_of_an_arm_is_an_encoder(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"wrong kind.*Got: shards.*encoder"):
        made(f'study.arms={{ direct = "{encoder(tmp_path / "shards", "shards")}" }}')
    with pytest.raises(RecipeError, match="neither a stage nor an artifact"):
        made(f'study.arms={{ direct = "{tmp_path / "nowhere"}" }}')
    with pytest.raises(RecipeError, match="Did you mean 'direct'"):
        made('study.arms={ dirct = "student" }')
    with pytest.raises(RecipeError, match="there is no stage"):
        made(f'study.student="{encoder(tmp_path / "student")}"')


def scored(budget: str, percent: float | None, *seeds: Sequence[int], updates: float = 10) -> Scored:
    """Utterances without slots, by seed 1 for each that is right and 0 for each that is wrong."""
    counted = np.zeros((len(seeds[0]), len(seeds), len(COUNTS)), np.int64)
    counted[:, :, COUNTS.index("n")] = 1
    for name in ("intents", "exact"):
        counted[:, :, COUNTS.index(name)] = np.array(seeds).T
    return Scored(budget, percent, counted, ("en-US",) * len(seeds[0]), updates)


def test_a_claim_is_told_with_both_means_their_distance_and_a_verdict() -> None:
    # 90 utterances of a hundred against 50, in both seeds: the interval is far from zero. Then the other way round.
    much, less = [1] * 90 + [0] * 10, [1, 0] * 50
    arms = {
        "new": [scored("5 %", 5, much, much), scored("zero-shot from en-US", None, less, less, updates=11)],
        "old": [scored("5 %", 5, less, less), scored("zero-shot from en-US", None, much, much)],
    }
    study = found([Pair("novelty", "new beats old", "new", "old")], arms)
    page = markdown("Claims", study.tables, study.notes)
    assert "| novelty: new beats old | holds (+40.00) | fails (-40.00) |" in page
    assert "| novelty | 5 % | new 90.00 ± 0.00 | old 50.00 ± 0.00 | +40.00 |" in page
    assert "novelty at zero-shot from en-US (new 11, old 10)" in page
    told = study.more["claims"]["novelty"]["budgets"]["5 %"]["exact_match"]
    assert (told["arm"], told["against"]) == ({"mean": 90.0, "sd": 0.0}, {"mean": 50.0, "sd": 0.0})
    assert (told["difference"]["mean"], told["difference"]["each"], told["verdict"]) == (40.0, (40.0, 40.0), "holds")
    assert "new" in study.figures["figure.svg"]


def test_a_figure_that_nothing_was_scored_for_leaves_the_claim_open() -> None:
    one = scored("5 %", 5, [1, 0])
    told = found([Pair("novelty", "new beats old", "new", "old")], {"new": [one], "old": [one]})
    assert told.more["claims"]["novelty"]["budgets"]["5 %"]["slot_f1"] == {
        "arm": {"mean": None, "sd": None}, "against": {"mean": None, "sd": None}, "difference": None, "verdict": "open",
    }  # fmt: skip


def test_every_claim_has_a_name_of_its_own() -> None:
    assert len({claim.name for claim in CLAIMS}) == len(CLAIMS)
