"""First pass over the text of a corpus: a unit of a source is read, cleaned, measured and laid down on disk.

NAME.parquet        the cleaned texts
NAME.rows.npy       for each of them key, count, words, characters, language
NAME.keys.npy       hashes of language and text, sorted, where equal texts are to be counted
NAME.sketch.npy,    what `duplicates` needs to find texts that are nearly equal
NAME.bands.npy
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from understudy.config import Config
from understudy.corpus.card import Card
from understudy.corpus.duplicates import KEYS, KEYS_FILE, save_sketches, sketch
from understudy.corpus.files import language_of
from understudy.corpus.lines import BadLines
from understudy.corpus.sampling import normal, normal_key
from understudy.corpus.tables import Table
from understudy.corpus.units import Row, Unit, unit_rows
from understudy.text.words import word_count

__all__ = ["EXCLUDED", "ROWS", "ROWS_FILE", "ReadTask", "excluded_keys", "read_unit"]

ROWS = np.dtype([("key", "<f8"), ("count", "<i8"), ("words", "<i4"), ("characters", "<i4"), ("lang", "S2")])
ROWS_FILE = ".rows.npy"
EXCLUDED = "excluded.npy"
_TEXT = pa.schema([("text", pa.string())])
_BATCH = 4_096


class ReadTask(Config):
    """A unit to be read into the files `folder/NAME.*`.

    `languages`: keep these only. `excluded`: leave out the texts whose keys stand in `folder/excluded.npy`. `count`: whether
    equal texts are to be counted. `near`: similarity from which texts count as nearly equal, none for no search.
    """

    unit: Unit
    folder: str
    name: str
    languages: tuple[str, ...] | None
    excluded: bool
    count: bool
    near: float | None


def read_unit(task: ReadTask) -> dict[str, Any]:
    """Does the task. Returns the sums for the card, how many rows there were and are, and the bad lines of each file."""
    stem, card, counted = Path(task.folder) / task.name, Card(), list[BadLines]()
    wanted = None if task.languages is None else {language_of(code) for code in task.languages}
    excluded = np.load(Path(task.folder) / EXCLUDED, mmap_mode="r") if task.excluded else None
    found, kept, keys = 0, [np.empty(0, ROWS)], [b""]
    sketches: list[npt.NDArray[np.uint32]] = []
    with Table(stem.with_suffix(".parquet"), _TEXT, compression="lz4") as table:
        for batch in _batched(unit_rows(task.unit, counted)):
            found += len(batch)
            texts, normals, rows = _measured([row for row in batch if wanted is None or row.lang in wanted], card)
            if excluded is not None:
                stay = ~_contains(excluded, rows["key"])
                texts, normals = list(itertools.compress(texts, stay)), list(itertools.compress(normals, stay))
                rows = rows[stay]
                card.add_rows("kept", rows, rows["count"])
            if not texts:
                continue
            kept.append(rows)
            table.add([texts])
            langs = rows["lang"].tolist()
            if task.count:
                keys += (_hash(lang, text) for lang, text in zip(langs, texts, strict=True))
            if task.near is not None:
                sketches.append(sketch(langs, normals))
    rows = np.concatenate(kept)
    np.save(f"{stem}{ROWS_FILE}", rows)
    if task.count:
        hashes = np.frombuffer(b"".join(keys), dtype="<u8").reshape(-1, 2)
        table_of_keys = np.empty(len(rows), KEYS)
        table_of_keys["high"], table_of_keys["low"], table_of_keys["row"] = hashes[:, 0], hashes[:, 1], np.arange(len(rows))
        np.save(f"{stem}{KEYS_FILE}", np.sort(table_of_keys, order=("high", "low", "row")))
    if task.near is not None:
        save_sketches(stem, sketches, task.near)
    bad = [{"name": str(b.name), "share": b.share, "seen": b.seen, "bad": b.bad, "first": b.first} for b in counted]
    return {"card": card.sums(), "found": found, "bad": bad}


def excluded_keys(units: Sequence[Unit]) -> npt.NDArray[np.float64]:
    """The sorted keys of all texts of some units. Raises DataError as reading does."""
    return np.unique([normal_key(normal(row.text)) for unit in units for row in unit_rows(unit)])


def _batched(rows: Iterator[Row]) -> Iterator[list[Row]]:
    while batch := list(itertools.islice(rows, _BATCH)):
        yield batch


def _measured(batch: Sequence[Row], card: Card) -> tuple[list[str], list[str], npt.NDArray[Any]]:
    """Cleaned texts that hold a letter or digit, their normal forms and what is known of them."""
    texts = [" ".join(row.text.split()) for row in batch]
    normals = [normal(text) for text in texts]
    rows = np.empty(len(batch), ROWS)
    rows["count"] = [row.times for row in batch]
    rows["lang"] = [row.lang for row in batch]
    rows["words"] = [word_count(text) for text in texts]
    rows["characters"] = [len(row.text) for row in batch]
    card.add_rows("read", rows, rows["count"])
    whole = np.array([any(map(str.isalnum, one)) for one in normals], dtype=bool)
    if not whole.all():
        texts, normals, rows = list(itertools.compress(texts, whole)), list(itertools.compress(normals, whole)), rows[whole]
    rows["characters"] = [len(text) for text in texts]
    rows["key"] = [normal_key(one) for one in normals]
    card.add_rows("cleaned", rows, rows["count"])
    return texts, normals, rows


def _contains(table: npt.NDArray[np.float64], values: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Which values stand in a sorted table."""
    if not len(table):
        return np.zeros(len(values), dtype=bool)
    found: npt.NDArray[np.bool_] = table[np.minimum(np.searchsorted(table, values), len(table) - 1)] == values
    return found


def _hash(lang: bytes, text: str) -> bytes:
    return hashlib.blake2b(lang + text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
