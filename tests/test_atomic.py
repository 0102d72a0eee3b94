"""Files that appear whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from understudy import atomic


def test_texts_take_the_place_of_what_stood_there(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("old")
    atomic.write_texts(tmp_path, {"a.md": "neu: ä", "b.svg": "<svg/>"})
    assert {p.name: p.read_text(encoding="utf-8") for p in tmp_path.iterdir()} == {"a.md": "neu: ä", "b.svg": "<svg/>"}


def test_a_text_that_cannot_be_written_leaves_the_old_one_and_no_draft(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("old")
    with pytest.raises(UnicodeEncodeError):
        atomic.write_texts(tmp_path, {"a.md": "half \ud800"})
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("a.md", "old")]
