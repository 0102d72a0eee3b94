"""JSON lines of utterances and spans: told from MASSIVE's by their keys, and with Rasa's names of the same."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from helpers_labels import WAKE, read

from understudy.corpus.formats import json_format, write_row
from understudy.errors import DataError


def put(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


ENTITIES = {"text": WAKE.text, "intent": WAKE.intent, "entities": [{"entity": "time", "start": 11, "end": 18, "value": "9"}]}


def test_entities_are_slots_by_rasas_names(tmp_path: Path) -> None:
    path = put(tmp_path / "x.jsonl", json.dumps(ENTITIES) + "\n")
    assert read(path) == read(path, format="spans") == [("train", replace(WAKE, slots=WAKE.slots[:1]))]


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ({"slots": []}, "this line has both 'slots' and 'entities'"),
        ({"entities": None}, "'entities' is not a list"),
        ({"entities": [{"start": 1, "end": 2}]}, "a slot does not lie in its text"),
    ],
)
def test_malformed_entities_are_named(tmp_path: Path, fields: dict[str, object], what: str) -> None:
    with pytest.raises(DataError, match=rf"x\.jsonl:1: {what}"):
        read(put(tmp_path / "x.jsonl", json.dumps(ENTITIES | fields) + "\n"))


def test_spans_are_told_by_text_and_intent_though_the_first_row_has_no_slots(tmp_path: Path) -> None:
    rows = write_row(replace(WAKE, slots=())).replace(', "slots": []', "") + "\n" + write_row(WAKE) + "\n"
    assert '"slots"' not in rows.splitlines()[0]
    assert [row for _, row in read(put(tmp_path / "x.jsonl", rows))] == [replace(WAKE, slots=()), WAKE]


def test_the_format_of_json_lines_is_told_by_their_keys() -> None:
    assert json_format('{"utt": "a", "annot_utt": "a", "text": "a", "intent": "b"}') == "massive"
    assert json_format('{"text": "what is \\"annot_utt\\"", "intent": "ask"}') == "spans"
    assert [json_format(line) for line in ('{"text": "a"}', '["text", "intent"]', "oops", "")] == [None] * 4


def test_what_the_first_line_lacks_is_said_in_the_words_of_its_format(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"x\.jsonl:1: this line has no 'intent'\. Got: keys text, label"):
        read(put(tmp_path / "x.jsonl", '{"text": "a", "label": "b"}\n'))
    with pytest.raises(DataError, match=r"x\.jsonl:1: this line has no 'annot_utt'"):
        read(put(tmp_path / "x.jsonl", '{"utt": "a", "intent": "b"}\n'))
