"""What the documents say is so.

Where settings have changed, `DOCS=write pytest tests/test_docs.py` writes their tables in docs/recipe.md anew; what stands around
them there is written by hand.
"""

from __future__ import annotations

import os
import re
import shlex
import tomllib
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest
import typer
from helpers_reference import GENERATED

from understudy.cli import app

ROOT = Path(__file__).parents[1]
RECIPES = ROOT / "docs" / "recipe.md"
DOCUMENTS = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])
COMMAND = re.compile(r"^ {4,}(?:\$ |\S*/|.* -m |-m )?understudy (.+)$|`(?:\$ )?understudy ([^`]+)`", re.MULTILINE)
GENERATED_PART = re.compile(r"<!-- keys: (.+?) -->\n(.*?)<!-- end -->\n", re.DOTALL)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: p.name)
def test_links_lead_somewhere(path: Path) -> None:
    text = re.sub(r"`[^`\n]*`", "", path.read_text(encoding="utf-8"))
    for target, anchor in re.findall(r"\]\(([^)#]*)#?([^)]*)\)", text):
        if "://" not in target:
            page = path.parent / target if target else path
            assert page.exists(), target
            assert not anchor or anchor in anchors(page), f"{target}#{anchor}"


def anchors(page: Path) -> set[str]:
    """What links can say after `#`: headings in small letters, with hyphens for spaces and without punctuation."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def commands() -> list[str]:
    """Every command line of the documents, without `understudy` and without comments."""
    found = [m[1] or m[2] for path in DOCUMENTS for m in COMMAND.finditer(path.read_text(encoding="utf-8"))]
    return sorted({re.split(r"\s+#\s", " ".join(line.split("\n")))[0].strip() for line in found})


def check_command(command: Any, words: list[str]) -> None:
    """Follow the words of a command line down the tree of commands, without running anything."""
    name = "understudy"
    for word in takewhile(lambda word: word not in ("--", "|", "&&", ";"), words):
        if word.startswith("-") and not re.match(r"-(\d|$)", word):  # no number, nor stdin
            options = {"--help"}.union(*([*param.opts, *param.secondary_opts] for param in command.params))
            assert word.split("=")[0] in options, f"{name} has no option {word}"
        elif hasattr(command, "commands"):  # a group; a word in capitals stands for any of its commands
            if word.isupper():
                return
            assert word in command.commands, f"{name} has no command '{word}'"
            command, name = command.commands[word], f"{name} {word}"


@pytest.mark.parametrize("line", commands())
def test_every_command_in_the_documents_exists_with_its_options(line: str) -> None:
    check_command(typer.main.get_command(app), shlex.split(line))


@pytest.mark.parametrize(
    "line", ["stdy run", "evaluate nlp", "study claims recipe.toml --budget 5", "--jobs 2 run recipe.toml", "show --data=D"]
)
def test_a_command_or_option_that_does_not_exist_is_noticed(line: str) -> None:
    with pytest.raises(AssertionError, match="has no"):
        check_command(typer.main.get_command(app), shlex.split(line))


def stage_verbs(group: Any, path: str = "") -> list[str]:
    """The commands that take a stage's settings and nothing else."""
    if not hasattr(group, "commands"):
        return [path.strip()] if {param.name for param in group.params} == {"out", "settings", "seed"} else []
    return [verb for name, command in group.commands.items() for verb in stage_verbs(command, f"{path} {name}")]


def test_the_recipe_page_names_every_stage_verb() -> None:
    said = RECIPES.read_text(encoding="utf-8").split("Every stage is also a verb")[1].split("\n\n")[0]
    for verb in stage_verbs(typer.main.get_command(app)):
        assert f"`{verb}`" in said or f"`understudy {verb} " in said, verb


def test_the_recipe_page_has_every_generated_part() -> None:
    assert sorted(name for name, _ in GENERATED_PART.findall(RECIPES.read_text(encoding="utf-8"))) == sorted(GENERATED)


@pytest.mark.parametrize("name", GENERATED)
def test_keys_are_documented_as_the_code_has_them(name: str) -> None:
    text = RECIPES.read_text(encoding="utf-8")
    [found] = [part for part in GENERATED_PART.finditer(text) if part[1] == name]
    wanted = f"\n{GENERATED[name]()}\n\n"
    if os.environ.get("DOCS") == "write":
        RECIPES.write_text(text[: found.start(2)] + wanted + text[found.end(2) :], encoding="utf-8")
    else:
        assert found[2] == wanted, "docs/recipe.md is not what the code says: DOCS=write pytest tests/test_docs.py"


def test_the_rooms_of_the_pipeline_page_are_those_of_the_package() -> None:
    text = (ROOT / "docs" / "pipeline.md").read_text(encoding="utf-8").split("## The rooms")[1].split("\n## ")[0]
    named = set(re.findall(r"`([a-z_]+?)(?:/|\.py)`", text))
    package = ROOT / "understudy"
    rooms = {p.name for p in package.iterdir() if (p / "__init__.py").exists()} | {p.stem for p in package.glob("[a-z]*.py")}
    assert rooms <= named | {"tinyworld"}, rooms - named


def test_constraints_pin_what_the_project_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = [*project["dependencies"], *(d for extra in project["optional-dependencies"].values() for d in extra)]
    names = {re.match(r"[A-Za-z0-9_.-]+", line)[0].lower().replace("_", "-") for line in asked}  # type: ignore[index]
    pins = (ROOT / "constraints.txt").read_text().splitlines()
    pinned = {line.split("==")[0].lower().replace("_", "-") for line in pins if "==" in line}
    assert names <= pinned, names - pinned
