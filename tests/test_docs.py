"""What the documents say is so."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from understudy.config import StageConfig
from understudy.stages import CONFIGS

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])
COMMAND = re.compile(r"^ {4}(?:\.venv/bin/)?understudy (.+?)(?:\s{2,}#.*)?$", re.MULTILINE)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: p.name)
def test_links_lead_somewhere(path: Path) -> None:
    text = re.sub(r"`[^`\n]*`", "", path.read_text(encoding="utf-8"))
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        if "://" not in target:
            assert (path.parent / target).exists(), target


def verbs() -> list[str]:
    found = {match.split()[0] for path in DOCUMENTS for match in COMMAND.findall(path.read_text(encoding="utf-8"))}
    return sorted(found)


@pytest.mark.parametrize("verb", verbs())
def test_every_verb_in_the_documents_exists(verb: str) -> None:
    done = subprocess.run([sys.executable, "-m", "understudy", *shlex.split(verb), "--help"], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()


@pytest.mark.parametrize("kind", CONFIGS)
def test_every_key_of_every_stage_is_documented(kind: str) -> None:
    text = (ROOT / "docs" / "recipe.md").read_text(encoding="utf-8")
    section = text.split(f"## `{kind}`")[1].split("\n## ")[0]
    for key in CONFIGS[kind].model_fields.keys() - StageConfig.model_fields.keys():
        assert key == "kind" or f"| `{key}` |" in section, key


def test_every_key_that_all_stages_have_is_documented() -> None:
    section = (ROOT / "docs" / "recipe.md").read_text(encoding="utf-8").split("## Every stage")[1].split("\n## ")[0]
    assert all(f"| `{key}` |" in section for key in StageConfig.model_fields)


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
