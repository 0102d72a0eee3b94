"""Lines from the standard input and to the standard output, as fast as they come."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator

from understudy.errors import DataError

__all__ = ["stdin_lines", "to_stdout"]


def stdin_lines() -> Iterator[str]:
    """The lines of the standard input without their ends. Raises DataError where one is not UTF-8."""
    for number, line in enumerate(sys.stdin.buffer, 1):
        try:
            yield line.decode("utf-8").rstrip("\r\n")
        except UnicodeDecodeError:
            raise DataError("the input is not UTF-8 text", where=f"stdin line {number}") from None


def to_stdout(lines: Iterable[str]) -> None:
    """Each line in UTF-8 with its end, at once where a person waits for it. What came before an error in `lines` is written.

    Raises DataError where the output takes no more, as on a full disk; BrokenPipeError where its reader has enough.
    """
    out, at_once = sys.stdout.buffer, sys.stdin.isatty() or sys.stdout.isatty()
    try:
        try:
            for line in lines:
                out.write(line.encode("utf-8") + b"\n")
                if at_once:
                    out.flush()
        finally:
            out.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        sys.stdout = None  # Or Python would try once more on its way out.
        raise DataError("the output could not be written", where="stdout", got=error.strerror or error) from None
