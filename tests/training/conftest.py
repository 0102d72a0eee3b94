"""The world that the tests of this room share."""

from __future__ import annotations

import pytest
import torch
from helpers_training import World, write_labels, write_shards, write_tokenizer


@pytest.fixture(autouse=True)
def _calm() -> None:
    """Each test starts from the same random state and takes one thread: models are tiny."""
    torch.manual_seed(0)
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    root = tmp_path_factory.mktemp("world")
    return World(write_tokenizer(root / "tok"), write_shards(root / "shards", root / "tok"), write_labels(root / "labels"))
