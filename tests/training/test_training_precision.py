"""Where and in what numbers to compute."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from helpers_training import World, tiny
from torch import nn

from understudy.errors import RecipeError
from understudy.training import precision
from understudy.training.batches import MaskedSequences, Masking, Pieces
from understudy.training.objectives import MaskedLanguageModelling
from understudy.training.precision import autocast, compile_blocks, keep_memory, resolve

CPU = torch.device("cpu")


def test_auto_is_bf16_only_where_the_processor_multiplies_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for able, wanted in ((True, "bf16"), (False, "fp32")):
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda able=able: able)
        monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
        assert resolve("auto", CPU) == wanted
        assert resolve("fp32", CPU) == "fp32"


def test_bf16_where_it_would_be_emulated_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    with pytest.raises(RecipeError, match="does not multiply bf16"):
        resolve("bf16", CPU)


def test_autocast_runs_products_in_bf16_and_leaves_weights_alone() -> None:
    layer = nn.Linear(4, 4)
    with autocast("bf16", CPU)():
        assert layer(torch.ones(2, 4)).dtype == torch.bfloat16
    with autocast("fp32", CPU)():
        assert layer(torch.ones(2, 4)).dtype == torch.float32
    assert layer.weight.dtype == torch.float32


def test_the_loss_in_bf16_is_that_of_fp32_to_a_percent(world: World) -> None:
    source = MaskedSequences(Pieces(world.tokens(), max_length=32), Masking(0.3, world.vocab_size), seed=0)
    batch, objective = source.batch(np.arange(20), epoch=0), MaskedLanguageModelling(tiny(world.vocab_size))
    found = []
    for kind in ("fp32", "bf16"):
        with autocast(kind, CPU)():  # type: ignore[arg-type]
            found.append(objective(batch)["mlm"].sum.item())
    assert found[1] == pytest.approx(found[0], rel=0.01)


def test_blocks_stay_as_they_are_on_a_cpu_unless_asked_for() -> None:
    blocks = nn.ModuleList([nn.Linear(2, 2)])
    assert not compile_blocks(blocks, "auto")
    assert not compile_blocks(blocks, False)


def test_compiling_where_nothing_compiles_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("no C++ compiler\nmore")

    monkeypatch.setattr(torch, "compile", broken)
    precision._cannot_compile.cache_clear()
    with pytest.raises(RecipeError, match=r"no C\+\+ compiler"):
        compile_blocks(nn.ModuleList([nn.Linear(2, 2)]), True)
    precision._cannot_compile.cache_clear()


def test_keeping_memory_never_fails() -> None:
    keep_memory()
