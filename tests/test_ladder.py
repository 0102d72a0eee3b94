"""Imports climb a ladder: a file imports only from rooms above its own, or from its own."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import understudy

PACKAGE = Path(understudy.__file__).parent
LADDER = [
    "errors",
    "toml",
    "config",
    "atomic",
    "manifest",
    "artifact",
    "progress",
    "interpretation",
    "text",
    "tokenizer",
    "corpus",
    "runtime",
    "model",
    "training",
    "evaluation",
    "export",
    "serving",
    "experiment",
    "stages",
    "seeds",
    "recipe",
    "planner",
    "jobs",
    "study",
    "cli_shared",
    "cli_stage",
    "cli_study",
    "cli_experiment",
    "cli",
]
HEAVY = {"torch", "sentencepiece", "daft", "transformers", "pyarrow", "safetensors", "matplotlib", "jinja2"}
RUNS_WITHOUT_TORCH = (
    "errors",
    "toml",
    "config",
    "atomic",
    "manifest",
    "artifact",
    "progress",
    "interpretation",
    "text",
    "runtime",
    "serving",
)
FILES = sorted(PACKAGE.rglob("*.py"))


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        assert node.level == 0, "relative import"
        module = node.module or ""
        return [f"{module}.{alias.name}" for alias in node.names] if module == "understudy" else [module]
    return []


def is_typing_guard(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_imports_only_from_rooms_above(path: Path) -> None:
    if room(path) in ("__init__", "__main__"):
        return
    assert room(path) in LADDER, f"{room(path)} has no place on the ladder"
    allowed = set(LADDER[: LADDER.index(room(path)) + 1])
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        for name in imports(node):
            parts = name.split(".")
            if parts[0] == "understudy" and len(parts) > 1 and parts[1] != "__version__":
                assert parts[1] in allowed, f"{path.name}:{node.lineno} imports {name}"  # type: ignore[attr-defined]


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_only_the_command_line_imports_inside_functions(path: Path) -> None:
    if room(path) in ("cli", "cli_shared", "cli_stage", "cli_study", "cli_experiment", "__init__"):
        return
    for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            found = [n.lineno for n in ast.walk(function) if isinstance(n, ast.Import | ast.ImportFrom)]
            assert not found, f"{path.name}:{found} imports inside {function.name}"


@pytest.mark.parametrize("path", [p for p in FILES if room(p) in RUNS_WITHOUT_TORCH], ids=lambda p: p.name)
def test_what_serves_imports_nothing_heavy(path: Path) -> None:
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        for name in imports(node):
            assert name.split(".")[0] not in HEAVY, f"{path.name} imports {name}"
