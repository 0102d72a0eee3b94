"""The lines of text files, plain or compressed, here or remote; those that cannot be used are counted.

Everything is streamed. The reading stops with a DataError that quotes the first bad lines once they are more than their
allowed share.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast

import daft
import zstandard

from understudy.corpus.files import brief, is_remote, quiet_daft
from understudy.errors import DataError

__all__ = ["MAX_LINE", "BadLines", "Span", "first_line", "lines"]

MAX_LINE = 1_000_000
_COMPRESSED: dict[str, Callable[[Any], Any]] = {
    ".gz": gzip.open,
    ".xz": lzma.open,
    ".bz2": bz2.open,
    ".zst": lambda raw: zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True, closefd=True),
}
Span = tuple[int, int | None]
"""The first byte (or row group) of a stretch of a file, and the first one behind it, none for the end of the file."""
_BUFFER = 1 << 20
_EARLY = 10_000
_QUOTED = 3


class BadLines:
    """Counts the lines of one source that cannot be used, and raises once there are too many.

    Args:
        share: the share of all lines that may be bad, 0 for a source in which every line counts.
        name: the source, for the message.
    """

    def __init__(self, share: float, name: object) -> None:
        self.share, self.name = share, name
        self.seen = self.bad = 0
        self.first: list[tuple[int, str]] = []

    def report(self, number: int, what: str) -> None:
        """Line `number` is bad. Raises DataError once more than the share of at least 10,000 lines is bad."""
        self.bad += 1
        if len(self.first) < _QUOTED:
            self.first.append((number, what))
        if self.bad > self.share * max(self.seen, _EARLY):
            self._fail()

    def close(self) -> None:
        """To be called at the end of the source: raises DataError where more than the share of its lines was bad."""
        if self.bad > self.share * self.seen:
            self._fail()

    def extend(self, seen: int, bad: int, first: Sequence[tuple[int, str]]) -> None:
        """What was counted in the next stretch of the source, whose lines were numbered from 1."""
        quoted = [(self.seen + number, what) for number, what in first]
        self.first += quoted[: _QUOTED - len(self.first)]
        self.seen += seen
        self.bad += bad

    def quote(self) -> str:
        """The first bad lines: where, and what is wrong with each."""
        return "; ".join(f"{self.name}:{number}: {what}" for number, what in self.first)

    def _fail(self) -> None:
        number, what = self.first[0]
        others = "; ".join(f"{self.name}:{n}: {t}" for n, t in self.first[1:])
        raise DataError(
            what,
            where=f"{self.name}:{number}",
            got=f"{self.bad} bad of {self.seen} lines read of {self.name}" + (f"; then {others}" if others else ""),
            wanted=f"at most {self.share:.4g} of all lines" if self.share else "not one bad line in labelled data",
            hint="Correct the lines" + (", or allow more with `bad_lines = SHARE`" if self.share else ""),
        )


def lines(path: str, bad: BadLines, *, max_bytes: int = MAX_LINE, span: Span | None = None) -> Iterator[tuple[int, str]]:
    """Line numbers (from 1) and lines of a UTF-8 text file, without line ends and byte order mark, decompressed by suffix.

    With `span`, of an uncompressed file here, those lines that begin at its bytes, numbered from 1. Lines with undecodable bytes, with NUL, or of more than `max_bytes` go to `bad` instead. At most `max_bytes` of a line
    are ever held. Raises DataError where the file is missing, unreadable, UTF-16, or where its compression is damaged.
    """
    number = 0
    start, end = span or (0, None)
    try:
        with _open(path) as stream:
            at = _line_start(stream, start) if start else 0
            while (end is None or at < end) and (raw := stream.readline(max_bytes + 1)):
                number += 1
                at += len(raw)
                bad.seen += 1
                if len(raw) > max_bytes and not raw.endswith(b"\n"):
                    rest = _skip_line(stream)
                    at += rest
                    bad.report(number, f"this line is too long: {len(raw) + rest} bytes, the limit is {max_bytes}")
                    continue
                if number == 1 and not start:
                    raw = _without_mark(raw, path)
                if b"\0" in raw:
                    bad.report(number, f"this line holds a NUL byte at {raw.index(0)}")
                    continue
                try:
                    yield number, raw.decode("utf-8").rstrip("\r\n")
                except UnicodeDecodeError as error:
                    what = f"this line is not UTF-8: byte 0x{raw[error.start]:02x} at {error.start}"
                    bad.report(number, what)
    except DataError:
        raise
    except FileNotFoundError:
        raise DataError("there is no such file", where=path) from None
    except (OSError, EOFError, lzma.LZMAError, zlib.error, zstandard.ZstdError, ValueError) as error:
        raise DataError(
            "the file could not be read",
            where=f"{path}:{number + 1}",
            got=brief(error),
            hint="It may be damaged; fetch it again",
        ) from None


def _line_start(stream: IO[bytes], start: int) -> int:
    """Moves to the first line that begins at byte `start` or later; where that is."""
    stream.seek(start - 1)
    return start - 1 + _skip_line(stream)


def _skip_line(stream: IO[bytes]) -> int:
    skipped = 0
    while chunk := stream.readline(1 << 16):
        skipped += len(chunk)
        if chunk.endswith(b"\n"):
            break
    return skipped


def _without_mark(raw: bytes, path: str) -> bytes:
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DataError(
            "the text is not UTF-8", where=f"{path}:1", got="UTF-16", wanted="UTF-8", hint="Convert it: iconv -f utf-16 -t utf-8"
        )
    return raw.removeprefix(b"\xef\xbb\xbf")


@contextmanager
def _open(path: str) -> Iterator[IO[bytes]]:
    """The decompressed bytes of a file here or elsewhere."""
    with ExitStack() as stack:
        if is_remote(path):
            quiet_daft()
            file = stack.enter_context(daft.File(path).open())
            raw: Any = stack.enter_context(io.BufferedReader(_Remote(file), buffer_size=_BUFFER))
        else:
            raw = stack.enter_context(Path(path).open("rb"))
        unpack = _COMPRESSED.get(PurePosixPath(path.split("?")[0]).suffix.lower())
        yield cast("IO[bytes]", stack.enter_context(io.BufferedReader(unpack(raw), buffer_size=_BUFFER)) if unpack else raw)


class _Remote(io.RawIOBase):
    """A file of daft's, which has `read(n)` only, as the raw stream that Python's readers stand on."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        chunk = self._file.read(len(buffer))
        buffer[: len(chunk)] = chunk
        return len(chunk)


def first_line(path: str) -> str:
    """The first line of a file that is not blank, "" where there is none; bad lines are passed over."""
    return next((line for _, line in lines(path, BadLines(1.0, path)) if line.strip()), "")
