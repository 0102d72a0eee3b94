"""The container, the compose file and the unit start what this repository has, with the rules such files should keep."""

from __future__ import annotations

import configparser
import json
import re
import shlex
from pathlib import Path

import pytest
import yaml

from understudy import cli
from understudy.serving.openapi import PUBLIC
from understudy.serving.process import load_models, settings

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"


@pytest.fixture(scope="module")
def steps() -> list[tuple[str, str]]:
    """Instructions of the Dockerfile with their arguments, continued lines joined."""
    text = re.sub(r"\\\n\s*", "", (DEPLOY / "Dockerfile").read_text())
    return [(line.split()[0], line.split(maxsplit=1)[1]) for line in text.splitlines() if line and not line.startswith("#")]


def of(steps: list[tuple[str, str]], name: str) -> list[str]:
    return [rest for step, rest in steps if step == name]


def served(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Models and settings among the arguments of `understudy serve`, which must take them all."""
    command = cli.typer.main.get_command(cli.app).commands["serve"]  # type: ignore[attr-defined]
    context = command.make_context("serve", list(arguments))
    settings(context.params["settings"] or [], host=context.params["host"], port=context.params["port"])
    return context.params["models"], context.params["settings"] or []


def test_bases_are_pinned_and_known(steps: list[tuple[str, str]]):
    builds, runs = (base.split(" AS ")[0] for base in of(steps, "FROM"))
    assert builds == runs.replace("-slim", ""), "the same Python, or the copied environment finds another; with a compiler"
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+", runs)


def test_nobody_is_root_and_nothing_is_fetched_unseen(steps: list[tuple[str, str]]):
    assert not of(steps, "ADD")
    assert of(steps, "USER")[-1] not in ("root", "0")
    last_stage = [step for step, _ in steps][[step for step, _ in steps].index("FROM", 1) :]
    assert last_stage.index("USER") < last_stage.index("ENTRYPOINT")
    runs = " ".join(of(steps, "RUN"))
    assert not re.search(r"\b(sudo|curl|wget|apt-get)\b", runs)
    assert "--no-cache-dir" in runs
    assert "--constraint constraints.txt" in runs


def test_what_is_copied_exists_and_is_let_through(steps: list[tuple[str, str]]):
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    for line in of(steps, "COPY"):
        if not line.startswith("--from"):
            for source in line.split()[:-1]:
                assert (ROOT / source).exists(), source
                assert f"!{source.removeprefix('./')}" in ignored, source


def test_the_container_starts_the_server_as_the_command_line_takes_it(steps: list[tuple[str, str]]):
    command = json.loads(of(steps, "ENTRYPOINT")[0]) + json.loads(of(steps, "CMD")[0])
    assert command[:2] == ["understudy", "serve"]
    assert served(command[2:]) == (["/models/main"], [])
    assert of(steps, "EXPOSE") == ["8080"]


def test_the_health_check_is_a_program_that_asks_a_public_path(steps: list[tuple[str, str]]):
    [program] = [json.loads(check.split("CMD", 1)[1]) for check in of(steps, "HEALTHCHECK")]
    compile(program[2], "health", "exec")
    [path] = re.findall(r"http://127\.0\.0\.1:8080(/\w+)", program[2])
    assert path in PUBLIC


def test_compose(steps: list[tuple[str, str]]):
    service = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]["understudy"]
    assert (DEPLOY / service["build"]["context"] / service["build"]["dockerfile"]).exists()
    entry = json.loads(of(steps, "ENTRYPOINT")[0])
    models, _ = served([*entry[2:], *service["command"]])
    [volume] = service["volumes"]
    assert all(model.partition("=")[2].startswith(volume["target"] + "/") for model in models)
    assert all(port.startswith("127.0.0.1:") for port in service["ports"]), "not to the world unless somebody says so"
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    assert "UNDERSTUDY_TOKEN" in service["environment"]


def test_the_unit():
    unit = configparser.ConfigParser(interpolation=None, strict=False)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read(DEPLOY / "understudy.service")
    program, verb, *arguments = shlex.split(unit["Service"]["ExecStart"])
    assert (Path(program).name, verb) == ("understudy", "serve")
    assert served(arguments)[0] == ["main=/var/lib/understudy/main"]
    assert "-HUP" in unit["Service"]["ExecReload"]
    assert unit["Service"]["DynamicUser"] == "yes"


def test_models_are_read_as_written(runtime_dir: Path):
    assert list(load_models([str(runtime_dir), f"de={runtime_dir}"])) == [runtime_dir.name, "de"]
