"""Checkpoints: whole, verified, and everything that the next update depends on."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import torch
from torch import nn

from understudy.training.checkpoint import Checkpoints, capture, restore
from understudy.training.optim import OptimConfig, build


def test_the_newest_comes_back_and_the_last_few_are_kept(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, keep=2)
    for step in (5, 10, 15):
        checkpoints.save(step, {"w": torch.full((2,), float(step))}, {"tokens": step * 100})
    assert sorted(p.name for p in tmp_path.iterdir()) == ["step-00000010", "step-00000015"]
    found = checkpoints.newest()
    assert found is not None
    assert found[0] == 15
    assert found[1]["w"].tolist() == [15.0, 15.0]
    assert found[2] == {"tokens": 1500}


def test_where_there_is_none_there_is_none(tmp_path: Path) -> None:
    assert Checkpoints(tmp_path / "nothing").newest() is None


@pytest.mark.parametrize("damage", ["altered", "truncated", "no tensors", "no facts", "foreign facts"])
def test_a_damaged_checkpoint_is_passed_over_aloud(tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture) -> None:
    checkpoints = Checkpoints(tmp_path)
    for step in (1, 2):
        checkpoints.save(step, {"w": torch.tensor([float(step)])}, {})
    tensors, facts = tmp_path / "step-00000002" / "state.safetensors", tmp_path / "step-00000002" / "state.json"
    whole = tensors.read_bytes()
    match damage:
        case "altered":
            tensors.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        case "truncated":
            tensors.write_bytes(whole[: len(whole) // 2])
        case "no tensors":
            tensors.unlink()
        case "no facts":
            facts.unlink()
        case _:
            facts.write_text("[]")
    with caplog.at_level(logging.WARNING):
        found = checkpoints.newest()
    assert found is not None
    assert found[0] == 1
    assert "step-00000002" in caplog.text


def test_a_kill_inside_a_save_leaves_the_one_before(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(1, {"w": torch.ones(1)}, {})
    half = tmp_path / ".step-00000002.tmp"
    half.mkdir()
    (half / "state.safetensors").write_bytes(b"half")
    assert (checkpoints.newest() or (0,))[0] == 1
    checkpoints.save(2, {"w": torch.ones(1)}, {})
    assert (checkpoints.newest() or (0,))[0] == 2
    assert not half.exists()


def test_a_full_disk_is_an_os_error_and_leaves_the_one_before(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(1, {"w": torch.ones(1)}, {})
    (tmp_path / ".step-00000002.tmp").write_text("in the way")
    with pytest.raises(OSError):
        checkpoints.save(2, {"w": torch.ones(1)}, {})
    assert (checkpoints.newest() or (0,))[0] == 1


@pytest.mark.parametrize("name", ["adam", "lamb", "muon"])
def test_updates_after_a_restore_are_bit_equal(tmp_path: Path, name: str) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.blocks = nn.ModuleList([nn.Linear(6, 6), nn.Linear(6, 6)])

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            for block in self.blocks:
                x = x + torch.dropout(block(x).tanh(), 0.3, train=True)
            return x.square().mean()

    def made() -> tuple[nn.Module, torch.optim.Optimizer]:
        net = nn.ModuleDict({"encoder": Net()})
        return net, build(net, OptimConfig(name=name, lr=0.01))  # type: ignore[arg-type]

    def go(net: nn.Module, optimizer: torch.optim.Optimizer, steps: int) -> list[float]:
        losses = []
        for _ in range(steps):
            loss = net["encoder"](torch.randn(4, 6))  # type: ignore[index]
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        return losses

    net, optimizer = made()
    go(net, optimizer, 3)
    Checkpoints(tmp_path).save(3, capture(net, optimizer), {})
    wanted = go(net, optimizer, 3)
    torch.manual_seed(77)
    again, fresh = made()
    found = Checkpoints(tmp_path).newest()
    assert found is not None
    restore(found[1], again, fresh)
    assert go(again, fresh, 3) == wanted
