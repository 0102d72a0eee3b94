"""Recipes and settings: TOML to frozen, strict pydantic models.

A `Config` refuses keys it does not know, cannot be changed once made, and lives in the file of the code it configures.
Errors name the key, what was found, and the nearest key that exists.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, ValidationError
from pydantic_core import CoreSchema, core_schema

from understudy.errors import RecipeError, nearest

__all__ = [
    "Config",
    "CorpusRef",
    "EncoderRef",
    "Kind",
    "ModelRef",
    "NluRef",
    "NounsRef",
    "Ref",
    "ShardsRef",
    "StageConfig",
    "TeacherRef",
    "TokenizerRef",
    "canonical_json",
    "digest",
    "filled",
    "included",
    "override",
    "parse",
    "read_toml",
    "refs",
]

C = TypeVar("C", bound="Config")
Kind = Literal["corpus", "tokenizer", "shards", "encoder", "nlu", "runtime", "report", "teachings", "nouns", "domains"]


class Config(BaseModel):
    """Base of every settings model: frozen, strict about unknown keys, comparable by value."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class Ref(str):
    """The name of another stage of the recipe, or the path of an artifact; subclasses say of which kinds it may be."""

    kinds: ClassVar[tuple[Kind, ...]] = ()

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(cls, core_schema.str_schema(min_length=1))


class CorpusRef(Ref):
    kinds = ("corpus",)


class TokenizerRef(Ref):
    """A tokenizer, or an encoder, which brings its own."""

    kinds = ("tokenizer", "encoder")


class ShardsRef(Ref):
    kinds = ("shards",)


class EncoderRef(Ref):
    kinds = ("encoder",)


class TeacherRef(Ref):
    """Whatever a student learns from: an encoder, or what a `listen` stage kept of one."""

    kinds = ("encoder", "teachings")


class NounsRef(Ref):
    kinds = ("nouns",)


class NluRef(Ref):
    kinds = ("nlu",)


class ModelRef(Ref):
    """Anything that parses utterances: a fine-tuned model or its exported runtime."""

    kinds = ("nlu", "runtime")


class StageConfig(Config):
    """Base of the settings of one stage. `kind` is set by each subclass to its own literal.

    seed: of everything random in this stage, in place of the recipe's. Not dumped: an artifact records its seed anyway, and
        what was made before a stage could have its own stays up to date.
    """

    seed: int | None = Field(default=None, ge=0, exclude=True)

    def seeded(self, otherwise: int) -> int:
        """The stage's own seed, `otherwise` where it has none."""
        return otherwise if self.seed is None else self.seed

    def reads(self) -> list[Path]:
        """Files outside the artifacts that the stage reads: a change of one makes the stage run again."""
        return []


def refs(config: BaseModel) -> list[Ref]:
    """Every reference inside `config`, each once, in the order of the fields."""
    found: dict[str, Ref] = {}

    def walk(value: Any) -> None:
        if isinstance(value, Ref):
            found.setdefault(str(value), value)
        elif isinstance(value, BaseModel):
            for name in type(value).model_fields:
                walk(getattr(value, name))
        elif isinstance(value, Mapping):
            for item in value.values():
                walk(item)
        elif isinstance(value, list | tuple):
            for item in value:
                walk(item)

    walk(config)
    return list(found.values())


def read_toml(path: Path) -> dict[str, Any]:
    """The table in a TOML file. Raises RecipeError naming the file and line."""
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8"))
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
    found: dict[str, Any] = {}
    for name in table.pop("include", []):
        theirs = included(path.parent / str(name), (*within, path)).get("stage", {})
        for stage, settings in theirs.items():
            if found.setdefault(stage, settings) != settings:
                raise RecipeError("two recipes say different things of one stage", where=path.name, got=stage)
    for stage in table.get("stage", {}):
        if stage in found:
            raise RecipeError("this stage is in an included recipe already", where=path.name, got=stage, wanted="another name")
    return {**table, "stage": {**found, **table.get("stage", {})}}


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
    assignment or that runs through something that is not a table.
    """
    result: dict[str, Any] = json.loads(json.dumps(table, default=str))
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals or not key.strip():
            raise RecipeError("an override is KEY=VALUE", got=assignment, wanted="for example stage.teacher.steps=100")
        try:
            value = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            value = text
        *tables, last = key.strip().split(".")
        at: Any = result
        for part in tables:
            at = at.setdefault(part, {}) if isinstance(at, dict) else None
            if not isinstance(at, dict):
                raise RecipeError(f"'{part}' is not a table", where=f"override {assignment}")
        at[last] = value
    return result


def parse(model: type[C], table: Mapping[str, Any], *, where: str) -> C:
    """`model` made from `table`. Raises RecipeError naming the first wrong key and, for a misspelt one, the nearest."""
    try:
        return model.model_validate(dict(table))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        path = [str(part) for part in first["loc"]]
        key = ".".join([where, *path]) if path else where
        if first["type"] == "extra_forbidden":
            known = _fields_at(model, path[:-1])
            hint = nearest(path[-1], known)
            raise RecipeError(
                f"unknown key '{path[-1]}'", where=key, wanted=f"one of {', '.join(sorted(known))}", hint=hint
            ) from None
        if first["type"] == "missing":
            raise RecipeError(f"the key '{path[-1]}' is missing", where=key) from None
        what = first["msg"].removeprefix("Value error, ")
        raise RecipeError(what, where=key, got=json.dumps(first["input"], default=str, ensure_ascii=False)[:200]) from None


def _fields_at(model: type[BaseModel], path: Sequence[str]) -> set[str]:
    """Field names of the model that stands at `path` inside `model`, through lists, options and unions."""
    models: list[type[BaseModel]] = [model]
    for part in path:
        inner = [m.model_fields[part].annotation for m in models if part in m.model_fields]
        if inner:
            models = [found for annotation in inner for found in _models_in(annotation)]
    return {name for m in models for name in m.model_fields}


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for argument in get_args(annotation) for found in _models_in(argument)]


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no spaces: equal values give equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)


def digest(value: Any) -> str:
    """SHA-256 of `canonical_json(value)`, in hexadecimal."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()
