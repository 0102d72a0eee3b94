"""Products in float8, rounded as on a GPU and multiplied in fp32. What torchao computes is skipped where it is not installed."""

from __future__ import annotations

import sys
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers_training import World, tiny
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from understudy import artifact
from understudy.config import parse
from understudy.errors import RecipeError
from understudy.model.encoder import Layout, MaskedLM
from understudy.model.folder import load_encoder, save_encoder
from understudy.training import float8
from understudy.training.batches import MaskedSequences, Pieces, batches
from understudy.training.checkpoint import Checkpoints, capture, restore
from understudy.training.float8 import use_float8
from understudy.training.loop import steps
from understudy.training.machine import Machine
from understudy.training.masking import Masking
from understudy.training.objectives import Distillation, MaskedLanguageModelling
from understudy.training.optim import OptimConfig, build
from understudy.training.parallel import ParallelConfig, checkpoint_blocks
from understudy.training.precision import autocast
from understudy.training.pretrain import PretrainConfig

CPU, GPU = torch.device("cpu"), torch.device("cuda")
BF16 = autocast("bf16", CPU)
BLOCK = ["attention.qkv", "attention.out", "ffn_in", "ffn_out"]


@pytest.fixture
def ao() -> None:
    """torchao, without which a test is skipped."""
    pytest.importorskip("torchao.float8")


def emulated(model: MaskedLM) -> MaskedLM:
    use_float8([model.encoder.blocks], "bf16", CPU, emulate=True)
    return model


def stream(world: World) -> Any:
    source = MaskedSequences(Pieces(world.tokens(), max_length=32), Masking(0.3, world.vocab_size), seed=0)
    return batches(source, budget=200, seed=0)


def in_float8(model: nn.Module) -> list[str]:
    return [name for name, part in model.named_modules() if type(part).__name__ == "Float8Linear"]


def test_only_the_matrices_of_blocks_change_and_no_weight_does(world: World, ao: None) -> None:
    model = tiny(world.vocab_size)
    before = dict(model.named_parameters())
    assert in_float8(emulated(model)) == [f"encoder.blocks.{i}.{name}" for i in range(2) for name in BLOCK]
    after = dict(model.named_parameters())
    assert list(after) == list(before) == list(model.state_dict())
    assert all(after[name] is weight and weight.dtype == torch.float32 for name, weight in before.items())


def test_the_loss_of_equal_weights_is_that_of_bf16_to_two_percent_and_its_gradient_points_there(world: World, ao: None) -> None:
    objective = MaskedLanguageModelling(tiny(world.vocab_size))
    list(islice(steps(objective, stream(world), build(objective, OptimConfig(lr=0.01)), lambda n: 0.01, autocast=BF16), 40))
    losses, gradients = [], []
    (batch,) = next(stream(world))
    for change in (lambda m: m, emulated):
        change(objective.model)
        objective.zero_grad()
        with BF16():
            loss = objective(batch)["mlm"].sum / len(batch.targets_M)
        loss.backward()
        losses.append(loss.item())
        gradients.append(torch.cat([w.grad.flatten() for w in objective.parameters() if w.grad is not None]))
    assert losses[1] == pytest.approx(losses[0], rel=0.02)
    assert losses[1] != losses[0]  # it is another arithmetic
    assert torch.cosine_similarity(*gradients, dim=0) > 0.98


def test_training_in_float8_learns(world: World, ao: None) -> None:
    objective = MaskedLanguageModelling(emulated(tiny(world.vocab_size)))
    updates = steps(objective, stream(world), build(objective, OptimConfig(lr=0.01)), lambda n: 0.01, autocast=BF16)
    losses = [step.loss for step in islice(updates, 40)]
    assert np.mean(losses[-5:]) < 0.5 * losses[0]


@pytest.mark.parametrize("mode", ["selective", "block"])
def test_checkpointed_blocks_learn_the_same(world: World, ao: None, mode: Any) -> None:
    def gradients(mode: Any) -> list[Tensor]:
        model = emulated(tiny(world.vocab_size))
        checkpoint_blocks(model.encoder.blocks, mode)
        with BF16():
            loss = model(torch.arange(5, 15), Layout.packed([4, 6])).square().mean()
        loss.backward()
        return [w.grad for w in model.parameters() if w.grad is not None]

    assert all(torch.equal(a, b) for a, b in zip(gradients("none"), gradients(mode), strict=True))


def test_a_checkpoint_goes_on_with_float8_and_without(world: World, ao: None, tmp_path: Path) -> None:
    objective = MaskedLanguageModelling(emulated(tiny(world.vocab_size)))
    optimizer = build(objective, OptimConfig(lr=0.01))
    list(islice(steps(objective, stream(world), optimizer, lambda n: 0.01, autocast=BF16), 3))
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(3, capture(objective, optimizer), {})
    checkpoints.wait()
    saved = checkpoints.newest()
    assert saved is not None
    for make in (lambda m: m, emulated):
        again = MaskedLanguageModelling(make(tiny(world.vocab_size, seed=1)))
        fresh = build(again, OptimConfig(lr=0.01))
        restore(saved, again, fresh)
        there = capture(again, fresh)
        assert all(torch.equal(there[name], tensor) for name, tensor in capture(objective, optimizer).items())
        (step,) = islice(steps(again, stream(world), fresh, lambda n: 0.01, autocast=BF16), 1)
        assert np.isfinite(step.loss)


