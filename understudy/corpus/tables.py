"""Parquet tables: the user's, read batch by batch, and ours, written in row groups that depend on their rows alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import daft
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from understudy.corpus.files import brief, is_remote, quiet_daft
from understudy.corpus.lines import Span
from understudy.errors import DataError, nearest

__all__ = ["Table", "batches", "parquet_batches", "parquet_columns", "row_group_sizes"]

_GROUP_ROWS, _GROUP_BYTES = 65_536, 1 << 25
_BATCH = 8_192


def parquet_batches(path: str, columns: list[str], *, span: Span | None = None) -> Iterator[dict[str, list[Any]]]:
    """The named columns of a parquet file or Hugging Face dataset, batch by batch, or of the row groups in `span`. Raises DataError."""
    try:
        names = parquet_columns(path)
        missing = [c for c in columns if c not in names]
        if missing:
            raise DataError(
                f"there is no column '{missing[0]}'",
                where=path,
                wanted=f"one of {', '.join(names)}",
                hint=nearest(missing[0], names),
            )
        if is_remote(path):
            for table in daft.read_parquet(path).select(*columns).to_arrow_iter(results_buffer_size=1):
                for at in range(0, len(table), _BATCH):
                    yield table.slice(at, _BATCH).to_pydict()
            return
        with pq.ParquetFile(path) as file:
            first, end = span or (0, None)
            groups = list(range(first, file.num_row_groups if end is None else end))
            for batch in file.iter_batches(batch_size=_BATCH, row_groups=groups, columns=columns):
                yield batch.to_pydict()
    except DataError:
        raise
    except Exception as error:  # daft raises one class for everything, below ValueError in some versions and not in others
        raise DataError("the file could not be read as parquet", where=path, got=brief(error)) from None


def parquet_columns(path: str) -> list[str]:
    """Names of the columns of a parquet file or Hugging Face dataset. Raises DataError."""
    try:
        if is_remote(path):
            quiet_daft()
            return list(daft.read_parquet(path).column_names)
        return list(pq.read_schema(path).names)
    except FileNotFoundError:
        raise DataError("there is no such file", where=path) from None
    except Exception as error:
        raise DataError("the file could not be read as parquet", where=path, got=brief(error)) from None


def row_group_sizes(path: str) -> list[int]:
    """Bytes of each row group of a parquet file on this machine, compressed. Raises DataError."""
    try:
        meta = pq.read_metadata(path)
    except (pa.ArrowException, OSError) as error:
        raise DataError("the file could not be read as parquet", where=path, got=brief(error)) from None
    groups = (meta.row_group(i) for i in range(meta.num_row_groups))
    return [sum(group.column(c).total_compressed_size for c in range(group.num_columns)) for group in groups]


def batches(path: Path) -> Iterator[pa.RecordBatch]:
    """The rows of a table of ours."""
    with pq.ParquetFile(path) as file:
        yield from file.iter_batches(batch_size=_BATCH)


class Table:
    """A parquet file with no time stamps. The first of its columns is a text.

    A row group ends with the row at which it has 65,536 rows or 32 MB of text, however the rows were added.
    """

    def __init__(self, path: Path, schema: pa.Schema, *, compression: str = "zstd") -> None:
        self.schema = schema
        level = {"compression_level": 3} if compression == "zstd" else {}
        self._writer = pq.ParquetWriter(path, schema, compression=compression, write_statistics=False, **level)
        self._waiting: list[pa.RecordBatch] = []
        self._rows = self._bytes = 0

    def __enter__(self) -> Table:
        return self

    def __exit__(self, kind: object, value: object, trace: object) -> None:
        if kind is None:
            self._flush()
        self._writer.close()

    def add(self, columns: Sequence[Sequence[Any]]) -> None:
        """Append rows given as columns."""
        arrays = [pa.array(column, type=field.type) for column, field in zip(columns, self.schema, strict=True)]
        self.add_batch(pa.RecordBatch.from_arrays(arrays, schema=self.schema))

    def add_batch(self, batch: pa.RecordBatch) -> None:
        """Append rows."""
        while batch.num_rows:
            sizes = np.cumsum(pc.binary_length(batch.column(0)).to_numpy(zero_copy_only=False), dtype=np.int64)
            room = int(np.searchsorted(sizes, _GROUP_BYTES - self._bytes)) + 1
            taken = min(batch.num_rows, _GROUP_ROWS - self._rows, room)
            self._waiting.append(batch.slice(0, taken))
            self._rows += taken
            self._bytes += int(sizes[taken - 1])
            if self._rows >= _GROUP_ROWS or self._bytes >= _GROUP_BYTES:
                self._flush()
            batch = batch.slice(taken)

    def _flush(self) -> None:
        if self._waiting:
            table = pa.Table.from_batches(self._waiting, schema=self.schema).combine_chunks()
            self._writer.write_table(table, row_group_size=max(table.num_rows, 1))
            self._waiting, self._rows, self._bytes = [], 0, 0
