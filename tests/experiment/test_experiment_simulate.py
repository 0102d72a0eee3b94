"""Simulated users, from two models to the page; and every command of the document."""

from __future__ import annotations

import json
import re
import shlex
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from understudy import artifact
from understudy.cli import app
from understudy.corpus.formats import write_row
from understudy.corpus.utterances import LabelSource, read_labelled
from understudy.errors import DataError
from understudy.experiment.analysis import analyse
from understudy.experiment.events import read
from understudy.experiment.offline import offline, read_gold
from understudy.experiment.page import markdown
from understudy.experiment.simulate import SimulateConfig, simulate
from understudy.interpretation import Interpretation

DOCUMENT = Path(__file__).parents[2] / "docs" / "experiments.md"
COMMANDS = re.findall(r"^ {4}understudy (.+?)(?:\s{2,}#.*)?$", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)


@pytest.fixture(scope="module")
def gold() -> list[Interpretation]:
    source = LabelSource(builtin="assistant", size={"dev": 150}, languages=("de", "en"))
    return [row for _, row in read_labelled(source)]


def model(gold: list[Interpretation], share: float) -> list[Interpretation]:
    """Wrong in `share` of the utterances."""
    generator = np.random.default_rng(round(100 * share))
    return [replace(row, intent="wrong") if generator.random() < share else row for row in gold]


