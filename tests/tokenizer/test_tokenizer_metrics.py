"""Split ratio and unk portion, by hand."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from understudy.tokenizer import Tokenizer
from understudy.tokenizer.backend import build
from understudy.tokenizer.metrics import Fit, fit, fit_file, split_ratio, unk_portion

PIECES = [("▁", -4.0), ("▁play", -2.0), ("ing", -3.0), ("a", -5.0), ("私", -3.0)]
TOY = Tokenizer(build(PIECES).to_str().encode())


def test_split_ratio_is_pieces_per_word() -> None:
    # ▁play ing | ▁play | ▁ a  -> 5 pieces of 3 words
    assert split_ratio(TOY, ["playing play a"]) == pytest.approx(5 / 3)


def test_unk_portion_is_percent_of_pieces() -> None:
    # ▁ a | ▁ <unk> (a run of unknown characters is one) | 私 -> 1 of 5
    assert unk_portion(TOY, ["a qq 私"]) == pytest.approx(20.0)


def test_nothing_has_no_splits() -> None:
    assert (fit(TOY, []), split_ratio(TOY, [""]), unk_portion(TOY, [""])) == (Fit(), 0.0, 0.0)


def test_file_is_measured_per_language_each_row_once(tmp_path: Path) -> None:
    rows = {"text": ["playing", "play", "私q"], "lang": ["en", "en", "ja"], "count": pa.array([9, 1, 2], pa.int32())}
    pq.write_table(pa.table(rows), tmp_path / "valid.parquet")
    overall, languages = fit_file(TOY, [tmp_path / "valid.parquet"])
    assert languages == {"en": Fit(2, 3, 0), "ja": Fit(2, 3, 1)}
    assert overall == Fit(4, 6, 1)
    assert languages["ja"].to_dict() == {"words": 2, "pieces": 3, "split_ratio": 1.5, "unk_portion": 33.3333}
