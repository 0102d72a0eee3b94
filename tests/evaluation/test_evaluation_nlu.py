"""Evaluating a parser, per locale, and a folder of data."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from understudy.artifact import Artifact
from understudy.errors import DataError
from understudy.evaluation.nlu import evaluate, evaluate_folder, relative_error_change
from understudy.interpretation import Interpretation
from understudy.model.nlu import Predictor


def answers(gold: Sequence[Interpretation], wrong: Sequence[str] = ()) -> Callable[[Sequence[str]], list[Interpretation]]:
    """A parser that knows the gold labels, and gets the intent of the texts in `wrong` wrong."""
    known = {g.text: g for g in gold}
    return lambda texts: [replace(known[t], intent="other", domain="") if t in wrong else known[t] for t in texts]


def test_locales_are_scored_apart_and_averaged(gold: list[Interpretation]) -> None:
    report = evaluate(answers(gold, ["spiel jazz"]), gold).to_json()
    assert list(report["locales"]) == ["de-DE", "en-US", "ja-JP"]
    assert [s["n"] for s in report["locales"].values()] == [2, 3, 1]
    assert [s["exact_match"] for s in report["locales"].values()] == [50.0, 100.0, 100.0]
    assert (report["mean"]["n"], report["mean"]["exact_match"], report["mean"]["slot_f1"]) == (6, 83.33, 100.0)
    assert report["mean"]["domain_accuracy"] == 83.33
    assert report["without_train_duplicates"] is None


def test_anything_with_batch_is_a_parser_and_told_the_locales(gold: list[Interpretation]) -> None:
    told = []

    class Parser:
        def batch(self, texts: Sequence[str], langs: Sequence[str | None] | None = None, /) -> list[Interpretation]:
            told.extend(langs or [])
            return answers(gold)(texts)

    nowhere = replace(gold[0], text="elsewhere", slots=(), locale="")
    assert evaluate(Parser(), gold).mean.exact_match == 100.0
    assert told == [g.locale for g in gold]
    with pytest.raises(KeyError):
        evaluate(Parser(), [nowhere])
    assert told[-1] is None


def test_a_model_of_spoken_form_reads_typed_text_as_it_is_spoken(model: Callable[[str], Artifact]) -> None:
    gold = [Interpretation("wake me at 6", "alarm_set", locale="en-US")]
    path = model("student").path
    settings = json.loads((path / "nlu.json").read_text())
    (path / "nlu.json").write_text(json.dumps({**settings, "spoken": True}))
    (path / "artifact.json").unlink()  # a bare folder, whose files are not held against their hashes
    assert evaluate(Predictor.load(path), gold).predicted[0].spoken == "wake me at six"


def test_duplicates_of_training_texts_are_left_out(gold: list[Interpretation]) -> None:
    report = evaluate(answers(gold, ["spiel jazz"]), gold, seen=["spiel  jazz ", "六 時に起こして"])
    assert report.unseen is not None
    assert {name: s.n for name, s in report.unseen.locales.items()} == {"de-DE": 1, "en-US": 3}
    assert (report.mean.n, report.unseen.mean.n, report.unseen.mean.exact_match) == (6, 4, 100.0)


def test_duplicates_are_judged_locale_by_locale(gold: list[Interpretation]) -> None:
    seen = {"en-US": {"spiel jazz", "the lights off"}, "fr-FR": {"wake me at six"}}
    unseen = evaluate(answers(gold), gold, seen=seen).unseen
    assert unseen is not None
    assert {name: s.n for name, s in unseen.locales.items()} == {"de-DE": 2, "en-US": 2, "ja-JP": 1}


def test_where_all_was_seen_there_are_no_figures(gold: list[Interpretation]) -> None:
    report = evaluate(answers(gold), gold, seen=[g.text for g in gold]).to_json()
    assert report["without_train_duplicates"]["locales"] == {}
    assert report["without_train_duplicates"]["mean"] == {
        "n": 0, "intent_accuracy": None, "slot_f1": None, "exact_match": None, "semer": None, "domain_accuracy": None,
        "ece": None,
    }  # fmt: skip


def test_what_a_model_refuses_is_counted_in_every_locale(gold: list[Interpretation]) -> None:
    known = {g.text: replace(g, out_of_domain=g.text == "the lights off") for g in gold}
    report = evaluate(lambda texts: [known[t] for t in texts], gold).to_json()
    assert {name: s["accepted"] for name, s in report["locales"].items()} == {"de-DE": 100.0, "en-US": 66.67, "ja-JP": 100.0}
    assert (report["mean"]["accepted"], report["mean"]["accepted_exact_match"]) == (88.89, 100.0)
    assert "accepted" not in evaluate(answers(gold), gold).to_json()["mean"]


def test_intervals_hold_the_figure_and_repeat(gold: list[Interpretation]) -> None:
    first, second = (evaluate(answers(gold, ["spiel jazz"]), gold * 20, seed=1).to_json() for _ in range(2))
    assert first == second
    low, high = first["mean"]["intervals"]["exact_match"]
    assert low < first["mean"]["exact_match"] < high


def test_translations_are_drawn_together(gold: list[Interpretation]) -> None:
    # Two locales right and wrong together know no more than one of them, also where each is without what was seen.
    english = [replace(g, locale="en-US") for g in gold[:2]] * 10
    german = [replace(g, locale="de-DE") for g in english]
    parser = answers(gold, ["play jazz cats"])
    alone = evaluate(parser, english, seen={"en-US": {"wake me at six"}})
    both = evaluate(parser, english + german, seen={"en-US": {"wake me at six"}})
    assert both.mean.intervals == alone.mean.intervals
    assert both.unseen is not None
    assert both.unseen.locales["de-DE"].intervals == alone.mean.intervals


def test_a_locale_more_leaves_the_others_alone(gold: list[Interpretation]) -> None:
    german = [g for g in gold if g.locale == "de-DE"] * 10
    alone = evaluate(answers(gold, ["spiel jazz"]), german).to_json()
    together = evaluate(answers(gold, ["spiel jazz"]), german + gold[:3]).to_json()
    assert alone["locales"]["de-DE"] == together["locales"]["de-DE"]


def test_error_change_is_relative_and_negative_when_better(gold: list[Interpretation]) -> None:
    baseline = evaluate(answers(gold, ["spiel jazz", "the lights off", "play jazz cats"]), gold)
    report = evaluate(answers(gold, ["play jazz cats", "spiel jazz"]), gold)
    change = relative_error_change(report, baseline)
    # English: intent errors 2/3 -> 1/3. SemER: 2 of (2 slots + 3 intents) -> 1 of 5.
    assert (change["en-US"]["exact_match"], change["en-US"]["semer"]) == (-50.0, -50.0)
    assert (change["de-DE"]["exact_match"], change["ja-JP"]["exact_match"]) == (0.0, None)
    # Mean: errors 50, 66.67, 0 -> 50, 33.33, 0.
    assert change["mean"]["exact_match"] == pytest.approx(100 * (250 / 9 - 350 / 9) / (350 / 9), abs=0.01)
    assert change["mean"]["slot_f1"] is None


def test_no_utterances_are_refused() -> None:
    with pytest.raises(DataError, match="nothing to evaluate on"):
        evaluate(answers([]), [])


def write_massive(folder: Path, rows: Sequence[tuple[str, str, str, str, str]]) -> None:
    for locale in {row[0] for row in rows}:
        lines = [
            {"id": str(i), "locale": where, "partition": part, "scenario": intent.split("_")[0], "intent": intent, "utt": text, "annot_utt": annotated}
            for i, (where, part, intent, text, annotated) in enumerate(rows)
            if where == locale
        ]  # fmt: skip
        (folder / f"{locale}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


ROWS = (
    ("en-US", "train", "alarm_set", "wake me at six", "wake me at [time : six]"),
    ("en-US", "dev", "alarm_set", "wake me at six", "wake me at [time : six]"),
    ("en-US", "dev", "music_play", "play jazz", "play [artist : jazz]"),
    ("de-DE", "dev", "alarm_set", "weck mich um sechs", "weck mich um [time : sechs]"),
)


def test_a_model_and_a_folder(model: Callable[[str], Artifact], tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    write_massive(data, ROWS)
    out = tmp_path / "hypotheses.jsonl"
    report = evaluate_folder(model("student").path, data, format="massive", partition="dev", hypotheses=out)
    found = report.to_json()
    assert {name: s["n"] for name, s in found["locales"].items()} == {"de-DE": 1, "en-US": 2}
    assert found["without_train_duplicates"]["mean"]["n"] == 2
    lines = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert [line["text"] for line in lines] == [g.text for g in report.gold]
    assert {"locale", "intent", "slots", "confidence"} <= lines[0].keys()


def test_the_locale_of_utterances_that_do_not_say_theirs_can_be_said(model: Callable[[str], Artifact], tmp_path: Path) -> None:
    data = tmp_path / "nlu.yml"
    data.write_text("nlu:\n- intent: alarm_set\n  examples: |\n    - wake me at [six](time)\n")
    with pytest.raises(DataError, match="the locale of these utterances is not known.*--locale"):
        evaluate_folder(model("student").path, data, format="rasa", partition="train")
    report = evaluate_folder(model("student").path, data, format="rasa", partition="train", locale="en-US")
    assert list(report.to_json()["locales"]) == ["en-US"]


def test_a_partition_that_is_not_there_is_named(model: Callable[[str], Artifact], tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    write_massive(data, ROWS)
    with pytest.raises(DataError, match=r"no such partition.*Got: test.*dev, train"):
        evaluate_folder(model("student").path, data, format="massive", partition="test")
