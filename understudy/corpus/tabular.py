"""Labelled utterances in tables, one in a row: CSV, TSV and parquet, as MultiATIS++ and many a spreadsheet have them.

Columns `text` (or `utterance`) and `intent`; where there are slots, `tags` (or `slot_labels`): a BIO tag for each word that white
space parts; and where given `domain`, `locale` (or `lang`, `language`), `partition` (or `split`) and `id`. Others are not looked at.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from understudy.corpus.bio import tagged
from understudy.corpus.files import suffix_of
from understudy.corpus.formats import Labelled, labelled, string
from understudy.corpus.lines import BadLines
from understudy.corpus.records import csv_records, parquet_records
from understudy.corpus.tables import parquet_columns
from understudy.errors import DataError
from understudy.interpretation import Slot

__all__ = ["is_labelled", "read_table"]

_NAMES = {
    "text": ("text", "utterance"),
    "intent": ("intent",),
    "tags": ("tags", "slot_labels"),
    "domain": ("domain",),
    "locale": ("locale", "lang", "language"),
    "partition": ("partition", "split"),
    "id": ("id",),
}


def is_labelled(columns: Collection[str]) -> bool:
    """Whether a table with these columns holds labelled utterances."""
    return {"text", "intent"} <= _known(columns).keys()


def _known(columns: Collection[str]) -> dict[str, str]:
    """The table's column for each of ours that it has."""
    found = {name: next((other for other in others if other in columns), None) for name, others in _NAMES.items()}
    return {name: column for name, column in found.items() if column is not None}


def read_table(path: str, *, partition: str, locale: str | None) -> Iterator[Labelled]:
    """Utterances of a table. An empty cell is as good as none, but for text, intent and tags."""
    bad = BadLines(0.0, path)
    if suffix_of(path) == ".parquet":
        records = parquet_records(path, bad, list(_known(parquet_columns(path)).values()))
    else:
        records = csv_records(path, bad, ())
    for number, record in records:
        where = f"{path}:{number}"
        if not is_labelled(record.keys()):
            wanted = "columns text (or utterance) and intent, parted by commas, in .tsv by tabs"
            raise DataError("this table has no labelled utterances", where=path, got=", ".join(record), wanted=wanted)
        row = {name: record[column] for name, column in _known(record.keys()).items() if record[column] is not None}
        text, intent = string(row, "text", where).strip(), string(row, "intent", where).strip()
        slots: tuple[Slot, ...] = ()
        if "tags" in row:
            place = string(row, "locale", where, "") or locale or ""
            text, slots = tagged(text.split(), string(row, "tags", where).split(), place, where=where)
        yield labelled(row, text, intent, slots, partition=partition, locale=locale, where=where)
