"""Checkpoints: whole, verified, and everything that the next update depends on."""

from __future__ import annotations

import logging
import resource
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from understudy.training.checkpoint import Checkpoints, capture, restore
from understudy.training.optim import OptimConfig, build


def saved(checkpoints: Checkpoints, step: int, facts: Any = None) -> None:
    checkpoints.save(step, {"w": torch.full((2,), float(step))}, facts or {})
    checkpoints.wait()


def newest(checkpoints: Checkpoints) -> tuple[int, list[float]]:
    found = checkpoints.newest()
    assert found is not None
    into = {"w": torch.zeros(2)}
    found.load(into)
    return found.step, into["w"].tolist()


def test_the_newest_comes_back_and_the_last_few_are_kept(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, keep=2)
    for step in (5, 10, 15):
        saved(checkpoints, step, {"tokens": step * 100})
    assert sorted(p.name for p in tmp_path.iterdir()) == ["step-00000010", "step-00000015"]
    assert newest(checkpoints) == (15, [15.0, 15.0])
    found = checkpoints.newest()
    assert found is not None
    assert found.facts == {"tokens": 1500}
    assert found.shapes() == {"w": (torch.Size([2]), torch.float32)}


def test_where_there_is_none_there_is_none(tmp_path: Path) -> None:
    assert Checkpoints(tmp_path / "nothing").newest() is None


def test_what_is_saved_is_what_was_there_when_it_was_asked_for(tmp_path: Path) -> None:
    checkpoints, weight, facts = Checkpoints(tmp_path), torch.zeros(1 << 20), {"steps": 1}
    checkpoints.save(1, {"w": weight}, facts)
    weight.fill_(7.0)
    facts["steps"] = 2
    checkpoints.wait()
    found = checkpoints.newest()
    assert found is not None
    into = torch.ones(1 << 20)
    found.load({"w": into})
    assert float(into.abs().max()) == 0.0
    assert found.facts == {"steps": 1}


@pytest.mark.parametrize("damage", ["altered", "truncated", "no tensors", "no facts", "foreign facts"])
def test_a_damaged_checkpoint_is_passed_over_aloud(tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture) -> None:
    checkpoints = Checkpoints(tmp_path)
    for step in (1, 2):
        saved(checkpoints, step)
    (tensors,) = (tmp_path / "step-00000002").glob("*.safetensors")
    facts = tmp_path / "step-00000002" / "state.json"
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
        assert newest(checkpoints) == (1, [1.0, 1.0])
    assert "step-00000002" in caplog.text


def test_a_kill_inside_a_save_leaves_the_one_before(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    saved(checkpoints, 1)
    half = tmp_path / ".step-00000002.tmp"
    half.mkdir()
    (half / "shard-00001.safetensors").write_bytes(b"half")
    assert newest(checkpoints)[0] == 1
    saved(checkpoints, 3)
    assert newest(checkpoints)[0] == 3
    assert not half.exists()


def test_a_folder_that_cannot_be_written_is_an_os_error_and_leaves_the_one_before(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    saved(checkpoints, 1)
    (tmp_path / ".step-00000002.tmp").write_text("in the way")
    with pytest.raises(OSError):
        saved(checkpoints, 2)
    assert newest(checkpoints)[0] == 1


def test_a_full_disk_is_an_os_error_at_the_next_save_and_leaves_the_one_before(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    saved(checkpoints, 1)
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, limit[1]))
        checkpoints.save(2, {"w": torch.zeros(1 << 20)}, {})
        with pytest.raises(OSError):
            checkpoints.wait()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        signal.signal(signal.SIGXFSZ, before)
    assert newest(checkpoints)[0] == 1


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
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(3, capture(net, optimizer), {})
    torch.manual_seed(77)
    wanted = go(net, optimizer, 3)
    checkpoints.wait()
    again, fresh = made()
    found = checkpoints.newest()
    assert found is not None
    restore(found, again, fresh)
    torch.manual_seed(77)
    assert go(again, fresh, 3) == wanted
