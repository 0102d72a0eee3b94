"""The one loop: `steps` updates, `train` listens, writes down, evaluates, saves and resumes."""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from understudy.errors import TrainingError
from understudy.progress import progress
from understudy.training.batches import Batch, MaskedBatch
from understudy.training.checkpoint import Checkpoints, capture, restore
from understudy.training.losses import Part
from understudy.training.objectives import Objective, sum_counts
from understudy.training.optim import set_lr
from understudy.training.schedule import Schedule

__all__ = ["Convergence", "Outcome", "Step", "copy_log", "evaluate", "steps", "train"]

log = logging.getLogger(__name__)
B = TypeVar("B", bound=Batch)
Autocast = Callable[[], AbstractContextManager[None]]
Metrics = dict[str, float]
RECENT = 100  # updates over which a reported loss is averaged


@dataclass(frozen=True, slots=True)
class Step:
    """One update. loss: what was minimised; parts: mean of each part; seconds: from asking for the batch to the update."""

    number: int
    loss: float
    parts: dict[str, float]
    tokens: int
    grad_norm: float
    lr: float
    seconds: float


def steps(
    objective: Objective,
    batches: Iterable[Sequence[Batch]],
    optimizer: torch.optim.Optimizer,
    schedule: Schedule,
    *,
    autocast: Autocast,
    clip: float = 1.0,
    start: int = 0,
) -> Iterator[Step]:
    """Updates without end: forward and backward over an update's micro-batches, check, clip, update.

    Losses are sums, divided once by the counts of the whole update. Batches must stand on the objective's device.

    Raises TrainingError naming the update where the loss or the gradient is not finite; weights are then as before it.
    """
    weights = [w for group in optimizer.param_groups for w in group["params"]]
    clock = time.perf_counter()
    for number, micro in enumerate(batches, start + 1):
        set_lr(optimizer, lr := schedule(number))
        counts = sum_counts(objective, micro)
        sums: dict[str, Tensor] = {}
        total = torch.zeros((), device=micro[0].ids_T.device)
        for batch in micro:
            with autocast():
                parts = objective(batch)
            loss = weighted(parts, counts)
            loss.backward()  # type: ignore[no-untyped-call]
            total += loss.detach()
            sums = {name: sums.get(name, 0.0) + part.sum.detach() for name, part in parts.items()}
        norm = torch.nn.utils.get_total_norm([w.grad for w in weights if w.grad is not None])
        if not math.isfinite(value := float(total) + 0.0 * float(norm)):
            optimizer.zero_grad(set_to_none=True)
            raise TrainingError(
                "the loss or its gradient is not finite; the update was not made",
                where=f"update {number}",
                got=f"loss {float(total)}, gradient norm {float(norm)}",
                hint="Lower the learning rate, lengthen the warm-up, or train in another precision",
            )
        if clip:
            torch.nn.utils.clip_grads_with_norm_(weights, clip, norm)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        now = time.perf_counter()
        means = {name: float(s) / max(1, counts[name]) for name, s in sums.items()}
        yield Step(number, value, means, sum(b.tokens for b in micro), float(norm), lr, now - clock)
        clock = time.perf_counter()


def weighted(parts: Mapping[str, Part], counts: Mapping[str, int]) -> Tensor:
    """The weighted sum of the parts' sums over the counts of the whole update."""
    return torch.stack([p.weight * p.sum / max(1, counts[n]) for n, p in parts.items() if p.weight]).sum()


@torch.no_grad()
def evaluate(objective: Objective, batches: Iterable[Batch], *, autocast: Autocast, languages: Sequence[str] = ()) -> Metrics:
    """Means of the objective's parts over `batches`, its loss, and the masked-LM loss of each language (`mlm.de`).

    Dropout is off and no random number is drawn, so evaluating changes nothing in a run.
    """
    training = objective.training
    objective.eval()
    sums: dict[str, float] = {}
    counts: dict[str, int] = {}
    weights: dict[str, float] = {}
    for batch in batches:
        with autocast():
            parts = objective(batch)
        for name, part in parts.items():
            weights[name] = part.weight
            _add(sums, counts, name, float(part.sum), part.count)
        for index, losses in _by_language(parts, batch) if languages else ():
            _add(sums, counts, f"mlm.{languages[index]}", float(losses.sum()), len(losses))
    objective.train(training)
    means = {name: sums[name] / max(1, counts[name]) for name in sorted(sums)}
    return {"loss": sum(weight * means[name] for name, weight in weights.items()), **means}


def _by_language(parts: Mapping[str, Part], batch: Batch) -> Iterator[tuple[int, Tensor]]:
    """Losses of the masked tokens of each language in a batch, where its objective tells them."""
    each = parts["mlm"].each if "mlm" in parts else None
    if each is not None and isinstance(batch, MaskedBatch):
        language_M = batch.languages_B[batch.layout.sequences_T[batch.masked_M]]
        for index in torch.unique(language_M).tolist():
            yield index, each[language_M == index]


def _add(sums: dict[str, float], counts: dict[str, int], name: str, value: float, count: int) -> None:
    sums[name] = sums.get(name, 0.0) + value
    counts[name] = counts.get(name, 0) + count


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


