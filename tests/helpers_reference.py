"""The settings of recipes as docs/recipe.md tells them: a table of keys, types and defaults, and what docstrings say of each.

A docstring says `key: text`, or `key, key: text`, at the beginning of a line or after a full stop; a sentence before the first of
these is about all. Base classes count, and words for programmers are left out.
"""

from __future__ import annotations

import inspect
import json
import re
import textwrap
from collections.abc import Callable
from functools import partial
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from understudy.config import Config, CorpusRef, ModelRef, Ref, StageConfig
from understudy.corpus.shards import MixPart
from understudy.corpus.sources import Source
from understudy.corpus.utterances import LabelSource
from understudy.evaluation.evaluate import EvaluateConfig
from understudy.export.export import ExportConfig
from understudy.export.graph import Quantisation
from understudy.export.trim import TrimConfig
from understudy.model.encoder import EncoderConfig
from understudy.model.presets import PRESETS, Shape
from understudy.stages import STAGES
from understudy.study.parts import Arms, Parts
from understudy.tokenizer.search import SearchConfig
from understudy.training.distill import TeacherConfig
from understudy.training.noise import NoiseConfig
from understudy.training.optim import OptimConfig
from understudy.training.parallel import ParallelConfig
from understudy.training.schedule import ScheduleConfig

__all__ = ["GENERATED"]

WIDTH = 130


class ModelTable(EncoderConfig):
    """The shape of an encoder, and its dropout. `hidden` is a multiple of `heads`. The vocabulary is the tokenizer's, no key.

    preset: one of the shapes below to begin from; no other key is then required, and each that is given replaces the preset's.
    """

    preset: str | None = None


SECTIONS: dict[str, type[Config]] = {
    "Every stage": StageConfig,
    **{kind: stage.config for kind, stage in STAGES.items()},
    "Many processes": ParallelConfig,
    "Noise": NoiseConfig,
    "Studies": Parts,
    "Arms": Arms,
    "Searches of a vocabulary": SearchConfig,
    "Ways to int8": Quantisation,
    "Trimming": TrimConfig,
    "Sources of a corpus": Source,
    "Sources of labels": LabelSource,
    "Parts of a mix": MixPart,
    "Teachers": TeacherConfig,
    "Optimizer": OptimConfig,
    "Schedule": ScheduleConfig,
    "Model tables": ModelTable,
}
"""Settings by the heading that they stand under."""

PLAIN = {str: "text", int: "whole number", float: "number"}

POINTERS = {
    "corpus.pairs": "below",
    "float8.use_float8": "[float8](#float8)",
    "masked.MaskedConfig": "[pretrain](#pretrain)",
    "model.presets.shape": "[model tables](#model-tables)",
    "noise.NoiseConfig": "[noise](#noise)",
    "optim.OptimConfig": "[optimizer](#optimizer)",
    "parallel.ParallelConfig": "[many processes](#many-processes)",
    "schedule.ScheduleConfig": "[schedule](#schedule)",
    "seeds.expand": "[several seeds](#several-seeds)",
}
"""Where the page says what docstrings point to code for."""


def reference(model: type[Config]) -> str:
    """A section of the page: what the settings are for, the table of their keys, and what is said of these."""
    lead, entries = _explained(model)
    rows = [f"| `{key}` | {_type(model, key)} | {_default(model.model_fields[key])} |" for key in _keys(model)]
    parts = [[lead] if lead else [], ["| key | type | default |", "|---|---|---|", *rows], entries]
    return "\n\n".join("\n".join(part) for part in parts if part)


