"""The small world of the training tests, and a teacher in it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "training"))

from helpers_training import World, run_stage, write_labels, write_shards, write_tokenizer
from launch import Workers

from understudy.artifact import Artifact
from understudy.training import pretrain
from understudy.training.pretrain import PretrainConfig


@pytest.fixture(scope="session")
def workers() -> Iterator[Workers]:
    made = Workers()
    yield made
    made.close()


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    root = tmp_path_factory.mktemp("world")
    tokenizer = write_tokenizer(root / "tok")
    return World(tokenizer, write_shards(root / "shards", tokenizer.path), write_labels(root / "labels"))


@pytest.fixture(scope="session")
def teacher(world: World, tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    shape = {"layers": 3, "hidden": 48, "ffn": 64, "heads": 2, "max_length": 32, "dropout": 0.0, "attention_dropout": 0.0}
    settings = {"data": "shards", "tokenizer": "tok", "model": shape, "steps": 5, "batch_tokens": 200, "precision": "fp32"}
    config = PretrainConfig.model_validate(settings)
    return run_stage(pretrain.run, config, tmp_path_factory.mktemp("teacher") / "teacher", world.inputs)
