"""Parquet tables: read batch by batch, through daft where they are the user's, and written in equal row groups."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import daft
import pyarrow as pa
import pyarrow.parquet as pq

from understudy.corpus.files import brief, quiet_daft
from understudy.errors import DataError, nearest

__all__ = ["Tables", "columns", "parquet_batches", "parquet_columns", "row_count", "scan"]

_GROUP = 65_536
_BATCH = 8_192


def parquet_batches(path: str, columns: list[str]) -> Iterator[dict[str, list[Any]]]:
    """The named columns of a parquet file or Hugging Face dataset, batch by batch, through daft. Raises DataError."""
    quiet_daft()
    try:
        frame = daft.read_parquet(path)
        missing = [c for c in columns if c not in frame.column_names]
        if missing:
            raise DataError(
                f"there is no column '{missing[0]}'",
                where=path,
                wanted=f"one of {', '.join(frame.column_names)}",
                hint=nearest(missing[0], frame.column_names),
            )
        for batch in frame.select(*columns).to_arrow_iter(results_buffer_size=1):
            for start in range(0, len(batch), 16_384):
                yield batch.slice(start, 16_384).to_pydict()
    except DataError:
        raise
    except FileNotFoundError:
        raise DataError("there is no such file", where=path) from None
    except Exception as error:  # daft raises one class for everything, below ValueError in some versions and not in others
        raise DataError("the file could not be read as parquet", where=path, got=brief(error)) from None


def parquet_columns(path: str) -> list[str]:
    """Names of the columns of a parquet file or Hugging Face dataset. Raises DataError."""
    quiet_daft()
    try:
        return list(daft.read_parquet(path).column_names)
    except Exception as error:
        raise DataError("the file could not be read as parquet", where=path, got=brief(error)) from None


def row_count(path: Path) -> int:
    """Number of rows of a table of ours."""
    return int(pq.read_metadata(path).num_rows)


def scan(path: Path) -> Iterator[tuple[Any, ...]]:
    """The rows of a table of ours."""
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=_BATCH):
            yield from zip(*(batch.column(i).to_pylist() for i in range(batch.num_columns)), strict=True)


def columns(folder: Path, names: list[str]) -> Iterator[list[list[Any]]]:
    """Some columns of all tables in a folder, batch by batch, in the order of their names."""
    for path in sorted(folder.iterdir()):
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=_GROUP, columns=names):
                yield [batch.column(name).to_pylist() for name in names]


class Tables:
    """Parquet files in one folder, opened when the first row comes, with row groups of one size and no time stamps."""

    def __init__(self, folder: Path, schema: pa.Schema, *, group: int = _GROUP) -> None:
        self.folder, self.schema, self.group = folder, schema, group
        self._writers: dict[str, pq.ParquetWriter] = {}
        self._waiting: dict[str, list[tuple[Any, ...]]] = {}

    def __enter__(self) -> Tables:
        return self

    def __exit__(self, kind: object, value: object, trace: object) -> None:
        for name, writer in self._writers.items():
            if kind is None:
                self._flush(name)
            writer.close()

    def open(self, name: str) -> None:
        """Begin a table, which is written even if no row comes."""
        if name not in self._writers:
            path = self.folder / f"{name}.parquet"
            self._writers[name] = pq.ParquetWriter(
                path, self.schema, compression="zstd", compression_level=3, write_statistics=False
            )
            self._waiting[name] = []

    def add(self, name: str, row: tuple[Any, ...]) -> None:
        """Append a row to the table `name`."""
        self.open(name)
        waiting = self._waiting[name]
        waiting.append(row)
        if len(waiting) >= self.group:
            self._flush(name)

    def _flush(self, name: str) -> None:
        waiting = self._waiting[name]
        if waiting:
            columns = [pa.array(c, type=f.type) for c, f in zip(zip(*waiting, strict=True), self.schema, strict=True)]
            self._writers[name].write_table(pa.Table.from_arrays(columns, schema=self.schema))
            waiting.clear()
