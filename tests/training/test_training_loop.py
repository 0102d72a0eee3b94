"""The loop: what an update is, and what stops it."""

from __future__ import annotations

import json
import math
import os
import signal
import threading
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from helpers_training import World, tiny

from understudy.errors import TrainingError
from understudy.training.batches import MaskedBatch, MaskedSequences, Pieces, batches
from understudy.training.checkpoint import Checkpoints
from understudy.training.loop import Convergence, steps, train
from understudy.training.losses import Part
from understudy.training.machine import Machine
from understudy.training.masking import Masking
from understudy.training.milestones import Milestones
from understudy.training.objectives import MaskedLanguageModelling
from understudy.training.optim import OptimConfig, build
from understudy.training.outcome import Outcome
from understudy.training.tally import evaluate

PLAIN = Machine(torch.device("cpu"), "fp32", False, None)
FP32 = PLAIN.autocast


def source(world: World) -> MaskedSequences:
    return MaskedSequences(Pieces(world.tokens(), max_length=32), Masking(0.3, world.vocab_size), seed=0)


def go(world: World, *, parts: int = 1, count: int = 5, clip: float = 1.0, objective: Any = None, dropout: float = 0.0) -> Any:
    objective = objective or MaskedLanguageModelling(tiny(world.vocab_size, dropout=dropout))
    optimizer = build(objective, OptimConfig(lr=0.01))
    stream = batches(source(world), budget=200, seed=0, parts=parts)
    return objective, list(islice(steps(objective, stream, optimizer, lambda n: 0.01, autocast=FP32, clip=clip), count))


def test_losses_and_weights_do_not_depend_on_accumulation(world: World) -> None:
    (whole, one), (parted, many) = go(world), go(world, parts=4)
    for a, b in zip(one, many, strict=True):
        assert b.loss == pytest.approx(a.loss, abs=1e-5)
        assert b.tokens == a.tokens
    for a, b in zip(whole.parameters(), parted.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-5)


def test_a_step_says_what_was_done(world: World) -> None:
    _, (first, *_) = go(world)
    assert first.number == 1
    assert first.lr == 0.01
    assert first.parts["mlm"] == pytest.approx(first.loss)
    assert first.loss == pytest.approx(math.log(world.vocab_size), rel=0.1)
    assert 0 < first.tokens <= 200
    assert first.grad_norm > 0


def test_gradients_are_clipped_to_the_global_norm(world: World) -> None:
    seen: list[float] = []

    class Spy(torch.optim.SGD):
        def step(self, closure: None = None) -> None:  # type: ignore[override]
            seen.append(
                float(
                    torch.nn.utils.get_total_norm([w.grad for g in self.param_groups for w in g["params"] if w.grad is not None])
                )
            )

    objective = MaskedLanguageModelling(tiny(world.vocab_size))
    done = steps(
        objective,
        batches(source(world), budget=200, seed=0),
        Spy(objective.parameters()),
        lambda n: 1.0,
        autocast=FP32,
        clip=0.01,
    )
    step = next(done)
    assert step.grad_norm > 0.01
    assert seen == [pytest.approx(0.01, rel=1e-3)]


@pytest.mark.parametrize("where", ["loss", "gradient"])
def test_a_loss_that_is_not_finite_stops_before_the_update_and_names_it(world: World, where: str) -> None:
    class Breaks(MaskedLanguageModelling):
        done = 0

        def forward(self, batch: MaskedBatch) -> dict[str, Part]:
            self.done += 1
            part = super().forward(batch)["mlm"]
            if self.done < 3:
                return {"mlm": part}
            broken = part.sum * math.nan if where == "loss" else part.sum + (self.model.head.bias_V * 0).sqrt().sum()
            return {"mlm": Part(broken)}

    objective = Breaks(tiny(world.vocab_size))
    optimizer = build(objective, OptimConfig(lr=0.01))
    updates = steps(objective, batches(source(world), budget=200, seed=0), optimizer, lambda n: 0.01, autocast=FP32)
    assert [s.number for s in islice(updates, 2)] == [1, 2]
    before = {n: t.clone() for n, t in objective.state_dict().items()}
    with pytest.raises(TrainingError, match="update 3"):
        next(updates)
    assert all(torch.equal(t, before[n]) for n, t in objective.state_dict().items())


