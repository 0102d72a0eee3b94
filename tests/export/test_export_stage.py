"""The export stage: what it writes, and its gates."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import onnx
import pytest
import torch
from helpers_tiny import LABELS, SENTENCES, export, random_nlu, write_nlu
from pydantic import ValidationError

from understudy import artifact
from understudy.errors import ArtifactError, DataError, ExportError
from understudy.export.export import PROBES, ExportConfig
from understudy.interpretation import Interpretation
from understudy.model.nlu import Predictor
from understudy.runtime.session import Runtime
from understudy.runtime.vnni import available
from understudy.text.words import words


def gold_of(nlu: Path, folder: Path) -> Path:
    """Labels that the model in torch gets all right: its own answers, as the dev partition of a labels artifact."""
    found = Predictor.load(nlu).batch(SENTENCES)
    with artifact.writing(folder, kind="labels", config={}) as draft:
        rows = [json.dumps(row(replace(f, locale="en-US" if i % 2 else "de-DE"))) for i, f in enumerate(found)]
        (draft.path / "dev.jsonl").write_text("\n".join(rows) + "\n")
        LABELS.save(draft.path / "labels.json")
    return folder


def row(found: Interpretation) -> dict[str, object]:
    slots = [{"name": s.name, "start": s.start, "end": s.end} for s in found.slots]
    return {"text": found.text, "locale": found.locale, "intent": found.intent, "domain": found.domain, "slots": slots}


def meaning(found: Interpretation) -> tuple[object, ...]:
    return found.intent, found.domain, [(s.name, s.start, s.end) for s in found.slots]


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_a_runtime_artifact_is_written(nlu_dir: Path, tmp_path: Path, precision: str):
    opened = artifact.open(export(nlu_dir, tmp_path / "runtime", precision=precision), kind="runtime")
    assert sorted(opened.manifest.files) == ["labels.json", "model.onnx", "runtime.json", "tokenizer.json"]
    assert json.loads((opened.path / "runtime.json").read_text()) == {
        "precision": precision,
        "max_length": 24,
        "spoken": False,
        "lower": False,
        "threshold": 0.0,
        "engines": ["onnxruntime", "vnni"] if precision == "int8" and available() else ["onnxruntime"],
    }
    assert opened.metrics["bytes"] == sum(f.size for f in opened.manifest.files.values())
    assert opened.metrics["parity"]["max_abs_diff"] < 1e-3
    assert opened.metrics["parity"]["utterances"] == len(PROBES) + 1
    assert opened.manifest.tokenizer == artifact.open(nlu_dir).manifest.tokenizer
    assert {p.kind for p in opened.manifest.parents.values()} == {"nlu"}


def test_the_float_runtime_answers_as_torch_does(nlu_dir: Path, runtime_dir: Path):
    wanted, found = Predictor.load(nlu_dir).batch(SENTENCES), Runtime.load(runtime_dir).batch(SENTENCES)
    for w, f in zip(wanted, found, strict=True):
        assert meaning(w) == meaning(f)
        assert f.confidence == pytest.approx(w.confidence, abs=1e-4)


def test_with_all_heads_and_a_threshold_the_runtime_answers_as_torch_does(tokenizer_dir: Path, tmp_path: Path):
    sure = sorted(f.confidence for f in Predictor.load(write_nlu(tmp_path / "a", tokenizer_dir, domains=4)).batch(SENTENCES))
    between = (sure[len(sure) // 2] + sure[len(sure) // 2 + 1]) / 2
    nlu = write_nlu(tmp_path / "b", tokenizer_dir, domains=4, threshold=between)
    wanted = Predictor.load(nlu).batch(SENTENCES)
    found = Runtime.load(export(nlu, tmp_path / "runtime", precision="fp32")).batch(SENTENCES)
    assert [(meaning(f), f.out_of_domain) for f in found] == [(meaning(w), w.out_of_domain) for w in wanted]
    assert {f.out_of_domain for f in found} == {True, False}
    assert any(f.domain != LABELS.domains[f.intent] for f in found)  # said by a head of its own, here of random weights


def test_the_quantised_runtime_mostly_answers_as_torch_does(nlu_dir: Path, tmp_path: Path):
    opened = artifact.open(export(nlu_dir, tmp_path / "runtime"))
    assert opened.metrics["agreement"]["intent"] >= 75
    weights = opened.metrics["weights"]
    assert weights["int8"]["bytes"] > 0.5 * weights["float32"]["bytes"]


def test_the_same_model_exports_to_the_same_bytes(nlu_dir: Path, tmp_path: Path):
    first, second = (artifact.open(export(nlu_dir, tmp_path / name)) for name in ("a", "b"))
    assert (first.hash, first.metrics) == (second.hash, second.metrics)


def test_settings_of_the_model_reach_the_runtime(tokenizer_dir: Path, tmp_path: Path):
    runtime = Runtime.load(export(write_nlu(tmp_path / "nlu", tokenizer_dir, spoken=True, lower=True), tmp_path / "runtime"))
    assert (runtime.settings.spoken, runtime.settings.lower, runtime.settings.precision) == (True, True, "int8")


def test_a_graph_that_differs_is_not_written(nlu_dir: Path, tmp_path: Path):
    with pytest.raises(ExportError, match=r"differ by .* less than 1e-12 on 15 utterances.*nothing was written"):
        export(nlu_dir, tmp_path / "runtime", tolerance=1e-12)
    assert not (tmp_path / "runtime").exists()


def test_weights_that_are_not_finite_are_not_exported(tokenizer_dir: Path, tmp_path: Path):
    model = random_nlu(_size(tokenizer_dir))
    with torch.no_grad():
        model.encoder.final_norm.weight[3] = float("nan")
    nlu = write_nlu(tmp_path / "nlu", tokenizer_dir, model=model)
    with pytest.raises(ExportError, match="differ by nan"):
        export(nlu, tmp_path / "runtime")
    assert not (tmp_path / "runtime").exists()


def _size(tokenizer_dir: Path) -> int:
    return len(json.loads((tokenizer_dir / "tokenizer.json").read_text())["model"]["vocab"])


def test_exact_match_before_and_after_is_reported(nlu_dir: Path, tmp_path: Path):
    gold = gold_of(nlu_dir, tmp_path / "labels")
    opened = artifact.open(export(nlu_dir, tmp_path / "runtime", precision="fp32", check=str(gold)))
    n = len(SENTENCES) // 2
    each = {"float": 100.0, "exported": 100.0, "n": n, "lost": 0, "gained": 0}
    assert opened.metrics["exact_match"] == {"de-DE": each, "en-US": each, "all": {**each, "n": 2 * n}}
    assert opened.metrics["parity"]["utterances"] == len(SENTENCES) + 1


def huge_column(tokenizer_dir: Path, folder: Path) -> Path:
    """A model that int8 ruins: one huge column of activations leaves the others less than a step of the shared scale."""
    model = random_nlu(_size(tokenizer_dir))
    with torch.no_grad():
        model.encoder.final_norm.bias[0] = 1e3
        for head in model.heads.values():
            head[0].weight[:, 0] = 0
    return write_nlu(folder, tokenizer_dir, model=model)


def test_an_export_that_loses_too_much_is_not_written(tokenizer_dir: Path, tmp_path: Path):
    nlu = huge_column(tokenizer_dir, tmp_path / "nlu")
    gold = gold_of(nlu, tmp_path / "labels")
    with pytest.raises(ExportError, match=r"(de-DE|en-US): .*points of exact match lost on 10 utterances.*at most 0.3"):
        export(nlu, tmp_path / "runtime", check=str(gold))
    assert not (tmp_path / "runtime").exists()
    metrics = artifact.open(export(nlu, tmp_path / "runtime", check=str(gold), max_drop=100)).metrics
    assert metrics["exact_match"]["en-US"]["exported"] < 90
    metrics = artifact.open(export(nlu, tmp_path / "instead", check=str(gold), otherwise="fp32")).metrics
    assert (metrics["precision"], metrics["exact_match"]["en-US"]["exported"]) == ("fp32", 100.0)
    assert "points of exact match lost" in metrics["refused"]


def test_a_missing_partition_names_those_there_are(nlu_dir: Path, tmp_path: Path):
    gold = gold_of(nlu_dir, tmp_path / "labels")
    with pytest.raises(DataError, match="no such partition.*Got: held.*one of dev"):
        export(nlu_dir, tmp_path / "runtime", check=str(gold), partition="held")


def test_labels_without_utterances_are_no_check(nlu_dir: Path, tmp_path: Path):
    with artifact.writing(tmp_path / "empty", kind="labels", config={}) as draft:
        (draft.path / "dev.jsonl").write_text("")
    with pytest.raises(ArtifactError, match="no labels to check"):
        export(nlu_dir, tmp_path / "runtime", check=str(tmp_path / "empty"))


def test_the_onnx_file_holds_no_trace_of_this_machine(runtime_dir: Path):
    graph = onnx.load(runtime_dir / "model.onnx")
    assert (graph.doc_string, graph.producer_name, list(graph.metadata_props)) == ("", "understudy", [])
    assert b"/" not in b"".join(node.SerializeToString() for node in graph.graph.node)


def test_settings_are_strict():
    with pytest.raises(ValidationError):
        ExportConfig(model="nlu", precision="int4")  # type: ignore[arg-type]
    with pytest.raises(ValidationError):
        ExportConfig(model="nlu", weight_bits=6)  # type: ignore[arg-type]


def test_the_probes_cover_twelve_languages():
    assert len(PROBES) >= 12
    assert all(words(p) for p in PROBES)