@pytest.fixture(scope="module")
def world(gold: list[Interpretation], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """The log of an experiment with a much better candidate, and what is true of it."""
    path = tmp_path_factory.mktemp("world") / "events.db"
    config = SimulateConfig(users=600, days=5, before=5)
    return path, simulate(gold, model(gold, 0.5), model(gold, 0.2), path, config)


def test_an_analysis_finds_what_is_true(world: tuple[Path, dict[str, Any]]) -> None:
    path, true = world
    rows = {row.name: row for row in analyse(read(path), head=50).rows}
    for name in ("A/B", "A/B, CUPED", "sequential"):
        assert rows[name].change_interval is not None
        low, high = rows[name].change_interval
        assert low < true["true change %"] < high < 0
    assert rows["tail A/B"].requests[0] < rows["A/B"].requests[0]
    assert rows["sequential, baseline arm"].p > 0.01


def test_the_page_of_a_simulated_log_says_so(world: tuple[Path, dict[str, Any]]) -> None:
    path, true = world
    page = markdown(analyse(read(path)))
    assert "**Simulated**" in page
    assert f"true change {true['true change %']} %," in page
    assert "right 0.06, wrong 0.4" in page


def test_the_same_seed_gives_the_same_events(gold: list[Interpretation], tmp_path: Path) -> None:
    config = SimulateConfig(users=20, days=2, before=1, told=0.5)
    dumps = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        simulate(gold, gold, model(gold, 0.5), tmp_path / name, config, seed=seed)
        connection = sqlite3.connect(tmp_path / name)
        dumps.append(list(connection.iterdump()))
        connection.close()
    assert dumps[0] == dumps[1] != dumps[2]
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a", "b", "c"]


def test_a_log_is_not_written_over(gold: list[Interpretation], world: tuple[Path, dict[str, Any]]) -> None:
    with pytest.raises(DataError, match="never written over"):
        simulate(gold, gold, gold, world[0], SimulateConfig())


def test_a_name_that_is_taken_is_refused_before_models_are_loaded(tmp_path: Path) -> None:
    models = ["--baseline", "nowhere", "--candidate", "nowhere", "--labels", "nowhere"]
    result = CliRunner().invoke(app, ["experiment", "simulate", str(tmp_path), *models])
    assert "never written over" in str(result.exception)


def test_users_who_ask_nothing_are_refused(gold: list[Interpretation], tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nobody asks anything"):
        simulate(gold, gold, gold, tmp_path / "log", SimulateConfig(users=2, days=1, before=0, requests_per_day=1e-9))
    assert not list(tmp_path.iterdir())


def test_outcomes_that_are_not_told_are_unknown(gold: list[Interpretation], tmp_path: Path) -> None:
    simulate(gold, gold, gold, tmp_path / "log", SimulateConfig(users=100, days=5, before=0, told=0.3))
    assert np.mean(read(tmp_path / "log").known) == pytest.approx(0.3, abs=0.06)


def test_offline_semer_by_hand() -> None:
    right = [Interpretation(f"text {n}", "a", locale=locale) for locale in ("de-DE", "en-US") for n in range(100)]
    half = [replace(row, intent="b") if n % 2 else row for n, row in enumerate(right)]
    fifth = [replace(row, intent="b") if n % 5 == 0 else row for n, row in enumerate(right)]
    found = offline(right, half, fifth)
    assert (found.n, found.baseline, found.candidate, found.change) == (200, 50, 20, pytest.approx(-60))
    assert found.interval is not None
    assert found.interval[0] < -60 < found.interval[1] <= 0
    assert offline(right, right, half).change is None


def test_offline_translations_are_drawn_together() -> None:
    german = [Interpretation(f"text {n}", "a", locale="de-DE") for n in range(40)]
    both = german + [replace(row, locale="en-US") for row in german]
    old, new = ([replace(row, intent="b") if n % 40 % step == 0 else row for n, row in enumerate(both)] for step in (2, 5))
    # Two locales with the same mistakes know no more than one of them.
    assert offline(both, old, new).interval == pytest.approx(offline(german, old[:40], new[:40]).interval)


def test_labels_are_read_from_an_artifact_and_from_a_folder(labels: Path, tmp_path: Path) -> None:
    (tmp_path / "en-US.jsonl").write_text('{"utt": "hi", "annot_utt": "hi", "intent": "greet", "partition": "dev"}\n')
    assert [row.text for row in read_gold(tmp_path)] == ["hi"]
    assert len(read_gold(labels)) == 300
    for path in (labels, tmp_path):
        with pytest.raises(DataError, match="partition"):
            read_gold(path, partition="test")


@pytest.fixture(scope="module")
def labels(gold: list[Interpretation], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("labels") / "labels"
    with artifact.writing(folder, kind="labels", config={}) as draft:
        (draft.path / "dev.jsonl").write_text("".join(f"{write_row(row)}\n" for row in gold))
    return folder


@pytest.fixture
def here(labels: Path, nlu_dir: Path, runtime_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory where the document's commands find what they name."""
    tiny = tmp_path / "artifacts" / "tiny"
    tiny.mkdir(parents=True)
    for name, path in (("labels", labels), ("student-nlu", runtime_dir), ("scratch-nlu", nlu_dir)):
        (tiny / name).symlink_to(path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def understudy(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_the_commands_of_the_document_run(here: Path) -> None:
    said = [understudy(*shlex.split(command)) for command in COMMANDS]
    assert len(said) == 7
    assert "days" in said[1]
    assert "true change" in said[2]
    for name in ("analysis.md", "analysis.json", "change.svg", "days.svg"):
        assert (here / "events.db.analysis" / name).is_file()
    found = json.loads((here / "analysis" / "analysis.json").read_text())
    assert [row["name"] for row in found["rows"]][:1] == ["A/B"]
    assert found["offline"]["n"] == 300
    assert json.loads(said[5])["experiment"]["name"] == "simulated"
    assert (here / "angry.db").is_file()


def test_the_settings_and_the_python_of_the_document_are_true(here: Path) -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    (here / "experiment.toml").write_text(re.findall(r"```toml\n(.*?)```", text, re.DOTALL)[0])
    [code] = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    # What serves needs neither torch nor what draws.
    code += "import sys\nassert not {'torch', 'scipy', 'matplotlib', 'pyarrow'} & set(sys.modules)\n"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, text=True)
    assert done.returncode == 0, done.stderr
    assert read(here / "events.db").dissatisfied.tolist() == [1]


def test_the_keys_of_a_simulation_are_documented() -> None:
    text = DOCUMENT.read_text(encoding="utf-8").split("## Simulated users")[1]
    for key in SimulateConfig.model_fields.keys() - {"users", "days"}:
        assert f"`{key}`" in text, key


def test_semer_needs_both_models(world: tuple[Path, dict[str, Any]], labels: Path) -> None:
    result = CliRunner().invoke(app, ["experiment", "analyse", str(world[0]), "--labels", str(labels)])
    assert "both models" in str(result.exception)


def test_analysis_needs_no_torch() -> None:
    code = "import sys, understudy.experiment.page, understudy.experiment.simulate; assert 'torch' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
