"""Exports with fewer words."""

from __future__ import annotations

import json
from pathlib import Path

import onnx
import pytest
from helpers_tiny import LABELS, SENTENCES, export, write_nlu
from pydantic import ValidationError
from test_export_stage import meaning

from understudy import artifact
from understudy.errors import ArtifactError, ExportError
from understudy.export.export import ExportConfig
from understudy.export.trim import TrimConfig
from understudy.runtime.session import Runtime


@pytest.fixture(scope="module")
def some_text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Labels whose train partition has the first sentences, one of them German."""
    folder = tmp_path_factory.mktemp("trim") / "labels"
    with artifact.writing(folder, kind="labels", config={}) as draft:
        rows = [{"text": t, "locale": "en-US", "intent": "greet", "slots": []} for t in SENTENCES[:6]]
        rows += [{"text": SENTENCES[9], "locale": "de-DE", "intent": "greet", "slots": []}]
        (draft.path / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        LABELS.save(draft.path / "labels.json")
    return folder


def words_of(folder: Path) -> list[str]:
    return [piece for piece, _ in json.loads((folder / "tokenizer.json").read_text())["model"]["vocab"]]


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_covered_text_is_understood_as_before(nlu_dir: Path, some_text: Path, tmp_path: Path, precision: str):
    whole = export(nlu_dir, tmp_path / "whole", precision=precision)
    small = export(nlu_dir, tmp_path / "small", precision=precision, trim=str(some_text))
    metrics = artifact.open(small).metrics
    assert metrics["trim"]["ids"] == len(words_of(small)) < metrics["trim"]["of"] == len(words_of(whole))
    assert metrics["bytes"] < artifact.open(whole).metrics["bytes"]
    assert 0 < metrics["trim"]["words"] < 100
    before, after = Runtime.load(whole), Runtime.load(small)
    for text in (*SENTENCES[:6], SENTENCES[9]):
        a, b = before(text), after(text)
        assert (meaning(a), a.confidence) == (meaning(b), b.confidence)
    assert [found.text for found in after.batch(SENTENCES)] == list(SENTENCES)  # the rest is spelled by letters


def test_the_graph_has_as_many_words_as_the_tokenizer(nlu_dir: Path, some_text: Path, tmp_path: Path):
    small = export(nlu_dir, tmp_path / "small", trim=str(some_text))
    shapes = {w.name: list(w.dims) for w in onnx.load(small / "model.onnx").graph.initializer}
    assert shapes["words.weight"][0] == shapes["words.scale"][0] == Runtime.load(small).tokenizer.size
    assert artifact.open(small).manifest.tokenizer == Runtime.load(small).tokenizer.hash
    assert artifact.open(small).metrics["parity"]["max_abs_diff"] < 1e-3


def test_words_of_some_languages_only(nlu_dir: Path, some_text: Path, tmp_path: Path):
    trim = {"corpora": [str(some_text)], "languages": ["de"]}
    kept = words_of(export(nlu_dir, tmp_path / "small", trim=trim))
    assert ("▁spiele" in kept, "▁wake" in kept) == (True, False)


def test_words_met_too_seldom_go(nlu_dir: Path, some_text: Path, tmp_path: Path):
    kept = words_of(export(nlu_dir, tmp_path / "small", trim={"corpora": [str(some_text)], "min_count": 2}))
    assert ("▁wake" in kept, "▁six" in kept) == (True, False)


def test_a_model_of_spoken_text_keeps_the_words_of_both_forms(tokenizer_dir: Path, tmp_path: Path):
    nlu = write_nlu(tmp_path / "nlu", tokenizer_dir, spoken=True)
    with artifact.writing(tmp_path / "labels", kind="labels", config={}) as draft:
        (draft.path / "train.jsonl").write_text('{"text": "Wake at 9", "locale": "en-US", "intent": "greet", "slots": []}\n')
        LABELS.save(draft.path / "labels.json")
    kept = words_of(export(nlu, tmp_path / "small", trim=str(tmp_path / "labels")))
    assert ("▁wake" in kept, "▁nine" in kept, "▁six" in kept) == (True, True, False)


def test_text_that_is_not_there_is_named(nlu_dir: Path, some_text: Path, tmp_path: Path):
    with pytest.raises(ArtifactError, match="no such partition.*Got: held.*one of train"):
        export(nlu_dir, tmp_path / "a", trim={"corpora": [str(some_text)], "partitions": ["held"]})
    with pytest.raises(ExportError, match="no text to trim.*none in fr"):
        export(nlu_dir, tmp_path / "b", trim={"corpora": [str(some_text)], "languages": ["fr"]})


def test_a_name_alone_is_a_table():
    assert ExportConfig(model="nlu", trim="labels").trim == TrimConfig(corpora=("labels",))
    with pytest.raises(ValidationError):
        ExportConfig(model="nlu", trim={"corpora": []})
