"""Second pass over the text of a corpus: each row of a unit is held out, copied or dropped, and spoken where that is its lot."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from understudy.config import Config
from understudy.corpus.card import Card
from understudy.corpus.duplicates import COUNTS_FILE
from understudy.corpus.sampling import copies, is_spoken
from understudy.corpus.spool import ROWS_FILE
from understudy.corpus.tables import Table, batches
from understudy.text.spoken import spoken
from understudy.text.words import word_count

__all__ = ["SCHEMA", "VALID", "ChooseTask", "choose", "counts_of", "rows_of"]

SCHEMA = pa.schema([("text", pa.string()), ("lang", pa.string()), ("count", pa.int64())])
VALID = pa.schema([("text", pa.string()), ("lang", pa.string()), ("key", pa.float64()), ("spoken", pa.bool_())])


class ChooseTask(Config):
    """A unit as `spool` laid it down at `stem`, to be written to `stem.train.parquet` and `stem.valid.parquet`.

    first: how many rows the units before it have. by_text: whether equal texts share one fate, else each row has its own.
    held_out: per language the key below which a text is held out. rates: copies of a row of each language.
    """

    stem: str
    first: int
    by_text: bool
    held_out: dict[str, float]
    rates: dict[str, float]
    spoken: float
    min_words: int
    seed: int


def rows_of(stem: str | Path) -> npt.NDArray[Any]:
    """What is known of the rows of a unit (`spool.ROWS`)."""
    found: npt.NDArray[Any] = np.load(f"{stem}{ROWS_FILE}")
    return found


def counts_of(stem: str | Path, rows: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """How often each row of a unit is to be seen before sampling; 0 for duplicates."""
    path = Path(f"{stem}{COUNTS_FILE}")
    found: npt.NDArray[np.int64] = np.load(path) if path.exists() else rows["count"]
    return found


def choose(task: ChooseTask) -> dict[str, Any]:
    """Does the task. Returns the sums for the card."""
    card, seen = Card(), set[tuple[str, float]]()
    stem = Path(task.stem)
    with (
        Table(stem.with_suffix(".train.parquet"), SCHEMA, compression="lz4") as train,
        Table(stem.with_suffix(".valid.parquet"), VALID, compression="lz4") as valid,
    ):
        for texts, rows, counts, first in _pieces(task):
            held_out = _is_held_out(task, rows) & (counts > 0)
            valid.add(_spoken_once(task, texts, rows, held_out, first, seen))
            counts[held_out] = 0
            train.add(_copied(task, texts, rows, counts, first, card))
    return {"card": card.sums()}


def _pieces(task: ChooseTask) -> Iterator[tuple[list[str], npt.NDArray[Any], npt.NDArray[np.int64], int]]:
    """Texts, what is known of them, their counts and the number of the first, batch by batch."""
    rows = rows_of(task.stem)
    counts, at = counts_of(task.stem, rows), 0
    for batch in batches(Path(f"{task.stem}.parquet")):
        end = at + batch.num_rows
        yield batch.column(0).to_pylist(), rows[at:end], counts[at:end], task.first + at + 1
        at = end


def _name(task: ChooseTask, text: str, number: int) -> str:
    # Where rows were not counted, equal texts must not all share one fate: the row number tells them apart.
    return text if task.by_text else f"{number}\n{text}"


def _is_held_out(task: ChooseTask, rows: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    langs, inverse = np.unique(rows["lang"], return_inverse=True)
    bounds = np.array([task.held_out[lang.decode()] for lang in langs.tolist()])
    below: npt.NDArray[np.bool_] = rows["key"] < bounds[inverse]
    return below


def _spoken_once(
    task: ChooseTask,
    texts: list[str],
    rows: npt.NDArray[Any],
    held_out: npt.NDArray[np.bool_],
    first: int,
    seen: set[tuple[str, float]],
) -> list[list[Any]]:
    chosen: list[tuple[str, str, float, bool]] = []
    for at in np.flatnonzero(held_out & (rows["words"] >= task.min_words)).tolist():
        text, lang, key = texts[at], rows["lang"][at].decode(), float(rows["key"][at])
        if (lang, key) not in seen:
            seen.add((lang, key))
            to_be_spoken = is_spoken(task.spoken, seed=task.seed, key=_name(task, text, first + at))
            if said := spoken(text, lang) if to_be_spoken else text:  # of "№" nothing is said
                chosen.append((said, lang, key, to_be_spoken))
    return [list(column) for column in zip(*chosen, strict=True)] or [[], [], [], []]


def _copied(
    task: ChooseTask, texts: list[str], rows: npt.NDArray[Any], counts: npt.NDArray[np.int64], first: int, card: Card
) -> list[list[Any]]:
    times = np.zeros(len(texts), np.int64)
    langs = [lang.decode() for lang in rows["lang"].tolist()]
    for at in np.flatnonzero(counts).tolist():
        wanted = float(counts[at]) * task.rates[langs[at]]
        times[at] = copies(wanted, seed=task.seed, key=_name(task, texts[at], first + at))
    card.add_rows("sampled", rows, times)
    times[rows["words"] < task.min_words] = 0
    spoken_form = np.zeros(len(texts), bool)
    if task.spoken:
        for at in np.flatnonzero(times).tolist():
            if is_spoken(task.spoken, seed=task.seed, key=_name(task, texts[at], first + at)):
                spoken_form[at] = True
                texts[at] = text = spoken(texts[at], langs[at])
                rows["words"][at], rows["characters"][at] = word_count(text), len(text)
                times[at] *= bool(text)  # of "№" nothing is said
    written = np.flatnonzero(times).tolist()
    card.add_rows("train", rows, times, distinct=True)
    for lang in set(langs):
        card.add(lang, "train", spoken=int(times[spoken_form & (rows["lang"] == lang.encode())].sum()))
    return [[texts[at] for at in written], [langs[at] for at in written], times[written].tolist()]
