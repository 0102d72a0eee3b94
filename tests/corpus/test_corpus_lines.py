"""Reading lines: compression, encodings, limits, remote files, and what is said of bad lines."""

from __future__ import annotations

import bz2
import functools
import gzip
import http.server
import lzma
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import zstandard

from understudy.corpus.files import expand, language_of, language_of_path, partition_of_path, suffix_of
from understudy.corpus.lines import BadLines, lines
from understudy.errors import DataError

TEXT = "eins\nzwei äöü\n日本\n"
EXPECTED = [(1, "eins"), (2, "zwei äöü"), (3, "日本")]


def read(path: Path | str, share: float = 0.0, **options: int) -> list[tuple[int, str]]:
    bad = BadLines(share, path)
    found = list(lines(str(path), bad, **options))
    bad.close()
    return found


@pytest.mark.parametrize(
    ("suffix", "compress"),
    [
        (".gz", gzip.compress),
        (".xz", lzma.compress),
        (".bz2", bz2.compress),
        (".zst", zstandard.ZstdCompressor().compress),
        ("", bytes),
    ],
)
def test_compressed_files_read_as_plain_ones(tmp_path: Path, suffix: str, compress: object) -> None:
    path = tmp_path / f"de.txt{suffix}"
    path.write_bytes(compress(TEXT.encode()))  # type: ignore[operator]
    assert read(path) == EXPECTED


def test_windows_line_ends_and_a_byte_order_mark_are_dropped(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"\xef\xbb\xbfeins\r\nzwei\r\n")
    assert read(path) == [(1, "eins"), (2, "zwei")]


def test_latin_1_is_named_with_line_and_byte(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"gut\nsch\xf6n\n")
    with pytest.raises(DataError, match=r"a\.txt:2: this line is not UTF-8: byte 0xf6 at 3"):
        read(path)


def test_utf_16_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("gut\n", encoding="utf-16")
    with pytest.raises(DataError, match=r"a\.txt:1: the text is not UTF-8\. Got: UTF-16"):
        read(path)


def test_over_long_lines_and_nul_bytes_are_bad(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"ok\n" + b"x" * 500 + b"\nok\0\nend")
    bad = BadLines(1.0, path)
    assert list(lines(str(path), bad, max_bytes=100)) == [(1, "ok"), (4, "end")]
    assert [what for _, what in bad.first] == [
        "this line is too long: 501 bytes, the limit is 100",
        "this line holds a NUL byte at 2",
    ]
    with pytest.raises(DataError, match=r"a\.txt:2: this line is too long"):
        read(path, max_bytes=100)


def test_a_line_of_just_the_limit_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"x" * 100 + b"\ny")
    assert [len(line) for _, line in read(path, max_bytes=100)] == [100, 1]


def test_few_bad_lines_are_borne_and_too_many_quoted(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"ok\n" * 98 + b"\xff\n\xfe\n")
    assert len(read(path, share=0.02)) == 98
    with pytest.raises(DataError, match=r"a\.txt:99: .*2 bad of 100 lines.*a\.txt:100.*at most 0\.01 of all lines.*bad_lines"):
        read(path, share=0.01)


def test_a_truncated_archive_is_an_error(tmp_path: Path) -> None:
    for suffix, compress in ((".gz", gzip.compress), (".xz", lzma.compress)):
        path = tmp_path / f"a.txt{suffix}"
        path.write_bytes(compress(TEXT.encode() * 100)[:-9])
        with pytest.raises(DataError, match="the file could not be read"):
            read(path)


def test_a_damaged_archive_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.txt.gz"
    whole = gzip.compress(TEXT.encode() * 1000)
    path.write_bytes(whole[:20] + b"\xff" * 20 + whole[40:])  # zlib's own error, no OSError
    with pytest.raises(DataError, match="the file could not be read.*It may be damaged"):
        read(path)


def test_a_file_that_is_not_compressed_as_it_says_is_an_error(tmp_path: Path) -> None:
    for suffix in (".gz", ".xz", ".bz2", ".zst"):
        path = tmp_path / f"a.txt{suffix}"
        path.write_text(TEXT)
        with pytest.raises(DataError, match="the file could not be read"):
            read(path)


