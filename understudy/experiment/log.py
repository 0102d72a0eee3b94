"""The event log: one SQLite file that is only ever appended to.

    assignments      user, arm, time: the first time a user is seen
    requests         id, time, user, arm, before (the start), locale, utterance, text
    interpretations  request, model, answered (or run in the shadow), intent, slots, confidence, out_of_domain
    outcomes         request, time, dissatisfied
    meta             schema, experiment

Users and utterances stand in it as keyed hashes: who has the log and not the salt cannot tell them, but sees which are the same.
Texts are kept where the experiment says so; slots are kept as names and places. Times are seconds of the epoch.

Events wait in memory for at most `flush_s` and are then written in one transaction that is synced to disk (write-ahead log,
synchronous FULL). A process that is killed, or a machine that goes dark, loses what waited and damages nothing. Until the last process
closes it, the newest events may stand in a file beside it, `-wal`.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import threading
import time as clock
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from understudy.corpus.sampling import normal
from understudy.errors import DataError, RecipeError, nearest
from understudy.experiment.config import ExperimentConfig, load
from understudy.experiment.splitter import Splitter, keyed
from understudy.interpretation import Interpretation
from understudy.serving.trial import Route

__all__ = ["SCHEMA", "Event", "EventLog", "append", "begin", "create", "describe", "outcome_events", "request_events"]

log = logging.getLogger(__name__)

SCHEMA = 1
FLUSH_S = 0.25
WAITING = 200_000  # events held while the disk does not take them; what comes after is dropped and counted
TELL_S = 60.0  # between two words on a disk that goes on refusing
BUSY_S = 10.0  # how long one of several writing processes waits for another

_TABLES = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS assignments (user TEXT PRIMARY KEY, arm TEXT NOT NULL, time REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS requests (id TEXT PRIMARY KEY, time REAL NOT NULL, user TEXT NOT NULL, arm TEXT NOT NULL,
    before INTEGER NOT NULL, locale TEXT NOT NULL, utterance TEXT NOT NULL, text TEXT);
CREATE TABLE IF NOT EXISTS interpretations (request TEXT NOT NULL, model TEXT NOT NULL, answered INTEGER NOT NULL,
    intent TEXT NOT NULL, slots TEXT NOT NULL, confidence REAL NOT NULL, out_of_domain INTEGER NOT NULL,
    PRIMARY KEY (request, model)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS outcomes (request TEXT NOT NULL, time REAL NOT NULL, dissatisfied INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS outcomes_by_request ON outcomes (request);
"""
_INSERT = {
    "assignments": "INSERT OR IGNORE INTO assignments VALUES (?, ?, ?)",
    "requests": "INSERT OR IGNORE INTO requests VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    "interpretations": "INSERT OR IGNORE INTO interpretations VALUES (?, ?, ?, ?, ?, ?, ?)",
    "outcomes": "INSERT INTO outcomes VALUES (?, ?, ?)",
}

Event = tuple[str, tuple[Any, ...]]
"""A table and a row of it."""


def request_events(
    splitter: Splitter, request: str, user: str, text: str, locale: str, found: Mapping[str, Interpretation], time: float
) -> Iterator[Event]:
    """What a request adds to the log: its user's assignment, itself, and what each model made of it."""
    config, request, locale = splitter.config, _text(request), _text(locale)
    arm, hashed = splitter.arm(user), keyed(config.salt, "user", user).hex()
    # A text of punctuation alone has no letters to be known by.
    utterance = keyed(config.salt, "utterance", f"{locale}\n{normal(text) or text}").hex()
    before, answering = config.is_before(time), splitter.route(user, time).model
    if config.starts is not None and answering not in found:  # the start came between the question and the answer
        before, answering = True, config.baseline
    yield "assignments", (hashed, arm, time)
    row = (request, time, hashed, arm, int(before), locale, utterance, _text(text) if config.keep_text else None)
    yield "requests", row
    for model, i in found.items():
        slots = json.dumps([[s.name, s.start, s.end] for s in i.slots], ensure_ascii=False, separators=(",", ":"))
        yield "interpretations", (request, model, int(model == answering), i.intent, slots, i.confidence, int(i.out_of_domain))


def outcome_events(request: str, dissatisfied: bool, time: float) -> Iterator[Event]:
    """What the word on a request adds to the log."""
    yield "outcomes", (_text(request), time, int(dissatisfied))


def _text(text: str) -> str:
    """What a column can hold: without halves of surrogate pairs."""
    return text.encode("utf-8", "replace").decode("utf-8")


