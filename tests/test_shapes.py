"""What does not fit is told when a recipe is read, before anything runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from understudy import recipe
from understudy.errors import RecipeError

RECIPE = """
name = "fitting"

[stage.public]
kind = "corpus"
sources = [{ path = "nowhere/en.txt", lang = "en" }]

[stage.tokenizer]
kind = "tokenizer"
corpus = "public"
vocab_size = 1000

[stage.other]
kind = "tokenizer"
corpus = "public"
vocab_size = 500

[stage.tokens]
kind = "shards"
tokenizer = "tokenizer"
mix = [{ corpus = "public" }]

[stage.more]
kind = "shards"
tokenizer = "tokenizer"
mix = [{ corpus = "public", pack_words = 50 }]

[stage.teacher]
kind = "pretrain"
model = { layers = 4, hidden = 32, ffn = 64, heads = 2, max_length = 64 }
tokenizer = "tokenizer"
data = "tokens"
steps = 100
keep_examples = [500, 1000]

[stage.longer]
kind = "pretrain"
init = "teacher"
tokenizer = "tokenizer"
data = "tokens"
steps = 100

[stage.heard]
kind = "listen"
teacher = "longer"
tokenizer = "tokenizer"
data = "tokens"

[stage.student]
kind = "distill"
model = { layers = 2, hidden = 32, ffn = 64, heads = 2, max_length = 64 }
tokenizer = "tokenizer"
data = "tokens"
teachers = [{ use = "longer", steps = 100 }]
hidden = 1.0
layer_map = [1, 3]
"""

HEARD = ['stage.student.teachers=[{ use = "heard", steps = 100 }]', "stage.student.hidden=0.0"]


@pytest.fixture
def toml(tmp_path: Path) -> Path:
    path = tmp_path / "fitting.toml"
    path.write_text(RECIPE)
    return path


def refused(toml: Path, *overrides: str) -> str:
    with pytest.raises(RecipeError) as error:
        recipe.load(toml, overrides)
    return str(error.value)


def test_what_fits_is_loaded(toml: Path) -> None:
    assert set(recipe.load(toml).stage) >= {"heard", "student"}
    assert recipe.load(toml, HEARD)


def test_a_layer_that_the_teacher_will_not_have(toml: Path) -> None:
    said = refused(toml, "stage.student.layer_map=[1, 4]")
    assert "stage.student.layer_map" in said
    assert "each from 0 to 3" in said


def test_a_layer_map_that_is_not_used_need_not_fit(toml: Path) -> None:
    assert recipe.load(toml, ["stage.student.layer_map=[1, 4]", "stage.student.hidden=0.0"])


@pytest.mark.parametrize(
    ("override", "stage"),
    [
        ("stage.more.tokenizer=other", "student"),
        ("stage.teacher.tokenizer=other", "teacher"),
        ("stage.student.tokenizer=other", "student"),
    ],
)
def test_two_vocabularies_in_one_stage(toml: Path, override: str, stage: str) -> None:
    said = refused(toml, override, 'stage.student.teachers=[{ use = "longer", steps = 100, data = "more" }]')
    assert f"stage.{stage}" in said
    assert "with other" in said or "other, " in said


def test_a_task_teacher_with_another_vocabulary(toml: Path) -> None:
    labels = '{ kind = "labels", sources = [{ path = "nowhere/en.jsonl", format = "massive" }] }'
    tuned = '{ kind = "finetune", encoder = "student", data = "labels" }'
    model = "{ layers = 2, hidden = 32, ffn = 64, heads = 2 }"
    other = f'{{ kind = "finetune", model = {model}, tokenizer = "other", data = "labels" }}'
    stages = [f"stage.labels={labels}", f"stage.tuned={tuned}", f"stage.task={other}"]
    assert recipe.load(toml, stages)
    assert "task with other" in refused(toml, *stages, 'stage.tuned.teacher="task"')


def test_a_checkpoint_that_will_not_be_kept(toml: Path) -> None:
    assert recipe.load(toml, ["stage.longer.checkpoint=500"])
    said = refused(toml, "stage.longer.checkpoint=700")
    assert "stage.longer.checkpoint" in said
    assert "one of 500, 1000" in said
    assert "no such checkpoint" in refused(toml, 'stage.student.teachers=[{ use = "longer", steps = 100, checkpoint = 5 }]')


@pytest.mark.parametrize(
    ("override", "key"),
    [
        ("stage.student.temperature=2.0", "temperature"),
        ("stage.student.mask_rate=0.4", "mask_rate"),
        ("stage.student.hidden=1.0", "hidden"),
        ("stage.student.max_length=32", "max_length"),
    ],
)
def test_a_teacher_that_is_listened_to_otherwise(toml: Path, override: str, key: str) -> None:
    assert f"stage.student.{key}" in refused(toml, *HEARD, override)


def test_a_student_is_as_long_as_what_was_listened_to(toml: Path) -> None:
    assert recipe.load(toml, [*HEARD, "stage.heard.max_length=32"])


def test_a_teacher_that_is_listened_to_on_other_data(toml: Path) -> None:
    assert "other data" in refused(toml, *HEARD, "stage.heard.data=more")
    turn = 'stage.student.teachers=[{ use = "heard", steps = 9, data = "more" }]'
    assert recipe.load(toml, [turn, HEARD[1], "stage.heard.data=more"])


def test_a_model_of_a_hub_is_asked_for_nothing(toml: Path) -> None:
    adopted = 'stage.xlmr={ kind = "adopt", model = "FacebookAI/xlm-roberta-base" }'
    foreign = [
        "stage.tokens.tokenizer=xlmr",
        "stage.more.tokenizer=xlmr",
        "stage.teacher.tokenizer=xlmr",
        "stage.longer.tokenizer=xlmr",
    ]
    more = ["stage.heard.tokenizer=xlmr", "stage.heard.teacher=xlmr", "stage.student.tokenizer=xlmr"]
    assert recipe.load(toml, [adopted, *foreign, *more, 'stage.student.teachers=[{ use = "xlmr", steps = 9 }]'])
