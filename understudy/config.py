"""Settings: tables to frozen, strict pydantic models.

A `Config` refuses keys it does not know, cannot be changed once made, and lives in the file of the code it configures.
Errors name the key, what was found, and the nearest key that exists.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, ValidationError
from pydantic_core import CoreSchema, core_schema

from understudy.errors import RecipeError, UnderstudyError, nearest

__all__ = [
    "MAX_SEED",
    "Config",
    "CorpusRef",
    "EncoderRef",
    "Kind",
    "LabelsRef",
    "ModelRef",
    "NluRef",
    "NounsRef",
    "Ref",
    "ShardsRef",
    "StageConfig",
    "TeacherRef",
    "TextRef",
    "TokenizerRef",
    "canonical_json",
    "digest",
    "parse",
    "refs",
]

C = TypeVar("C", bound="Config")
_TAG = re.compile(r"str|int|float|bool|(dict|list|tuple)\[.*")
_BOUNDS = {"gt": "more than", "ge": "at least", "lt": "less than", "le": "at most"}
MAX_SEED = 2**63 - 1  # what every library's generator takes
Kind = Literal["corpus", "labels", "tokenizer", "shards", "encoder", "nlu", "runtime", "report", "teachings", "nouns", "domains"]


class Config(BaseModel):
    """Base of every settings model: frozen, strict about unknown keys, comparable by value."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=(), allow_inf_nan=False)


class Ref(str):
    """The name of another stage of the recipe, or the path of an artifact; subclasses say of which kinds it may be."""

    kinds: ClassVar[tuple[Kind, ...]] = ()

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(cls, core_schema.str_schema(min_length=1))


class CorpusRef(Ref):
    kinds = ("corpus",)


class LabelsRef(Ref):
    kinds = ("labels",)


class TextRef(Ref):
    """A corpus, or labelled utterances, whose labels are not looked at."""

    kinds = ("corpus", "labels")


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
    """Base of the settings of one stage.

    kind: set by each subclass to its own literal.
    seed: of everything random in this stage, in place of the recipe's. It is recorded as the artifact's seed, not
        among its settings.
    """

    kind: str = ""
    seed: int | None = Field(default=None, ge=0, le=MAX_SEED, exclude=True)

    def seeded(self, otherwise: int) -> int:
        """The stage's own seed, `otherwise` where it has none."""
        return otherwise if self.seed is None else self.seed

    def reads(self) -> list[Path]:
        """Files outside the artifacts that the stage reads: a change of one makes the stage run again."""
        return []

    def named(self) -> list[str]:
        """Files, folders, patterns and URLs outside the artifacts that the stage reads, as the settings have them."""
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


def parse(model: type[C], table: Mapping[str, Any], *, where: str) -> C:
    """`model` made from `table`. Raises RecipeError naming the first wrong key and, for a misspelt word, the nearest."""
    try:
        made = model.model_validate(dict(table))
    except UnderstudyError as error:  # from a setting that checks itself, which does not know where it stands
        at = where if error.where is None else f"{where}.{error.where}"
        raise type(error)(error.what, where=at, got=error.got, wanted=error.wanted, hint=error.hint) from None
    except ValidationError as error:
        raise _told(error, model, where) from None
    _check_types(made, table, where)
    return made


def _check_types(made: Any, given: Any, where: str) -> None:
    """Raises RecipeError for a text or a truth value that was taken for a number, or the other way round: true is no 1, "5" no 5."""
    if isinstance(given, Mapping):
        for key, value in given.items():
            found = (
                getattr(made, key, None) if isinstance(made, BaseModel) else made.get(key) if isinstance(made, Mapping) else None
            )
            _check_types(found, value, f"{where}.{key}")
    elif isinstance(given, list | tuple) and isinstance(made, list | tuple):
        for i, (one, value) in enumerate(zip(made, given, strict=False)):
            _check_types(one, value, f"{where}.{i}")
    elif isinstance(made, int | float) and (isinstance(given, str) or isinstance(made, bool) != isinstance(given, bool)):
        wanted = _wanted(f"{type(made).__name__}_type", {})
        raise RecipeError("this setting cannot be used", where=where, got=json.dumps(given, ensure_ascii=False), wanted=wanted)


def _told(error: ValidationError, model: type[BaseModel], where: str) -> RecipeError:
    """The first of the errors that pydantic found, for readers of TOML."""
    # A key that is missing may be one that is there misspelt, so that is told first.
    first, *others = sorted(error.errors(include_url=False), key=lambda e: e["type"] != "extra_forbidden")
    path = [str(part) for part in first["loc"]]
    either = bool(path) and _TAG.fullmatch(path[-1]) is not None  # an option's types are told one by one, as if they were keys
    path = path[:-1] if either else path
    key = ".".join([where, *path])
    if first["type"] == "extra_forbidden":
        known = _fields_at(model, path[:-1])
        wanted = f"one of {', '.join(sorted(known))}"
        return RecipeError(f"unknown key '{path[-1]}'", where=key, wanted=wanted, hint=nearest(path[-1], known))
    if first["type"] == "missing":
        return RecipeError(f"the key '{path[-1]}' is missing", where=key)
    value = first["input"]
    got = json.dumps(value, default=str, ensure_ascii=False)[:200]
    types = [first, *(e for e in others if either and e["loc"][:-1] == first["loc"][:-1])]
    if (words := [_wanted(e["type"], e.get("ctx", {})) for e in types])[0] is not None:
        hint = nearest(str(value), re.findall("'(.*?)'", words[0])) if first["type"] == "literal_error" else None
        wanted = " or ".join(dict.fromkeys(word for word in words if word))
        return RecipeError("this setting cannot be used", where=key, got=got, wanted=wanted, hint=hint)
    whole = isinstance(value, Mapping)  # settings that do not go together: what is wrong is said, all are too many
    return RecipeError(first["msg"].removeprefix("Value error, "), where=key, got=None if whole else got)


def _wanted(type: str, context: Mapping[str, Any]) -> str | None:
    """What would have been right instead of an error of pydantic's, in words for readers of TOML; None where its own must do."""
    match type:
        case "int_type" | "int_parsing" | "int_from_float":
            return "a whole number"
        case "float_type" | "float_parsing" | "finite_number":
            return "a number"
        case "bool_type" | "bool_parsing":
            return "true or false"
        case "string_type" | "path_type":
            return "text in quotes"
        case "tuple_type" | "list_type":
            return "a list, such as [a, b]"
        case "dict_type" | "model_type" | "model_attributes_type":
            return "a table, such as { key = value }"
        case "greater_than" | "greater_than_equal" | "less_than" | "less_than_equal":
            [(bound, value)] = context.items()
            return f"{_BOUNDS[bound]} {value:.10g}"
        case "too_short":
            return f"at least {context['min_length']} of them"
        case "literal_error":
            return str(context["expected"])
        case _:
            return None


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
