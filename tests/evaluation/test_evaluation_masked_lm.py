"""Encoders measured by masked tokens and nouns, beside what their trainings say of them and by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers_training import SHAPE, World, run_stage, tiny, write_labels, write_shards, write_tokenizer

from understudy import artifact
from understudy.artifact import Artifact
from understudy.config import parse
from understudy.corpus.nouns import FILE, Noun
from understudy.errors import DataError, RecipeError
from understudy.evaluation import masked_lm
from understudy.evaluation.masked_lm import MaskedLmConfig
from understudy.evaluation.summary import summary
from understudy.model.folder import save_encoder
from understudy.training import pretrain
from understudy.training.pretrain import PretrainConfig

NOUNS = [Noun("en", "wake me six", 8, 11), Noun("de", "play me imagine", 8, 15)]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    root = tmp_path_factory.mktemp("world")
    return World(write_tokenizer(root / "tok"), write_shards(root / "shards", root / "tok"), write_labels(root / "labels"))


def nouns(path: Path) -> Artifact:
    with artifact.writing(path, kind="nouns", config={}) as draft:
        (draft.path / FILE).write_text("".join(json.dumps(n._asdict()) + "\n" for n in NOUNS))
    return artifact.open(path)


def settings(**more: Any) -> MaskedLmConfig:
    return parse(MaskedLmConfig, {"precision": "fp32", **more}, where="stage.m")


def measured(config: MaskedLmConfig, path: Path, inputs: dict[str, Artifact]) -> dict[str, Any]:
    made = run_stage(masked_lm.run, config, path, inputs, kind="report")
    found: dict[str, Any] = json.loads((made.path / "report.json").read_text())
    assert made.metrics["encoders"] == found["encoders"]
    return found


def ignorant(path: Path, tokenizer: Artifact, size: int) -> Artifact:
    """An encoder to which all words are equally likely."""
    model = tiny(size)
    with torch.no_grad():
        model.decoder_weight_VD.zero_()
        model.decoder_bias_V.fill_(0.5)
    with artifact.writing(path, kind="encoder", config={}) as draft:
        save_encoder(model, draft.path, tokenizer.path)
        draft.tokenizer = tokenizer.manifest.tokenizer
    return artifact.open(path)


def test_it_says_what_the_training_said(world: World, tmp_path: Path) -> None:
    inputs = {**world.inputs, "nouns": nouns(tmp_path / "nouns")}
    table = {
        "data": "shards",
        "tokenizer": "tok",
        "model": SHAPE,
        "steps": 20,
        "batch_tokens": 128,
        "nouns": "nouns",
        "compile": False,
    }
    made = run_stage(pretrain.run, parse(PretrainConfig, {**table, "precision": "fp32"}, where="stage.t"), tmp_path / "t", inputs)
    config = settings(encoders={"ours": "t"}, data="shards", nouns="nouns", batch_tokens=64)
    found = measured(config, tmp_path / "report", {**inputs, "t": made})["encoders"]["ours"]
    assert found["perplexity"] == pytest.approx(made.metrics["perplexity"], rel=1e-3)
    assert found["perplexity_by_language"] == pytest.approx(made.metrics["perplexity_by_language"], rel=1e-3)
    assert found["fill_by_language"] == made.metrics["fill_by_language"]


def test_who_knows_nothing_is_as_perplexed_as_the_vocabulary_is_large(world: World, tmp_path: Path) -> None:
    encoder = ignorant(tmp_path / "encoder", world.tokenizer, world.vocab_size)
    found = measured(
        settings(encoders={"it": "encoder"}, data="shards"), tmp_path / "report", {**world.inputs, "encoder": encoder}
    )
    assert found["encoders"]["it"]["perplexity"] == pytest.approx(world.vocab_size, rel=1e-4)
    assert found["encoders"]["it"]["perplexity_macro"] == pytest.approx(world.vocab_size, rel=1e-4)
    assert "fill" not in found["encoders"]["it"]


def test_perplexity_is_not_measured_over_another_vocabulary_and_nouns_are(
    world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    other = write_tokenizer(tmp_path / "tok", extra="zebra")
    encoder = ignorant(tmp_path / "encoder", other, world.vocab_size + 1)
    inputs = {**world.inputs, "encoder": encoder, "nouns": nouns(tmp_path / "nouns")}
    found = measured(settings(encoders={"it": "encoder"}, data="shards", nouns="nouns"), tmp_path / "report", inputs)
    assert set(found["encoders"]["it"]) == {"fill", "fill_by_language"}
    assert "another tokenizer" in caplog.text
    assert "Nouns filled" in str(summary(found).renderables[1])  # type: ignore[union-attr]


def test_shards_that_hold_nothing_out_are_refused(world: World, tmp_path: Path) -> None:
    encoder = ignorant(tmp_path / "encoder", world.tokenizer, world.vocab_size)
    shards = write_shards(tmp_path / "shards", world.tokenizer.path, valid=False)
    with pytest.raises(DataError, match="hold no text out"):
        measured(settings(encoders={"it": "encoder"}, data="shards"), tmp_path / "r", {"shards": shards, "encoder": encoder})


def test_something_to_measure_by_is_wanted() -> None:
    with pytest.raises(RecipeError, match="'data', 'nouns' or both"):
        settings(encoders={"it": "encoder"})
