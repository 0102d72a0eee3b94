"""Stages side by side: the same artifacts, in an order that respects inputs; what fails or is stopped leaves the rest whole."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from understudy import artifact, cli, recipe
from understudy.artifact import Manifest
from understudy.errors import RecipeError
from understudy.jobs.process import Job, log_of
from understudy.jobs.run import longest_first, next_up, run_jobs, shares
from understudy.recipe import Planned, Recipe
from understudy.study import run as studies
from understudy.study.run import Derived, Findings, Study

RECIPES = sorted((Path(__file__).parents[1] / "recipes").rglob("*.toml"))
TINY = next(path for path in RECIPES if path.stem == "tiny")
CHEAP = """
name = "cheap"

[stage.broken]
kind = "labels"
sources = [{ path = "{data_root}/broken.jsonl", format = "massive" }]

[stage.needs]
kind = "corpus"
sources = [{ labels = "broken", partition = "train" }]

[stage.traffic]
kind = "corpus"
sources = [{ path = "{data_root}/en.txt", lang = "en" }]
spoken = 0.0
valid = 0.2

[stage.tokenizer]
kind = "tokenizer"
corpus = "traffic"
vocab_size = 120
kanji = false
"""
GOOD = {"id": "1", "locale": "en-US", "partition": "train", "scenario": "a", "intent": "b", "utt": "x", "annot_utt": "x"}
TRAINING = """
name = "training"

[stage.text]
kind = "corpus"
sources = [{ builtin = "text", size = 60, languages = ["en"] }]

[stage.tokenizer]
kind = "tokenizer"
corpus = "text"
vocab_size = 150
kanji = false