def test_training_learns(world: World) -> None:
    _, done = go(world, count=60)
    assert done[-1].loss < 0.7 * done[0].loss


def test_evaluation_weighs_targets_not_batches_and_leaves_no_trace(world: World) -> None:
    objective = MaskedLanguageModelling(tiny(world.vocab_size, dropout=0.5))
    objective.train()
    made = [part for parts in islice(batches(source(world), budget=90, seed=0), 5) for part in parts]
    state = torch.get_rng_state()
    found = evaluate(objective, made, autocast=FP32, languages=("de", "en"))
    assert torch.equal(torch.get_rng_state(), state)
    assert objective.training
    objective.eval()
    sums = [objective(b)["mlm"].sum.item() for b in made]
    assert found["loss"] == pytest.approx(sum(sums) / sum(len(b.targets_M) for b in made))
    assert {"mlm.de", "mlm.en"} <= set(found)
    assert min(found["mlm.de"], found["mlm.en"]) <= found["mlm"] <= max(found["mlm.de"], found["mlm.en"])


def test_convergence_by_hand() -> None:
    rule = Convergence(patience=2, tolerance=0.1)
    assert not rule.reached([])
    assert not rule.reached([5.0, 4.0, 3.9])  # one without a tenth less
    assert rule.reached([5.0, 4.0, 3.9, 3.7])
    assert not rule.reached([5.0, 4.0, 3.9, 3.5])


def run(world: World, scratch: Path, *, total: int, **options: Any) -> Any:
    torch.manual_seed(5)
    objective = MaskedLanguageModelling(tiny(world.vocab_size, dropout=0.2))

    def stream(start: int) -> Iterator[tuple[MaskedBatch, ...]]:
        return batches(source(world), budget=200, seed=0, start=start)

    optimizer = build(objective, OptimConfig(lr=0.01))
    options = {"save_every": 4, "label": "test", "machine": PLAIN, "schedule": lambda n: 0.01, **options}
    return objective, train(objective, stream, optimizer, steps_total=total, scratch=scratch, **options)


def losses(path: Path) -> list[float]:
    return [line["loss"] for line in map(json.loads, path.read_text().splitlines()) if "loss" in line]


def test_a_run_that_fails_leaves_no_writer_behind(world: World, tmp_path: Path) -> None:
    class Cut(Exception):
        pass

    def cut(n: int) -> float:
        if n == 5:  # the first checkpoint was begun an update ago
            raise Cut
        return 0.01

    with pytest.raises(Cut):
        run(world, tmp_path, total=15, schedule=cut)
    assert not [t for t in threading.enumerate() if t.name == "checkpoint"]
    assert (tmp_path / "step-00000004").is_dir()


