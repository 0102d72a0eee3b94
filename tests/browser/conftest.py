"""A browser, and a server process with two different models to show in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from browsing import browsing, chromium
from helpers_server import PATIENT, running
from helpers_tiny import export, write_nlu

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Of a module, not of the session: while it lives a loop runs in this thread, and other tests want theirs there."""
    pytest.importorskip("playwright", reason="needs playwright: pip install '.[dev]'")
    path = chromium()
    if path is None:
        pytest.skip("needs Chromium (Debian: apt-get install chromium), or CHROMIUM with the path of one")
    with browsing(path) as browser:
        yield browser


@pytest.fixture(scope="session")
def strict_dir(tokenizer_dir: Path) -> Path:
    """Another random model, for which everything is out of domain, and which reads spoken form."""
    folder = tokenizer_dir.parent
    nlu = write_nlu(folder / "strict-nlu", tokenizer_dir, seed=1, threshold=1.0, spoken=True)
    return export(nlu, folder / "strict", precision="fp32")


@pytest.fixture(scope="module")
def url(runtime_dir: Path, strict_dir: Path) -> Iterator[str]:
    with running("--model", f"main={runtime_dir}", "--model", f"strict={strict_dir}", PATIENT) as (_, url):
        yield url


@pytest.fixture
def page(browser: Browser, url: str) -> Iterator[Page]:
    """The playground; a script that fails in it fails the test."""
    with browser.new_context() as context:
        page, failed = context.new_page(), []
        page.on(
            "pageerror", lambda error: failed.append(error)
        )  # playwright marks its listeners, and a method of a list cannot be marked
        page.goto(url)
        page.wait_for_selector("#model option", state="attached")
        yield page
        assert failed == []