[stage.tokens]
kind = "shards"
tokenizer = "tokenizer"
mix = [{ corpus = "text" }]
max_length = 16
"""
TRAINED = """
[stage.{name}]
kind = "pretrain"
data = "tokens"
tokenizer = "tokenizer"
model = {{ layers = 1, hidden = 16, ffn = 16, heads = 2, max_length = 16 }}
steps = {steps}
batch_tokens = 64
save_every = 4
compile = false
"""


def made(folder: Path, name: str) -> Manifest:
    found = artifact.peek(folder / name)
    assert found is not None, f"{name} was not made"
    return found


def planned(path: Path, *overrides: str) -> dict[str, Planned]:
    return {item.name: item for item in recipe.plan(recipe.load(path, overrides))}


# --- What can be said without running anything ---


def test_stages_come_first_that_most_others_wait_for_in_a_row(tmp_path: Path) -> None:
    path = tmp_path / "cheap.toml"
    path.write_text(CHEAP + '[stage.tokens]\nkind = "shards"\ntokenizer = "tokenizer"\nmix = [{ corpus = "traffic" }]\n')
    # traffic 3 (tokenizer, tokens), broken and tokenizer 2, needs and tokens 1
    assert longest_first(planned(path, f"data_root={tmp_path}")) == ["traffic", "broken", "tokenizer", "needs", "tokens"]


def test_a_stage_that_measures_time_runs_when_nothing_else_could_and_alone() -> None:
    plan = planned(TINY)
    report, student, twin = plan["report"], plan["student-nlu"], plan["scratch-nlu"]
    assert next_up([report, student, twin], [], 2) == [student, twin]
    assert next_up([report, student, twin], [], 1) == [student]
    assert next_up([report], [student], 2) == []
    assert next_up([report], [], 2) == [report]
    assert next_up([student], [report], 2) == []


def test_processors_and_gpus_are_shared_out() -> None:
    assert shares(3, 16, [], {}) == [{"OMP_NUM_THREADS": "5"}] * 3
    assert shares(4, 2, ["0"], {}) == [{"OMP_NUM_THREADS": "1"}] * 4
    assert shares(2, 8, [], {"OMP_NUM_THREADS": "3"}) == [{}, {}]
    devices = [share["CUDA_VISIBLE_DEVICES"] for share in shares(3, 16, ["4", "GPU-7"], {})]
    assert devices == ["4", "GPU-7", "4"]


@pytest.mark.parametrize("path", RECIPES, ids=lambda p: p.stem)
def test_a_stage_reaches_its_process_as_it_was_planned(path: Path, tmp_path: Path) -> None:
    whole = recipe.load(path, [f"artifacts={tmp_path}", f"data_root={tmp_path}"])
    for item in recipe.plan(whole):
        job = Job.model_validate_json(Job.of(whole, item).model_dump_json())
        assert job.stage() == item.config
        assert recipe.resolved(job.stage()) == recipe.resolved(item.config)
        assert job.stage().seeded(job.seed) == item.config.seeded(whole.seed)
        assert (job.inputs, job.directory) == (item.inputs, whole.directory(item.name))


def test_jobs_are_refused_under_torchrun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(RecipeError, match=r"--jobs: .*Got: 3, and 2 processes of torchrun. Wanted: 1"):
        run_jobs(recipe.load(TINY), 3)


def test_a_plan_with_jobs_makes_nothing(tmp_path: Path) -> None:
    arguments = ["run", str(TINY), f"artifacts={tmp_path / 'out'}", "--jobs", "2", "--dry-run"]
    assert "student-nlu" in CliRunner().invoke(cli.app, arguments, catch_exceptions=False).output
    assert not (tmp_path / "out").exists()


# --- Cheap stages, one of which fails ---


@pytest.fixture(scope="module")
def cheap(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    folder = tmp_path_factory.mktemp("cheap")
    (folder / "en.txt").write_text("".join(f"wake me at {word}\n" for word in ["six", "seven", "eight", "nine", "noon", "dawn"]))
    (folder / "broken.jsonl").write_text("{not json}\n")
    (folder / "cheap.toml").write_text(CHEAP)
    return recipe.load(folder / "cheap.toml", [f"data_root={folder}", f"artifacts={folder / 'out'}"])


@pytest.fixture(scope="module")
def said(cheap: Recipe) -> list[str]:
    """What the command line says of a run in which one stage fails, and its error last."""
    folder = cheap.artifacts.parent
    command = [sys.executable, "-m", "understudy", "run", str(folder / "cheap.toml"), f"data_root={folder}"]
    done = subprocess.run([*command, f"artifacts={cheap.artifacts}", "--jobs", "2"], capture_output=True, check=False)
    assert done.returncode == 2, done.stderr.decode()
    return done.stderr.decode().splitlines()


def at(said: list[str], text: str) -> int:
    return next(number for number, line in enumerate(said) if text in line)


def test_a_stage_starts_when_its_inputs_are_made_and_others_beside_it(said: list[str]) -> None:
    assert at(said, "broken: making") < at(said, "traffic: making") < at(said, "traffic: made in")
    assert at(said, "traffic: made in") < at(said, "tokenizer: making") < at(said, "tokenizer: made in")


def test_a_failing_stage_keeps_back_what_needs_it_and_nothing_else(cheap: Recipe, said: list[str]) -> None:
    assert at(said, "needs: left out, for it needs broken")
    assert not any("needs: making" in line for line in said)
    assert [path.parent.name for path in sorted(cheap.artifacts.glob("*/artifact.json"))] == ["tokenizer", "traffic"]


def test_a_failing_stage_is_told_with_the_end_of_its_log(cheap: Recipe, said: list[str]) -> None:
    told = log_of(cheap.directory("broken")).read_text().splitlines()[-1]
    assert told.startswith("error: ")
    assert "broken.jsonl:1" in told
    assert at(said, "broken: failed") < at(said, told)
    assert said[-1] == f"error: broken: {told.removeprefix('error: ')}"


def test_what_was_made_side_by_side_is_what_one_process_makes(cheap: Recipe, said: list[str], tmp_path: Path) -> None:
    folder = cheap.artifacts.parent
    alone = recipe.load(folder / "cheap.toml", [f"data_root={folder}", f"artifacts={tmp_path}"])
    recipe.run(alone, only=["traffic", "tokenizer"])
    for name in ("traffic", "tokenizer"):
        one, other = made(tmp_path, name), made(cheap.artifacts, name)
        assert (one.fingerprint, one.hash, one.files) == (other.fingerprint, other.hash, other.files)


def test_a_study_goes_on_side_by_side_with_what_is_there(
    cheap: Recipe, said: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    (cheap.artifacts.parent / "broken.jsonl").write_text(json.dumps(GOOD) + "\n")
    study = Study("s", "S", {}, ["broken", "tokenizer"], lambda found: Findings([], [made(found.artifacts, "broken").kind]))
    page = studies.run(Derived(study, cheap, studies.needed(cheap, study.wanted)), jobs=2)
    assert page is not None
    assert "labels" in page
    assert [message for message in caplog.messages if "made in" in message] == [caplog.messages[-1]]
    assert caplog.messages[-1].startswith("broken: made in")


# --- Trainings that are stopped ---


@pytest.fixture(scope="module")
def training(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe of three trainings, whose inputs are made; all but one go on for as long as they are let."""
    path = tmp_path_factory.mktemp("training") / "training.toml"
    path.write_text(
        TRAINING + "".join(TRAINED.format(name=name, steps=steps) for name, steps in [("a", 60), ("b", 100_000), ("c", 100_000)])
    )
    recipe.run(trained(path, path.parent / "out"), only=["text", "tokenizer", "tokens"])
    return path


