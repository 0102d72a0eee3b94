"""Labelled formats: the same utterance out of each of them, and every malformed line named."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from helpers_labels import WAKE, read
from hypothesis import given
from hypothesis import strategies as st

from understudy.corpus.formats import domain_of, read_own, write_row
from understudy.corpus.utterances import LabelSource, read_labelled
from understudy.errors import DataError
from understudy.interpretation import Interpretation, Slot

BIO = "wake\tO\nme\tO\nat\tO\nnine\tB-time\nam\tI-time\non\tO\nfriday\tB-date\n"


def put(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def massive(**fields: str) -> str:
    row = {
        "locale": "en-US", "partition": "dev", "scenario": "alarm", "intent": "alarm_set", "utt": WAKE.text,
        "annot_utt": "wake me at [time : nine am] on [date : friday]",
    }  # fmt: skip
    return json.dumps(row | fields, ensure_ascii=False) + "\n"


def test_massive(tmp_path: Path) -> None:
    assert read(put(tmp_path / "x.jsonl", massive())) == [("dev", WAKE)]
    assert read(put(tmp_path / "x.jsonl", massive(id="17"))) == [("dev", replace(WAKE, id="17"))]


def test_massive_japanese_with_spaces_in_the_annotation_only(tmp_path: Path) -> None:
    row = massive(locale="ja-JP", utt="金曜日の午前九時に", annot_utt="[date : 金曜日] の [time : 午前九時] に")
    [(_, found)] = read(put(tmp_path / "x.jsonl", row))
    assert found.slots == (Slot("date", "金曜日", 0, 3), Slot("time", "午前九時", 4, 8))
    assert found.locale == "ja-JP"


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ({"annot_utt": "wake me at [time : nine am on [date : friday]"}, "a slot annotation is malformed"),
        ({"annot_utt": "wake me at [time : ten am] on friday"}, "annot_utt does not reproduce utt"),
        ({"annot_utt": "wake me at nine am on friday [time : ]"}, "the slot 'time' is empty"),
        ({"intent": ""}, "this line has no 'intent'"),
    ],
)
def test_malformed_massive_rows_are_named(tmp_path: Path, fields: dict[str, str], what: str) -> None:
    with pytest.raises(DataError, match=r"x\.jsonl:2: " + re.escape(what)):
        read(put(tmp_path / "x.jsonl", massive() + massive(**fields)))


def test_massive_rows_without_a_key_or_of_a_wrong_type(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"x\.jsonl:1: this line has no 'utt'.*keys annot_utt"):
        read(put(tmp_path / "x.jsonl", '{"annot_utt": "a"}\n'))
    with pytest.raises(DataError, match=r"x\.jsonl:1: this line has no 'intent'. Got: 7"):
        read(put(tmp_path / "x.jsonl", '{"annot_utt": "a", "utt": "a", "intent": 7}\n'))
    with pytest.raises(DataError, match=r"x\.jsonl:2: this line is not JSON"):
        read(put(tmp_path / "x.jsonl", massive() + '{"annot_utt": \n'))


@pytest.mark.parametrize(
    "text",
    [
        f"# intent: alarm_set\n{BIO}",
        f"# intent = alarm_set\n{BIO}",
        f"# text = {WAKE.text}\n# intent: alarm_set\n{BIO}",
        f"{BIO}alarm_set\n",
        f"alarm_set\n{BIO}",
        "# intent: alarm_set\n" + BIO.replace("\t", " "),
        "".join(f"{line}\talarm_set\n" for line in BIO.splitlines()),
        "".join(f"{line}\t{'alarm_set' if i == 0 else '_'}\n" for i, line in enumerate(BIO.splitlines())),
        "# intent: alarm_set\n" + "".join(f"{i + 1}\t{line}\n" for i, line in enumerate(BIO.splitlines())),
        "# intent: alarm_set\n" + "".join(f"{w}\tNN\tB-NP\t{t}\n" for w, t in (line.split("\t") for line in BIO.splitlines())),
        "".join(f"{i + 1}\t{w}\talarm_set\t{t}\n" for i, (w, t) in enumerate(line.split("\t") for line in BIO.splitlines())),
        "# intent: alarm_set\n" + BIO.replace("I-time", "E-time").replace("B-date", "S-date"),
        "# intent: alarm_set\n" + BIO.replace("I-time", "L-time").replace("B-date", "U-date"),
        "\n\n# intent: alarm_set\n" + BIO.replace("B-date", "I-date").replace("\n", "\r\n") + "\n\n",
    ],
)  # fmt: skip
def test_bio_variants(tmp_path: Path, text: str) -> None:
    assert read(put(tmp_path / "x.bio", text)) == [("train", WAKE)]


def test_bio_comments_and_files_of_several_utterances(tmp_path: Path) -> None:
    text = f"# intent: alarm_set\n# domain: clock\n# split: validation\n# locale: en-GB\n{BIO}\n# intent: greet\nhi\tO\n"
    first, second = read(put(tmp_path / "x.bio", text))
    assert (first[0], first[1].domain, first[1].locale) == ("dev", "clock", "en-GB")
    assert second == ("train", Interpretation("hi", "greet", (), "greet", locale="en-US"))


def test_the_intent_of_bio_is_in_the_column_that_is_the_same_in_every_utterance(tmp_path: Path) -> None:
    text = "stop NN O alarm_stop\n\nwake VB O alarm_set\nme PRP O alarm_set\n\nplay NN O music\njazz NN B-genre music\n"
    assert [row.intent for _, row in read(put(tmp_path / "x.conll", text))] == ["alarm_stop", "alarm_set", "music"]
    with pytest.raises(DataError, match=r"x\.conll:1: several columns could be the intent. Got: NN \| alarm_stop"):
        read(put(tmp_path / "x.conll", "stop NN O alarm_stop\n\nwake VB O alarm_set\n"))


def test_bio_text_decides_the_spaces_and_japanese_has_none(tmp_path: Path) -> None:
    [(_, found)] = read(put(tmp_path / "x.bio", "# text: what's up?\n# intent: ask\nwhat\tO\n's\tO\nup\tB-x\n?\tO\n"))
    assert (found.text, found.slots) == ("what's up?", (Slot("x", "up", 7, 9),))
    [(_, found)] = read(put(tmp_path / "ja.bio", "# intent: ask\n金曜日\tB-date\nの\tO\n"), locale="ja-JP")
    assert (found.text, found.slots) == ("金曜日の", (Slot("date", "金曜日", 0, 3),))


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("# intent: x\nwake\tO\nme\tB\n", r"x\.bio:3: this is not a tag. Got: 'B'"),
        ("# intent: x\nwake\tO\nme\tnoun\n", r"x\.bio:3: this is not a tag. Got: 'noun'"),
        ("# intent: x\nwake\tO\nme\n", r"x\.bio:3: this line has a token without a tag"),
        ("wake\tO\nme\nup\tO\n# intent: x\n", r"x\.bio:2: this line has a token without a tag. Got: me"),
        ("wake\tO\nme\tO\nup\n# intent: x\n", r"x\.bio:3: this line has a token without a tag"),
        ("wake\tO\tx\nme\tO\tx\n\nplay\tO\ty\njazz\n", r"x\.bio:5: this line has a token without a tag"),
        ("# intent: x\nwake\tO\n# intent: y\nplay\tO\n", r"x\.bio:3: this utterance has a second intent.*empty line"),
        ("# intent: x\nwake\tO\nme\tO\tx\n", r"x\.bio:3: this line has 3 columns, the utterance began with 2"),
        ("wake\tO\nme\tO\n", r"x\.bio:1: this utterance has no intent"),
        ("a\tO\n# intent: x\n\n# intent: y\n\n", r"x\.bio:4: this utterance has no tokens"),
        ("# intent: x\nwake\tO\n\tO\n", r"x\.bio:3: this line has a tag without a token"),
    ],
)
def test_malformed_bio_is_named(tmp_path: Path, text: str, what: str) -> None:
    with pytest.raises(DataError, match=what):
        read(put(tmp_path / "x.bio", text))


def seq(folder: Path, tokens: str, tags: str, labels: str) -> None:
    for name, text in (("seq.in", tokens), ("seq.out", tags), ("label", labels)):
        put(folder / name, text)


def test_seq_folders_with_their_partitions(tmp_path: Path) -> None:
    seq(tmp_path / "train", f"{WAKE.text}\n", "O O O B-time I-time O B-date\n", "alarm_set\n")
    seq(tmp_path / "valid", "hi\n", "O\n", "greet\n")
    assert read(tmp_path, format="seq") == [("train", WAKE), ("dev", Interpretation("hi", "greet", (), "greet", locale="en-US"))]
    assert read(tmp_path) == read(tmp_path, format="seq")


def test_seq_folders_by_locale(tmp_path: Path) -> None:
    seq(tmp_path / "de-DE" / "train", "hallo\n", "O\n", "gruss\n")
    found = list(read_labelled(LabelSource(path=str(tmp_path))))
    assert [(p, r.locale) for p, r in found] == [("train", "de-DE")]


@pytest.mark.parametrize(
    ("files", "what"),
    [
        (("a b\n", "O\n", "x\n"), r"seq\.out:1: tokens and tags are not of one number. Got: 2 tokens, 1 tags"),
        (("a\nb\n", "O\nO\n", "x\n"), r"label:2: the three files are not of one length"),
        (("a\n", "Z-x\n", "x\n"), r"seq\.out:1: this is not a tag"),
        (("a\n", "O\n", "\n"), r"label:1: this utterance has no intent"),
    ],
)
def test_malformed_seq_folders_are_named(tmp_path: Path, files: tuple[str, str, str], what: str) -> None:
    seq(tmp_path / "train", *files)
    with pytest.raises(DataError, match=what):
        read(tmp_path, format="seq")


RASA = """version: "3.1"
nlu:
- intent: alarm_set
  examples: |
    - wake me at [nine am](time) on [friday]{"entity": "date", "role": "day"}
    - hello
