"""Encoders kept on the way: equal to those of runs that stopped there, in spite of kills, and usable by number."""

from __future__ import annotations

import itertools
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from helpers_training import SHAPE, World, run_stage
from safetensors.torch import load_file

from understudy.artifact import Artifact
from understudy.config import parse
from understudy.errors import ArtifactError, RecipeError
from understudy.model.folder import load_encoder
from understudy.training import distill, finetune, pretrain
from understudy.training.distill import DistillConfig
from understudy.training.finetune import FinetuneConfig
from understudy.training.pretrain import PretrainConfig

FAST: dict[str, Any] = {"precision": "fp32", "compile": False}
MASKED: dict[str, Any] = {
    "data": "shards",
    "tokenizer": "tok",
    "model": SHAPE,
    "batch_tokens": 128,
    "optimizer": {"lr": 5e-3},
    "schedule": {"warmup": 0, "decay": "constant"},
    "eval_every": 100,
    "save_every": 2,
    **FAST,
}
KEPT = (50, 100)


def pretraining(**settings: Any) -> PretrainConfig:
    return parse(PretrainConfig, {**MASKED, "steps": 12, "keep_examples": KEPT, **settings}, where="stage.teacher")


@pytest.fixture(scope="module")
def teacher(world: World, tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return run_stage(pretrain.run, pretraining(), tmp_path_factory.mktemp("t") / "teacher", world.inputs)


def seen(path: Path) -> list[int]:
    """Examples seen after each update."""
    lines = map(json.loads, (path / "log.jsonl").read_text().splitlines())
    return list(itertools.accumulate(line["examples"] for line in lines if "loss" in line))


def test_examples_are_sequences(world: World, teacher: Artifact) -> None:
    epoch = len(world.tokens().lengths)
    counted = seen(teacher.path)
    assert epoch in counted  # no batch reaches over the end of an epoch
    assert teacher.metrics["examples"] == counted[-1]


def test_what_is_kept_is_the_encoder_of_a_run_that_stopped_there(world: World, teacher: Artifact, tmp_path: Path) -> None:
    counted = seen(teacher.path)
    for asked, entry in zip(KEPT, teacher.metrics["checkpoints"], strict=True):
        updates = next(i for i, n in enumerate(counted, 1) if n >= asked)
        assert (entry["checkpoint"], entry["updates"], entry["examples"]) == (asked, updates, counted[updates - 1])
        config = pretraining(steps=updates, keep_examples=[])
        stopped = run_stage(pretrain.run, config, tmp_path / str(asked), world.inputs)
        folder = teacher.path / "checkpoints" / str(asked)
        assert (folder / "model.safetensors").read_bytes() == (stopped.path / "model.safetensors").read_bytes()
        assert load_encoder(folder).config == load_encoder(stopped.path).config
        for figure in ("valid_loss", "perplexity", "perplexity_by_language"):
            assert entry[figure] == stopped.metrics[figure]


def test_keeping_changes_nothing_else(world: World, teacher: Artifact, tmp_path: Path) -> None:
    without = run_stage(pretrain.run, pretraining(keep_examples=[]), tmp_path / "without", world.inputs)
    assert (without.path / "model.safetensors").read_bytes() == (teacher.path / "model.safetensors").read_bytes()
    assert not (without.path / "checkpoints").exists()
    assert "checkpoints" not in without.metrics


@pytest.mark.parametrize("left", [("step-00000010",), ()])
def test_a_killed_run_keeps_what_it_kept(
    left: tuple[str, ...], world: World, teacher: Artifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut off at the end with its newest checkpoint lost: it goes on after all milestones, or begins again."""
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(pretrain, "finish", interrupt)
        run_stage(pretrain.run, pretraining(), tmp_path / "killed", world.inputs)
    scratch = tmp_path / ".killed.scratch"
    for checkpoint in scratch.glob("step-*"):
        if checkpoint.name not in left:
            shutil.rmtree(checkpoint)
    again = run_stage(pretrain.run, pretraining(), tmp_path / "killed", world.inputs)
    assert again.hash == teacher.hash
    assert again.metrics["checkpoints"] == teacher.metrics["checkpoints"]


def interrupt(*_: Any) -> None:
    raise KeyboardInterrupt


def test_a_run_too_short_for_one_says_so(world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    made = run_stage(pretrain.run, pretraining(steps=1, keep_examples=[10_000]), tmp_path / "short", world.inputs)
    assert "no encoder was kept for 10000" in caplog.text
    assert "checkpoints" not in made.metrics


def test_several_teachers_count_the_last_ones_turn(world: World, teacher: Artifact, tmp_path: Path) -> None:
    turns = [{"use": "teacher", "steps": 6}, {"use": "teacher", "checkpoint": 50, "steps": 4}]
    config = parse(DistillConfig, {**MASKED, "teachers": turns, "keep_examples": [50]}, where="stage.student")
    student = run_stage(distill.run, config, tmp_path / "student", {**world.inputs, "teacher": teacher})
    [entry] = student.metrics["checkpoints"]
    assert 1 < entry["updates"] <= 4
    assert entry["valid_loss"] > 0
    assert load_encoder(student.path / "checkpoints" / "50").config == load_encoder(student.path).config


def test_a_checkpoint_is_gone_on_from_and_fine_tuned_by_its_number(world: World, teacher: Artifact, tmp_path: Path) -> None:
    inputs = {**world.inputs, "teacher": teacher}
    folder = teacher.path / "checkpoints" / "50"
    table = {"encoder": "teacher", "data": "labels", "mode": "frozen", "steps": 1, "checkpoint": 50, **FAST}
    config = parse(FinetuneConfig, table, where="stage.nlu")
    nlu = run_stage(finetune.run, config, tmp_path / "nlu", inputs, kind="nlu")
    body = {n: w for n, w in load_file(folder / "model.safetensors").items() if n.startswith("roberta")}
    found = load_file(nlu.path / "model.safetensors")
    assert all((found[name] == weight).all() for name, weight in body.items())

    going_on = {"init": "teacher", "model": None, "checkpoint": 50, "keep_examples": [], "steps": 1, "optimizer": {"lr": 1e-9}}
    second = run_stage(pretrain.run, pretraining(**going_on), tmp_path / "second", inputs)
    words = "roberta_prelayernorm.embeddings.word_embeddings.weight"
    assert (load_file(second.path / "model.safetensors")[words] - body[words]).abs().max() < 1e-6


def test_a_checkpoint_that_was_not_kept_is_named(world: World, teacher: Artifact, tmp_path: Path) -> None:
    inputs = {**world.inputs, "teacher": teacher}
    table = {"encoder": "teacher", "data": "labels", "checkpoint": 80, **FAST}
    with pytest.raises(ArtifactError, match=r"keeps no such checkpoint\. Got: 80\. Wanted: one of 50, 100\. Name it under keep_"):
        run_stage(finetune.run, parse(FinetuneConfig, table, where="stage.nlu"), tmp_path / "nlu", inputs, kind="nlu")


@pytest.mark.parametrize(
    ("config", "table", "message"),
    [
        (PretrainConfig, {**MASKED, "steps": 1, "checkpoint": 5}, "'checkpoint' goes with 'init'"),
        (FinetuneConfig, {"model": SHAPE, "tokenizer": "tok", "data": "labels", "checkpoint": 5}, "goes with 'encoder'"),
        (PretrainConfig, {**MASKED, "steps": 1, "keep_examples": [0]}, "Wanted: more than 0"),
    ],
)
def test_checkpoints_that_cannot_be_meant_are_refused(config: Any, table: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        parse(config, table, where="stage.x")