def trained(path: Path, folder: Path) -> Recipe:
    return recipe.load(path, [f"artifacts={folder}"])


def wait_for_checkpoint(process: subprocess.Popen[bytes], scratch: Path) -> None:
    while process.poll() is None and not any(scratch.rglob("*.safetensors")):
        time.sleep(0.005)
    assert process.poll() is None, "it ended before it had a checkpoint"


def test_a_stopped_run_saves_starts_nothing_and_goes_on_to_the_same_bits(training: Path, tmp_path: Path) -> None:
    whole = trained(training, training.parent / "out")
    command = [sys.executable, "-m", "understudy", "run", str(training), f"artifacts={whole.artifacts}", "--jobs", "2"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, stderr=subprocess.PIPE, env=environment)
    wait_for_checkpoint(process, whole.artifacts / ".a.scratch")
    process.terminate()
    _, said = process.communicate()
    assert process.returncode == 128 + signal.SIGTERM
    assert b"asked to stop; waiting for a, b" in said
    assert {item.name: item.state for item in recipe.plan(whole)}["a"] == "resume"
    assert not (whole.artifacts / ".c.scratch").exists()

    recipe.run(whole, only=["a"])
    undisturbed = trained(training, tmp_path)
    for name in ("text", "tokenizer", "tokens"):
        (tmp_path / name).symlink_to(whole.directory(name))
    recipe.run(undisturbed, only=["a"])
    assert made(whole.artifacts, "a").files["model.safetensors"] == made(tmp_path, "a").files["model.safetensors"]


def test_a_process_whose_parent_died_saves_and_leaves(training: Path) -> None:
    whole = trained(training, training.parent / "out")
    item = next(item for item in recipe.plan(whole, only=["c"]))
    with (training.parent / "said.log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-m", "understudy", "job"], stdin=subprocess.PIPE, stderr=log)
    assert process.stdin is not None
    process.stdin.write(Job.of(whole, item).model_dump_json().encode() + b"\n")
    process.stdin.flush()
    wait_for_checkpoint(process, whole.artifacts / ".c.scratch")
    process.stdin.close()
    assert process.wait() == 128 + signal.SIGTERM
    assert recipe.judged(whole, item).state == "resume"
