"""What share of an update the optimizer takes, at a vocabulary of 150,000: the whole table of embeddings changes each time.

    python benchmarks/optimizer.py [--model student-17m --vocab 150000 --batch-tokens 4096 --optimizers adam lamb --steps 5]

The loop itself, `steps`, trains on random ids with the lengths of utterances. Four parts of each update are timed, the device waited
for before and after each: making the batch, the gradient's norm and clipping, the optimizer's step; forward and backward is what is
left (with it the zeros of the tally and the release of gradients). Figures are medians over updates. The table of embeddings by
itself is then updated by an optimizer that holds nothing else, its gradient dense, as it is in training: the output projection is
the same table, and the softmax reaches all of it.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, Literal
from unittest.mock import patch

import torch
from common import claim, finish
from sequences import Sequences, random_ids, utterance_lengths
from torch import nn

from understudy.model.encoder import MaskedLM
from understudy.model.presets import shape
from understudy.training.batches import MaskedSequences, Pieces, batches
from understudy.training.loop import steps
from understudy.training.machine import Machine
from understudy.training.masking import Masking
from understudy.training.objectives import MaskedLanguageModelling
from understudy.training.optim import OptimConfig, build
from understudy.training.parallel import ParallelConfig
from understudy.training.schedule import ScheduleConfig

PARTS = ("batch", "clip", "step")
WARM_UP = 2
Name = Literal["adam", "lamb", "muon"]


class Stopwatch:
    """Seconds of each named part since the last `take`."""

    def __init__(self) -> None:
        self._seconds: Counter[str] = Counter()
        self._started = 0.0

    def start(self, *_: object) -> None:
        synchronise()
        self._started = time.perf_counter()

    def stop(self, part: str) -> None:
        synchronise()
        self._seconds[part] += time.perf_counter() - self._started

    def timed(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            self.start()
            try:
                return function(*args, **kwargs)
            finally:
                self.stop(part)

        return call

    def take(self) -> dict[str, float]:
        found, self._seconds = {part: self._seconds[part] for part in PARTS}, Counter()
        return found


def synchronise() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def train(
    objective: MaskedLanguageModelling, machine: Machine, name: Name, a: argparse.Namespace
) -> Iterator[tuple[float, dict[str, float]]]:
    """Seconds of each update, and of the parts of it."""
    lengths = utterance_lengths(40 * a.batch_tokens // 13)
    data = Sequences(random_ids(lengths, a.vocab), lengths)
    masked = MaskedSequences(Pieces(data, max_length=512), Masking(0.15, a.vocab), seed=0)
    made = batches(masked, budget=a.batch_tokens, seed=0)
    moved = (tuple(part.to(machine.device) for part in parts) for parts in made)
    watch = Stopwatch()
    next_batch = watch.timed("batch", lambda: next(moved))
    stream = iter(next_batch, None)
    optimizer = build(objective, OptimConfig(name=name, lr=1e-4))
    optimizer.register_step_pre_hook(watch.start)
    optimizer.register_step_post_hook(lambda *_: watch.stop("step"))
    schedule = ScheduleConfig().of(peak=1e-4, steps=100_000)
    utils = torch.nn.utils
    norm, clip = watch.timed("clip", utils.get_total_norm), watch.timed("clip", utils.clip_grads_with_norm_)
    with patch.object(utils, "get_total_norm", norm), patch.object(utils, "clip_grads_with_norm_", clip):
        for update in steps(objective.train(), stream, optimizer, schedule, autocast=machine.autocast):
            synchronise()
            yield update.seconds, watch.take()


def measure(objective: MaskedLanguageModelling, machine: Machine, name: Name, a: argparse.Namespace) -> dict[str, float]:
    """Medians over updates, in seconds, of the whole and its parts."""
    updates = train(objective, machine, name, a)
    for _ in range(WARM_UP):
        next(updates)
    seen = [next(updates) for _ in range(a.steps)]
    updates.close()
    found = {part: statistics.median(parts[part] for _, parts in seen) for part in PARTS}
    rest = statistics.median(whole - sum(parts.values()) for whole, parts in seen)
    return found | {"forward and backward": rest, "update": statistics.median(whole for whole, _ in seen)}


def alone(table: nn.Embedding, name: Name, count: int) -> float:
    """Seconds of a step over the table of embeddings and nothing else."""
    optimizer, watch = build(table, OptimConfig(name=name, lr=1e-4)), Stopwatch()
    table.weight.grad = torch.randn_like(table.weight)
    step = watch.timed("step", optimizer.step)
    seen = []
    for _ in range(WARM_UP + count):
        step()
        seen.append(watch.take()["step"])
    table.weight.grad = None
    return statistics.median(seen[WARM_UP:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="student-17m")
    parser.add_argument("--layers", type=int, help="in place of the model's own")
    parser.add_argument("--vocab", type=int, default=150_000)
    parser.add_argument("--batch-tokens", type=int, default=4096)
    parser.add_argument("--optimizers", nargs="+", choices=["adam", "lamb", "muon"], default=["adam", "lamb"])
    parser.add_argument("--steps", type=int, default=5)
    a = parser.parse_args()
    config = shape({"preset": a.model, **({"layers": a.layers} if a.layers else {})}, a.vocab)
    claims: list[dict[str, object]] = []
    for name in a.optimizers:
        objective = MaskedLanguageModelling(MaskedLM(config, generator=torch.Generator().manual_seed(0)))
        machine = Machine.prepare(objective, "auto", "auto", ParallelConfig())
        found = measure(objective, machine, name, a)
        found["step, embeddings alone"] = alone(objective.model.encoder.words, name, a.steps)
        print(
            f"{a.model}, {config.layers} layers, vocabulary {a.vocab}, {a.batch_tokens} tokens per update, {name}, {machine.precision}"
        )
        for part, seconds in found.items():
            print(f"{part:>24}: {1000 * seconds:10,.1f} ms {seconds / found['update']:8.1%}")
        claims += [
            claim(f"optimizer step, {name}", found["step"] / found["update"], "of an update"),
            claim(f"clipping, {name}", found["clip"] / found["update"], "of an update"),
            claim(f"embeddings' step alone, {name}", found["step, embeddings alone"] / found["update"], "of an update"),
        ]
    finish("optimizer", claims)


if __name__ == "__main__":
    main()
