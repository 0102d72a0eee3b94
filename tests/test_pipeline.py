"""The tiny recipe, made tinier, from text to report: killed in one stage after another, and never."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from understudy import artifact

RECIPE = Path(__file__).parents[1] / "recipes" / "tiny.toml"
LANGUAGES = 'languages = ["de", "en", "ja"]'
QUICK = {"batch_tokens": 512, "eval_tokens": 2000, "save_every": 3, "compile": "false"}
MODEL = "{ layers = 2, hidden = 32, ffn = 64, heads = 2, max_length = 64, dropout = 0.1, attention_dropout = 0.0 }"
SMALL = [
    f'stage.public.sources=[{{ builtin = "text", size = 150, {LANGUAGES} }}]',
    f'stage.traffic.sources=[{{ builtin = "traffic", size = 300, {LANGUAGES} }}]',
    'stage.labels.languages=["de", "en", "ja"]',
    'stage.labels.sources=[{ builtin = "assistant", size = { train = 20, dev = 10 } }]',
    "stage.tokenizer.vocab_size=900",
    *(f"stage.{name}.{key}={value}" for name in ("teacher", "teacher2", "assistant", "assistant-alone", "student") for key, value in QUICK.items()),
    *(f"stage.{name}.steps=8" for name in ("teacher", "teacher2", "assistant-alone")),
    *(f"stage.{name}.model={MODEL}" for name in ("teacher", "assistant", "student", "scratch-nlu")),
    'stage.assistant.teachers=[{ use = "teacher", data = "stage1-tokens", steps = 6 }, { use = "teacher2", steps = 6 }]',
    'stage.student.teachers=[{ use = "assistant-alone", steps = 8 }]',
    "stage.student.layer_map=[0, 1]",
    *(f"stage.{name}.{key}={value}" for name in ("student-nlu", "assistant-nlu", "scratch-nlu") for key, value in {"epochs": 3, "save_every": 2, "compile": "false"}.items()),
    "stage.report.latency_calls=5",
]  # fmt: skip
# Killed as soon as the stage has left something: a draft, or a checkpoint where it keeps some.
KILLED = ("traffic", "tokenizer", "stage2-tokens", "teacher", "assistant", "student", "scratch-nlu", "runtime", "report")
KEEPS_CHECKPOINTS = {"teacher", "assistant", "student", "scratch-nlu"}


def start(folder: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "understudy", "run", str(RECIPE), f"artifacts={folder}", *SMALL]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment)


def finish(folder: Path) -> str:
    process = start(folder)
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output.decode()
    return output.decode()


def kill_in(folder: Path, stage: str) -> bool:
    """Start a run and kill it with SIGKILL inside `stage`; whether it was caught before it was through."""
    process = start(folder)
    begun = folder / f".{stage}.tmp"
    scratch = folder / f".{stage}.scratch"
    while process.poll() is None:
        reached = any(scratch.rglob("*.safetensors")) if stage in KEEPS_CHECKPOINTS else begun.exists()
        if reached:
            os.kill(process.pid, signal.SIGKILL)
            break
        time.sleep(0.002)
    process.communicate()
    return process.returncode == -signal.SIGKILL


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("undisturbed")
    return folder, finish(folder)


def results(folder: Path) -> object:
    report = json.loads((folder / "report" / "report.json").read_text())
    return {name: report[name] for name in ("models", "relative_error_change", "confusions", "slot_mistakes")}


def test_a_run_ends_with_tables_latency_examples_and_the_report(undisturbed: tuple[Path, str]) -> None:
    folder, output = undisturbed
    for wanted in ("student", "scratch", "assistant", "SemER", "p99", "report.html"):
        assert wanted in output
    assert (folder / "report" / "report.html").stat().st_size > 10_000


def test_killed_in_one_stage_after_another_it_ends_the_same(undisturbed: tuple[Path, str], tmp_path: Path) -> None:
    caught = {stage: kill_in(tmp_path, stage) for stage in KILLED}
    assert sum(caught.values()) >= len(KILLED) - 1, caught  # a stage of milliseconds may get through
    finish(tmp_path)
    assert results(tmp_path) == results(undisturbed[0])
    for stage in ("teacher", "assistant", "student", "student-nlu", "runtime"):
        assert artifact.open(tmp_path / stage).hash == artifact.open(undisturbed[0] / stage).hash, stage


def test_a_second_run_skips_everything(undisturbed: tuple[Path, str]) -> None:
    folder, _ = undisturbed
    assert finish(folder).count("cached") == 17
