"""The labels stage: partitions, inventory, spoken form, the built-in world."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from understudy import artifact
from understudy.config import parse
from understudy.corpus.labels import LabelsConfig, run
from understudy.corpus.sampling import normal
from understudy.corpus.spoken_slots import to_spoken
from understudy.corpus.utterances import LabelSource, read_labels, read_partitions
from understudy.errors import DataError, RecipeError
from understudy.interpretation import Interpretation, Slot, annotate, parse_annotation
from understudy.text.spoken import Formatter


def make(out: Path, *, seed: int = 0, **options: Any) -> artifact.Artifact:
    config = parse(LabelsConfig, {"kind": "labels", **options}, where="stage.labels")
    with artifact.writing(out, kind="labels", config=config.model_dump(mode="json"), seed=seed) as draft:
        run(config, {}, draft, seed=seed)
    return artifact.open(out, kind="labels")


def write(path: Path, *rows: tuple[str, str, str]) -> dict[str, str]:
    fields = ("partition", "intent", "annot_utt")
    lines = []
    for row in rows:
        record = dict(zip(fields, row, strict=True))
        plain = record["annot_utt"].replace("[x : ", "").replace("[y : ", "").replace("]", "")
        lines.append(json.dumps({**record, "utt": plain, "locale": "en-US", "scenario": "home"}))
    path.write_text("\n".join(lines) + "\n")
    return {"path": str(path)}


def test_partitions_and_inventory(tmp_path: Path) -> None:
    source = write(
        tmp_path / "en-US.jsonl", ("train", "on", "lamp [x : on]"), ("train", "off", "off"), ("dev", "on", "[x : please] on")
    )
    made = make(tmp_path / "out", sources=[source])
    assert [r.text for r in read_labels(made.path / "train.jsonl")] == ["lamp on", "off"]
    assert read_labels(made.path / "dev.jsonl") == [
        Interpretation("please on", "on", (Slot("x", "please", 0, 6),), "home", locale="en-US")
    ]
    inventory = json.loads((made.path / "labels.json").read_text())
    assert inventory == {"intents": ["off", "on"], "domains": {"off": "home", "on": "home"}, "slots": ["x"]}
    assert made.metrics["rows"] == {"dev": 1, "train": 2}
    assert made.metrics["unseen_labels"] == {}


def test_labels_that_train_lacks_are_counted_and_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    source = write(tmp_path / "en-US.jsonl", ("train", "on", "lamp"), ("dev", "dim", "dim [y : it]"), ("dev", "dim", "dim"))
    made = make(tmp_path / "out", sources=[source])
    assert made.metrics["unseen_labels"] == {"dev": {"dim": 2, "y": 1}}
    assert "labels that train lacks" in caplog.text
    assert json.loads((made.path / "labels.json").read_text())["intents"] == ["on"]


def test_a_share_of_train_is_held_out_with_its_duplicates(tmp_path: Path) -> None:
    rows = [("train", "on", f"lamp {i}") for i in range(300)] * 2
    made = make(tmp_path / "out", sources=[write(tmp_path / "en-US.jsonl", *rows)], held_out=0.2)
    train, held = (read_labels(made.path / f"{p}.jsonl") for p in ("train", "held"))
    assert len(train) + len(held) == 600
    assert 60 < len(held) < 180
    assert not {r.text for r in train} & {r.text for r in held}


def test_one_text_alone_cannot_be_parted(tmp_path: Path) -> None:
    source = write(tmp_path / "en-US.jsonl", *[("train", "on", "lamp")] * 90)
    with pytest.raises(DataError, match="nothing is left to learn from. Got: all 90 utterances held out"):
        make(tmp_path / "out", sources=[source], held_out=0.9999)


def test_few_held_out_utterances_are_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = [("train", "on", f"lamp {i}") for i in range(20)]
    made = make(tmp_path / "out", sources=[write(tmp_path / "en-US.jsonl", *rows)], held_out=0.1)
    assert f"{made.metrics['rows'].get('held', 0)} utterances are held out" in caplog.text


def test_a_share_of_train_is_held_out_with_its_translations(tmp_path: Path) -> None:
    for locale, word in (("de-DE", "lampe"), ("en-US", "lamp")):
        rows = [
            {"id": str(i), "partition": "train", "intent": "on", "utt": f"{word} {i % 250}", "annot_utt": f"{word} {i % 250}"}
            for i in range(300)
        ]
        lines = [json.dumps({**row, "locale": locale, "scenario": "home"}) for row in rows]
        (tmp_path / f"{locale}.jsonl").write_text("\n".join(lines) + "\n")
    made = make(tmp_path / "out", sources=[{"path": str(tmp_path / "*.jsonl")}], held_out=0.2)
    train, held = (read_labels(made.path / f"{p}.jsonl") for p in ("train", "held"))
    assert len(train) + len(held) == 600
    assert 60 < len(held) < 180
    assert not {r.id for r in train} & {r.id for r in held}
    assert not {r.text for r in train} & {r.text for r in held}


def test_spoken_form_moves_the_slots() -> None:
    row = Interpretation(
        "Wake me at 7:30 on Friday!", "alarm_set", (Slot("time", "7:30", 11, 15), Slot("date", "Friday", 19, 25)), locale="en-US"
    )
    found = to_spoken(row, Formatter("en"))
    assert found.text == "wake me at seven thirty on friday"
    assert [(s.name, s.value) for s in found.slots] == [("time", "seven thirty"), ("date", "friday")]
    assert all(found.text[s.start : s.end] == s.value for s in found.slots)


def test_spoken_form_of_japanese_keeps_the_slots() -> None:
    row = Interpretation("午前7時に起こして", "alarm_set", (Slot("time", "午前7時", 0, 4),), locale="ja-JP")
    found = to_spoken(row, Formatter("ja"))
    assert [(s.name, s.value) for s in found.slots] == [("time", found.text.removesuffix("に起こして"))]


SPOKEN = [
    ("en", "Wake me at [time : 7:30 am]!", "wake me at [time : seven thirty a. m.]"),
    ("en", "Wake me at [time : 7:30] AM", "wake me at [time : seven thirty] a. m."),
    ("en", "from [start : 5pm]-[end : 7pm]", "from [start : five p. m.] to [end : seven p. m.]"),
    ("en", "walk [n : 5] [unit : km] now", "walk [n : five] [unit : kilometers] now"),
    ("en", "pay [unit : $][n : 5] to [who : Bob]", "pay [n : five] [unit : dollars] to [who : bob]"),
    ("en", "[n : 20]% off", "[n : twenty] percent off"),
    ("en", "[x : 😀] on [date : May 3], [time : 7pm]", "on [date : may third] [time : seven p. m.]"),
    (
        "de",
        "Weck mich um [time : 7:30 Uhr] am [date : 3. Mai].",
        "weck mich um [time : sieben uhr dreißig] am [date : dritten mai]",
    ),
    ("de", "[n : 3] [unit : kg] Mehl", "[n : drei] [unit : kilogramm] mehl"),
    ("es", "pon [n : 21] [unit : km]", "pon [n : veintiún kilómetros]"),  # "veintiún" is not what 21 alone is read as.
    ("fr", "[who : Paul] à [time : 14h30]", "[who : paul] à [time : quatorze heures trente]"),
    ("hi", "[time : सुबह 7:30 बजे] उठाओ", "[time : सुबह सात बजकर तीस मिनट] उठाओ"),
    ("ja", "[time : 午前7時30分]に起こして", "[time : 午前七時三十分]に起こして"),
    ("ja", "午前[h : 7]時に", "午前[h : 七]時に"),
    ("ja", "[from : 1月1日]〜[to : 3日]", "[from : 一月一日]から[to : 三日]"),
]


@pytest.mark.parametrize(("lang", "written", "wanted"), SPOKEN)
def test_slots_of_written_text_move_onto_the_spoken_words(lang: str, written: str, wanted: str) -> None:
    text, slots = parse_annotation(written)
    found = to_spoken(Interpretation(text, "x", slots), Formatter(lang))
    assert annotate(found) == wanted
    assert all(found.text[s.start : s.end] == s.value for s in found.slots)


def test_the_stage_speaks_where_asked(tmp_path: Path) -> None:
    source = write(tmp_path / "en-US.jsonl", ("train", "on", "Lamp [x : 2] on!"))
    [row] = read_labels(make(tmp_path / "out", sources=[source], spoken=True).path / "train.jsonl")
    assert (row.text, row.slots) == ("lamp two on", (Slot("x", "two", 5, 8),))


def test_what_has_no_word_in_spoken_form_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    source = write(tmp_path / "en-US.jsonl", ("train", "on", "on"), ("train", "x", "?! \N{GRINNING FACE}"))
    made = make(tmp_path / "out", sources=[source], spoken=True)
    assert [row.text for row in read_labels(made.path / "train.jsonl")] == ["on"]
    assert "1 utterances left out" in caplog.text


def test_the_built_in_world_gives_distinct_utterances_of_the_sizes_asked_for(tmp_path: Path) -> None:
    source = {"builtin": "assistant", "size": {"train": 40, "dev": 30}, "languages": ["en", "de-DE"]}
    made = make(tmp_path / "out", sources=[source])
    train, dev = (read_labels(made.path / f"{p}.jsonl") for p in ("train", "dev"))
    assert made.metrics["locales"] == {"dev": {"de-DE": 30, "en-US": 30}, "train": {"de-DE": 40, "en-US": 40}}
    texts = [(r.locale, normal(r.text)) for r in train + dev]
    assert len(set(texts)) == len(texts)
    assert all(r.text[s.start : s.end] == s.value for r in train + dev for s in r.slots)


def test_equal_seeds_give_equal_bytes(tmp_path: Path) -> None:
    source = {"builtin": "assistant", "size": {"train": 10}, "languages": ["en"]}
    found = [make(tmp_path / str(i), seed=s, sources=[source]).path / "train.jsonl" for i, s in enumerate((1, 1, 2))]
    first, again, other = (hashlib.sha256(f.read_bytes()).hexdigest() for f in found)
    assert first == again != other


def test_language_filters(tmp_path: Path) -> None:
    source = write(tmp_path / "en-US.jsonl", ("train", "on", "lamp"))
    assert make(tmp_path / "a", sources=[source], languages=["en"]).metrics["rows"] == {"train": 1}
    assert make(tmp_path / "b", sources=[source], languages=["en-US"]).metrics["rows"] == {"train": 1}
    with pytest.raises(DataError, match="no labelled utterances. Got: none in en-GB"):
        make(tmp_path / "c", sources=[source], languages=["en-GB"])
    with pytest.raises(DataError, match="holds no labelled utterances"):
        make(tmp_path / "d", sources=[{**source, "languages": ["de"]}])
    assert not (tmp_path / "d").exists()


def test_a_malformed_row_is_named_and_nothing_is_written(tmp_path: Path) -> None:
    (tmp_path / "en-US.jsonl").write_text('{"utt": "a b", "annot_utt": "a [x : c]", "intent": "on"}\n')
    with pytest.raises(DataError, match=r"en-US\.jsonl:1: annot_utt does not reproduce utt"):
        make(tmp_path / "out", sources=[{"path": str(tmp_path)}])
    assert not (tmp_path / "out").exists()


def test_read_labels_names_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").write_text('{"text": "a", "intent": "b"}\n{"text": "a"}\n')
    with pytest.raises(DataError, match=r"train\.jsonl:2: this line has no 'intent'"):
        read_labels(tmp_path / "train.jsonl")


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ({}, "either `path` or `builtin`"),
        ({"builtin": "assistant"}, "`size`"),
        ({"builtin": "assistant", "size": {"train": 0}}, "above 0"),
        ({"path": "x", "locale": "english"}, "'english' is not a locale"),
        ({"path": "x", "formt": "bio"}, "Did you mean 'format'"),
    ],
)
def test_settings_that_cannot_be(source: dict[str, Any], what: str) -> None:
    with pytest.raises(RecipeError, match=what):
        parse(LabelsConfig, {"sources": [source]}, where="stage.labels")


def test_the_files_a_stage_reads_are_known(tmp_path: Path) -> None:
    for name in ("seq.in", "seq.out", "label"):
        (tmp_path / name).write_text("a\n")
    config = parse(LabelsConfig, {"sources": [{"path": str(tmp_path)}]}, where="x")
    assert [f.name for f in config.reads()] == ["label", "seq.in", "seq.out"]


def test_labels_are_read_by_partition_from_an_artifact_as_from_files(tmp_path: Path) -> None:
    config = LabelsConfig(sources=(LabelSource(builtin="assistant", size={"train": 2, "dev": 1}, languages=("en",)),))
    with artifact.writing(tmp_path / "labels", kind="labels", config={}) as draft:
        run(config, {}, draft, seed=0)
    found = read_partitions(tmp_path / "labels")
    assert {name: len(rows) for name, rows in found.items()} == {"train": 2, "dev": 1}
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "dev.jsonl").write_bytes((tmp_path / "labels" / "dev.jsonl").read_bytes())
    assert read_partitions(tmp_path / "files") == {"dev": found["dev"]}


def test_an_unknown_format_of_labels_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"labels.format: .*Got: \"masive\"\. .*Did you mean 'massive'\?"):
        read_partitions(tmp_path, "masive")
