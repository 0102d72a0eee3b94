"""Fixtures for the whole suite."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def data_root() -> Path:
    """Folder with real data (massive/, public/, ud/, xnli/, text_norm/); tests that need it skip where it is absent."""
    root = Path(os.environ.get("UNDERSTUDY_DATA") or Path(__file__).parents[2] / "shared" / "data")
    if not (root / "massive").is_dir():
        pytest.skip(f"no real data at {root}; set UNDERSTUDY_DATA")
    return root