- lookup: city
  examples: |
    - berlin
- synonym: lamp
  examples: |
    - light
- intent: greet
  examples:
  - text: good [morning](part:early)
"""


def test_rasa(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        found = [row for _, row in read(put(tmp_path / "nlu.yml", RASA))]
    assert found[0] == WAKE
    assert [r.text for r in found] == [WAKE.text, "hello", "good morning"]
    assert found[2].slots == (Slot("part", "morning", 5, 12),)
    assert "left out 1 lookup, 1 synonym" in caplog.text
    assert "not: 1 role, 1 value" in caplog.text


def test_other_rasa_files_beside_it_are_left_out(tmp_path: Path) -> None:
    put(tmp_path / "data" / "nlu.yml", RASA)
    put(tmp_path / "domain.yml", "intents:\n- greet\n")
    assert len(read(tmp_path)) == 3


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("nlu:\n- intent: a\n  examples: |\n    - b\n    c\n", r"nlu\.yml:5: an example does not begin with `- `"),
        ("nlu:\n- intent: a\n  examples: |\n    - [b](c\n", r"nlu\.yml:4: an entity is malformed"),
        (
            'nlu:\n- intent: a\n  examples: |\n    - [b]{"role": "c"}\n',
            r"nlu\.yml:4: the braces after an entity have no 'entity'",
        ),
        ("nlu:\n- intent: a\n  examples: |\n    - [b]{entity: c}\n", r"nlu\.yml:4: the braces after an entity are not JSON"),
        ("nlu:\n- intent: a\n", r"nlu\.yml:2: the intent 'a' has no examples"),
        ("nlu:\n\t- x\n", r"nlu\.yml:2: this is not YAML"),
        ("- x\n", "this is not Rasa's training data"),
        ("nlu: x\n", "this file has no list `nlu`"),
        ("nlu: " + "[" * 5000, "this YAML is nested too deeply"),
        ("nlu:\n- intent: a\n  examples:\n  - '[b]( )'\n", r"nlu\.yml:4: an entity has no name"),
        (
            'nlu:\n- intent: a\n  examples:\n  - \'[b]{"entity": ' + "[" * 20_000 + "}'\n",
            r"nlu\.yml:4: the braces .* are not JSON",
        ),
        ('nlu:\n- intent: a\n  examples:\n  - "a \\ud800"\n', r"nlu\.yml:4: this example holds half a character"),
    ],
)
def test_malformed_rasa_is_named(tmp_path: Path, text: str, what: str) -> None:
    with pytest.raises(DataError, match=what):
        read(put(tmp_path / "nlu.yml", text))


def test_comments_among_examples_of_rasa_are_passed_over(tmp_path: Path) -> None:
    path = put(tmp_path / "nlu.yml", "nlu:\n- intent: a\n  examples: |\n    # short ones\n    - hi\n")
    assert [row.text for _, row in read(path)] == ["hi"]


def test_empty_examples_of_rasa_are_passed_over(tmp_path: Path) -> None:
    path = put(tmp_path / "nlu.yml", 'nlu:\n- intent: a\n  examples:\n  - ""\n  - text: " "\n  - hi\n')
    assert [row.text for _, row in read(path)] == ["hi"]


def test_half_a_character_is_refused_before_it_is_to_be_written(tmp_path: Path) -> None:
    row = massive().replace("wake me", "\\ud83d")
    with pytest.raises(DataError, match=r"x\.jsonl:1: this line is not JSON"):
        read(put(tmp_path / "x.jsonl", row))


SLOT = st.tuples(st.sampled_from(["time", "date"]), st.integers(0, 9), st.integers(1, 4))


@given(st.text(min_size=14, max_size=20).filter(str.strip), SLOT, st.sampled_from(["", "17"]))
def test_our_own_rows_come_back(tmp_path_factory: pytest.TempPathFactory, text: str, slot: tuple[str, int, int], id: str) -> None:
    name, start, length = slot
    if any(0xD800 <= ord(c) < 0xE000 for c in text):
        return
    row = Interpretation(
        text, "a_b", (Slot(name, text[start : start + length], start, start + length),), "a", locale="de-DE", id=id
    )
    path = tmp_path_factory.mktemp("own") / "train.jsonl"
    path.write_text(write_row(row) + "\n", encoding="utf-8")
    assert list(read_own(str(path), partition="train", locale=None)) == [("train", row)]


@pytest.mark.parametrize(
    ("slots", "what"),
    [
        ([{"name": "a", "start": 1, "end": 9}], "a slot does not lie in its text"),
        ([{"name": "a", "start": 2, "end": 2}], "a slot does not lie in its text"),
        ([{"name": "a", "start": "1", "end": 2}], "a slot does not lie in its text"),
        ([{"name": "a", "start": 0, "end": 2}, {"name": "b", "start": 1, "end": 3}], "two slots overlap"),
        ({"a": 1}, "'slots' is not a list"),
    ],
)
def test_malformed_rows_of_our_own_are_named(tmp_path: Path, slots: object, what: str) -> None:
    path = put(tmp_path / "x.jsonl", json.dumps({"text": "hallo", "intent": "x", "slots": slots}) + "\n")
    with pytest.raises(DataError, match=r"x\.jsonl:1: " + what):
        read(path)


def test_domains_are_the_first_part_of_the_intent() -> None:
    assert [domain_of(i) for i in ("alarm_set", "faq/ask_name", "greet")] == ["alarm", "faq", "greet"]


def test_partitions_and_locales_from_names(tmp_path: Path) -> None:
    put(tmp_path / "de" / "validation.bio", "# intent: x\na\tO\n")
    put(tmp_path / "de" / "my-test.bio", "# intent: x\nb\tO\n")
    found = list(read_labelled(LabelSource(path=str(tmp_path))))
    assert [(p, r.text, r.locale) for p, r in found] == [("test", "b", "de"), ("dev", "a", "de")]


def test_an_unknown_locale_is_an_error(tmp_path: Path) -> None:
    path = put(tmp_path / "x.bio", "# intent: x\na\tO\n")
    with pytest.raises(DataError, match="the locale of these utterances is not known"):
        list(read_labelled(LabelSource(path=str(path))))


def test_a_file_without_utterances_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no labelled utterances"):
        read(put(tmp_path / "x.bio", "\n"))
    with pytest.raises(DataError, match="the format of these labels cannot be told"):
        read(put(tmp_path / "x.doc", "\n"))
