"""Fixtures for the whole suite."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from helpers_tiny import export, write_fifty_pieces, write_nlu, write_tokenizer


@pytest.fixture(scope="session")
def data_root() -> Path:
    """Folder with real data (massive/, public/, ud/, xnli/, text_norm/); tests that need it skip where it is absent."""
    root = Path(os.environ.get("UNDERSTUDY_DATA") or Path(__file__).parents[2] / "shared" / "data")
    if not (root / "massive").is_dir():
        pytest.skip(f"no real data at {root}; set UNDERSTUDY_DATA")
    return root


@pytest.fixture(scope="session")
def tokenizer_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tokenizer(tmp_path_factory.mktemp("tiny") / "tokenizer")


@pytest.fixture(scope="session")
def nlu_dir(tokenizer_dir: Path) -> Path:
    return write_nlu(tokenizer_dir.parent / "nlu", tokenizer_dir)


@pytest.fixture(scope="session")
def runtime_dir(nlu_dir: Path) -> Path:
    return export(nlu_dir, nlu_dir.parent / "runtime", precision="fp32")


@pytest.fixture
def fifty_pieces(tmp_path: Path) -> Path:
    return write_fifty_pieces(tmp_path / "tokenizer")
