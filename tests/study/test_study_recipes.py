"""Recipes that studies make of the tiny recipe, without running them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from understudy import recipe as recipes
from understudy.errors import RecipeError
from understudy.recipe import Recipe
from understudy.seeds import stages_of
from understudy.study.claims import claims
from understudy.study.paper import half, size_control, table_4, table_5
from understudy.study.parts import Stages, read_parts
from understudy.study.run import Study, derive
from understudy.study.transfer import proportion, transfer_sets
from understudy.study.validation import validation

TINY = Path(__file__).parents[2] / "recipes" / "tiny.toml"


def load(*overrides: str) -> Recipe:
    return recipes.load(TINY, overrides)


def made(study: Any, *overrides: str, **options: Any) -> Study:
    recipe = load(*overrides)
    found: Study = study(recipe, read_parts(recipe), **options)
    return found


@pytest.mark.parametrize("name", ["tiny", "massive-cpu"])
@pytest.mark.parametrize("study", [table_4, table_5, size_control, transfer_sets, claims])
def test_the_recipes_can_be_asked_for_every_study(name: str, study: Any) -> None:
    derived = derive(TINY.with_name(f"{name}.toml"), ["data_root=data"], study)
    assert set(derived.study.stages) <= set(derived.names)
    assert set(derived.study.wanted) <= set(derived.names)


def test_what_the_recipe_has_is_not_made_again() -> None:
    study = made(table_4)
    report = study.stages["study/table-4/full"]
    assert report["models"] == {
        "stage1": "study/teacher-full",
        "stage2": "study/teacher2-full",
        "assistant": "assistant-nlu",
        "student": "student-nlu",
    }
    assert report["baseline"] == "stage1"


def test_a_frozen_encoder_has_heads_that_learn_at_the_papers_rate() -> None:
    template = made(table_4).stages["study/student-frozen"]
    assert (template["mode"], template["optimizer"], template["lr"], template["head_lr"]) == ("frozen", "adam", 1e-3, 1e-3)
    chosen = made(table_4, "study.frozen={ lr = 2e-3 }").stages["study/student-frozen"]
    assert (chosen["optimizer"], chosen["lr"]) == ("muon", 2e-3)


def test_the_baseline_of_table_5_can_be_chosen() -> None:
    assert made(table_5).stages["study/table-5/against-scratch"]["baseline"] == "scratch"
    foreign = made(table_5, "study.foreign=teacher").stages["study/table-5/against-foreign"]
    assert list(foreign["models"]) == ["foreign", "scratch", "assistant", "student"]
    with pytest.raises(RecipeError, match="no such baseline"):
        made(table_5, baseline="bert")


def test_the_smaller_student_is_half_as_wide_and_distilled_alike() -> None:
    study = made(size_control)
    small = study.stages["study/student-small"]
    student = load().stage["student"].model_dump(mode="json", exclude_unset=True)
    assert {key: value for key, value in small.items() if key != "model"} == {k: v for k, v in student.items() if k != "model"}
    assert (small["model"]["hidden"], small["model"]["ffn"], small["model"]["layers"]) == (64, 256, 2)


def test_half_of_a_width_that_its_heads_do_not_divide_has_half_the_heads() -> None:
    shape = half({"layers": 2, "hidden": 12, "ffn": 24, "heads": 4})
    assert (shape["hidden"], shape["ffn"], shape["heads"]) == (6, 12, 2)


def test_a_smaller_student_of_other_depth_leaves_the_layer_map_behind() -> None:
    study = made(size_control, "study.small={ layers = 1, hidden = 64, ffn = 64, heads = 2 }")
    assert "layer_map" not in study.stages["study/student-small"]


def test_all_transfer_sets_are_learned_from_equally_long_from_the_right_teacher() -> None:
    study = made(transfer_sets)
    arms = {name: table for name, table in study.stages.items() if table["kind"] == "distill"}
    folder = "study/transfer-sets/"
    assert {name.removeprefix(folder): table["teachers"] for name, table in arms.items()} == {
        "100-0": [{"use": "teacher", "steps": 1000}],
        "70-30": [{"use": "teacher", "steps": 1000}],
        "30-70": [{"use": "teacher", "steps": 1000}],
        "0-100": [{"use": "teacher", "steps": 1000}],
        "adapted-0-100": [{"use": "teacher2", "steps": 1000}],
    }
    assert len({(table["batch_tokens"], str(table["model"]), str(table["optimizer"])) for table in arms.values()}) == 1
    assert [table["data"] for table in arms.values()] == [
        "stage1-tokens", f"{folder}70-30-tokens", f"{folder}30-70-tokens", "traffic-tokens", "traffic-tokens"
    ]  # fmt: skip


def test_a_transfer_set_mixes_tokens_of_the_two_corpora_as_their_shards_have_them() -> None:
    table = made(transfer_sets).stages["study/transfer-sets/70-30-tokens"]
    assert table["mix"] == [
        {"corpus": "public", "pack_words": 40, "parts": 70.0},
        {"corpus": "traffic", "min_tokens": 5, "parts": 30.0},
    ]
    assert table["by"] == "tokens"


def test_the_updates_of_students_can_be_set() -> None:
    assert made(transfer_sets, "study.steps=7").stages["study/transfer-sets/0-100"]["teachers"][0]["steps"] == 7


def test_the_reports_of_transfer_sets_are_over_the_same_models() -> None:
    study = made(transfer_sets, proportions=["3:1", "0:1"])
    report, domains = study.stages["study/transfer-sets/report"], study.stages["study/transfer-sets/domains"]
    assert list(report["models"]) == ["scratch", "75:25", "0:100", "adapted 0:100"]
    assert domains["models"] == {name: [model] for name, model in report["models"].items()}
    assert (domains["generic"], domains["teacher"]) == ("public", "teacher")


@pytest.mark.parametrize("text", ["70", "70:30:5", "a:b", "-1:2", "0:0", "inf:1", "nan:1"])
def test_a_proportion_is_two_parts(text: str) -> None:
    with pytest.raises(RecipeError, match="GENERIC:TASK"):
        proportion(text)


def test_seeds_are_named_as_the_recipe_names_them() -> None:
    assert stages_of("student-nlu", 3) == ["student-nlu", "student-nlu@1", "student-nlu@2"]


def test_a_study_of_several_seeds_asks_for_them_and_shares_nothing_of_one_seed() -> None:
    recipe = load()
    stages = Stages(recipe, read_parts(recipe), seeds=3)
    assert stages.finetuned("student") == "study/student-full"
    assert stages.added["study/student-full"]["seeds"] == 3


def test_a_part_that_a_study_needs_and_the_recipe_lacks_is_named() -> None:
    recipe = load()
    bare = recipe.model_copy(update={"study": {"stage1": "teacher"}})
    with pytest.raises(RecipeError, match=r"study\.stage2.*Got: stage1 = teacher"):
        table_4(bare, read_parts(bare))


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("study.stage1=teachr", "Did you mean 'teacher'"),
        ("study.stage1=public", "wrong kind"),
        ("study.stage3=teacher", "unknown key 'stage3'"),
    ],
)
def test_parts_are_stages_of_the_right_kind(override: str, said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        read_parts(load(override))


def test_a_study_over_checkpoints_needs_some() -> None:
    with pytest.raises(RecipeError, match="keep_examples"):
        made(validation)


def test_checkpoints_are_tested_on_xnli_by_one_seed() -> None:
    with pytest.raises(RecipeError, match="one seed"):
        made(validation, "stage.teacher.keep_examples=[10, 20]", xnli="x", seeds=3)


def test_students_of_transfer_sets_have_the_settings_of_the_last_turn() -> None:
    turn = 'stage.student.teachers=[{ use = "assistant-alone", steps = 9, batch_tokens = 2048, data = "stage1-tokens" }]'
    stage = made(transfer_sets, turn).stages["study/transfer-sets/0-100"]
    assert stage["teachers"] == [{"use": "teacher", "steps": 9, "batch_tokens": 2048}]


def test_mixed_shards_make_no_transfer_set() -> None:
    with pytest.raises(RecipeError, match="one corpus each"):
        made(transfer_sets, "study.generic=stage2-tokens")