def presets() -> str:
    """The shapes that have names."""
    columns = ("layers", "hidden", "ffn", "heads", "max_length")
    rows = [[f"`{name}`", *(f"{shape[column]:,}" for column in columns)] for name, shape in PRESETS.items()]
    lines = [["preset", *columns], ["---"] * (len(columns) + 1), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


GENERATED: dict[str, Callable[[], str]] = {
    **{name: partial(reference, model) for name, model in SECTIONS.items()},
    "Presets": presets,
}
"""What makes each part of the page that stands between `<!-- keys: NAME -->` and `<!-- end -->`."""


def _keys(model: type[Config]) -> list[str]:
    """Those that the section lists: what every stage has is told once, and the size of a model's vocabulary cannot be set."""
    once = StageConfig.model_fields.keys() if issubclass(model, StageConfig) and model is not StageConfig else set()
    return [key for key in model.model_fields if key not in {"kind", *once} and (model, key) != (ModelTable, "vocab_size")]


def _explained(model: type[Config]) -> tuple[str, list[str]]:
    """What the docstring says first, and a list of what it and its bases say of keys. A class has the last word on a key."""
    lead = ""
    entries: list[str] = []
    told = set(model.model_fields) - set(_keys(model))
    for base in model.__mro__:
        if not issubclass(base, Config):
            continue
        first, found = _entries(inspect.cleandoc(base.__doc__ or ""), list(model.model_fields))
        lead = first if base is model else lead  # what a base says of itself is for programmers
        entries = [entry for names, entry in found if names - told] + entries
        told |= {name for names, _ in found for name in names}
    lead = re.sub(r"^(Settings|Base) of [^.]*\.\s*", "", lead)  # the heading says it
    return "\n".join(_wrapped(lead)), [line for entry in entries for line in _wrapped(entry, "  ")]


def _for_recipes(doc: str) -> str:
    """A docstring that points to a place of the page instead of code. KeyError for code that none is known for."""
    return re.sub(r"\bsee `(\w+(?:\.\w+)+)`", lambda pointer: f"see {POINTERS[pointer[1]]}", doc)


def _entries(doc: str, keys: list[str]) -> tuple[str, list[tuple[set[str], str]]]:
    """A docstring in parts: the sentences about no key, and for each `key: text` or `key, key: text` the keys and a list item."""
    key = rf"`?\b({'|'.join(keys)})\b`?"
    several = key.replace("(", "(?:")
    head = re.compile(rf"(?:^|(?<=[.;] ))({several}(?:(?:,|, or| or| with) {several})*): ")
    leads, found = [], []
    for paragraph in doc.replace("Attributes:\n", "\n").split("\n\n"):
        lead, *rest = head.split(_for_recipes(" ".join(paragraph.split())))
        leads.append(lead.strip())
        for names, text in zip(rest[::2], rest[1::2], strict=True):
            quoted = re.sub(key, r"`\1`", names)
            found.append((set(re.findall(key, names)), f"- {quoted}: {text.strip()}"))
    return " ".join(filter(None, leads)), found


def _wrapped(text: str, indent: str = "") -> list[str]:
    """Lines of the page. Code stays on one, where a `*` of its own cannot begin a list."""
    whole = re.sub(r"`[^`]*`", lambda code: code[0].replace(" ", "\0"), text)
    lines = textwrap.wrap(whole, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
    return [line.replace("\0", " ") for line in lines]


def _type(model: type[Config], key: str) -> str:
    """What a recipe may say. Two settings take more than their types tell."""
    if (model, key) == (EvaluateConfig, "models"):
        return f"table of {_said(ModelRef, many=True)}, or of lists of these"
    if (model, key) == (ExportConfig, "trim"):
        return f"{_said(CorpusRef)}, or {_said(TrimConfig)}"
    return _said(model.model_fields[key].annotation)


def _said(annotation: Any, *, many: bool = False) -> str:
    """A type in words for readers of TOML; `many` for the plural."""
    return _either(_choices(annotation, "s" * many))


def _either(choices: list[str]) -> str:
    return " or ".join([*([", ".join(choices[:-1])] if choices[1:] else []), choices[-1]])


def _choices(annotation: Any, s: str) -> list[str]:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation == Shape:
        return ["[preset or table](#model-tables)"]
    if origin is Annotated:
        return _choices(arguments[0], s)
    if origin in (Union, UnionType):
        return [choice for each in arguments if each is not type(None) for choice in _choices(each, s)]
    if origin is Literal:
        return [f"`{json.dumps(value)}`" for value in arguments]
    if annotation is bool:
        return ["`true`", "`false`"]
    return [_one(annotation, s)]


def _one(annotation: Any, s: str) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation in PLAIN:
        return f"{PLAIN[annotation]}{s}"
    if origin is dict:
        return f"table{s}" if arguments[1] is Any else f"table{s} of {_said(arguments[1], many=True)}"
    if origin is tuple:
        number = "" if arguments[1] is Ellipsis else f"{len(arguments)} "
        return f"list{s} of {number}{_said(arguments[0], many=True)}"
    if issubclass(annotation, Ref):
        kinds = _either([f"`{kind}`" for kind, stage in STAGES.items() if stage.makes in annotation.kinds])
        return f"names of stages ({kinds})" if s else f"name of a stage ({kinds})"
    [heading] = [name for name, section in SECTIONS.items() if section is annotation]
    return f"[table{s}](#{heading.lower().replace(' ', '-')})"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if isinstance(value, Config):
        assert value == type(value)(), "the page has no words for a default table that is not the table's own"
        return "its own defaults"
    return "none" if value is None else f"`{_toml(value)}`"


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{key} = {_toml(item)}' for key, item in value.items())} }}" if value else "{}"
    return json.dumps(value)
