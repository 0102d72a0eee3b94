"""The evaluate stage from artifacts to report.json, report.html and the terminal."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from rich.console import Console

from understudy import artifact
from understudy.artifact import Artifact
from understudy.config import NluRef, parse
from understudy.errors import DataError, RecipeError
from understudy.evaluation.evaluate import EvaluateConfig, latency, run
from understudy.evaluation.lineage import curves, family
from understudy.evaluation.plots import budget_plot, card_plot, exact_match_plot, interval_plot, loss_plot, scatter_plot
from understudy.evaluation.report import card_tables, render
from understudy.evaluation.summary import marked, pieces, summary
from understudy.export import export
from understudy.export.export import ExportConfig

CARD = {
    "languages": {
        "de": {"read": {"rows": 12000, "words": 50}, "train": {"rows": 5, "words": 20, "spoken_share": 0.7}, "copies": 1.5},
        "en": {"read": {"rows": 7, "words": 70}},
    },
    "all": {"read": {"rows": 12007, "words": 120}, "train": {"rows": 5, "words": 20}},
}


def config(**changes: Any) -> EvaluateConfig:
    table = {"models": {"student": "student-nlu", "scratch": "scratch-nlu"}, "labels": "labels", "baseline": "scratch"}
    return parse(EvaluateConfig, {**table, **changes}, where="stage.report")


@pytest.fixture
def report(tmp_path: Path, model: Callable[[str], Artifact], labels: Artifact) -> Artifact:
    inputs = {"student-nlu": model("student-nlu"), "scratch-nlu": model("scratch-nlu"), "labels": labels}
    with artifact.writing(tmp_path / "report", kind="report", config=config().model_dump(), parents=inputs) as draft:
        run(config(), inputs, draft, seed=0)
    return artifact.open(tmp_path / "report", kind="report")


@pytest.fixture
def content(report: Artifact) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((report.path / "report.json").read_text(encoding="utf-8"))
    return loaded


def test_the_stage_writes_scores_of_every_model(report: Artifact, content: dict[str, Any]) -> None:
    assert list(content["models"]) == ["student", "scratch"]
    for scores in content["models"].values():
        assert list(scores["locales"]) == ["de-DE", "en-US", "ja-JP"]
        assert scores["without_train_duplicates"]["mean"]["n"] == 5
    assert report.metrics["models"]["student"] == content["models"]["student"]["mean"]
    assert content["relative_error_change"]["scratch"]["mean"]["exact_match"] in (0.0, None)


def test_utterances_may_be_scored_as_they_are_misheard(
    tmp_path: Path, model: Callable[[str], Artifact], labels: Artifact, content: dict[str, Any]
) -> None:
    inputs = {"student-nlu": model("student-nlu"), "scratch-nlu": model("scratch-nlu"), "labels": labels}
    noise = {"asr": 0.0, "switch": 1.0, "copies": 2}
    with artifact.writing(tmp_path / "noised", kind="report", config={}, parents=inputs) as draft:
        run(config(noise=noise), inputs, draft, seed=0)
    found = json.loads((tmp_path / "noised" / "report.json").read_text(encoding="utf-8"))
    assert (found["utterances"], found["noise"]) == (2 * content["utterances"], noise)
    assert content["noise"] is None
    # The only artists are "jazz cats" in English and "jazz" in German: they change places.
    assert {e["gold"]["text"] for e in found["examples"]} & {"play jazz", "spiel jazz cats"}
    console = Console(width=120, force_terminal=False)
    with console.capture() as printed:
        console.print(summary(found))
    assert "noised (asr 0, switch 1)" in printed.get()
    assert "noised (asr 0.0, switch 1.0)" in (tmp_path / "noised" / "report.html").read_text(encoding="utf-8")


def test_the_history_reaches_all_ancestors(content: dict[str, Any]) -> None:
    stages = {stage["name"]: stage for stage in content["stages"]}
    assert set(stages) == {"labels", "student-nlu", "scratch-nlu"}
    assert [content["stages"][p]["name"] for p in stages["student-nlu"]["parents"]] == ["labels"]
    assert (stages["student-nlu"]["stage"], stages["student-nlu"]["parameters"]) == ("finetune", 12345)
    assert content["curves"]["student-nlu"]["validation"] == [[5, 0.7]]
    assert len(content["curves"]["student-nlu"]["training"]) == 5


def test_examples_come_from_different_languages(content: dict[str, Any]) -> None:
    assert [e["locale"] for e in content["examples"][:3]] == ["en-US", "de-DE", "ja-JP"]
    assert len(content["examples"]) == 6
    assert all(e["gold"]["text"] == e["predicted"]["text"] for e in content["examples"])


class Page(HTMLParser):
    """Collects what a page would fetch, and checks that tags are closed in order."""

    VOID = frozenset({"meta", "br", "link", "img", "hr", "input"})

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.fetched: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.VOID:
            self.open.append(tag)
        self.fetched += [str(v) for k, v in attrs if k in ("src", "href", "xlink:href", "data") and not str(v).startswith("#")]
        self.fetched += [tag] if tag in ("script", "link", "iframe") else []

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_whole_and_fetches_nothing(report: Artifact) -> None:
    text = (report.path / "report.html").read_text(encoding="utf-8")
    page = Page()
    page.feed(text)
    assert page.open == []
    assert page.fetched == []
    assert not re.search(r"url\((?!#)|@import", text)
    for needed in ('name="viewport"', "prefers-color-scheme: dark", "@media print", 'dir="auto"'):
        assert needed in text


def test_pictures_are_wellformed_and_take_the_page_colours(report: Artifact) -> None:
    text = (report.path / "report.html").read_text(encoding="utf-8")
    pictures = re.findall(r"<svg.*?</svg>", text, flags=re.DOTALL)
    assert len(pictures) == 4  # scores, pipeline, two loss curves
    for picture in pictures:
        ElementTree.fromstring(picture)
        assert "<style" not in picture
    assert "var(--series-1)" in pictures[0]
    assert "#0a0b0" not in text
    assert ">exact match, %</text>" in pictures[0]


def test_a_data_card_is_drawn_by_language(content: dict[str, Any]) -> None:
    picture = card_plot(CARD)
    ElementTree.fromstring(picture)
    assert all(f">{label}</text>" in picture for label in ("de", "en", "read", "train", "words"))
    assert card_plot({"languages": {"de": {"copies": 1.5}}}) == ""
    content["cards"] = {"public": CARD}
    assert picture in render(content)


def test_text_of_users_is_escaped(content: dict[str, Any]) -> None:
    evil = "<script>alert(1)</script>"
    content["examples"][0]["predicted"] |= {"text": f"a {evil}", "intent": evil, "slots": [{"name": evil, "start": 0, "end": 1}]}
    content["examples"][0]["gold"] |= {"text": f"a {evil}", "slots": []}
    content["confusions"] = [{"gold": evil, "predicted": evil, "count": 1, "share": 1.0, "example": evil, "locale": evil}]
    content["stages"][0]["name"] = evil
    content["cards"] = {evil: {"languages": {evil: {"read": {evil: 1}}}}}
    content["models"] = {evil: content["models"]["student"], **content["models"]}
    content["relative_error_change"][evil] = content["relative_error_change"]["student"]
    content["curves"] = {evil: content["curves"]["student-nlu"]}
    page = render(content)
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_the_page_is_the_same_every_time(content: dict[str, Any]) -> None:
    assert render(content) == render(content)


def test_a_report_of_one_model_without_baseline(tmp_path: Path, model: Callable[[str], Artifact], labels: Artifact) -> None:
    inputs = {"m": model("m"), "labels": labels}
    chosen = parse(EvaluateConfig, {"models": {"m": "m"}, "labels": "labels", "examples": 0, "partition": "train"}, where="x")
    with artifact.writing(tmp_path / "report", kind="report", config=chosen.model_dump(), parents=inputs) as draft:
        run(chosen, inputs, draft, seed=0)
        page = (draft.path / "report.html").read_text(encoding="utf-8")
        found = json.loads((draft.path / "report.json").read_text(encoding="utf-8"))
    assert "Heard and understood" not in page
    assert found["models"]["m"]["without_train_duplicates"] is None


def test_an_exported_model_is_timed_weighed_and_parses_the_examples(
    tmp_path: Path, model: Callable[[str], Artifact], labels: Artifact
) -> None:
    student = model("student-nlu")
    with artifact.writing(tmp_path / "runtime", kind="runtime", config={"kind": "export"}, parents={"m": student}) as draft:
        export.run(ExportConfig(model=NluRef("m"), precision="fp32"), {"m": student}, draft, seed=0)
    inputs = {"student-nlu": student, "runtime": artifact.open(tmp_path / "runtime"), "labels": labels}
    table = {
        "models": {"student": "student-nlu", "deployed": "runtime"},
        "labels": "labels",
        "runtime": "runtime",
        "latency_calls": 20,
    }
    chosen = parse(EvaluateConfig, table, where="stage.report")
    with artifact.writing(tmp_path / "report", kind="report", config=chosen.model_dump(), parents=inputs) as draft:
        run(chosen, inputs, draft, seed=0)
    made = artifact.open(tmp_path / "report")
    found = json.loads((made.path / "report.json").read_text(encoding="utf-8"))
    assert found["models"]["student"]["mean"] == found["models"]["deployed"]["mean"]
    assert found["runtime"]["size_bytes"] == sum(p.stat().st_size for p in (tmp_path / "runtime").iterdir())
    assert (found["runtime"]["precision"], found["runtime"]["latency"]["n"]) == ("fp32", 20)
    assert (found["examples_by"], len(found["examples"])) == ("runtime", 6)
    assert made.metrics["latency"] == found["runtime"]["latency"]
    assert "on one core" in (made.path / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("width", [80, 120])
def test_the_terminal_summary_fits_without_colour(content: dict[str, Any], width: int) -> None:
    content["runtime"] = {
        "name": "student", "precision": "int8", "size_bytes": 5_123_456, "files": {},
        "latency": {"n": 500, "p50_ms": 1.234, "p90_ms": 1.5, "p99_ms": 2.0, "mean_ms": 1.3},
    }  # fmt: skip
    content["examples"][0]["predicted"] |= {"text": "wake me at six", "slots": [{"name": "time", "start": 11, "end": 14}]}
    console = Console(width=width, force_terminal=False, color_system=None)
    with console.capture() as caught:
        console.print(summary(content))
    text = caught.get()
    assert max(len(line.rstrip()) for line in text.splitlines()) <= width
    for shown in ("mean", "slot F1", "SemER", "5.1 MB", "1.23 ms", "2.00 ms", "wake me at [six: time]", "ja-JP"):
        assert shown in text


def test_marked_shows_intent_and_slots() -> None:
    found = {"text": "[b] is text", "intent": "say", "confidence": 0.987, "slots": [{"name": "t", "start": 7, "end": 11}]}
    assert marked(found).plain == "say  99 %\n[b] is [text: t]"
    assert marked({**found, "out_of_domain": True}).plain.startswith("say  99 %  out of domain\n")


def test_pieces_join_to_the_text() -> None:
    slots = [{"name": "b", "start": 4, "end": 6}, {"name": "a", "start": 0, "end": 2}, {"name": "c", "start": 5, "end": 8}]
    assert pieces("ab cdefgh", slots) == [("ab", "a"), (" c", None), ("de", "b"), ("fgh", None)]


def test_latency_counts_calls_and_orders_quantiles() -> None:
    calls: list[str] = []
    found = latency(calls.append, ["a", "b"], 20)
    assert calls == ["a", "b"] * 35  # 50 to warm up
    assert found["n"] == 20
    assert 0 <= found["p50_ms"] <= found["p90_ms"] <= found["p99_ms"]


def test_a_missing_partition_is_refused(tmp_path: Path, model: Callable[[str], Artifact], labels: Artifact) -> None:
    inputs = {"student-nlu": model("student-nlu"), "scratch-nlu": model("scratch-nlu"), "labels": labels}
    with (
        pytest.raises(DataError, match=r"no such partition\. Got: devv\. Wanted: one of dev, train\. Did you mean 'dev'"),
        artifact.writing(tmp_path / "report", kind="report", config={}, parents=inputs) as draft,
    ):
        run(config(partition="devv"), inputs, draft, seed=0)


def test_a_baseline_that_is_no_model_is_refused() -> None:
    with pytest.raises(RecipeError, match=r"baseline 'scrach' is none of the models student, scratch\. Did you mean 'scratch'"):
        config(baseline="scrach")


def test_a_parent_that_is_gone_or_changed_is_said_so(tmp_path: Path) -> None:
    for name, parents in (("a", []), ("b", []), ("c", ["a", "b"])):
        inputs = {p: artifact.open(tmp_path / p) for p in parents}
        with artifact.writing(tmp_path / name, kind="corpus", config={}, parents=inputs) as draft:
            (draft.path / "x").write_text(name)
    with artifact.writing(tmp_path / "a", kind="corpus", config={}) as draft:
        (draft.path / "x").write_text("other")
    (tmp_path / "b").rename(tmp_path / "elsewhere")
    found = {a.name: a.state for a in family([artifact.open(tmp_path / "c")])}
    assert found == {"a": "changed", "b": "gone", "c": "present"}


def test_turns_of_a_stage_are_laid_end_to_end(tmp_path: Path) -> None:
    with artifact.writing(tmp_path / "student", kind="encoder", config={}) as draft:
        (draft.path / "log-1.jsonl").write_text('{"step": 1, "loss": 4}\n{"step": 2, "loss": 3}\n')
        (draft.path / "log-2.jsonl").write_text('{"step": 1, "loss": 2}\nbroken\n{"step": 1, "valid": {"loss": 1}}\n')
    assert curves(family([artifact.open(tmp_path / "student")])) == {
        "student": {"training": [(1, 4), (2, 3), (3, 2)], "validation": [(3, 1)]}
    }


def test_a_long_curve_is_thinned_to_means(tmp_path: Path) -> None:
    with artifact.writing(tmp_path / "student", kind="encoder", config={}) as draft:
        lines = [json.dumps({"step": step, "loss": step % 2}) for step in range(1, 1001)]
        (draft.path / "log.jsonl").write_text("\n".join(lines))
    training = curves(family([artifact.open(tmp_path / "student")]))["student"]["training"]
    assert len(training) == 200
    assert training[0] == (5, 0.6)


def test_a_data_card_becomes_a_table_per_amount() -> None:
    rows, words, spoken, notes = card_tables(CARD)
    assert rows == {
        "title": "rows",
        "columns": ["", "read", "train"],
        "rows": [["de", "12,000", "5"], ["en", "7", ""], ["all", "12,007", "5"]],
    }
    assert words["rows"][1] == ["en", "70", ""]
    assert (spoken["title"], spoken["rows"]) == ("spoken share", [["de", "0.7"]])
    assert notes == {"title": "", "columns": ["", "copies"], "rows": [["de", "1.5"]]}


def test_names_in_plots_are_read_as_they_are() -> None:
    """Of two dollars matplotlib would make mathematics."""
    name, scores = "a$b$", {"exact_match": 50.0}
    for picture in (
        exact_match_plot({name: {"locales": {f"{name}1": scores}, "mean": scores}, "other": {"locales": {}, "mean": scores}}),
        loss_plot({name: [(1, 2.0), (2, 1.0)], f"{name}1": [(1, 2.0), (2, 1.0)]}),
        scatter_plot({name: [(1, 2.0), (2, 1.0)]}, f"{name}1"),
        budget_plot({name: {f"{name}1": [(1.0, 50.0, 1.0), (5.0, 60.0, 1.0)]}}),
        interval_plot([(name, 1.0, 0.0, 2.0), (f"{name}1", 1.0, 0.0, 2.0)], "x"),
        card_plot({"languages": dict.fromkeys((name, f"{name}1"), CARD["languages"]["de"])}),
    ):
        assert {name, f"{name}1"} <= set(re.findall(r"<text[^>]*>([^<]*)</text>", picture))
