"""Recipes are read strictly."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest
from pydantic import Field, model_validator

from understudy.config import Config, Ref, StageConfig, digest, parse, refs
from understudy.errors import RecipeError
from understudy.toml import override, read_toml
from understudy.training.pretrain import PretrainConfig


class Inner(Config):
    steps: int = 1
    use: Ref | None = None


class Outer(Config):
    name: str
    inner: Inner = Inner()
    many: list[Inner] = []
    models: dict[str, Ref] = {}


def test_unknown_key_names_the_nearest() -> None:
    with pytest.raises(RecipeError, match="unknown key 'stpes'.*Did you mean 'steps'"):
        parse(Outer, {"name": "x", "inner": {"stpes": 3}}, where="stage.teacher")


def test_unknown_key_in_a_list_names_its_place() -> None:
    with pytest.raises(RecipeError, match=r"stage\.teacher\.many\.1\.usse: .*Did you mean 'use'"):
        parse(Outer, {"name": "x", "many": [{}, {"usse": "a"}]}, where="stage.teacher")


def test_a_required_key_that_is_misspelt_is_told_as_such() -> None:
    with pytest.raises(RecipeError, match="unknown key 'nmae'.*Did you mean 'name'"):
        parse(Outer, {"nmae": "x"}, where="recipe")


def test_a_recipe_saved_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    (tmp_path / "r.toml").write_bytes(b'\xef\xbb\xbfname = "x"\n')
    assert read_toml(tmp_path / "r.toml") == {"name": "x"}


@pytest.mark.parametrize("seed", [-1, 2**63])
def test_seeds_are_what_every_generator_takes(seed: int) -> None:
    with pytest.raises(RecipeError, match=r"stage\.x\.seed"):
        parse(StageConfig, {"seed": seed}, where="stage.x")


def test_missing_key_is_named() -> None:
    with pytest.raises(RecipeError, match="the key 'name' is missing"):
        parse(Outer, {}, where="recipe")


def test_wrong_type_shows_what_was_found() -> None:
    with pytest.raises(RecipeError, match='inner.steps.*Got: "many"'):
        parse(Outer, {"name": "x", "inner": {"steps": "many"}}, where="recipe")


class Strict(Config):
    name: Literal["adam", "muon"] = "adam"
    rate: float = Field(default=0.5, gt=0, lt=1)
    layers: tuple[int, ...] = Field(default=(1,), min_length=1)
    table: dict[str, int] = {}
    on: bool = False
    model: str | dict[str, int] = ""


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (
            {"name": "muno"},
            "stage.a.name: this setting cannot be used. Got: \"muno\". Wanted: 'adam' or 'muon'. Did you mean 'muon'?",
        ),
        ({"rate": 1}, "stage.a.rate: this setting cannot be used. Got: 1. Wanted: less than 1."),
        ({"rate": "x"}, 'stage.a.rate: this setting cannot be used. Got: "x". Wanted: a number.'),
        ({"layers": 1.5}, "stage.a.layers: this setting cannot be used. Got: 1.5. Wanted: a list, such as [a, b]."),
        ({"layers": []}, "stage.a.layers: this setting cannot be used. Got: []. Wanted: at least 1 of them."),
        ({"layers": ["x"]}, 'stage.a.layers.0: this setting cannot be used. Got: "x". Wanted: a whole number.'),
        ({"table": 3}, "stage.a.table: this setting cannot be used. Got: 3. Wanted: a table, such as { key = value }."),
        (
            {"model": 5},
            "stage.a.model: this setting cannot be used. Got: 5. Wanted: text in quotes or a table, such as { key = value }.",
        ),
        ({"on": "maybe"}, 'stage.a.on: this setting cannot be used. Got: "maybe". Wanted: true or false.'),
        ({"on": 1}, "stage.a.on: this setting cannot be used. Got: 1. Wanted: true or false."),
        ({"on": "yes"}, 'stage.a.on: this setting cannot be used. Got: "yes". Wanted: true or false.'),
        ({"rate": "0.5"}, 'stage.a.rate: this setting cannot be used. Got: "0.5". Wanted: a number.'),
        ({"rate": float("nan")}, "stage.a.rate: this setting cannot be used. Got: NaN. Wanted: a number."),
        ({"layers": [1, True]}, "stage.a.layers.1: this setting cannot be used. Got: true. Wanted: a whole number."),
        ({"table": {"a": "5"}}, 'stage.a.table.a: this setting cannot be used. Got: "5". Wanted: a whole number.'),
    ],
)
def test_a_wrong_value_is_told_in_the_words_of_a_recipe(table: dict[str, object], said: str) -> None:
    with pytest.raises(RecipeError) as raised:
        parse(Strict, table, where="stage.a")
    assert str(raised.value) == said


def test_a_setting_that_checks_itself_is_named_with_its_stage() -> None:
    with pytest.raises(RecipeError, match=r"stage\.teacher\.model: there is no such model\. Got: student-18m\."):
        parse(PretrainConfig, {"data": "d", "tokenizer": "t", "steps": 1, "model": "student-18m"}, where="stage.teacher")


def test_settings_that_do_not_go_together_are_not_all_printed() -> None:
    class Pair(Config):
        a: int = 0
        b: int = 0

        @model_validator(mode="after")
        def _one(self) -> Pair:
            raise ValueError("a and b do not go together")

    with pytest.raises(RecipeError) as raised:
        parse(Pair, {"a": 1}, where="stage.x")
    assert str(raised.value) == "stage.x: a and b do not go together."


def test_settings_are_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Inner().steps = 2  # type: ignore[misc]


@pytest.mark.parametrize(
    ("assignment", "value"),
    [
        ("a.b=3", 3),
        ("a.b=0.5", 0.5),
        ("a.b=true", True),
        ("a.b=text", "text"),
        ('a.b="3"', "3"),
        ("a.b=[1, 2]", [1, 2]),
        ("a.b=x=y", "x=y"),
    ],
)
def test_override_reads_toml_values_and_bare_strings(assignment: str, value: object) -> None:
    assert override({"a": {"b": 0, "c": 1}}, [assignment]) == {"a": {"b": value, "c": 1}}


def test_override_leaves_its_input_alone() -> None:
    table = {"a": {"b": 0}}
    override(table, ["a.b=1"])
    assert table == {"a": {"b": 0}}


@pytest.mark.parametrize("assignment", ["a.b", "=3", "a.b.c=1", "a.b=[x]", "a.b={ c = d }", 'a.b="x'])
def test_override_refuses_what_it_cannot_place(assignment: str) -> None:
    with pytest.raises(RecipeError):
        override({"a": {"b": 0}}, [assignment])


@pytest.mark.parametrize(("content", "said"), [(b"a = ", "valid TOML"), (b"\xff\xfe", "UTF-8")])
def test_bad_toml_names_the_file(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "r.toml").write_bytes(content)
    with pytest.raises(RecipeError, match=f"r.toml.*{said}"):
        read_toml(tmp_path / "r.toml")


def test_missing_recipe_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="no such recipe"):
        read_toml(tmp_path / "r.toml")


def test_refs_are_found_wherever_they_stand_once_each() -> None:
    config = parse(
        Outer, {"name": "x", "inner": {"use": "a"}, "many": [{"use": "b"}, {"use": "a"}], "models": {"m": "c"}}, where=""
    )
    assert refs(config) == ["a", "b", "c"]


def test_digest_ignores_the_order_of_keys() -> None:
    assert digest({"a": 1, "b": [2]}) == digest({"b": [2], "a": 1}) != digest({"a": 1, "b": [3]})