def test_an_encoder_trained_in_float8_is_saved_as_any_other(world: World, ao: None, tmp_path: Path) -> None:
    plain, model = tiny(world.vocab_size), emulated(tiny(world.vocab_size))
    save_encoder(model, tmp_path, world.tokenizer.path)
    loaded = load_encoder(tmp_path)
    assert not in_float8(loaded)
    torch.testing.assert_close(loaded.state_dict(), plain.state_dict(), rtol=0, atol=0)


class Shapes(TorchDispatchMode):
    """Every product in float8 that is asked of torch: shapes (n, k), (k, m) and strides of both sides."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[torch.Size, torch.Size, tuple[int, ...], tuple[int, ...]]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.ops.aten._scaled_mm.default:
            left, right = args[:2]
            self.seen.append((left.shape, right.shape, left.stride(), right.stride()))
        return NotImplemented if any(t is not Tensor for t in types) else func(*args, **(kwargs or {}))


def test_products_have_the_shapes_that_a_gpu_takes(world: World, ao: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """cuBLAS wants sums over and columns of multiples of 16, one side by rows, the other by columns. A CPU takes them all."""
    monkeypatch.setattr(float8, "_incapable", lambda device: None)
    model, shapes = tiny(world.vocab_size), Shapes()
    use_float8([model.encoder.blocks], "bf16", CPU)
    with BF16():
        block, layout = model.encoder.blocks[0], Layout.packed([4, 6])
        with shapes:
            block(torch.randn(10, 32, requires_grad=True), layout).sum().backward()
    assert len(shapes.seen) == 3 * len(BLOCK)
    for left, right, by_rows, by_columns in shapes.seen:
        assert left[1] % 16 == right[1] % 16 == 0
        assert by_rows[1] == by_columns[0] == 1


def test_models_that_are_listened_to_multiply_in_float8_too(world: World, ao: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    monkeypatch.setattr(float8, "_incapable", lambda device: None)
    objective = Distillation(tiny(world.vocab_size), tiny(world.vocab_size, seed=1))
    Machine.prepare(objective, "bf16", False, ParallelConfig(), float8=True)
    assert len(in_float8(objective.student)) == len(in_float8(objective.teacher)) == 8
    assert not any(w.requires_grad for w in objective.teacher.parameters())


def test_without_a_gpu_float8_is_refused(world: World) -> None:
    blocks = tiny(world.vocab_size).encoder.blocks
    with pytest.raises(RecipeError, match="float8: this device .*Got: no GPU.*Wanted: a GPU of compute capability 8.9 or above"):
        use_float8([blocks], "bf16", CPU)
    assert type(blocks[0].ffn_in) is nn.Linear  # nothing was changed


def test_a_gpu_before_ada_is_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (8, 0))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "A100")
    with pytest.raises(RecipeError, match="Got: A100, compute capability 8.0"):
        use_float8([tiny(world.vocab_size).encoder.blocks], "bf16", GPU)


@pytest.mark.parametrize("precision", ["fp16", "fp32"])
def test_float8_goes_with_bf16_only(world: World, precision: Any) -> None:
    with pytest.raises(RecipeError, match=f"precision: float8 goes with bf16. Got: {precision}. Wanted: 'auto' or 'bf16'"):
        use_float8([tiny(world.vocab_size).encoder.blocks], precision, CPU, emulate=True)


@pytest.mark.parametrize(("changed", "named"), [({"hidden": 40}, "block 0.attention.qkv, 40 x 120"), ({"ffn": 72}, "32 x 72")])
def test_widths_that_rows_of_sixteen_do_not_fill_are_refused(world: World, changed: Any, named: str) -> None:
    blocks = tiny(world.vocab_size, **changed).encoder.blocks
    with pytest.raises(RecipeError, match=f"{named}. Wanted: hidden and ffn that are multiples of 16"):
        use_float8([blocks], "bf16", CPU, emulate=True)


def test_where_torchao_is_missing_the_error_says_how_to_get_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchao.float8", None)
    with pytest.raises(RecipeError, match=r"torchao cannot be used.*pip install '\.\[float8\]'"):
        use_float8([tiny(world.vocab_size).encoder.blocks], "bf16", CPU, emulate=True)


def test_float8_makes_a_stage_run_again() -> None:
    settings = {"data": "shards", "tokenizer": "tok", "model": "base-85m", "steps": 1}
    plain, eight = (parse(PretrainConfig, settings | more, where="stage") for more in ({}, {"float8": True}))
    one, other = (artifact.fingerprint("encoder", c.model_dump(mode="json"), {}, 0) for c in (plain, eight))
    assert one != other
