"""The event log as columns, for analysis."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.errors import DataError
from understudy.experiment.log import SCHEMA

__all__ = ["Agreement", "Events", "read"]

DAY_S = 86400.0
UNKNOWN = -1

# Of several words on one request SQLite gives, beside max(), the columns of the row that has it. The model is named, for a request
# whose id came again from the other arm has two answers.
_REQUESTS = """
SELECT r.user, r.arm, r.before, r.time, r.locale, r.utterance, i.intent, o.dissatisfied
FROM requests r
LEFT JOIN interpretations i ON i.request = r.id AND i.model = CASE WHEN r.before OR :shadow THEN :baseline ELSE r.arm END
LEFT JOIN (SELECT request, dissatisfied, max(rowid) FROM outcomes GROUP BY request) o ON o.request = r.id
ORDER BY r.time, r.id
"""
_REPEATED = "SELECT count(*) FROM (SELECT 1 FROM interpretations WHERE answered GROUP BY request HAVING count(*) > 1)"
_SHADOWS = """
SELECT s.model, count(*), sum(s.intent = a.intent), sum(s.intent = a.intent AND s.slots = a.slots)
FROM interpretations s JOIN interpretations a ON a.request = s.request AND a.answered
WHERE NOT s.answered GROUP BY s.model ORDER BY s.model
"""


@dataclass(frozen=True)
class Agreement:
    """Requests that a model ran beside, in the shadow, and how many it understood as the answering one did."""

    model: str
    requests: int
    intents: int
    whole: int


@dataclass(frozen=True)
class Events:
    """The requests of a log, oldest first, N of them; users, utterances and so on are numbers, and `names` tells some of them.

    Attributes:
        experiment: the settings without the salt (`log.describe`).
        user, utterance: int64 [N], from 0.
        arm, locale, intent: int64 [N], places in `names["arm"]` and so on. The intent is that of the model that answered; utterances
            of two locales are two.
        before: bool [N], before the start.
        day: int64 [N], whole days since the start, or since the first request where there is no start.
        dissatisfied: int64 [N], 0 or 1, -1 where nothing is known.
        shadows: of models that ran beside.
        repeated: requests whose id came again, from a user of another arm; the first that came is the one that counts.
        simulated: what a simulation says of itself, None for a log of people.
    """

    experiment: dict[str, Any]
    names: dict[str, list[str]]
    user: NDArray[np.int64]
    arm: NDArray[np.int64]
    before: NDArray[np.bool_]
    day: NDArray[np.int64]
    locale: NDArray[np.int64]
    utterance: NDArray[np.int64]
    intent: NDArray[np.int64]
    dissatisfied: NDArray[np.int64]
    shadows: tuple[Agreement, ...] = ()
    repeated: int = 0
    simulated: dict[str, Any] | None = None

    @property
    def known(self) -> NDArray[np.bool_]:
        """Which requests have an outcome."""
        known: NDArray[np.bool_] = self.dissatisfied != UNKNOWN
        return known


def read(path: Path) -> Events:
    """The log at `path`, which may still be written to. Raises DataError where it is no log, or one of another version."""
    if not path.is_file():
        raise DataError("there is no such event log", where=path)
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            meta = dict(connection.execute("SELECT key, value FROM meta"))
            if meta.get("schema") != str(SCHEMA):
                raise DataError("this event log is of another version", where=path, got=meta.get("schema"), wanted=SCHEMA)
            experiment = json.loads(meta["experiment"])
            rows = connection.execute(_REQUESTS, {key: experiment[key] for key in ("shadow", "baseline")}).fetchall()
            [repeated] = connection.execute(_REPEATED).fetchone()
            shadows = tuple(Agreement(*row) for row in connection.execute(_SHADOWS))
    except sqlite3.Error as error:
        raise DataError(
            "this is no event log", where=path, got=str(error), wanted="a file that the server or simulate wrote"
        ) from None
    if not rows:
        raise DataError("there are no requests in this event log", where=path)
    columns = list(zip(*rows, strict=True))
    names = {"arm": [arm for arm, _ in experiment["arms"]]}
    coded = {}
    for name, values in (("user", columns[0]), ("arm", columns[1]), ("locale", columns[4]), ("intent", columns[6])):
        coded[name], found = _codes([value or "" for value in values], names.get(name, ()))
        names[name] = found
    coded["utterance"], _ = _codes(list(zip(coded["locale"].tolist(), columns[5], strict=True)))
    time = np.array(columns[3], dtype=np.float64)
    start = datetime.fromisoformat(experiment["starts"]).timestamp() if experiment["starts"] else time[0]
    return Events(
        experiment=experiment,
        names=names,
        before=np.array(columns[2], dtype=bool),
        day=np.floor((time - start) / DAY_S).astype(np.int64),
        dissatisfied=np.array([UNKNOWN if value is None else value for value in columns[7]], dtype=np.int64),
        shadows=shadows,
        repeated=repeated,
        simulated=json.loads(meta["simulated"]) if "simulated" in meta else None,
        **coded,
    )


def _codes(values: Sequence[Any], first: Iterable[Any] = ()) -> tuple[NDArray[np.int64], list[Any]]:
    """A number for each value, and the values in the order of their numbers, those of `first` before others."""
    known: dict[Any, int] = {value: index for index, value in enumerate(first)}
    codes = [known.setdefault(value, len(known)) for value in values]
    return np.array(codes, dtype=np.int64), list(known)
