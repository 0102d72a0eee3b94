"""Ways to int8: tried, refused, chosen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from helpers_tiny import SENTENCES, export, write_nlu
from pydantic import ValidationError
from test_export_stage import gold_of, huge_column

from understudy import artifact
from understudy.errors import ExportError
from understudy.export.export import ExportConfig
from understudy.export.graph import Quantisation
from understudy.export.sweep import SWEEP, Judge, Made, engines
from understudy.runtime.session import Runtime
from understudy.runtime.vnni import available


def test_a_sweep_tries_all_and_exports_one_that_passes(nlu_dir: Path, tmp_path: Path):
    gold = gold_of(nlu_dir, tmp_path / "labels")
    ways = [{"weight_bits": 8}, {"weight_bits": 7, "per": "tensor", "float32": ["words"]}]
    metrics = artifact.open(export(nlu_dir, tmp_path / "runtime", check=str(gold), sweep=ways, max_drop=100)).metrics
    tried = metrics["sweep"]
    assert [row["quantisation"] for row in tried] == ["8 bits per column", "7 bits per tensor, words in fp32"]
    assert metrics["quantisation"] in [row["quantisation"] for row in tried]
    assert all(row["ms"] > 0 and set(row["exact_match"]) == {"de-DE", "en-US", "all"} for row in tried)
    assert tried[1]["bytes"] > tried[0]["bytes"]


def test_a_way_that_loses_too_much_is_not_chosen_however_fast(tokenizer_dir: Path, tmp_path: Path):
    nlu = huge_column(tokenizer_dir, tmp_path / "nlu")
    gold = gold_of(nlu, tmp_path / "labels")
    ways = [{"weight_bits": 8}, {"weight_bits": 8, "float32": ["words", "attention", "ffn_in", "ffn_out", "heads"]}]
    metrics = artifact.open(export(nlu, tmp_path / "runtime", check=str(gold), sweep=ways)).metrics
    assert "points of exact match lost" in metrics["sweep"][0]["refused"]
    assert "ms" not in metrics["sweep"][0]
    assert metrics["quantisation"] == metrics["sweep"][1]["quantisation"]
    assert metrics["exact_match"]["all"]["exported"] == 100.0


def test_where_no_way_passes_nothing_is_written(tokenizer_dir: Path, tmp_path: Path):
    nlu = huge_column(tokenizer_dir, tmp_path / "nlu")
    gold = gold_of(nlu, tmp_path / "labels")
    ways = [{"weight_bits": 8}, {"weight_bits": 7}]
    with pytest.raises(ExportError, match="no way to int8.*8 bits per column: .*; 7 bits per column: "):
        export(nlu, tmp_path / "runtime", check=str(gold), sweep=ways)
    assert not (tmp_path / "runtime").exists()
    metrics = artifact.open(export(nlu, tmp_path / "instead", check=str(gold), sweep=ways, otherwise="fp32")).metrics
    assert (metrics["precision"], "no way to int8" in metrics["refused"]) == ("fp32", True)


def test_a_sweep_needs_labels():
    with pytest.raises(ValidationError, match="needs `check`"):
        ExportConfig(model="nlu", sweep=True)
    with pytest.raises(ValidationError, match="needs `check`"):
        ExportConfig(model="nlu", sweep=True, check="labels", precision="fp32")


def test_the_ways_of_a_recipe():
    assert ExportConfig(model="nlu", sweep=True, check="labels").ways() == SWEEP
    assert ExportConfig(model="nlu", per="tensor", float32=["heads"]).ways() == (Quantisation(per="tensor", float32=("heads",)),)
    assert ExportConfig(model="nlu", precision="fp32").ways() == ()
    assert len(set(map(str, SWEEP))) == len(SWEEP)


def test_a_kernel_that_loses_too_much_is_not_listed_and_the_model_exported_all_the_same(tokenizer_dir: Path, tmp_path: Path):
    good, bad = (
        Runtime.load(export(write_nlu(tmp_path / f"nlu{seed}", tokenizer_dir, seed=seed), tmp_path / f"{seed}", precision="fp32"))
        for seed in (0, 1)
    )
    gold = [replace(found, locale="en-US") for found in good.batch(SENTENCES)]
    judge = Judge(good, gold, labelled=True, max_drop=0.3)
    metrics, refused = judge.weigh(Made(Quantisation(), b"", good, kernel=bad))
    assert (refused, metrics["exact_match"]["en-US"]["exported"]) == (None, 100.0)
    assert "points of exact match lost" in metrics["vnni"]["refused"]
    assert engines(metrics) == ("onnxruntime",)
    metrics, _ = judge.weigh(Made(Quantisation(), b"", good, kernel=good))
    assert metrics["vnni"] == {name: metrics[name] for name in ("agreement", "exact_match")}
    assert engines(metrics) == ("onnxruntime", "vnni")
    assert engines(judge.weigh(Made(Quantisation(), b"", good))[0]) == ("onnxruntime",)


@pytest.mark.skipif(not available(), reason="the int8 kernel was not compiled, or this processor has no AVX-512 VNNI")
def test_a_sweep_times_the_engine_that_would_serve(nlu_dir: Path, tmp_path: Path):
    gold = gold_of(nlu_dir, tmp_path / "labels")
    ways = [{"weight_bits": 8}, {"weight_bits": 8, "float32": ["words"]}]
    opened = artifact.open(export(nlu_dir, tmp_path / "runtime", check=str(gold), sweep=ways, max_drop=100))
    assert [row["engine"] for row in opened.metrics["sweep"]] == ["vnni", "onnxruntime"]
