"""The event log: what goes in comes out, what must not be in it is not, and a kill -9 does no harm."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from understudy.errors import DataError
from understudy.experiment import log as logs
from understudy.experiment.config import ExperimentConfig
from understudy.experiment.events import Agreement, read
from understudy.experiment.log import EventLog, create
from understudy.interpretation import Interpretation, Slot

ALARM = Interpretation("wake me at six", "alarm_set", (Slot("time", "six", 11, 14),), confidence=0.9)
OTHER = Interpretation("wake me at six", "alarm_set", (), confidence=0.4)
WRITER = """
import sys, time
from pathlib import Path
from understudy.experiment.config import ExperimentConfig
from understudy.experiment.log import EventLog
from understudy.interpretation import Interpretation
log = EventLog(Path(sys.argv[1]), ExperimentConfig(name="may", salt="a secret", arms={"old": 1, "new": 1}))
for n in range(10**9):
    request = f"{sys.argv[2]}-{n}"
    log.record(request, f"user {n % 50}", "hello", "en-US", {"old": Interpretation("hello", "greet")})
    print(request, time.time(), flush=True)
    time.sleep(0.002)
"""


def config(**settings: Any) -> ExperimentConfig:
    return ExperimentConfig(**{"name": "may", "salt": "a secret", "arms": {"old": 1, "new": 1}, **settings})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.db"


@pytest.fixture
def log(path: Path) -> Iterator[EventLog]:
    log = EventLog(path, config())
    yield log
    log.close()


def table(path: Path, name: str) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(path)
    rows = connection.execute(f"SELECT * FROM {name}").fetchall()
    connection.close()
    return rows


def ask(log: EventLog, request: str, user: str, text: str, locale: str = "en-US") -> None:
    log.record(request, user, text, locale, {log.route(user).model: Interpretation(text, "greet")})


def test_what_is_recorded_is_read(log: EventLog, path: Path) -> None:
    ask(log, "1", "ann", "Hello there!")
    ask(log, "2", "bob", "stop")
    ask(log, "3", "ann", "hello  there")
    log.feedback("1", True)
    log.close()
    events = read(path)
    assert events.user.tolist() == [0, 1, 0]
    assert events.utterance.tolist() == [0, 1, 0]
    assert events.dissatisfied.tolist() == [1, -1, -1]
    assert [events.names["arm"][at] for at in events.arm] == [log.splitter.arm(user) for user in ("ann", "bob", "ann")]
    assert (events.names["locale"], events.names["intent"]) == (["en-US"], ["greet"])


def test_of_several_words_on_a_request_the_last_counts(log: EventLog, path: Path) -> None:
    ask(log, "1", "ann", "hello")
    ask(log, "2", "ann", "hello")
    for request, dissatisfied in (("1", True), ("2", False), ("1", False), ("2", True), ("unheard of", True)):
        log.feedback(request, dissatisfied)
    log.close()
    assert read(path).dissatisfied.tolist() == [0, 1]


def test_texts_in_two_locales_are_two_utterances(log: EventLog, path: Path) -> None:
    ask(log, "1", "ann", "stop", "en-US")
    ask(log, "2", "ann", "stop", "de-DE")
    log.close()
    assert read(path).utterance.tolist() == [0, 1]


@pytest.mark.parametrize("keep", [False, True])
def test_texts_stand_in_the_log_where_they_were_asked_for(path: Path, keep: bool) -> None:
    log = EventLog(path, config(keep_text=keep))
    log.record("1", "ann", ALARM.text, "en-US", {log.route("ann").model: ALARM})
    log.close()
    content = b"".join(file.read_bytes() for file in path.parent.iterdir())
    assert (b"wake me" in content) == keep
    assert b"ann" not in content
    assert b"a secret" not in content
    assert table(path, "interpretations")[0][4] == '[["time",11,14]]'


def test_a_request_that_the_start_overtakes_is_one_from_before(path: Path) -> None:
    log = EventLog(path, config(starts="2026-01-05T00:00:00Z"))
    user = next(name for name in map(str, range(100)) if log.splitter.arm(name) == "new")
    log.record("1", user, ALARM.text, "en-US", {"old": ALARM})  # as it was answered a moment ago
    log.record("2", user, ALARM.text, "en-US", {"new": ALARM})
    log.close()
    assert read(path).before.tolist() == [True, False]
    assert [row[2] for row in table(path, "interpretations")] == [1, 1]


def test_of_requests_with_one_id_the_first_counts(log: EventLog, path: Path, caplog: pytest.LogCaptureFixture) -> None:
    old, new = (next(name for name in map(str, range(100)) if log.splitter.arm(name) == arm) for arm in ("old", "new"))
    ask(log, "1", new, "hello")
    log.flush()
    assert "the first" not in caplog.text
    ask(log, "1", old, "hello")
    ask(log, "1", new, "hello again")
    log.feedback("1", True)
    log.close()
    assert "2 requests had an id that stands in the event log already" in caplog.text
    found = read(path)
    assert (found.arm.tolist(), found.dissatisfied.tolist(), found.repeated) == ([1], [1], 1)


def test_models_in_the_shadow_are_compared(path: Path) -> None:
    log = EventLog(path, config(shadow=True))
    for request, found in (("1", ALARM), ("2", OTHER), ("3", Interpretation(ALARM.text, "greet"))):
        log.record(request, "ann", ALARM.text, "en-US", {"old": ALARM, "new": found})
    log.close()
    assert read(path).shadows == (Agreement("new", requests=3, intents=2, whole=1),)


def test_events_are_on_the_disk_within_a_second(log: EventLog, path: Path) -> None:
    ask(log, "1", "ann", "hello")
    deadline = time.monotonic() + 10
    while not table(path, "requests") and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(table(path, "requests")) == 1


def test_odd_characters_do_no_harm(log: EventLog, path: Path) -> None:
    ask(log, "half \ud800", "ann \udfff", "hello \ud800", "x\ud800")
    ask(log, "2", "", "?!", "")
    log.close()
    assert len(read(path).user) == 2


def test_a_log_goes_on_with_the_same_experiment_and_refuses_another(log: EventLog, path: Path) -> None:
    ask(log, "1", "ann", "hello")
    log.close()
    again = EventLog(path, config())
    ask(again, "2", "ann", "hello")
    again.close()
    assert len(read(path).user) == 2
    for other in ({"arms": {"old": 9, "new": 1}}, {"salt": "another secret"}):
        with pytest.raises(DataError, match="another experiment"):
            create(path, config(**other))


def test_many_threads_lose_nothing(log: EventLog, path: Path) -> None:
    def work(name: int) -> None:
        for n in range(50):
            ask(log, f"{name}-{n}", f"user {n}", "hello")

    threads = [threading.Thread(target=work, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log.close()
    assert len(table(path, "requests")) == 400
    assert log.dropped == 0


def test_events_wait_while_the_disk_refuses(log: EventLog, path: Path, caplog: pytest.LogCaptureFixture) -> None:
    log._connection.execute("PRAGMA busy_timeout = 1")
    keeper = sqlite3.connect(path)
    keeper.execute("BEGIN IMMEDIATE")
    ask(log, "1", "ann", "hello")
    log.flush()
    assert "could not be written" in caplog.text
    keeper.rollback()
    keeper.close()
    log.close()
    assert len(table(path, "requests")) == 1


def test_a_disk_that_goes_on_refusing_is_told_of_once_and_when_it_is_over(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    log = EventLog(path, config(), flush_s=60)
    log._connection.execute("PRAGMA busy_timeout = 1")
    keeper = sqlite3.connect(path)
    keeper.execute("BEGIN IMMEDIATE")
    ask(log, "1", "ann", "hello")
    for _ in range(3):
        log.flush()
    assert caplog.text.count("could not be written, 3 events wait") == 1
    monkeypatch.setattr(logs, "TELL_S", 0.0)  # as a minute later
    log.flush()
    assert caplog.text.count("could not be written, 3 events wait") == 2
    keeper.rollback()
    keeper.close()
    log.flush()
    log.flush()
    assert caplog.text.count("is written again") == 1
    log.close()
    assert (len(table(path, "requests")), log.dropped) == (1, 0)
    assert "lost" not in caplog.text


def test_what_the_disk_does_not_take_at_the_end_is_lost_and_said_to_be(
    log: EventLog, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log._connection.execute("PRAGMA busy_timeout = 1")
    keeper = sqlite3.connect(path)
    keeper.execute("BEGIN IMMEDIATE")
    ask(log, "1", "ann", "hello")
    log.feedback("1", True)
    log.close()
    keeper.rollback()
    keeper.close()
    assert log.dropped == 4, "a user's assignment, the request, an interpretation, an outcome"
    assert "4 events are lost" in caplog.text
    assert table(path, "requests") == []


def test_a_closed_log_is_one_file_that_is_read_where_nothing_can_be_written(log: EventLog, path: Path) -> None:
    other = EventLog(path, config())
    ask(log, "1", "ann", "hello")
    log.close()
    ask(other, "2", "ann", "hello")
    other.close()
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    assert path.read_bytes()[18:20] == b"\1\1", "2 is write-ahead logging, whose readers write (sqlite.org/fileformat.html)"
    path.chmod(0o444)
    path.parent.chmod(0o555)
    try:
        assert len(read(path).user) == 2
        assert [file.name for file in path.parent.iterdir()] == [path.name]
    finally:
        path.parent.chmod(0o755)


def test_two_processes_that_are_killed_lose_the_last_second_at_most(path: Path) -> None:
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(path), name], stdout=subprocess.PIPE, text=True)
        for name in ("a", "b")
    ]
    heads = [writer.stdout.readline() for writer in writers if writer.stdout]
    time.sleep(2)
    killed = time.time()
    for writer in writers:
        writer.send_signal(signal.SIGKILL)
    said = [
        line.split()
        for writer, head in zip(writers, heads, strict=True)
        for line in (head + writer.communicate()[0]).splitlines()
    ]
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    written = {request for (request,) in connection.execute("SELECT id FROM requests")}
    connection.close()
    due = {line[0] for line in said if len(line) == 2 and float(line[1]) < killed - 1}
    assert len(due) > 20
    assert due <= written
    assert len(read(path).user) == len(written)


@pytest.mark.parametrize("content", [b"no database at all " * 100, b""])
def test_what_is_no_log_is_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(DataError, match="no event log"):
        read(path)


def test_a_missing_and_an_empty_log_are_refused(log: EventLog, path: Path) -> None:
    log.close()
    with pytest.raises(DataError, match="no requests"):
        read(path)
    with pytest.raises(DataError, match="no such"):
        read(path.with_name("none.db"))


def test_a_file_that_is_no_log_is_not_written_to(path: Path) -> None:
    path.write_bytes(b"a letter to a friend " * 100)
    with pytest.raises(DataError, match="no event log"):
        create(path, config())
    assert path.read_bytes() == b"a letter to a friend " * 100
