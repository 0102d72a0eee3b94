"""Imports climb a ladder: a file imports only from rooms above its own, or from its own; and what serves needs little."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
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
    "limits",
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
    "shapes",
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
HEAVY = {  # what `pip install .` leaves out: it is enough to load and serve models
    "daft",
    "jinja2",
    "matplotlib",
    "onnx",
    "onnxscript",
    "pyarrow",
    "safetensors",
    "scipy",
    "sentencepiece",
    "torch",
    "transformers",
    "yaml",
    "zstandard",
}
SERVES = (  # the command line, what its verbs `parse` and `serve` import, and what `understudy.load` does
    "understudy.__main__",
    "understudy.runtime.session",
    "understudy.serving.process",
    "understudy.experiment.log",
    "understudy.text.stream",
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


def at_import(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """Names that a module imports when it is imported itself; of `from a import b` a and a.b, which may be a module."""
    for node in nodes:
        if isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        yield from imports(node)
        if not is_typing_guard(node) and not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from at_import(ast.iter_child_nodes(node))


def loaded(*names: str, root: Path = PACKAGE.parent) -> dict[Path, list[str]]:
    """Our files that importing these modules runs, those of their packages among them, and the names each imports."""
    found: dict[Path, list[str]] = {}
    waiting = list(names)
    while waiting:
        parts = waiting.pop().split(".")
        for stem in (root.joinpath(*parts[:n]) for n in range(1, len(parts) + 1)):
            for path in (stem.with_suffix(".py"), stem / "__init__.py"):
                if path not in found and path.is_file():
                    found[path] = list(at_import(ast.parse(path.read_text(encoding="utf-8")).body))
                    waiting += found[path]
    return found


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


def test_what_serves_imports_nothing_heavy() -> None:
    found = loaded(*SERVES)
    assert PACKAGE / "tokenizer" / "runtime.py" in found  # another room's, by way of `runtime`
    bad = [f"{path.relative_to(PACKAGE)} imports {name}" for path in found for name in found[path] if name.split(".")[0] in HEAVY]
    assert not bad


def test_imports_are_followed_through_packages_and_not_into_functions(tmp_path: Path) -> None:
    files = {
        "understudy/__init__.py": "",
        "understudy/first.py": "from understudy.room import part\nif TYPE_CHECKING:\n    import understudy.typed\n",
        "understudy/room/__init__.py": "import understudy.second as second\n",
        "understudy/room/part.py": "try:\n    import pyarrow.parquet as pq\nexcept ImportError:\n    pass\n",
        "understudy/second.py": "def later():\n    import understudy.late\n",
        "understudy/typed.py": "",
        "understudy/late.py": "",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    found = loaded("understudy.first", root=tmp_path)
    assert {path.relative_to(tmp_path).as_posix() for path in found} == set(files) - {"understudy/typed.py", "understudy/late.py"}
    assert found[tmp_path / "understudy/room/part.py"] == ["pyarrow.parquet"]
