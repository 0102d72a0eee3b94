"""Recipes are read strictly."""

from __future__ import annotations

from pathlib import Path

import pytest

from understudy.config import Config, Ref, digest, override, parse, read_toml, refs
from understudy.errors import RecipeError


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


def test_missing_key_is_named() -> None:
    with pytest.raises(RecipeError, match="the key 'name' is missing"):
        parse(Outer, {}, where="recipe")


def test_wrong_type_shows_what_was_found() -> None:
    with pytest.raises(RecipeError, match='inner.steps.*Got: "many"'):
        parse(Outer, {"name": "x", "inner": {"steps": "many"}}, where="recipe")


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


@pytest.mark.parametrize("assignment", ["a.b", "=3", "a.b.c=1"])
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