def test_a_run_cut_between_checkpoints_resumes_bit_exactly(world: World, tmp_path: Path) -> None:
    class Cut(Exception):
        pass

    def cut(n: int) -> float:
        if n == 11:
            raise Cut
        return 0.01

    whole, outcome = run(world, tmp_path / "whole", total=15)
    with pytest.raises(Cut):
        run(world, tmp_path / "cut", total=15, schedule=cut)
    torch.manual_seed(99)
    resumed, again = run(world, tmp_path / "cut", total=15)
    assert losses(tmp_path / "cut" / "log.jsonl") == losses(tmp_path / "whole" / "log.jsonl")
    assert (again.steps, again.tokens, again.recent) == (outcome.steps, outcome.tokens, outcome.recent)
    for a, b in zip(whole.state_dict().values(), resumed.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_a_finished_run_is_only_loaded(world: World, tmp_path: Path) -> None:
    first, _ = run(world, tmp_path, total=6)
    second, outcome = run(world, tmp_path, total=6)
    assert outcome.steps == 6
    assert torch.equal(first.model.head.bias_V, second.model.head.bias_V)


def test_a_run_stops_when_converged(world: World, tmp_path: Path) -> None:
    rule = Convergence(patience=2, tolerance=0.01)
    _, outcome = run(world, tmp_path, total=100, eval_every=3, validate=lambda: {"loss": 1.0}, until=rule)
    assert outcome.steps == 9


def test_an_evaluation_at_a_milestone_is_none_of_those_that_convergence_waits_for(world: World, tmp_path: Path) -> None:
    class Passed:
        """A milestone after the fourth update and one after the fifth."""

        def passed(self, outcome: Outcome) -> list[int]:
            return [outcome.steps] if outcome.steps in (4, 5) else []

        def keep(self, outcome: Outcome) -> None: ...

    rule, milestones = Convergence(patience=2, tolerance=0.01), cast(Milestones, Passed())
    options = {"eval_every": 3, "validate": lambda: {"loss": 1.0}, "until": rule, "milestones": milestones}
    _, outcome = run(world, tmp_path, total=100, **options)
    assert [found["step"] for found in outcome.validations] == [3, 4, 5, 6, 9]


def test_the_best_weights_are_left_where_asked_for(world: World, tmp_path: Path) -> None:
    seen: list[torch.Tensor] = []
    objective: Any = None

    def validate() -> dict[str, float]:
        return {"loss": 0.0, "exact": [0.1, 0.9, 0.5][len(seen) - 1]}

    class Watched(MaskedLanguageModelling):
        pass

    torch.manual_seed(5)
    objective = Watched(tiny(world.vocab_size))

    def watch() -> dict[str, float]:
        seen.append(objective.model.head.bias_V.detach().clone())
        return validate()

    train(
        objective,
        lambda start: batches(source(world), budget=200, seed=0, start=start),
        build(objective, OptimConfig(lr=0.01)),
        lambda n: 0.01,
        PLAIN,
        steps_total=6,
        label="test",
        scratch=tmp_path,
        validate=watch,
        eval_every=2,
        maximise="exact",
    )
    assert torch.equal(objective.model.head.bias_V, seen[1])
    assert not torch.equal(seen[1], seen[2])


@pytest.mark.usefixtures("_interruptible")
def test_a_second_interrupt_is_not_waited_for(world: World, tmp_path: Path) -> None:
    def validate() -> dict[str, float]:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        return {"loss": 0.0}

    with pytest.raises(KeyboardInterrupt):
        run(world, tmp_path, total=8, eval_every=2, validate=validate)
    assert Checkpoints(tmp_path).newest() is None
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_checkpoint_is_not_there_before_the_best_weights_it_tells_of(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = []
    save = Checkpoints.save

    def watched(checkpoints: Checkpoints, step: int, *more: Any) -> None:
        if checkpoints._directory == tmp_path:
            there.append((tmp_path / "best" / f"step-{step:08d}").is_dir())
        save(checkpoints, step, *more)

    monkeypatch.setattr(Checkpoints, "save", watched)
    better = iter(range(9))
    measured = {"validate": lambda: {"loss": 0.0, "exact": float(next(better))}, "maximise": "exact"}
    run(world, tmp_path, total=6, eval_every=2, save_every=2, **measured)
    assert there == [True, True, True]


def test_the_best_weights_of_updates_that_a_kill_undid_are_forgotten(world: World, tmp_path: Path) -> None:
    def measured(*scores: float) -> dict[str, Any]:
        following = iter(scores)

        def validate() -> dict[str, float]:
            if (score := next(following)) < 0:
                raise KeyboardInterrupt
            return {"loss": 0.0, "exact": score}

        return {"validate": validate, "maximise": "exact", "eval_every": 1, "save_every": 2}

    with pytest.raises(KeyboardInterrupt):
        run(world, tmp_path, total=5, **measured(0.1, 0.5, 0.6, -1))  # cut off at update 4, and 2 was saved last
    _, outcome = run(world, tmp_path, total=5, **measured(0.3, 0.2, 0.4))
    assert outcome.best == 0.5
    kept = Checkpoints(tmp_path / "best").newest()
    assert kept is not None
    assert (kept.step, kept.facts) == (2, {"exact": 0.5})
