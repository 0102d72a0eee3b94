"""What a run begins with: an encoder in numbers that can learn, and the settings that every turn of a distillation has."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from helpers_training import World, run_stage, tiny
from safetensors.torch import load_file

from understudy import artifact
from understudy.artifact import Artifact
from understudy.config import parse
from understudy.model.dropout import Dropout
from understudy.model.encoder import Attention
from understudy.model.folder import save_encoder
from understudy.training import finetune, pretrain
from understudy.training.finetune import FinetuneConfig
from understudy.training.masked import rebuilt, set_dropout
from understudy.training.pretrain import PretrainConfig

FAST = {"precision": "fp32", "compile": False}
MASKED = {"data": "shards", "tokenizer": "tok", "steps": 2, "batch_tokens": 64, **FAST}


@pytest.fixture
def half(world: World, tmp_path: Path) -> Artifact:
    """An encoder as the hub keeps many of this kind, and `adopt` takes them."""
    with artifact.writing(tmp_path / "half", kind="encoder", config={}) as draft:
        save_encoder(tiny(world.vocab_size).half(), draft.path, world.tokenizer.path)
    return artifact.open(tmp_path / "half")


def numbers(made: Artifact) -> set[torch.dtype]:
    return {weight.dtype for weight in load_file(made.path / "model.safetensors").values()}


def test_an_encoder_in_half_precision_goes_on_in_fp32(world: World, half: Artifact, tmp_path: Path) -> None:
    config = parse(PretrainConfig, {**MASKED, "init": "half"}, where="stage.more")
    more = run_stage(pretrain.run, config, tmp_path / "more", {**world.inputs, "half": half})
    assert (numbers(half), numbers(more)) == ({torch.float16}, {torch.float32})


def test_an_encoder_in_half_precision_is_fine_tuned_in_fp32(world: World, half: Artifact, tmp_path: Path) -> None:
    config = parse(FinetuneConfig, {"encoder": "half", "data": "labels", "steps": 2, **FAST}, where="stage.nlu")
    nlu = run_stage(finetune.run, config, tmp_path / "nlu", {**world.inputs, "half": half}, kind="nlu")
    assert numbers(nlu) == {torch.float32}


@pytest.mark.parametrize(("dropout", "wanted"), [(0.3, 0.3), (None, 0.1)])
def test_a_later_turn_on_many_processes_has_the_stages_dropout(world: World, dropout: float | None, wanted: float) -> None:
    config = parse(PretrainConfig, {**MASKED, "model": {"preset": "student-5m"}, "dropout": dropout}, where="stage.student")
    model = tiny(world.vocab_size, dropout=0.1, attention_dropout=0.1)
    if dropout is not None:
        set_dropout(model, dropout)
    again = rebuilt(model, config)
    rates = {
        part.p if isinstance(part, Dropout) else part.dropout for part in again.modules() if isinstance(part, Dropout | Attention)
    }
    assert rates == {wanted}
    assert all(a.equal(b) for a, b in zip(again.state_dict().values(), model.state_dict().values(), strict=True))
