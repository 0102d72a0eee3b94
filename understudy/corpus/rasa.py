"""Rasa's YAML training data: examples below intents, with `[value](entity)` and `[value]{"entity": "name", ...}`.

Of the braces' fields the entity counts; roles, groups and normalised values are not taken over, which a warning says. Lookup tables,
synonyms and regular expressions are left out with a log line, as they are no utterances.
"""

from __future__ import annotations

import json
import logging
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import yaml

from understudy.corpus.formats import Labelled, domain_of
from understudy.corpus.lines import MAX_LINE
from understudy.errors import DataError
from understudy.interpretation import Interpretation, Slot

__all__ = ["read_rasa"]

log = logging.getLogger(__name__)

_ENTITY = re.compile(r"\[(?P<value>[^\[\]]+)\](?:\((?P<name>[^()]+)\)|(?P<fields>\{[^{}]*\}))")
_SURROGATE = re.compile("[\ud800-\udfff]")
_OTHER_FILES = ("stories", "rules", "intents", "responses", "pipeline", "policies", "recipe", "rest", "action_endpoint")
_FILE_LIMIT = 64 * MAX_LINE


def read_rasa(path: str, *, partition: str, locale: str | None) -> Iterator[Labelled]:
    """Utterances of a Rasa YAML file. Raises DataError with file and line for anything malformed."""
    root = _compose(path)
    nlu = _entry(root, "nlu")
    if nlu is None and any(_entry(root, key) for key in _OTHER_FILES):
        log.info("%s: left out, it holds no utterances", path)
        return
    if not isinstance(nlu, yaml.SequenceNode):
        raise DataError("this file has no list `nlu`", where=_at(path, root), wanted="nlu: - intent: NAME, examples: ...")
    left_out: dict[str, int] = {}
    dropped: Counter[str] = Counter()
    for item in nlu.value:
        intent = _entry(item, "intent")
        if intent is None:
            kind = item.value[0][0].value if isinstance(item, yaml.MappingNode) and item.value else "nothing"
            left_out[kind] = left_out.get(kind, 0) + 1
            continue
        if not isinstance(intent, yaml.ScalarNode) or not intent.value:
            raise DataError("this intent has no name", where=_at(path, intent))
        examples = _entry(item, "examples")
        if examples is None:
            raise DataError(f"the intent '{intent.value}' has no examples", where=_at(path, item))
        for line, example in _examples(path, examples):
            where = f"{path}:{line}"
            if _SURROGATE.search(example):  # YAML can name half a character, no file can hold it
                raise DataError("this example holds half a character", where=where, got=ascii(example)[:200])
            text, slots = _parse(example, where, dropped)
            yield partition, Interpretation(text, intent.value, slots, domain_of(intent.value), locale=locale or "")
    if dropped:
        said = ", ".join(f"{n} {field}" for field, n in sorted(dropped.items()))
        log.warning("%s: of entities the names alone are taken over, not: %s", path, said)
    if left_out:
        log.info("%s: left out %s", path, ", ".join(f"{n} {kind}" for kind, n in sorted(left_out.items())))


def _compose(path: str) -> yaml.MappingNode:
    try:
        raw = Path(path).read_bytes()
        if len(raw) > _FILE_LIMIT:
            raise DataError("this YAML file is too large", where=path, got=f"{len(raw)} bytes", wanted=f"at most {_FILE_LIMIT}")
        root = yaml.compose(raw.decode("utf-8-sig"), Loader=yaml.SafeLoader)
    except OSError as error:
        raise DataError("the file could not be read", where=path, got=error.strerror) from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise DataError("this line is not UTF-8", where=f"{path}:{line}", got=f"byte 0x{error.object[error.start]:02x}") from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise DataError("this is not YAML", where=f"{path}:{line}", got=error.problem) from None
    except yaml.YAMLError as error:
        raise DataError("this is not YAML", where=path, got=" ".join(str(error).split())) from None
    except RecursionError:
        raise DataError("this YAML is nested too deeply", where=path, wanted="a mapping with `version` and `nlu`") from None
    if not isinstance(root, yaml.MappingNode):
        raise DataError("this is not Rasa's training data", where=path, wanted="a mapping with `version` and `nlu`")
    return root


def _entry(node: yaml.Node, key: str) -> yaml.Node | None:
    if not isinstance(node, yaml.MappingNode):
        return None
    return next((value for name, value in node.value if name.value == key), None)


def _at(path: str, node: yaml.Node) -> str:
    return f"{path}:{node.start_mark.line + 1}"


def _examples(path: str, node: yaml.Node) -> Iterator[tuple[int, str]]:
    """Line number and text of each example: lines `- text` of a block, or a list of strings or of mappings with `text`."""
    if isinstance(node, yaml.ScalarNode):
        first = node.start_mark.line + (2 if node.style in ("|", ">") else 1)
        for offset, line in enumerate(node.value.splitlines()):
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            if not line.lstrip().startswith("-"):
                raise DataError("an example does not begin with `- `", where=f"{path}:{first + offset}", got=line[:200])
            if line.strip()[1:].strip():
                yield first + offset, line.strip()[1:].strip()
        return
    if not isinstance(node, yaml.SequenceNode):
        raise DataError("these are no examples", where=_at(path, node), wanted="a block of lines `- text`")
    for item in node.value:
        text = item if isinstance(item, yaml.ScalarNode) else _entry(item, "text")
        if not isinstance(text, yaml.ScalarNode):
            raise DataError("this example has no text", where=_at(path, item))
        if text.value.strip():
            yield text.start_mark.line + 1, text.value.strip()


def _parse(example: str, where: str, dropped: Counter[str]) -> tuple[str, tuple[Slot, ...]]:
    text, slots, at = "", [], 0
    for match in _ENTITY.finditer(example):
        text += example[at : match.start()]
        value = match["value"]
        slots.append(Slot(_name(match, where, dropped), value, len(text), len(text) + len(value)))
        text += value
        at = match.end()
    text += example[at:]
    if re.search(r"[\[\]]", text):
        raise DataError(
            "an entity is malformed", where=where, got=example[:200], wanted='[value](name) or [value]{"entity": "name"}'
        )
    return text, tuple(slots)


def _name(match: re.Match[str], where: str, dropped: Counter[str]) -> str:
    """The entity's name; what else is said of it is counted in `dropped`."""
    if match["name"]:
        written, _, value = (part.strip() for part in match["name"].partition(":"))
        dropped.update(["value"] if value else [])
        if not written:
            raise DataError("an entity has no name", where=where, got=match[0][:200], wanted="[value](name)")
        return written
    try:
        fields = json.loads(match["fields"])
        name = fields.pop("entity", None)
    except (ValueError, RecursionError) as error:
        raise DataError("the braces after an entity are not JSON", where=where, got=f"{match['fields'][:100]}: {error}") from None
    if not isinstance(name, str) or not name:
        raise DataError("the braces after an entity have no 'entity'", where=where, got=match["fields"])
    dropped.update(fields.keys())
    return name
