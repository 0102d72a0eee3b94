"""The command line: what it prints, and how it says no: one paragraph, exit code 2, nothing half-written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import typer
from rich import markup

from understudy.cli import app

sys.path.insert(0, str(Path(__file__).parent))


def understudy(*arguments: object, stdin: bytes = b"", columns: int | None = None) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "understudy", *(str(a) for a in arguments)]
    environment = {k: v for k, v in os.environ.items() if k != "COLUMNS"} | ({"COLUMNS": str(columns)} if columns else {})
    return subprocess.run(command, input=stdin, capture_output=True, check=False, env=environment)


def refused(done: subprocess.CompletedProcess[bytes]) -> str:
    message = done.stderr.decode()
    assert done.returncode == 2, message
    assert "Traceback" not in message
    assert message.startswith("error: ")
    return message


def labels(tmp_path: Path, content: bytes, name: str = "en-US.jsonl") -> subprocess.CompletedProcess[bytes]:
    (tmp_path / name).write_bytes(content)
    source = f'sources=[{{ path = "{tmp_path / name}", format = "massive" }}]'
    return understudy("labels", tmp_path / "out", source)


def row(**changes: object) -> bytes:
    whole = {
        "id": "1",
        "locale": "en-US",
        "partition": "train",
        "scenario": "alarm",
        "intent": "alarm_set",
        "utt": "wake me",
        "annot_utt": "wake me",
    }
    return json.dumps(whole | changes).encode() + b"\n"


def test_the_version_is_that_of_the_package() -> None:
    assert understudy("--version").stdout.decode() == f"understudy {version('understudy')}\n"


def test_a_good_file_makes_an_artifact(tmp_path: Path) -> None:
    assert labels(tmp_path, row()).returncode == 0
    assert (tmp_path / "out" / "artifact.json").exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (row() + row(annot_utt="wake [time : me"), "en-US.jsonl:2"),
        (row() + b"{not json}\n", "en-US.jsonl:2"),
        (row() + row(annot_utt="wake you"), "en-US.jsonl:2"),
        (b"\xff\xfe" + row(), "en-US.jsonl:1"),
        (row(utt="x" * 2_000_000, annot_utt="x" * 2_000_000), "en-US.jsonl:1"),
        (b"", "en-US.jsonl"),
    ],
    ids=["brackets", "json", "disagrees", "encoding", "too-long", "empty"],
)
def test_a_bad_labelled_file_is_named_with_its_line(tmp_path: Path, content: bytes, said: str) -> None:
    assert said in refused(labels(tmp_path, content))
    assert not (tmp_path / "out").exists()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    done = understudy("labels", tmp_path / "out", f'sources=[{{ path = "{tmp_path / "none.jsonl"}", format = "massive" }}]')
    assert "none.jsonl" in refused(done)


def test_an_empty_corpus_is_refused(tmp_path: Path) -> None:
    (tmp_path / "de.txt").write_text("\n\n")
    done = understudy("corpus", tmp_path / "out", f'sources=[{{ path = "{tmp_path / "de.txt"}", lang = "de" }}]')
    assert "de.txt" in refused(done)
    assert not (tmp_path / "out").exists()


def test_a_misspelt_key_names_the_nearest(tmp_path: Path) -> None:
    assert "Did you mean 'alpha'" in refused(
        understudy("corpus", tmp_path / "out", "alhpa=1", 'sources=[{ builtin = "text", size = 1 }]')
    )


def test_a_missing_recipe_is_named(tmp_path: Path) -> None:
    assert "no such recipe" in refused(understudy("run", tmp_path / "none.toml"))


def test_a_model_that_is_no_artifact_is_named(tmp_path: Path) -> None:
    assert "no such artifact" in refused(understudy("parse", "--model", tmp_path / "none", "hello"))


def test_what_names_no_language_is_refused(tmp_path: Path) -> None:
    done = understudy("parse", "--model", tmp_path / "none", "--lang", "de DE", "hello")
    assert "this names no language. Got: de DE. Wanted: such as de, de-DE or pt_BR." in refused(done)


def test_an_unknown_language_of_spoken_form_is_refused() -> None:
    assert "xx" in refused(understudy("spoken", "--lang", "xx", stdin=b"1\n"))


def test_spoken_reads_and_writes_lines() -> None:
    done = understudy("spoken", "--lang", "en", "--both", stdin=b"Set an alarm for 7:30AM\n\nok\n")
    assert done.stdout.decode().splitlines() == ["Set an alarm for 7:30AM\tset an alarm for seven thirty a. m.", "\t", "ok\tok"]


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (b"", b""),
        (b"\n", b"\n"),
        (b"no end 5", b"no end five\n"),
        (b"a\0b 5\r\n", b"a b five\n"),
        (b"5 " * 100_000, b"five " * 99_999 + b"five\n"),
    ],
    ids=["empty", "empty-line", "no-line-end", "nul", "long-line"],
)
def test_spoken_of_odd_input(given: bytes, wanted: bytes) -> None:
    done = understudy("spoken", "--lang", "en", stdin=given)
    assert (done.returncode, done.stdout) == (0, wanted)


def test_spoken_names_the_line_that_is_not_utf8_behind_those_before_it() -> None:
    done = understudy("spoken", "--lang", "en", stdin=b"one 1\n\xff\n")
    assert "stdin line 2" in refused(done)
    assert done.stdout == b"one one\n"


def test_spoken_ends_quietly_when_its_reader_has_enough(tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(b"five 5\n" * 100_000)
    with (tmp_path / "in").open("rb") as lines:
        command = [sys.executable, "-m", "understudy", "spoken", "--lang", "en"]
        process = subprocess.Popen(command, stdin=lines, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert process.stdout is not None
        assert process.stdout.readline() == b"five five\n"
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == b""
        assert process.wait() == 1
        process.stderr.close()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_spoken_says_that_the_disk_is_full() -> None:
    with Path("/dev/full").open("wb") as full:
        command = [sys.executable, "-m", "understudy", "spoken", "--lang", "en"]
        done = subprocess.run(command, input=b"5\n", stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith(b"error: stdout: the output could not be written")
    assert b"Traceback" not in done.stderr


def test_show_prints_what_an_artifact_says_of_itself(tmp_path: Path) -> None:
    labels(tmp_path, row())
    done = understudy("show", tmp_path / "out")
    assert json.loads(done.stdout)["kind"] == "labels"


def test_the_disk_is_full(tmp_path: Path) -> None:
    """A file size limit stands in for a full disk: writes past it fail in the same place."""
    (tmp_path / "de.txt").write_text("".join(f"zeile nummer {n}\n" for n in range(20_000)))
    script = "import resource, signal, sys\nsignal.signal(signal.SIGXFSZ, signal.SIG_IGN)\nresource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))\nfrom understudy.cli import main\nmain()\n"
    setting = f'sources=[{{ path = "{tmp_path / "de.txt"}", lang = "de" }}]'
    done = subprocess.run(
        [sys.executable, "-c", script, "corpus", str(tmp_path / "out"), setting, "spoken=0.0"], capture_output=True, check=False
    )
    assert "could not be written" in refused(done)
    assert not (tmp_path / "out").exists()


def test_a_stage_verb_does_not_replace_an_artifact_of_another_kind(tmp_path: Path) -> None:
    labels(tmp_path, row())
    done = understudy("tokenizer", "train", tmp_path / "out", f"corpus={tmp_path}", "vocab_size=100")
    assert "an artifact of another kind stands here. Got: labels. Wanted: tokenizer." in refused(done)
    assert (tmp_path / "out" / "train.jsonl").exists()


def helps(command: Any, path: str = "understudy") -> Iterator[tuple[str, str]]:
    """Each verb with what its help says, of itself and of what it takes."""
    yield from ((path, said) for said in (command.help, *(getattr(p, "help", None) for p in command.params)) if said)
    for name, below in getattr(command, "commands", {}).items():
        yield from helps(below, f"{path} {name}")


def test_no_help_loses_a_word_as_markup() -> None:
    found = list(helps(typer.main.get_command(app)))
    assert len({path for path, _ in found}) > 30
    assert [(path, said) for path, said in found if markup.render(said).plain != said.replace("\\[", "[")] == []


def test_the_help_of_a_study_names_the_table_it_wants() -> None:
    assert "[study]" in understudy("study", "claims", "--help").stdout.decode()


def test_off_a_terminal_a_table_is_as_wide_as_what_it_holds_or_as_columns_says(tmp_path: Path) -> None:
    name = "long/" * 30 + "name"
    stage = f'[stage."{name}"]\nkind = "corpus"\nsources = [{{ builtin = "text", size = 1 }}]'
    (tmp_path / "wide.toml").write_text(f'name = "wide"\n{stage}')
    piped, cut = (understudy("run", tmp_path / "wide.toml", "--dry-run", columns=columns) for columns in (None, 70))
    heading, row = piped.stdout.decode().splitlines()
    assert row.startswith(f"{name}  corpus  ")
    assert len(heading) == len(row)
    assert max(map(len, cut.stdout.decode().splitlines())) == 70
