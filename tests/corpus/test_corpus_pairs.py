"""Pairs of sentences: the ways people have them, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from understudy.corpus.pairs import LABELS, Pair, read_pairs
from understudy.errors import DataError

ENTAILED = Pair("He called, twice.", 'He "called".', 0)
DENIED = Pair("He called.", "He did not.", 2)


def written(path: Path, *rows: str) -> str:
    path.write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")
    return str(path)


def test_three_columns_without_a_name_are_premise_hypothesis_and_label(tmp_path: Path) -> None:
    path = written(
        tmp_path / "en.tsv", 'He called, twice.\tHe "called".\tentailment', "", "He called.\tHe did not.\tcontradiction"
    )
    assert list(read_pairs(path, lang="en")) == [ENTAILED, DENIED]


def test_named_columns_stand_anywhere_and_pairs_without_an_agreed_label_are_left_out(tmp_path: Path) -> None:
    path = written(
        tmp_path / "multinli_1.0_train.txt",
        "gold_label\tsentence1_parse\tsentence1\tsentence2\tgenre\tlabel1",
        'entailment\t(S)\tHe called, twice.\tHe "called".\tletters\tentailment',
        "-\t(S)\tHe called.\tShe too.\tletters\tneutral",
        "contradiction\t(S)\tHe called.\tHe did not.\tletters",
    )
    assert list(read_pairs(path, lang="en")) == [ENTAILED, DENIED]


def test_machine_translations_of_the_training_set_spell_one_label_otherwise(tmp_path: Path) -> None:
    path = written(tmp_path / "multinli.train.de.tsv", "premise\thypo\tlabel", "He called.\tHe did not.\tcontradictory")
    assert list(read_pairs(path, lang="de")) == [DENIED]


def test_of_a_file_with_all_languages_the_rows_of_one_are_read(tmp_path: Path) -> None:
    path = written(
        tmp_path / "xnli.test.tsv",
        "language\tgold_label\tsentence1\tsentence2",
        "de\tneutral\tEr rief an.\tEs war spät.",
        "en\tcontradiction\tHe called.\tHe did not.",
    )
    assert list(read_pairs(path, lang="en", mixed=True)) == [DENIED]
    with pytest.raises(DataError, match=r"no pairs of sentences.*none in 'fr'"):
        list(read_pairs(path, lang="fr", mixed=True))


def test_parquet_as_on_the_hub_has_numbers_for_labels(tmp_path: Path) -> None:
    table = {"premise": ["He called.", "So."], "hypothesis": ["He did not.", "No."], "label": [2, -1]}
    pq.write_table(pa.table(table), tmp_path / "train.parquet")
    assert list(read_pairs(str(tmp_path / "train.parquet"), lang="en")) == [DENIED]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("He called.\tHe did not.", r":2: this line has another number of columns. Got: 2"),
        ("He called.\tHe did not.\tneutral\tx", r":2: this line has another number of columns. Got: 4"),
        ("He called.\tHe did not.\tperhaps", r":2: this label is unknown. Got: 'perhaps'. Wanted: one of entailment, neutral"),
        ("He called.\t \tneutral", r":2: this row has no hypothesis"),
        ("He called.\0\tNo.\tneutral", r":2: this line holds a NUL byte"),
    ],
)
def test_a_row_that_is_no_pair_is_refused_by_file_and_line(tmp_path: Path, row: str, message: str) -> None:
    path = written(tmp_path / "en.tsv", "He called.\tHe did not.\tcontradiction", row)
    with pytest.raises(DataError, match=r"en\.tsv" + message):
        list(read_pairs(path, lang="en"))


def test_several_languages_in_a_file_that_does_not_tell_them_apart_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "dev.tsv", "He called.\tHe did not.\tcontradiction")
    with pytest.raises(DataError, match=r"dev\.tsv:1: this file does not say which language.*\{lang\} in the path"):
        list(read_pairs(path, lang="en", mixed=True))


@pytest.mark.parametrize("lang", ["ar", "de", "en", "es", "fr", "hi"])
def test_real_test_pairs_are_read(data_root: Path, lang: str) -> None:
    labels = [pair.label for pair in read_pairs(str(data_root / "xnli" / f"dev-{lang}.tsv"), lang=lang)]
    assert [labels.count(number) for number in range(len(LABELS))] == [830, 830, 830]


def test_real_training_pairs_are_read(data_root: Path) -> None:
    labels = [pair.label for pair in read_pairs(str(data_root / "xnli" / "train-en.tsv"), lang="en")]
    assert [labels.count(number) for number in range(len(LABELS))] == [5100, 4397, 5504]
