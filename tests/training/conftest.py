"""The world that the tests of this room share."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest
import torch
from helpers_training import World, write_labels, write_shards, write_tokenizer

from understudy.model import layout


@pytest.fixture(autouse=True)
def _calm() -> None:
    """Each test starts from the same random state and takes one thread: models are tiny."""
    torch.manual_seed(0)
    torch.set_num_threads(1)


@pytest.fixture(params=[False, True], ids=["rows as they are", "rows filled up"])
def rows(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also with rows added to what is multiplied, as where products are compiled for their shape."""
    monkeypatch.setattr(layout, "compiles_shapes", lambda x: request.param)
    monkeypatch.setattr(layout, "EVEN_T", 4)


@pytest.fixture
def _interruptible() -> Iterator[None]:
    """Ctrl-C counts, as at a terminal: shells let what they run in the background ignore it, and whoever is started there does."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    root = tmp_path_factory.mktemp("world")
    return World(write_tokenizer(root / "tok"), write_shards(root / "shards", root / "tok"), write_labels(root / "labels"))
