"""Every command of docs/serving.md is executed, and every name in it exists."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import yaml
from helpers_server import running

from understudy.serving.app import AppConfig
from understudy.serving.measures import Measures
from understudy.serving.openapi import document
from understudy.serving.process import ServeConfig
from understudy.serving.protocol import Limits

TEXT = (Path(__file__).parents[2] / "docs" / "serving.md").read_text(encoding="utf-8")
SERVES = re.findall(r"^ {4}understudy serve (.+)$", TEXT, re.MULTILINE)
ASKS = re.findall(r"^ {4}curl (.+)$", TEXT, re.MULTILINE)


@pytest.fixture(scope="module")
def url(runtime_dir: Path, experiment: Path) -> Iterator[str]:
    models = ["--model", f"old={runtime_dir}", "--model", f"new={runtime_dir}"]
    with running(*models, "--experiment", experiment, "--events", experiment.with_name("asked.db")) as (_, url):
        yield url


@pytest.fixture(scope="module")
def experiment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "experiment.toml"
    path.write_text('name = "page"\nsalt = "a secret"\n[arms]\nold = 0.9\nnew = 0.1\n')
    return path


@pytest.mark.parametrize("command", SERVES)
def test_every_server_of_the_page_starts(command: str, runtime_dir: Path, experiment: Path):
    files = {"experiment.toml": experiment, "events.db": experiment.with_name("events.db")}
    words = [word.replace("artifacts/tiny/runtime", str(runtime_dir)) for word in shlex.split(command)]
    with running(*(files.get(word, word) for word in words)) as (_, url):
        assert httpx.get(f"{url}/ready").status_code == 200


@pytest.mark.parametrize("command", ASKS)
def test_every_question_of_the_page_is_answered(command: str, url: str):
    words = [word.replace("http://127.0.0.1:8080", url) for word in shlex.split(command)]
    assert subprocess.run(["curl", "--silent", "--fail", *words], capture_output=True, check=True).stdout


def test_every_setting_is_on_the_page():
    table = TEXT.split("## Settings")[1].split("\n## ")[0]
    names = [*(ServeConfig.model_fields.keys() - {"limits"}), *(f"limits.{name}" for name in Limits.model_fields)]
    assert [name for name in names if f"`{name}`" not in table] == []
    for name, default in (("batch_tokens", AppConfig().batch_tokens), ("limits.timeout_ms", Limits().timeout_ms)):
        assert f"| `{name}` | {default:.0f} |" in table


def test_every_path_and_counter_is_on_the_page():
    assert all(path in TEXT for path in document(token=False)["paths"])
    for line in Measures().text().decode().splitlines():
        if line.startswith("# TYPE") and not line.split()[2].endswith("_created"):
            assert line.split()[2] in TEXT, line


def test_probes_ask_what_is_served():
    probes = yaml.safe_load(TEXT.split("```yaml")[1].split("```")[0])
    asked = [probe["httpGet"]["path"] for probe in probes.values() if isinstance(probe, dict)]
    assert asked
    assert set(asked) <= document(token=False)["paths"].keys()
