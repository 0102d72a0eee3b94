"""A tiny tokenizer, model and runtime, made once."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers_tiny import export, write_nlu, write_tokenizer


@pytest.fixture(scope="session")
def tokenizer_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tokenizer(tmp_path_factory.mktemp("tiny") / "tokenizer")


@pytest.fixture(scope="session")
def nlu_dir(tokenizer_dir: Path) -> Path:
    return write_nlu(tokenizer_dir.parent / "nlu", tokenizer_dir)


@pytest.fixture(scope="session")
def runtime_dir(nlu_dir: Path) -> Path:
    return export(nlu_dir, nlu_dir.parent / "runtime", precision="fp32")
