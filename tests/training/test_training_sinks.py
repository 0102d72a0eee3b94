"""What tools that draw curves are told: the figures of `log.jsonl`, each update once, and nothing unless asked."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping
from importlib import util
from pathlib import Path
from typing import Any

import pytest
from helpers_training import SHAPE, World, run_stage

from understudy import artifact
from understudy.config import parse
from understudy.errors import RecipeError
from understudy.training import distill, finetune, pretrain
from understudy.training.distill import DistillConfig
from understudy.training.finetune import FinetuneConfig
from understudy.training.journal import CLOCK, Journal, figures
from understudy.training.outcome import Step
from understudy.training.pretrain import PretrainConfig
from understudy.training.sinks import Sink, Tool, Watch, each

FAST: dict[str, Any] = {"precision": "fp32", "compile": False}
SHORT = {"data": "shards", "tokenizer": "tok", "model": SHAPE, "batch_tokens": 128, "eval_every": 2, **FAST}


def pretraining(**settings: Any) -> PretrainConfig:
    return parse(PretrainConfig, {**SHORT, "steps": 4, **settings}, where="stage.teacher")


def write(scratch: Path, runs: Path, numbers: range, *, tools: tuple[Tool, ...]) -> None:
    """The journal of a process that makes these updates; the loss of the third is 0.3, and 1.3 if made a second time."""
    with Journal(scratch / "log.jsonl", after=numbers.start - 1, watch=Watch(tools, runs / "teacher")) as journal:
        for number in numbers:
            loss = number / 10 + (scratch / "again").exists()
            journal.step(Step(number, loss, {"mlm": loss, "mlm.de": loss}, 64, 1.0, 0.01, 0.5))
        journal.line({"step": number, "valid": {"loss": 2.0, "mlm.de": 3.0}})
        journal.flush()
    (scratch / "again").touch()


def events(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Every scalar of a run by its name, as TensorBoard shows it: update and value."""
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    read = accumulator.EventAccumulator(str(folder), size_guidance={"scalars": 0}).Reload()
    return {name: [(e.step, e.value) for e in read.Scalars(name)] for name in read.Tags()["scalars"]}


def only(folder: Path) -> Path:
    (found,) = folder.iterdir()
    return found


def test_names_of_figures_by_hand() -> None:
    line = {"step": 3, "loss": 1.5, "mlm.de": 2, "grad_norm": None, "skipped": True}
    assert figures(line) == {"train/loss": 1.5, "train_mlm/de": 2.0, "train/skipped": 1.0}
    assert figures({"step": 3, "valid": {"loss": 0.5, "mlm.ja": 1.0}}) == {"valid/loss": 0.5, "valid_mlm/ja": 1.0}