def create(path: Path, config: ExperimentConfig) -> sqlite3.Connection:
    """A connection that writes to the log at `path`, which is made where it is not there.

    Raises DataError where it is of another experiment or is no log.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path, timeout=BUSY_S, check_same_thread=False)
    except (OSError, sqlite3.Error) as error:
        raise DataError("the event log cannot be written", where=path, got=str(error)) from None
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.executescript(_TABLES)
        told = {"schema": str(SCHEMA), "experiment": json.dumps(describe(config), sort_keys=True)}
        with connection:
            connection.executemany("INSERT OR IGNORE INTO meta VALUES (?, ?)", told.items())
        found = dict(connection.execute("SELECT key, value FROM meta"))
    except sqlite3.Error as error:
        connection.close()
        raise DataError("this is no event log, or it cannot be written", where=path, got=str(error)) from None
    for key, value in told.items():
        if found[key] != value:
            connection.close()
            raise DataError(
                "this log is of another experiment or another version",
                where=path, got=f"{key} {found[key]}", wanted=value, hint="Begin a new log when the experiment changes",
            )  # fmt: skip
    return connection


def describe(config: ExperimentConfig) -> dict[str, Any]:
    """The experiment as its log tells it: without the salt, whose hash tells whether it is the same."""
    told = config.model_dump(mode="json", exclude={"salt", "keep_text"})
    return {
        **told,
        "arms": [[arm, weight] for arm, weight in config.arms.items()],
        "salted": keyed(config.salt, "salt", "").hex(),
    }


def append(connection: sqlite3.Connection, events: Sequence[Event]) -> int:
    """Write events in one transaction: all of them, or none and an sqlite3.Error. Gives the number of requests that are left out,
    because one with the same id is there."""
    repeated = 0
    with connection:
        for table, statement in _INSERT.items():
            rows = [row for name, row in events if name == table]
            written = connection.executemany(statement, rows).rowcount
            if table == "requests":
                repeated = len(rows) - written
    return repeated


class EventLog:
    """An experiment at work: a `Trial` for the server that splits users and logs what happens to them."""

    def __init__(self, path: Path, config: ExperimentConfig, *, flush_s: float = FLUSH_S) -> None:
        self.splitter, self.dropped = Splitter(config), 0
        self._connection = create(path, config)
        self._waiting: list[Event] = []
        self._told: float | None = None  # when it was said last that the disk refuses; None while it does not
        self._lock, self._writing, self._closed = threading.Lock(), threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._flush_on, args=(flush_s,), name="event-log", daemon=True)
        self._thread.start()

    def route(self, user: str | None) -> Route:
        return self.splitter.route(user, clock.time())

    def record(self, request: str, user: str, text: str, locale: str, found: Mapping[str, Interpretation]) -> None:
        self._put(list(request_events(self.splitter, request, user, text, locale, found, clock.time())))

    def feedback(self, request: str, dissatisfied: bool) -> None:
        self._put(list(outcome_events(request, dissatisfied, clock.time())))

    def flush(self) -> None:
        """Write what waits. Where the disk refuses, it goes on waiting."""
        with self._writing:
            with self._lock:
                events, self._waiting = self._waiting, []
            try:
                if repeated := append(self._connection, events):
                    log.warning(
                        "%d requests had an id that stands in the event log already; only the first with it counts", repeated
                    )
            except sqlite3.Error as error:
                with self._lock:
                    self._waiting = events + self._waiting
                if self._told is None or clock.monotonic() - self._told >= TELL_S:
                    self._told = clock.monotonic()
                    log.error("the event log could not be written, %d events wait: %s", len(self._waiting), error)
                return
            if self._told is not None and events:
                self._told = None
                log.warning("the event log is written again")

    def close(self) -> None:
        """Write what waits, and count as dropped what the disk does not take."""
        if self._closed.is_set():
            return
        self._closed.set()
        self._thread.join()
        self.flush()
        with self._writing, self._lock, closing(self._connection):
            if self._waiting:
                self.dropped += len(self._waiting)
                log.error("%d events are lost: the event log could not be written before its end", len(self._waiting))
                self._waiting = []
            # Whoever may not write into the folder cannot open a file in write-ahead mode. The last process leaves that; others may not.
            with suppress(sqlite3.Error):
                self._connection.execute("PRAGMA busy_timeout = 0")
                self._connection.execute("PRAGMA journal_mode = DELETE")

    def _put(self, events: list[Event]) -> None:
        with self._lock:
            if len(self._waiting) + len(events) > WAITING:
                if not self.dropped:
                    log.error(
                        "the event log takes no more: %d events wait for the disk, further ones are dropped", len(self._waiting)
                    )
                self.dropped += len(events)
            else:
                self._waiting.extend(events)

    def _flush_on(self, flush_s: float) -> None:
        while not self._closed.wait(flush_s):
            self.flush()


def begin(experiment: Path, events: Path, served: Collection[str]) -> EventLog:
    """The experiment of a settings file at work, on models that are served under these names.

    Raises RecipeError where the settings cannot be used or an arm is not served, before a log is made; DataError as `create` does.
    """
    config = load(experiment)
    for arm in config.arms:
        if arm not in served:
            hint = nearest(arm, served) or f"Serve it with --model {arm}=DIR"
            wanted = f"one of {', '.join(served)}"
            raise RecipeError("an arm of the experiment is not served", where=experiment, got=arm, wanted=wanted, hint=hint)
    return EventLog(events, config)