def test_missing_files_are_named_with_the_nearest_name(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text("x")
    with pytest.raises(DataError, match=r"trian\.txt: there is no such file or folder.*train\.txt"):
        expand(str(tmp_path / "trian.txt"), (".txt",))
    with pytest.raises(DataError, match="this folder holds no data"):
        expand(str(tmp_path), (".jsonl",))
    with pytest.raises(DataError, match="no file matches"):
        expand(str(tmp_path / "*.jsonl"), (".jsonl",))
    with pytest.raises(DataError, match="there is no such file"):
        read(tmp_path / "nothing.txt")


def test_folders_and_patterns_give_their_files_in_order(tmp_path: Path) -> None:
    for name in ("b.txt", "a.txt.gz", "sub/c.txt", ".hidden/d.txt", "e.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    assert [Path(f).name for f in expand(str(tmp_path), (".txt",))] == ["a.txt.gz", "b.txt", "c.txt"]
    assert [Path(f).name for f in expand(str(tmp_path / "*.txt"), ())] == ["b.txt"]


@pytest.mark.parametrize(
    ("path", "language"),
    [
        ("public/de.parquet", "de"),
        ("de-DE.jsonl", "de"),
        ("x/cc100.de.txt.xz", "de"),
        ("ja_JP/train/seq.in", "ja"),
        ("en/train/seq.in", "en"),
        ("srv/it/texts/a.txt", None),
        ("hf://datasets/a/b/de/0.parquet", "de"),
        ("ud/de_gsd-dev.conllu", "de"),
        ("it_stories.txt", None),
        ("data/train.txt", None),
        ("data/notes.txt", None),
    ],
)
def test_the_language_in_a_path(path: str, language: str | None) -> None:
    found = language_of_path(path)
    assert (found[0] if found else None) == language


@pytest.mark.parametrize(
    ("path", "partition"),
    [
        ("a/valid/seq.in", "dev"),
        ("train.de.jsonl", "train"),
        ("de_gsd-test.conllu", "test"),
        ("https://x.org/dev.jsonl?part=train", "dev"),
        ("de.jsonl", "train"),
    ],
)
def test_the_partition_in_a_path(path: str, partition: str) -> None:
    assert partition_of_path(path) == partition


def test_language_codes() -> None:
    assert [language_of(c) for c in ("de", "pt-BR", "zh_Hans_CN", "es-419")] == ["de", "pt", "zh", "es"]
    assert [language_of(c) for c in ("german", "xx", "DE", "", "de-de")] == [None] * 5


def test_the_suffix_below_the_compression() -> None:
    assert suffix_of("a/b.JSONL.gz") == ".jsonl"
    assert suffix_of("https://x.org/a.txt?download=1") == ".txt"
    assert suffix_of("README") == ""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(tmp_path))) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


def test_remote_files_read_as_local_ones(tmp_path: Path, server: str) -> None:
    (tmp_path / "de.txt.xz").write_bytes(lzma.compress(TEXT.encode()))
    assert read(f"{server}/de.txt.xz") == EXPECTED


def test_a_missing_remote_file_is_an_error(server: str) -> None:
    with pytest.raises(DataError, match=r"nothing\.txt"):
        read(f"{server}/nothing.txt")


def test_spans_part_the_lines_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "de.txt"
    path.write_text("eins\n\nzwei äöü\n" + "x" * 50 + "\ndrei", encoding="utf-8")
    whole = [line for _, line in read(path)]
    size = path.stat().st_size
    for step in range(1, size + 1):
        parts = [lines(str(path), BadLines(0.0, path), span=(at, at + step)) for at in range(0, size, step)]
        assert [line for part in parts for _, line in part] == whole


def test_a_line_of_ten_megabytes_is_counted_and_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "de.txt"
    path.write_bytes(b"gut\n" + b"x" * 10_000_000 + b"\nauch\n")
    bad = BadLines(1.0, path)
    assert [line for _, line in lines(str(path), bad)] == ["gut", "auch"]
    assert bad.first == [(2, "this line is too long: 10000001 bytes, the limit is 1000000")]
