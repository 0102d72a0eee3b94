"""Where and in what numbers to compute."""

from __future__ import annotations

import math
from itertools import islice
from typing import Any

import numpy as np
import pytest
import torch
from helpers_training import World, tiny
from torch import nn

from understudy.errors import RecipeError, TrainingError
from understudy.model.encoder import Attention, EncoderConfig, Layout
from understudy.training import precision
from understudy.training.batches import MaskedSequences, Pieces, batches
from understudy.training.loop import steps
from understudy.training.masking import Masking
from understudy.training.objectives import MaskedLanguageModelling
from understudy.training.optim import OptimConfig, build
from understudy.training.parallel import checkpoint_blocks
from understudy.training.precision import LossScale, autocast, compile_blocks, keep_memory, resolve

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
    assert not compile_blocks(blocks, "auto", CPU)
    assert not compile_blocks(blocks, False, CPU)


def test_compiling_where_nothing_compiles_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("no C++ compiler\nmore")

    monkeypatch.setattr(torch, "compile", broken)
    precision._cannot_compile.cache_clear()
    with pytest.raises(RecipeError, match=r"no C\+\+ compiler"):
        compile_blocks(nn.ModuleList([nn.Linear(2, 2)]), True, CPU)
    precision._cannot_compile.cache_clear()


def test_keeping_memory_never_fails() -> None:
    keep_memory()


def test_the_loss_scale_by_hand() -> None:
    scale = LossScale(value=8.0, patience=3)
    for overflow, value, good in [(False, 8, 1), (True, 4, 0), (False, 4, 1), (False, 4, 2), (False, 8, 0)]:
        scale.update(overflow=overflow)
        assert (scale.value, scale.good) == (value, good)
    scale.value = LossScale.LEAST
    with pytest.raises(TrainingError, match="any loss scale"):
        scale.update(overflow=True)


def test_an_update_that_overflows_is_skipped_and_the_scale_halved(world: World) -> None:
    objective = MaskedLanguageModelling(tiny(world.vocab_size))
    optimizer = build(objective, OptimConfig(lr=0.01))
    scale = LossScale(value=2.0**40)
    stream = batches(
        MaskedSequences(Pieces(world.tokens(), max_length=32), Masking(0.3, world.vocab_size), seed=0), budget=200, seed=0
    )
    before = [w.detach().clone() for w in objective.parameters()]
    updates = steps(objective, stream, optimizer, lambda n: 0.01, autocast=autocast("fp16", CPU), scale=scale)
    first = next(updates)
    assert first.skipped
    assert scale.value == 2.0**39
    assert all(torch.equal(a, b) for a, b in zip(before, objective.parameters(), strict=True))
    later = list(islice(updates, 60))
    assert not later[-1].skipped
    assert later[-1].loss < 0.8 * math.log(world.vocab_size)


def test_both_cures_of_fp16_keep_what_overflows_without_them() -> None:
    """A 2.4: scaling before the product of queries and keys, and the variance of LayerNorm in fp32."""
    torch.manual_seed(0)
    config = EncoderConfig(layers=1, hidden=64, ffn=8, heads=1, vocab_size=8, dropout=0.0, attention_dropout=0.0)
    attention, layout = Attention(config), Layout.packed([6])
    with torch.no_grad():
        attention.qkv.weight.mul_(120)
    h_TD = 2 * torch.randn(6, 64)
    q, k, _ = attention.qkv(h_TD).detach().half().chunk(3, 1)
    assert float(q.abs().max()) < 65504  # what goes in fits
    assert not (q @ k.T).isfinite().all()  # the plain product does not
    with torch.autocast("cpu", torch.float16):
        out = attention(h_TD, layout)
    assert out.dtype == torch.float16
    assert out.isfinite().all()
    torch.testing.assert_close(out.float(), attention(h_TD, layout), rtol=0.02, atol=0.2)

    wide = torch.full((2, 64), 400.0).half()
    wide[:, ::2] *= -1
    assert not wide.square().sum(-1).isfinite().all()  # 64 squares of 400 exceed 65,504
    with torch.autocast("cpu", torch.float16):
        normal = torch.nn.LayerNorm(64)(wide)
    torch.testing.assert_close(normal.float().abs(), torch.ones(2, 64), rtol=1e-3, atol=1e-3)


def test_blocks_checkpointed_in_every_turn_are_computed_twice_only(world: World) -> None:
    model = tiny(world.vocab_size)
    runs = 0

    def count(*_: object) -> None:
        nonlocal runs
        runs += 1

    model.encoder.blocks[0].ffn_in.register_forward_hook(count)
    for _ in range(3):
        checkpoint_blocks(model.encoder.blocks, "block")
    model(torch.arange(5, 15), Layout.packed([4, 6])).square().mean().backward()
    assert runs == 2  # forward, and again in backward


@pytest.mark.parametrize("mode", ["selective", "block"])
def test_checkpointed_blocks_learn_the_same_and_keep_less(world: World, mode: Any) -> None:
    kept: dict[str, int] = {}

    def gradients(name: str) -> list[torch.Tensor]:
        torch.manual_seed(0)
        model = tiny(world.vocab_size, dropout=0.1)
        checkpoint_blocks(model.encoder.blocks, name)  # type: ignore[arg-type]
        names = list(model.state_dict())
        held = 0

        def count(t: torch.Tensor) -> torch.Tensor:
            nonlocal held
            held += t.numel()
            return t

        torch.manual_seed(1)
        with torch.autograd.graph.saved_tensors_hooks(count, lambda t: t):
            loss = model(torch.arange(5, 15), Layout.packed([4, 6])).square().mean()
        loss.backward()
        kept[name] = held
        assert list(model.state_dict()) == names
        return [w.grad for w in model.parameters() if w.grad is not None]

    for a, b in zip(gradients("none"), gradients(mode), strict=True):
        torch.testing.assert_close(a, b)
    assert kept[mode] < kept["none"]