def test_a_resumed_run_goes_on_in_the_same_event_curves_with_each_update_once(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    write(tmp_path, tmp_path / "runs", range(1, 6), tools=("tensorboard",))
    write(tmp_path, tmp_path / "runs", range(4, 8), tools=("tensorboard",))
    found = events(only(tmp_path / "runs" / "teacher"))
    assert found["train/loss"] == [
        (n, pytest.approx(v)) for n, v in zip(range(1, 8), (0.1, 0.2, 0.3, 1.4, 1.5, 1.6, 1.7), strict=True)
    ]
    assert found["train_mlm/de"] == found["train/loss"]
    assert found["valid/loss"] == [(7, 2.0)]  # that of update 5 was made before the update was made again


def test_a_tool_that_is_asked_for_later_is_told_all_that_went_before(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    write(tmp_path, tmp_path / "runs", range(1, 6), tools=())
    write(tmp_path, tmp_path / "runs", range(6, 8), tools=("tensorboard",))
    found = events(only(tmp_path / "runs" / "teacher"))
    assert [step for step, _ in found["train/loss"]] == [1, 2, 3, 4, 5, 6, 7]
    assert [step for step, _ in found["valid/loss"]] == [5, 7]


def test_a_run_that_begins_anew_has_curves_of_its_own(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        write(tmp_path / name, tmp_path / "runs", range(1, 3), tools=("tensorboard",))
    runs = [*(tmp_path / "runs" / "teacher").iterdir()]
    assert [len(events(run)["train/loss"]) for run in runs] == [2, 2]


def test_event_files_of_a_stage_say_what_its_log_says_and_stay_beside_it(world: World, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    made = run_stage(pretrain.run, pretraining(log_to=["tensorboard"]), tmp_path / "teacher", world.inputs)
    found = events(only(tmp_path / ".runs" / "teacher"))
    wanted: dict[str, list[tuple[int, float]]] = {}
    for line in map(json.loads, (made.path / "log.jsonl").read_text().splitlines()):
        for name, value in figures(line).items():
            wanted.setdefault(name, []).append((line["step"], pytest.approx(value, rel=1e-6)))
    assert {name: values for name, values in found.items() if name.removeprefix("train/") not in CLOCK} == wanted
    assert len(found["train/tflops"]) == len(wanted["train/loss"]) == 4


@pytest.mark.parametrize(("turns", "names"), [(1, {"student"}), (2, {"student.turn-0", "student.turn-1"})])
def test_every_turn_of_a_distillation_is_a_run(world: World, tmp_path: Path, turns: int, names: set[str]) -> None:
    pytest.importorskip("tensorboard")
    teacher = run_stage(pretrain.run, pretraining(steps=1), tmp_path / "teacher", world.inputs)
    config = {**SHORT, "teachers": [{"use": "teacher", "steps": 1}] * turns, "log_to": ["tensorboard"]}
    distilling = parse(DistillConfig, config, where="stage.student")
    run_stage(distill.run, distilling, tmp_path / "student", {**world.inputs, "teacher": teacher})
    assert {path.name for path in (tmp_path / ".runs").iterdir()} == names


def test_a_finetune_stage_tells_what_it_measures(world: World, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    table = {"model": SHAPE, "tokenizer": "tok", "data": "labels", "steps": 2, "held_out": 0.2, "log_to": ["tensorboard"], **FAST}
    run_stage(finetune.run, parse(FinetuneConfig, table, where="x"), tmp_path / "nlu", world.inputs, kind="nlu")
    assert {"train/loss", "valid/exact"} <= set(events(only(tmp_path / ".runs" / "nlu")))


def test_nothing_is_told_unless_asked(world: World, tmp_path: Path) -> None:
    run_stage(pretrain.run, pretraining(), tmp_path / "teacher", world.inputs)
    assert {path.name for path in tmp_path.iterdir()} == {"teacher", ".teacher.lock"}
    write(tmp_path, tmp_path / "runs", range(1, 3), tools=())
    assert not (tmp_path / "runs").exists()


def test_who_is_told_changes_nothing_that_is_made() -> None:
    pytest.importorskip("tensorboard")
    marks = {
        artifact.fingerprint("encoder", config.model_dump(mode="json"), {}, 0)
        for config in (pretraining(), pretraining(log_to=["tensorboard"]))
    }
    assert len(marks) == 1


@pytest.mark.parametrize("tool", ["tensorboard", "wandb", "mlflow"])
def test_a_tool_that_is_not_installed_is_named_before_anything_runs(tool: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, tool, None)  # type: ignore[arg-type]
    with pytest.raises(RecipeError, match=rf"^stage\.teacher\.log_to: .*pip install '\.\[{tool}\]'"):
        pretraining(log_to=[tool])


@pytest.mark.skipif(util.find_spec("wandb") is not None, reason="wandb is installed")
def test_a_folder_that_wandb_left_is_not_wandb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "wandb").mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(RecipeError, match="wandb is not installed"):
        pretraining(log_to=["wandb"])


def test_a_tool_that_fails_is_left_and_the_others_go_on(caplog: pytest.LogCaptureFixture) -> None:
    class Server(Sink):
        told = 0

        def __init__(self, breaks_at: int) -> None:
            self.breaks_at = breaks_at

        def line(self, step: int, values: Mapping[str, float]) -> None:
            self.told += 1
            if step == self.breaks_at:
                raise ConnectionError("gone")

    broken, well = Server(2), Server(0)
    sinks: list[Sink] = [broken, well]
    with caplog.at_level(logging.WARNING):
        for step in (1, 2, 3):
            each(sinks, lambda sink, step=step: sink.line(step, {}))  # type: ignore[misc]
    assert (broken.told, well.told) == (2, 3)
    assert [record.message for record in caplog.records] == ["Server failed and is told no more of this run: gone"]


@pytest.mark.filterwarnings("ignore")  # of the libraries that mlflow stands on
def test_mlflow_is_told_each_update_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    write(tmp_path, tmp_path / "runs", range(1, 6), tools=("mlflow",))
    write(tmp_path, tmp_path / "runs", range(4, 8), tools=("mlflow",))
    client = mlflow.MlflowClient()
    (run,) = client.search_runs(["0"])
    assert (run.info.run_name, run.info.status) == ("teacher", "FINISHED")
    assert [m.step for m in client.get_metric_history(run.info.run_id, "train_mlm/de")] == [1, 2, 3, 4, 5, 6, 7]
    assert [m.step for m in client.get_metric_history(run.info.run_id, "valid/loss")] == [5, 7]
