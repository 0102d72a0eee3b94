"""The one loop: `steps` updates, `train` listens, writes down, evaluates, saves and resumes."""

from __future__ import annotations

import logging
import math
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, TypeVar

import torch
from torch import Tensor, nn

from understudy.corpus.sampling import derive
from understudy.errors import TrainingError
from understudy.progress import progress
from understudy.training.batches import Batch
from understudy.training.checkpoint import Checkpoints, capture, restore
from understudy.training.journal import Journal
from understudy.training.losses import Part
from understudy.training.machine import Machine
from understudy.training.milestones import Milestones
from understudy.training.objectives import Objective, sum_counts
from understudy.training.optim import set_lr
from understudy.training.outcome import Outcome, Step
from understudy.training.parallel import whole
from understudy.training.precision import LossScale
from understudy.training.ranks import ranks, total
from understudy.training.schedule import Schedule
from understudy.training.sinks import Watch
from understudy.training.tally import Autocast, Metrics, Tally, everywhere

__all__ = ["Convergence", "steps", "train"]

log = logging.getLogger(__name__)
B = TypeVar("B", bound=Batch)
RECENT = 100  # updates over which a reported loss is averaged


def steps(
    objective: Objective,
    batches: Iterable[Sequence[Batch]],
    optimizer: torch.optim.Optimizer,
    schedule: Schedule,
    *,
    autocast: Autocast,
    clip: float = 1.0,
    start: int = 0,
    seed: int = 0,
    scale: LossScale | None = None,
    languages: Sequence[str] = (),
) -> Iterator[Step]:
    """Updates without end: forward and backward over an update's micro-batches, check, clip, update.

    Losses are sums, divided once by the counts of the whole update over all ranks; gradients are summed over ranks by whoever
    sharded the objective. Dice (dropout) are thrown anew for every update from (seed, number, rank). Batches must stand on the
    objective's device.

    Raises TrainingError naming the update where the loss or the gradient is not finite; weights are then as before it. With a
    loss `scale` such an update is skipped and the scale halved.
    """
    weights = [w for group in optimizer.param_groups for w in group["params"]]
    clock = time.perf_counter()
    for number, micro in enumerate(batches, start + 1):
        torch.manual_seed(derive(f"dice/{number}/{ranks().rank}", seed))
        set_lr(optimizer, lr := schedule(number))
        counts = everywhere(sum_counts(objective, micro))
        tally = Tally(languages, micro[0].ids_T.device)
        for batch in micro:
            with autocast():
                parts = objective(batch)
            loss = weighted(parts, counts) * (0.0 if batch.idle else 1.0)
            (loss if scale is None else loss * scale.value).backward()  # type: ignore[no-untyped-call]
            tally.add(parts, batch)
        if scale is not None:
            torch._foreach_mul_([w.grad for w in weights if w.grad is not None], 1 / scale.value)
        norm = torch.nn.utils.get_total_norm([w.grad for w in weights if w.grad is not None])
        length = float(whole(norm))
        means = tally.means(counts)
        loss_value = sum(part.weight * means[name] for name, part in parts.items())
        finite = math.isfinite(loss_value + length)
        if finite:
            if clip:
                torch.nn.utils.clip_grads_with_norm_(weights, clip, norm)
            optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if scale is not None:
            scale.update(overflow=not finite)
        elif not finite:
            raise TrainingError(
                "the loss or its gradient is not finite; the update was not made",
                where=f"update {number}",
                got=f"loss {loss_value}, gradient norm {length}",
                hint="Lower the learning rate, lengthen the warm-up, or train in another precision",
            )
        now = time.perf_counter()
        flops = sum(objective.flops(batch) for batch in micro if not batch.idle) * ranks().world
        yield Step(number, loss_value, means, counts["tokens"], length, lr, now - clock, flops, not finite, counts["examples"])
        clock = time.perf_counter()


def weighted(parts: Mapping[str, Part], counts: Mapping[str, int]) -> Tensor:
    """The weighted sum of the parts' sums over the counts of the whole update."""
    return torch.stack([p.weight * p.sum / max(1, counts[n]) for n, p in parts.items() if p.weight]).sum()


@dataclass(frozen=True)
class Convergence:
    """Stop when `patience` evaluations in a row have not lowered the best validation loss by the share `tolerance`."""

    patience: int = 3
    tolerance: float = 0.005

    def reached(self, losses: Sequence[float]) -> bool:
        best, since = math.inf, 0
        for loss in losses:
            best, since = (loss, 0) if loss < best * (1 - self.tolerance) else (best, since + 1)
        return since >= self.patience


