"""Labelled utterances in tables: CSV, TSV and parquet."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from helpers_labels import WAKE, read

from understudy.config import parse
from understudy.corpus.utterances import LabelSource, read_labelled
from understudy.errors import DataError
from understudy.interpretation import Interpretation, Slot

TAGS = "O O O B-time I-time O B-date"


def put(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_multiatis_as_it_is_distributed(tmp_path: Path) -> None:
    tags = "O B-fromloc.city_name O B-toloc.city_name"
    put(tmp_path / "dev_DE.tsv", f'id\tutterance\tslot_labels\tintent\n7\tvon boston nach "denver"\t{tags}\tatis_flight\n')
    [(partition, found)] = read_labelled(LabelSource(path=str(tmp_path)))
    slots = (Slot("fromloc.city_name", "boston", 4, 10), Slot("toloc.city_name", '"denver"', 16, 24))
    wanted = Interpretation('von boston nach "denver"', "atis_flight", slots, "atis", locale="de", id="7")
    assert (partition, found) == ("dev", wanted)


def test_a_spreadsheet_of_texts_and_intents(tmp_path: Path) -> None:
    rows = 'text,intent,domain,locale,split,notes\n"turn it off, please",lights_off,home,en-GB,validation,x\nhi,greet,,,,\n'
    assert read(put(tmp_path / "x.csv", rows)) == [
        ("dev", Interpretation("turn it off, please", "lights_off", (), "home", locale="en-GB")),
        ("train", Interpretation("hi", "greet", (), "greet", locale="en-US")),
    ]


def test_parquet(tmp_path: Path) -> None:
    columns = {"id": [3], "text": [WAKE.text], "intent": [WAKE.intent], "tags": [TAGS], "audio": [b"..."]}
    pq.write_table(pa.table(columns), tmp_path / "test.parquet")
    assert read(tmp_path / "test.parquet") == [("test", replace(WAKE, id="3"))]


def test_a_cell_without_a_value_says_nothing(tmp_path: Path) -> None:
    columns = {"text": ["hi", "ciao"], "intent": ["greet", "greet"], "locale": [None, "it-IT"], "split": ["test", None]}
    pq.write_table(pa.table(columns), tmp_path / "x.parquet")
    found = [(partition, row.locale) for partition, row in read(tmp_path / "x.parquet")]
    assert found == [("test", "en-US"), ("train", "it-IT")]
    pq.write_table(pa.table(columns | {"intent": ["greet", None]}), tmp_path / "x.parquet")
    with pytest.raises(DataError, match=r"x\.parquet:2: this line has no 'intent'"):
        read(tmp_path / "x.parquet")


@pytest.mark.parametrize("name", ["../../escaped", "a/b", ".hidden", "x" * 65, "a b"])
def test_a_partition_that_could_leave_the_artifact_is_refused(tmp_path: Path, name: str) -> None:
    rows = put(tmp_path / "x.csv", f"text,intent,split\nhi,greet,{name}\n")
    with pytest.raises(DataError, match=r"x\.csv:2: this cannot be the name of a partition"):
        read(rows)
    with pytest.raises(DataError, match="this cannot be the name of a partition"):
        parse(LabelSource, {"path": str(rows), "partition": name}, where="labels")


def test_partitions_are_known_however_they_are_capitalised(tmp_path: Path) -> None:
    rows = "text,intent,split\na,x,Train\nb,x,VALIDATION\nc,x,Fold1\n"
    assert [partition for partition, _ in read(put(tmp_path / "x.csv", rows))] == ["train", "dev", "Fold1"]


def test_what_is_no_locale_is_told_with_its_line(tmp_path: Path) -> None:
    rows = put(tmp_path / "x.csv", "text,intent,locale\nhi,greet,de-DE\nho,greet,french\n")
    with pytest.raises(DataError, match=r"x\.csv:3: this is no locale. Got: 'french'"):
        read(rows)


def test_as_a_spreadsheet_program_saves_it(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes(b'\xef\xbb\xbftext,intent\r\n"one, two",count\r\n')
    assert [row.text for _, row in read(tmp_path / "x.csv")] == ["one, two"]


def test_other_columns_are_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"x\.csv: this table has no labelled utterances. Got: query;label. Wanted: columns text"):
        read(put(tmp_path / "x.csv", "query;label\nhi;greet\n"))


def test_japanese_tokens_are_joined_without_spaces(tmp_path: Path) -> None:
    put(tmp_path / "train_JA.tsv", "utterance\tslot_labels\tintent\n金曜日 の 午前\tB-date O B-time\talarm\n")
    [(_, found)] = read_labelled(LabelSource(path=str(tmp_path)))
    assert (found.text, found.locale) == ("金曜日の午前", "ja")
    assert found.slots == (Slot("date", "金曜日", 0, 3), Slot("time", "午前", 4, 6))


def test_a_tsv_of_tokens_is_no_table(tmp_path: Path) -> None:
    bio = "# intent: alarm_set\n" + "".join(f"{w}\t{t}\n" for w, t in zip(WAKE.text.split(), TAGS.split(), strict=True))
    assert read(put(tmp_path / "x.tsv", bio)) == [("train", WAKE)]


@pytest.mark.parametrize(
    ("row", "what"),
    [
        ("wake me,,O O", "this line has no 'intent'"),
        (",alarm,O", "this line has no 'text'"),
        ("wake me,alarm,O", "tokens and tags are not of one number. Got: 2 tokens, 1 tags"),
        ("wake me,alarm,O time", "this is not a tag. Got: 'time'"),
        ("wake me,alarm", "this line has 2 columns, the first line 3"),
    ],
)
def test_malformed_rows_are_named(tmp_path: Path, row: str, what: str) -> None:
    with pytest.raises(DataError, match=r"x\.csv(:3|.*line 3): .*" + re.escape(what)):
        read(put(tmp_path / "x.csv", f"text,intent,tags\nhi,greet,O\n{row}\n"))
