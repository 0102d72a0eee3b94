"""What the files of a folder hold, and why a file is left out."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from understudy.corpus.survey import TO_FILL_IN, survey

MASSIVE = '{"utt": "a b", "annot_utt": "a [x : b]", "intent": "i_j", "locale": "de", "partition": "%s"}\n'


def put(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding=encoding)
    return path


def test_a_survey_names_use_format_and_languages(tmp_path: Path) -> None:
    put(tmp_path / "README.txt", "not data\n")
    put(tmp_path / "text" / "de.txt", "eins zwei\n")
    put(tmp_path / "de.jsonl", MASSIVE % "train")
    put(tmp_path / "en.bio", "# intent: on\nlamp\tB-x\non\tO\n")
    put(tmp_path / "nlu.en.yml", "nlu:\n- intent: on\n  examples: |\n    - lamp [on](x)\n")
    put(tmp_path / "odd.txt", "which language?\n")
    (tmp_path / "photo.png").write_bytes(b"\x89PNG")
    assert {f.path: (f.use, f.format, f.languages) for f in survey(tmp_path)} == {
        "de.jsonl": ("labels", "massive", ("de",)),
        "en.bio": ("labels", "bio", ("en",)),
        "nlu.en.yml": ("labels", "rasa", ("en",)),
        "odd.txt": ("text", "txt", ()),
        "text/de.txt": ("text", "txt", ("de",)),
    }
    assert [f.lang for f in survey(tmp_path) if f.path == "odd.txt"] == [TO_FILL_IN]


def test_labelled_files_are_read_whole(tmp_path: Path) -> None:
    put(tmp_path / "late.jsonl", (MASSIVE % "train") * 600 + MASSIVE % "dev")
    put(tmp_path / "torn.jsonl", (MASSIVE % "train") * 600 + "oops\n")
    late, torn = survey(tmp_path)
    assert late.partitions == ("dev", "train")
    assert late.whole
    assert torn.problem.startswith("torn.jsonl:601: this line is not JSON")


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        (
            "labels.en.csv",
            "query,intent\nplay jazz,music\n",
            "It has a column 'intent', which is not read; wanted: text and intent",
        ),
        ("labels.en.tsv", "text\tlabel\nplay jazz\tmusic\n", "It has a column 'label'"),
        ("en.jsonl", '{"text": "play jazz", "label": "music"}\n', "Its rows have 'label', which is not read"),
        ("en.jsonl", "[" * 5000, "It is one JSON document"),
        ("en.json", json.dumps([{"text": "play jazz", "intent": "music"}], indent=1), "It is one JSON document"),
        ("en.json", json.dumps({"rasa_nlu_data": {"common_examples": []}}, indent=1), "Rasa's old JSON is not read"),
        ("en.json", '{"rasa_nlu_data": {"common_examples": []}}', "Rasa's old JSON is not read"),
        ("en.jsonl", "\x1b[1mhello\n", "Its first line is not a JSON object"),
        ("en.txt", "", "It is empty"),
    ],
)
def test_why_a_file_is_left_out(tmp_path: Path, name: str, text: str, why: str) -> None:
    put(tmp_path / name, text)
    [found] = survey(tmp_path)
    assert found.problem.startswith(why)
    assert str(found).startswith(f"{name}: left out. ")
    assert str(found).isprintable()


def test_why_a_file_without_one_usable_line_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "de.txt").write_bytes("früh\n".encode("latin-1"))
    [found] = survey(tmp_path)
    assert found.problem == "No line of it can be used. Line 1: this line is not UTF-8: byte 0xfc at 2"


def test_utf_16_and_labels_without_a_text_are_left_out(tmp_path: Path) -> None:
    put(tmp_path / "en.txt", "hallo\n", "utf-16")
    pq.write_table(pa.table({"query": ["a"], "intent": ["b"]}), tmp_path / "fr.parquet")
    utf_16, labelled = survey(tmp_path)
    assert "UTF-16" in utf_16.problem
    assert "column 'intent'" in labelled.problem


@pytest.mark.parametrize(
    ("text", "use"),
    [
        ("# text: wake me\n# intent: alarm\nwake O\nme O\n", "labels"),
        ("# locale: en-US\n\nalarm\nwake\tO\nme\tO\n", "labels"),
        ("wake\tO\talarm\nme\tO\talarm\n", "labels"),
        ("# a heading\nwake me at six\n", "text"),
        ("wake me at six\tin the morning\n", "text"),
        ("hello\nstop\n", "text"),
    ],
)
def test_bio_is_told_by_its_first_token(tmp_path: Path, text: str, use: str) -> None:
    put(tmp_path / "en" / "train.txt", text)
    assert [f.use for f in survey(tmp_path)] == [use]


def test_the_language_of_a_rasa_project(tmp_path: Path) -> None:
    nlu = "nlu:\n- intent: on\n  examples: |\n    - lampe [an](x)\n"
    put(tmp_path / "bot" / "config.yml", "recipe: default.v1\nlanguage: de\n")
    put(tmp_path / "bot" / "data" / "nlu.yml", nlu)
    for folder in (tmp_path, tmp_path / "bot", tmp_path / "bot" / "data"):
        [found] = survey(folder)
        assert (found.languages, found.lang) == (("de",), "de")
    [found] = survey(tmp_path, "fr")
    assert found.lang == "fr"


def test_a_language_column_is_not_overruled(tmp_path: Path) -> None:
    put(tmp_path / "logs.jsonl", '{"text": "eins", "lang": "de"}\n{"text": "zwei", "lang": "?"}\n')
    [found] = survey(tmp_path, "fr")
    assert "no known language" in found.problem