def train(
    objective: Objective,
    stream: Callable[[int], Iterable[Sequence[Batch]]],
    optimizer: torch.optim.Optimizer,
    schedule: Schedule,
    machine: Machine,
    *,
    steps_total: int,
    label: str,
    scratch: Path,
    clip: float = 1.0,
    seed: int = 0,
    languages: Sequence[str] = (),
    validate: Callable[[], Metrics] | None = None,
    eval_every: int = 500,
    save_every: int = 500,
    until: Convergence | None = None,
    maximise: str | None = None,
    watch: Watch | None = None,
    milestones: Milestones | None = None,
) -> Outcome:
    """Train for `steps_total` updates, or until converged; resumes from the newest whole checkpoint in `scratch`.
    SIGTERM lets the update under way end, saves, and ends the process with 143; Ctrl-C so with KeyboardInterrupt, a second one at once.

    Args:
        stream: the batches that follow so many updates. watch: tools told what stands in `log.jsonl`. milestones: encoders to keep.
        scratch: directory of checkpoints and of `log.jsonl`: one line per update, one per evaluation. All ranks must see it.
        validate: asked every `eval_every` updates, at milestones and at the end. until: stops by the "loss" that it gives every `eval_every`.
        maximise: a metric of `validate`; the weights where it was highest are the ones left in the objective at the end.

    Raises TrainingError where a loss is not finite, OSError where a checkpoint cannot be written.
    """
    checkpoints, best = Checkpoints(scratch, keep=2), Checkpoints(scratch / "best", keep=None)
    outcome = _resumed(checkpoints, objective, optimizer, machine, label)
    best.forget(after=outcome.steps)  # found by updates that a kill undid, and that may find others when they are made again
    given = {"autocast": machine.autocast, "scale": machine.scale, "clip": clip, "seed": seed, "languages": languages}
    updates = steps(objective.train(), stream(outcome.steps), optimizer, schedule, start=outcome.steps, **given)  # type: ignore[arg-type]
    journal = Journal(scratch / "log.jsonl", after=outcome.steps, peak=machine.peak, watch=None if outcome.done else watch)
    with checkpoints, best, progress(label, steps_total) as advance, journal, asked_to_stop() as asked:
        advance(outcome.steps)
        while not outcome.done:
            _count(outcome, step := next(updates))
            journal.step(step)
            advance(1, note=f"loss {outcome.loss:.3f}, {step.tokens / step.seconds:,.0f} tokens/s")
            last, passed = outcome.steps >= steps_total, milestones.passed(outcome) if milestones else []
            if validate is not None and (last or passed or outcome.steps % eval_every == 0):
                _evaluated(outcome, validate(), journal, objective, best, maximise)
                last = last or (until is not None and until.reached(outcome.losses(every=eval_every)))
            if milestones is not None:
                milestones.keep(outcome)
            outcome.done, stop = last, asked()
            if last or stop or outcome.steps % save_every == 0:
                _save(outcome, checkpoints, best, journal, objective, optimizer, machine)
            if last or stop:
                checkpoints.wait()
            if stop and not last:
                _leave(label, outcome, stop)
    if maximise is not None and (found := best.newest()) is not None:
        found.load(objective.state_dict())
    return outcome


def _save(
    outcome: Outcome,
    checkpoints: Checkpoints,
    best: Checkpoints,
    journal: Journal,
    objective: nn.Module,
    optimizer: torch.optim.Optimizer,
    machine: Machine,
) -> None:
    best.wait()  # a checkpoint that tells of the best weights is not there before they are
    journal.flush()
    facts = {"outcome": vars(outcome), "scale": machine.scale and [machine.scale.value, machine.scale.good]}
    checkpoints.save(outcome.steps, capture(objective, optimizer), facts)
    # The best weights stay as long as a checkpoint that tells of them may be gone back to.
    best.thin(until=min(checkpoints.steps(), default=0))


def _resumed(
    checkpoints: Checkpoints, objective: Objective, optimizer: torch.optim.Optimizer, machine: Machine, label: str
) -> Outcome:
    """Where the newest whole checkpoint left off, its weights and states put in place; a fresh start where there is none."""
    if (found := checkpoints.newest()) is None:
        return Outcome()
    restore(found, objective, optimizer)
    if machine.scale is not None:
        machine.scale.value, machine.scale.good = found.facts["scale"]
    log.info("%s goes on after update %d", label, found.step)
    return Outcome(**found.facts["outcome"])


def _leave(label: str, outcome: Outcome, asked: int) -> NoReturn:
    log.warning("%s was asked to stop and has saved update %d; run it again to go on", label, outcome.steps)
    raise KeyboardInterrupt if asked == signal.SIGINT else SystemExit(128 + asked)


@contextmanager
def asked_to_stop() -> Iterator[Callable[[], int]]:
    """Yields what tells the signal, SIGTERM or SIGINT, that any rank has been sent since, 0 where none was. Outside the main thread,
    and where they are ignored, nobody listens."""
    heard: set[int] = set()
    main = threading.current_thread() is threading.main_thread()
    numbers = [n for n in (signal.SIGTERM, signal.SIGINT) if main and signal.getsignal(n) is not signal.SIG_IGN]

    def hear(number: int, _frame: object) -> None:
        if number == signal.SIGINT and number in heard:
            raise KeyboardInterrupt
        heard.add(number)

    def asked() -> int:
        by_any = total([float(number in heard) for number in (signal.SIGTERM, signal.SIGINT)])
        return next((int(n) for n, sent in zip((signal.SIGTERM, signal.SIGINT), by_any, strict=True) if sent), 0)

    before = {number: signal.signal(number, hear) for number in numbers}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _count(outcome: Outcome, step: Step) -> None:
    outcome.steps, outcome.tokens = step.number, outcome.tokens + step.tokens
    outcome.examples, outcome.seconds = outcome.examples + step.examples, outcome.seconds + step.seconds
    if not step.skipped:
        outcome.recent = [*outcome.recent[-RECENT + 1 :], step.loss]


def _evaluated(
    outcome: Outcome, metrics: Metrics, journal: Journal, objective: nn.Module, best: Checkpoints, maximise: str | None
) -> None:
    outcome.validations.append({"step": outcome.steps, **metrics})
    journal.line({"step": outcome.steps, "valid": metrics})
    if maximise is not None and metrics[maximise] > outcome.best:
        outcome.best = metrics[maximise]
        best.save(outcome.steps, objective.state_dict(), {maximise: outcome.best})
