"""Recipes as tables: TOML files, those that they include, and what the command line puts in place of their settings."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from understudy.errors import RecipeError

__all__ = ["filled", "included", "override", "read_toml"]

_OPENING = ("[", "{", '"', "'")


def read_toml(path: Path) -> dict[str, Any]:
    """The table in a TOML file. Raises RecipeError naming the file and line."""
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except FileNotFoundError:
        raise RecipeError("there is no such recipe", where=path, hint="`understudy init DIR` writes one") from None
    except IsADirectoryError:
        raise RecipeError("a recipe is a TOML file", where=path, got="a directory", wanted="a path to a .toml file") from None
    except PermissionError:
        raise RecipeError("the recipe cannot be read", where=path, got="permission denied") from None
    except UnicodeDecodeError as error:
        raise RecipeError(
            "a recipe is UTF-8 text", where=path, got=f"byte 0x{error.object[error.start]:02x} at {error.start}"
        ) from None
    except tomllib.TOMLDecodeError as error:
        raise RecipeError("this is not valid TOML", where=path, got=str(error)) from None


def included(path: Path, within: tuple[Path, ...] = ()) -> dict[str, Any]:
    """The TOML at `path` with the stages of the recipes that it includes (`include`, paths beside it) before its own.

    Raises RecipeError naming the file and line of what is not TOML, a circle, or a stage that two recipes tell differently.
    """
    path = path.resolve()
    if path in within:
        raise RecipeError("recipes include one another in a circle", where=path, got=" -> ".join(p.name for p in (*within, path)))
    table = read_toml(path)
    names, own = table.pop("include", []), table.get("stage", {})
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise RecipeError("this is not a list of recipes", where=f"{path.name}.include", got=names, wanted='["other.toml", ...]')
    if not isinstance(own, dict):
        raise RecipeError("this is not a table", where=f"{path.name}.stage", got=own, wanted="[stage.NAME] with its settings")
    found: dict[str, Any] = {}
    for name in names:
        for stage, settings in included(path.parent / name, (*within, path))["stage"].items():
            if found.setdefault(stage, settings) != settings:
                raise RecipeError("two recipes say different things of one stage", where=path.name, got=stage)
    for stage in own:
        if stage in found:
            raise RecipeError("this stage is in an included recipe already", where=path.name, got=stage, wanted="another name")
    return {**table, "stage": {**found, **own}}


def filled(value: Any, data_root: Path | None, where: str) -> Any:
    """`value` with `{data_root}` replaced in every string. Raises RecipeError where `data_root` is wanted and None."""
    if isinstance(value, dict):
        return {key: filled(item, data_root, f"{where}.{key}") for key, item in value.items()}
    if isinstance(value, list):
        return [filled(item, data_root, where) for item in value]
    if isinstance(value, str) and "{data_root}" in value:
        if data_root is None:
            raise RecipeError("this recipe reads data of yours", where=where, got=value, hint="Say where it is: data_root=DIR")
        return value.replace("{data_root}", str(data_root))
    return value


def override(table: dict[str, Any], assignments: Sequence[str]) -> dict[str, Any]:
    """A copy of `table` with dotted `key=value` assignments applied, e.g. `stage.teacher.steps=100`.

    Values are read as TOML where they parse, else taken as strings. Raises RecipeError for anything that is not an
    assignment, that begins like a list, a table or a string and is none, or that runs through something that is not a table.
    """
    result: dict[str, Any] = json.loads(json.dumps(table, default=str))
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals or not key.strip():
            raise RecipeError("an override is KEY=VALUE", got=assignment, wanted="for example stage.teacher.steps=100")
        try:
            value = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError as error:
            if text.lstrip()[:1] in _OPENING:
                hint = f"A shell takes quotes away: write '{key}=...' in single quotes"
                raise RecipeError("this value is not valid TOML", where=key, got=f"{text} ({error})", hint=hint) from None
            value = text
        *tables, last = key.strip().split(".")
        at: Any = result
        for part in tables:
            at = at.setdefault(part, {}) if isinstance(at, dict) else None
            if not isinstance(at, dict):
                raise RecipeError(f"'{part}' is not a table", where=f"override {assignment}")
        at[last] = value
    return result
