"""Directories and files that appear whole or not at all."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from understudy import atomic
from understudy.errors import ArtifactError

# Dies at every line of `atomic` in turn, as of a kill -9, and writes down what then stands at the path and under .NAME.old.
KILLED = """
import os, shutil, sys
from pathlib import Path
from understudy import atomic
from understudy.errors import ArtifactError

root, exchanging = Path(sys.argv[1]), sys.argv[2] == "exchanging"
if not exchanging:
    atomic._exchange = lambda one, other: False

def write(version):
    with atomic.replacing(root / "a") as draft:
        for name in "xy":
            (draft / name).write_text(version)

def dying(after):
    left = after
    def trace(frame, event, _):
        nonlocal left
        if frame.f_code.co_filename == atomic.__file__:
            left -= event == "line"
            if left < 0:
                os._exit(9)
            return trace
    return trace

lines = 0
while True:
    for there in root.iterdir():
        shutil.rmtree(there)
    write("old")
    if (child := os.fork()) == 0:
        sys.settrace(dying(lines))
        write("new")
        sys.settrace(None)
        os._exit(0)
    done = os.waitpid(child, 0)[1]
    whole = {"".join(sorted(f.name + f.read_text() for f in p.iterdir())) for p in (root / "a", root / ".a.old") if p.exists()}
    print((root / "a").exists(), *sorted(whole))
    write("next")
    assert (root / "a" / "x").read_text() == "next" and len(list(root.iterdir())) == 1
    lines += 1
    if done == 0:
        break
"""


def killed(folder: Path, how: str) -> list[list[str]]:
    done = subprocess.run([sys.executable, "-c", KILLED, str(folder), how], capture_output=True, text=True, check=True)
    return [line.split() for line in done.stdout.splitlines()]


def exchanges(folder: Path) -> bool:
    for name in ("one", "other"):
        (folder / name).mkdir(parents=True)
    return atomic._exchange(folder / "one", folder / "other")


def test_two_directories_change_places_where_both_are_there(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "x").touch()
    assert not atomic._exchange(tmp_path / "one", tmp_path / "other")
    (tmp_path / "other").mkdir()
    if not atomic._exchange(tmp_path / "one", tmp_path / "other"):
        pytest.skip("this system or file system cannot exchange two directories")
    assert (tmp_path / "other" / "x").exists()
    assert list((tmp_path / "one").iterdir()) == []


def test_a_kill_at_any_line_leaves_the_old_directory_or_the_new_one_in_its_place(tmp_path: Path) -> None:
    if not exchanges(tmp_path / "try"):
        pytest.skip("this system or file system cannot exchange two directories")
    (tmp_path / "root").mkdir()
    seen = killed(tmp_path / "root", "exchanging")
    assert len(seen) > 20
    assert all(line in (["True", "xoldyold"], ["True", "xnewynew"]) for line in seen)
    assert seen[0][1] == "xoldyold"
    assert seen[-1][1] == "xnewynew"


def test_where_two_cannot_be_exchanged_a_kill_leaves_one_of_them_whole(tmp_path: Path) -> None:
    seen = killed(tmp_path, "renaming")
    assert {tuple(line) for line in seen} == {
        ("True", "xoldyold"),
        ("False", "xoldyold"),  # between the two renames: under .NAME.old
        ("True", "xnewynew", "xoldyold"),
        ("True", "xnewynew"),
    }


def test_texts_take_the_place_of_what_stood_there(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("old")
    atomic.write_texts(tmp_path, {"a.md": "neu: ä", "b.svg": "<svg/>"})
    assert {p.name: p.read_text(encoding="utf-8") for p in tmp_path.iterdir()} == {"a.md": "neu: ä", "b.svg": "<svg/>"}


def test_a_text_that_cannot_be_written_leaves_the_old_one_and_no_draft(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("old")
    with pytest.raises(UnicodeEncodeError):
        atomic.write_texts(tmp_path, {"a.md": "half \ud800"})
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("a.md", "old")]


def test_a_file_is_written_into_a_folder_that_is_not_there_yet(tmp_path: Path) -> None:
    atomic.write_texts(tmp_path / "new" / "deep", {"a.txt": "é"})
    assert (tmp_path / "new" / "deep" / "a.txt").read_text(encoding="utf-8") == "é"


def test_what_cannot_be_written_is_told_before_anything_is(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")
    with pytest.raises(ArtifactError, match=r"file: a folder cannot be made here.*Name another place"):
        atomic.write_texts(tmp_path / "file", {"a.txt": ""})
    (tmp_path / "folder" / "b.txt").mkdir(parents=True)
    with pytest.raises(ArtifactError, match="b.txt: a file is to be written here. Got: a folder"):
        atomic.write_texts(tmp_path / "folder", {"a.txt": "", "b.txt": ""})
    assert (tmp_path / "file").read_text() == "kept"
    assert not (tmp_path / "folder" / "a.txt").exists()


def test_a_link_to_a_directory_elsewhere_stays_one(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    link = tmp_path / "here"
    link.symlink_to(tmp_path / "disk", target_is_directory=True)
    for text in ("one", "two"):
        with atomic.replacing(link) as draft:
            (draft / "file").write_text(text)
    assert link.is_symlink()
    assert (tmp_path / "disk" / "file").read_text() == "two"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["disk", "here"]
