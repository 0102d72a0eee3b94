"""Artifacts appear whole, explain themselves, and are refused when damaged."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest

from understudy import artifact
from understudy.artifact import Artifact
from understudy.errors import ArtifactError


def write(path: Path, content: str = "hello", **options: object) -> Artifact:
    with artifact.writing(path, kind="corpus", config={"a": 1}, **options) as draft:  # type: ignore[arg-type]
        (draft.path / "rows.txt").write_text(content)
        draft.metrics["rows"] = 1
    return artifact.open(path)


def test_round_trip_keeps_config_metrics_and_files(tmp_path: Path) -> None:
    made = write(tmp_path / "x", seed=7)
    assert (made.kind, made.config, made.metrics, made.manifest.seed) == ("corpus", {"a": 1}, {"rows": 1}, 7)
    assert (made.path / "rows.txt").read_text() == "hello"


def test_nothing_but_the_artifact_and_its_lock_remains(tmp_path: Path) -> None:
    write(tmp_path / "x")
    assert sorted(p.name for p in tmp_path.iterdir()) == [".x.lock", "x"]


def test_hash_depends_on_content_only(tmp_path: Path) -> None:
    same, other = write(tmp_path / "y", seed=3), write(tmp_path / "z", "other")
    assert write(tmp_path / "x").hash == same.hash != other.hash


def test_lineage_names_parents_by_relative_path_and_hash(tmp_path: Path) -> None:
    parent = write(tmp_path / "x")
    child = write(tmp_path / "y", parents={"x": parent})
    assert child.manifest.parents["x"].path == "x"
    assert child.manifest.parents["x"].hash == parent.hash


def test_fingerprint_follows_the_content_of_parents(tmp_path: Path) -> None:
    before = write(tmp_path / "y", parents={"x": write(tmp_path / "x")}).manifest.fingerprint
    again = write(tmp_path / "y", parents={"x": write(tmp_path / "x")}).manifest.fingerprint
    after = write(tmp_path / "y", parents={"x": write(tmp_path / "x", "changed")}).manifest.fingerprint
    assert before == again != after


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda p: (p / "rows.txt").unlink(), "missing"),
        (lambda p: (p / "rows.txt").write_text("hell"), "truncated"),
        (lambda p: (p / "rows.txt").write_text("hellO"), "altered"),
        (lambda p: (p / "rows.txt").write_text("hello!"), "altered"),
        (lambda p: (p / "artifact.json").write_text("{"), "damaged"),
        (lambda p: (p / "artifact.json").write_text("[]"), "damaged"),
        (lambda p: (p / "artifact.json").unlink(), "not an artifact"),
        (lambda p: (p / "artifact.json").write_text(json.dumps({"schema": 99})), "schema"),
    ],
)
def test_damage_is_refused_by_name(tmp_path: Path, damage: object, said: str) -> None:
    made = write(tmp_path / "x")
    damage(made.path)  # type: ignore[operator]
    with pytest.raises(ArtifactError, match=said):
        artifact.open(made.path)


def test_wrong_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="Got: corpus. Wanted: nlu or runtime"):
        artifact.open(write(tmp_path / "x").path, kind=("nlu", "runtime"))


def test_missing_path_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="no such artifact"):
        artifact.open(tmp_path / "nowhere")


def test_failure_leaves_the_old_artifact_and_no_draft(tmp_path: Path) -> None:
    old = write(tmp_path / "x")
    with pytest.raises(ZeroDivisionError), artifact.writing(tmp_path / "x", kind="corpus", config={"a": 2}) as draft:
        (draft.path / "rows.txt").write_text("half")
        _ = 1 / 0
    assert artifact.open(tmp_path / "x").hash == old.hash
    assert not (tmp_path / ".x.tmp").exists()


def test_disk_full_says_so_and_leaves_the_old_artifact(tmp_path: Path) -> None:
    old = write(tmp_path / "x")
    with (
        pytest.raises(ArtifactError, match="No space left on device"),
        artifact.writing(tmp_path / "x", kind="corpus", config={}) as draft,
        Path("/dev/full").open("w") as full,
    ):
        (draft.path / "rows.txt").write_text("half")
        full.write("x" * 100_000)
        full.flush()
    assert artifact.open(tmp_path / "x").hash == old.hash


def test_unwritable_folder_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(ArtifactError, match="could not be written"),
        artifact.writing(tmp_path / "file" / "x", kind="corpus", config={}),
    ):
        pass


def test_foreign_folder_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "thesis.tex").write_text("years of work")
    with (
        pytest.raises(ArtifactError, match="not an artifact stands here"),
        artifact.writing(tmp_path / "x", kind="corpus", config={}),
    ):
        pass
    assert (tmp_path / "x" / "thesis.tex").exists()


def test_two_writers_of_one_artifact_do_not_meet(tmp_path: Path) -> None:
    with (
        artifact.writing(tmp_path / "x", kind="corpus", config={}),
        pytest.raises(ArtifactError, match="another process"),
        artifact.writing(tmp_path / "x", kind="corpus", config={}),
    ):
        pass
    assert artifact.open(tmp_path / "x").kind == "corpus"


def _write_and_hang(path: Path) -> None:
    with artifact.writing(path, kind="corpus", config={"a": 1}) as draft:
        (draft.path / "rows.txt").write_text("half")
        (draft.scratch / "checkpoint").write_text("step 3")
        time.sleep(60)


def test_kill_leaves_scratch_for_the_same_work_only(tmp_path: Path) -> None:
    worker = multiprocessing.get_context("spawn").Process(target=_write_and_hang, args=(tmp_path / "x",))
    worker.start()
    scratch = tmp_path / ".x.scratch" / "checkpoint"
    while not scratch.exists():
        time.sleep(0.01)
    assert worker.pid is not None
    os.kill(worker.pid, signal.SIGKILL)
    worker.join()
    mark = artifact.fingerprint("corpus", {"a": 1}, {}, 0)
    assert artifact.interrupted(tmp_path / "x", mark)
    assert not artifact.interrupted(tmp_path / "x", "other")
    with artifact.writing(tmp_path / "x", kind="corpus", config={"a": 1}) as draft:
        assert (draft.scratch / "checkpoint").exists()
        assert not (draft.path / "rows.txt").exists()
    with pytest.raises(RuntimeError), artifact.writing(tmp_path / "x", kind="corpus", config={"a": 1}) as draft:
        (draft.scratch / "checkpoint").write_text("step 3")
        raise RuntimeError
    with artifact.writing(tmp_path / "x", kind="corpus", config={"a": 2}) as draft:
        assert not (draft.scratch / "checkpoint").exists()


def test_errno_of_this_platform_names_a_full_disk() -> None:
    assert os.strerror(errno.ENOSPC) == "No space left on device"


def test_a_folder_of_artifacts_is_told_from_an_artifact(tmp_path: Path) -> None:
    for name, kind in (("labels", "corpus"), ("student", "nlu"), ("runtime", "runtime")):
        with artifact.writing(tmp_path / name, kind=kind, config={}) as draft:
            (draft.path / "x").write_text("x")
    with pytest.raises(ArtifactError, match=r"It holds artifacts: runtime, student. Name one of them, such as .*/runtime\."):
        artifact.open(tmp_path, kind=("runtime", "nlu"))
    with pytest.raises(ArtifactError, match=r"no such artifact\. .*Did you mean 'runtime'\?"):
        artifact.open(tmp_path / "runtme")


@pytest.mark.parametrize("content", ['{"kind": "nlu", "schema": 1}', '{"kind": "nlu"}', "[1]", "\\xff", "{"])
def test_a_damaged_manifest_is_told_without_the_parsers_words(tmp_path: Path, content: str) -> None:
    (tmp_path / "artifact.json").write_text(content)
    with pytest.raises(ArtifactError) as raised:
        artifact.open(tmp_path)
    assert str(raised.value).endswith(
        "artifact.json: the manifest is damaged. Wanted: the JSON that understudy wrote. "
        "Restore the file, or delete the artifact and run its stage again."
    )


def test_an_error_of_the_work_itself_is_not_taken_for_another_writer(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="could not be written"), artifact.writing(tmp_path / "a", kind="corpus", config={}):
        raise BlockingIOError(11, "pipe full")
