"""The rows of a corpus file, a batch at a time: text, language and how often the row is to be seen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import compress
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from understudy.errors import DataError

__all__ = ["Rows", "characters", "groups", "languages", "read_rows", "row_count"]

BATCH_ROWS = 4096
COLUMNS = ("text", "lang", "count")


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


_RIGHT = {"text": _is_text, "lang": _is_text, "count": pa.types.is_integer}


@dataclass(frozen=True, slots=True)
class Rows:
    """Columns of equal length; `counts` is int64 and may hold zeros."""

    texts: list[str]
    langs: list[str]
    counts: npt.NDArray[np.int64]

    def at_least(self, count: int) -> Rows:
        """Those whose count is so high."""
        kept = self.counts >= count
        return Rows(list(compress(self.texts, kept)), list(compress(self.langs, kept)), self.counts[kept])


def read_rows(path: Path, *, group: int | None = None) -> Iterator[Rows]:
    """The rows of a parquet file with columns text, lang, count that are to be seen at all, 4,096 read at a time.

    With `group` those of one row group. Raises DataError where the file is missing, is not parquet, lacks a column, or holds a
    null, a negative count or bytes that are not UTF-8.
    """
    for batch in _batches(path, COLUMNS, group):
        if any(column.null_count for column in batch.columns):
            raise DataError("a row lacks its text, language or count", where=path, wanted="no nulls")
        counts = batch.column("count").cast(pa.int64())
        if len(counts) and pc.min(counts).as_py() < 0:
            raise DataError("a row is to be seen a negative number of times", where=path, got=pc.min(counts).as_py())
        kept = batch.filter(pc.greater(counts, 0))
        if kept.num_rows:
            yield Rows(
                kept.column("text").to_pylist(),
                kept.column("lang").to_pylist(),
                kept.column("count").to_numpy(zero_copy_only=False).astype(np.int64),
            )


def characters(path: Path) -> int:
    """Characters in the file's texts, each row counted as often as it is to be seen."""
    total = 0
    for batch in _batches(path, ("text", "count")):
        lengths = pc.multiply(pc.utf8_length(batch.column("text")).cast(pa.int64()), batch.column("count").cast(pa.int64()))
        total += pc.sum(lengths).as_py() or 0
    return total


def languages(path: Path) -> set[str]:
    """The languages that occur in the file."""
    return {lang for batch in _batches(path, ("lang",)) for lang in pc.unique(batch.column("lang")).to_pylist()}


def row_count(path: Path) -> int:
    """How many rows the file has."""
    with _opened(path) as file:
        return int(file.metadata.num_rows)


def groups(path: Path) -> list[int]:
    """Bytes of each row group of the file, uncompressed."""
    with _opened(path) as file:
        return [file.metadata.row_group(i).total_byte_size for i in range(file.num_row_groups)]


def _batches(path: Path, columns: tuple[str, ...], group: int | None = None) -> Iterator[pa.RecordBatch]:
    with _opened(path) as file:
        missing = [name for name in columns if name not in file.schema_arrow.names]
        if missing:
            raise DataError(
                "a corpus file lacks a column",
                where=path,
                got=f"columns {', '.join(file.schema_arrow.names)}",
                wanted=f"columns {', '.join(COLUMNS)}",
            )
        wrong = [name for name in columns if not _RIGHT[name](file.schema_arrow.field(name).type)]
        if wrong:
            raise DataError(
                f"the column '{wrong[0]}' of a corpus file is of the wrong type",
                where=path,
                got=file.schema_arrow.field(wrong[0]).type,
                wanted="text and lang as strings, count as whole numbers",
            )
        try:
            chosen = None if group is None else [group]
            for batch in file.iter_batches(batch_size=BATCH_ROWS, row_groups=chosen, columns=list(columns)):
                batch.validate(full=True)  # bytes that are not UTF-8
                yield batch
        except (pa.ArrowException, OSError) as error:
            raise DataError("a corpus file is damaged", where=path, got=str(error).splitlines()[0]) from None


def _opened(path: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path)
    except FileNotFoundError:
        raise DataError("a corpus file is missing", where=path, wanted="a parquet file with text, lang, count") from None
    except (pa.ArrowException, OSError) as error:
        raise DataError("a corpus file cannot be read as parquet", where=path, got=str(error).splitlines()[0]) from None