@dataclass
class Outcome:
    """What a run came to: counts over all of it, however often it was resumed. `recent` are the last losses."""

    steps: int = 0
    tokens: int = 0
    seconds: float = 0.0
    recent: list[float] = field(default_factory=list)
    validations: list[dict[str, float]] = field(default_factory=list)
    done: bool = False
    best: float = -math.inf

    @property
    def loss(self) -> float:
        return sum(self.recent) / max(1, len(self.recent))


def train(
    objective: Objective,
    stream: Callable[[int], Iterable[Sequence[Batch]]],
    optimizer: torch.optim.Optimizer,
    schedule: Schedule,
    *,
    steps_total: int,
    label: str,
    scratch: Path,
    autocast: Autocast,
    clip: float = 1.0,
    validate: Callable[[], Metrics] | None = None,
    eval_every: int = 500,
    save_every: int = 500,
    keep: int = 2,
    until: Convergence | None = None,
    maximise: str | None = None,
) -> Outcome:
    """Train for `steps_total` updates, or until converged; resumes from the newest checkpoint in `scratch`.

    Args:
        stream: given how many updates have been made, the batches that follow.
        scratch: directory of checkpoints and of `log.jsonl`: one line per update, one per evaluation.
        validate: asked every `eval_every` updates and at the end.
        until: stops by the "loss" that `validate` gives.
        maximise: a metric of `validate`; the weights where it was highest are the ones left in the objective at the end.

    Raises TrainingError where a loss is not finite.
    """
    checkpoints, best = Checkpoints(scratch, keep=keep), Checkpoints(scratch / "best", keep=1)
    outcome = Outcome()
    if (found := checkpoints.newest()) is not None:
        step, tensors, facts = found
        restore(tensors, objective, optimizer)
        outcome = Outcome(**facts)
        log.info("%s goes on after update %d", label, step)
    journal = _Journal(scratch / "log.jsonl", after=outcome.steps)
    objective.train()
    updates = steps(objective, stream(outcome.steps), optimizer, schedule, autocast=autocast, clip=clip, start=outcome.steps)
    with progress(label, steps_total) as advance, journal:
        advance(outcome.steps)
        while not outcome.done:
            step_done = next(updates)
            _count(outcome, step_done)
            journal.step(step_done)
            advance(1, note=f"loss {outcome.loss:.3f}, {step_done.tokens / step_done.seconds:,.0f} tokens/s")
            last = outcome.steps >= steps_total
            if validate is not None and (last or outcome.steps % eval_every == 0):
                _listen(outcome, validate(), journal, objective, best, maximise)
                last = last or (until is not None and until.reached([v["loss"] for v in outcome.validations]))
            outcome.done = last
            if last or outcome.steps % save_every == 0:
                journal.flush()
                checkpoints.save(outcome.steps, capture(objective, optimizer), vars(outcome))
    if maximise is not None and (found := best.newest()) is not None:
        objective.load_state_dict(found[1])
    return outcome


def _count(outcome: Outcome, step: Step) -> None:
    outcome.steps, outcome.tokens = step.number, outcome.tokens + step.tokens
    outcome.seconds += step.seconds
    outcome.recent = [*outcome.recent[-RECENT + 1 :], step.loss]


def _listen(
    outcome: Outcome, metrics: Metrics, journal: _Journal, objective: nn.Module, best: Checkpoints, maximise: str | None
) -> None:
    outcome.validations.append({"step": outcome.steps, **metrics})
    journal.line({"step": outcome.steps, "valid": metrics})
    if maximise is not None and metrics[maximise] > outcome.best:
        outcome.best = metrics[maximise]
        best.save(outcome.steps, objective.state_dict(), {maximise: outcome.best})


def copy_log(source: Path, target: Path) -> None:
    """A finished run's `log.jsonl` without its clock, so that equal runs make equal artifacts."""
    lines = [json.loads(line) for line in source.read_text(encoding="utf-8").splitlines()]
    kept = [{key: value for key, value in line.items() if key != "seconds"} for line in lines]
    target.write_text("".join(json.dumps(line) + "\n" for line in kept), encoding="utf-8")


class _Journal:
    """`log.jsonl`: after a resume, lines of updates that are made again are dropped first."""

    def __init__(self, path: Path, *, after: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        kept = []
        for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
            try:
                kept += [line] if json.loads(line)["step"] <= after else []
            except (ValueError, KeyError, TypeError):
                continue  # the last line of a killed process
        path.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")
        self._file = path.open("a", encoding="utf-8")

    def __enter__(self) -> _Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def step(self, step: Step) -> None:
        self.line(
            {
                "step": step.number,
                "loss": round(step.loss, 6),
                **{name: round(value, 6) for name, value in step.parts.items()},
                "lr": step.lr,
                "grad_norm": round(step.grad_norm, 6),
                "tokens": step.tokens,
                "seconds": round(step.seconds, 4),
            }
        )

    def line(self, table: dict[str, Any]) -> None:
        self._file.write(json.dumps(table) + "\n")

    def flush(self) -> None:
        self._file.flush()
