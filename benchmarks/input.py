"""How many tokens a second the data path feeds from shards, beside what a student takes in on this machine.

    python benchmarks/input.py [--megabytes 50 --vocab 150000 --batch-tokens N --seconds 5] [--consumes TOKENS_PER_S]

A token set of random ids is written to disk with `TokenWriter`, once with the lengths of utterances and once with sequences of 512
tokens, and read as a run reads it: memory-mapped, cut into pieces, ordered, masked, packed and moved to the device. Its files have
just been written, so what is measured is the work of one core, not of a disk. The student learns from the same batches in the same
run, through `steps`; the loop makes each batch itself, between two updates, so at ten times the student's speed a tenth of the
time goes to waiting for it. Two processes are read side by side as two ranks. With --consumes, what a student takes in elsewhere (on
a faster device), it is said how many processes could feed that ten times over. Last, how fast a run that is resumed finds its place.
"""

from __future__ import annotations

import argparse
import itertools
import math
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from common import claim, finish
from sequences import TEXT, random_ids, utterance_lengths

from understudy.corpus.tokenset import TokenSet, TokenWriter, dtype_for, write_index
from understudy.model.encoder import MaskedLM
from understudy.model.presets import shape
from understudy.training.batches import MaskedBatch, MaskedSequences, Pieces, batches
from understudy.training.loop import steps
from understudy.training.machine import Machine
from understudy.training.masking import Masking
from understudy.training.objectives import MaskedLanguageModelling
from understudy.training.optim import OptimConfig, build
from understudy.training.parallel import ParallelConfig
from understudy.training.precision import default_device
from understudy.training.schedule import ScheduleConfig

AMPLE = 10.0
WARM_UP = 2
PASSED_OVER = 2000


@dataclass(frozen=True)
class Reading:
    """Who reads what. budget: tokens of one batch of one reader."""

    folder: Path
    budget: int
    seconds: float
    rank: int = 0
    world: int = 1


def write(folder: Path, kind: str, vocab: int, size: int) -> int:
    """A token set of about `size` bytes; returns its tokens."""
    dtype = dtype_for(vocab)
    writer = TokenWriter(folder, "train", dtype)
    write_index(folder, languages=["xx"], vocab_size=vocab, tokenizer="")
    for part in range(-(-size // (dtype.itemsize * (1 << 20)))):  # a million tokens at a time
        lengths = utterance_lengths((1 << 20) // 13) if kind == "utterances" else np.full((1 << 20) // TEXT, TEXT, np.int64)
        writer.add(random_ids(lengths, vocab, seed=part).view(np.uint32), lengths.tolist(), [0] * len(lengths))
    writer.close()
    return writer.tokens


def stream(reading: Reading, *, start: int = 0) -> Iterator[tuple[MaskedBatch, ...]]:
    """Batches on the device, made as a run makes them."""
    shards, device = TokenSet.open(reading.folder, "train"), default_device()
    sequences = MaskedSequences(Pieces(shards, max_length=TEXT), Masking(0.15, shards.vocab_size), seed=0)
    budget, place = reading.budget * reading.world, {"rank": reading.rank, "world": reading.world}
    for parts in batches(sequences, budget=budget, seed=0, start=start, **place):
        yield tuple(part.to(device) for part in parts)


def feed(reading: Reading) -> float:
    """Tokens a second of one reader, its start (opening the files, the order's first window) apart."""
    made = stream(reading)
    for _ in range(WARM_UP):
        next(made)
    tokens, started = 0, time.perf_counter()
    while (spent := time.perf_counter() - started) < reading.seconds:
        tokens += sum(batch.tokens for batch in next(made))
    return tokens / spent


def side_by_side(reading: Reading, world: int = 2) -> float:
    """Tokens a second of several readers together, each a process of its own with one thread, as torchrun starts them."""
    readings = [replace(reading, rank=rank, world=world) for rank in range(world)]
    with multiprocessing.get_context("spawn").Pool(world, torch.set_num_threads, (1,)) as pool:
        return sum(pool.map(feed, readings, chunksize=1))


def consumption(objective: MaskedLanguageModelling, machine: Machine, reading: Reading, count: int) -> float:
    """Tokens a second that the student learns from; the median over updates, batches made in their time."""
    optimizer, schedule = build(objective, OptimConfig(lr=1e-4)), ScheduleConfig().of(peak=1e-4, steps=100_000)
    updates = steps(objective.train(), stream(reading), optimizer, schedule, autocast=machine.autocast)
    seen = [*itertools.islice(updates, WARM_UP + count)][WARM_UP:]
    return statistics.median(step.tokens / step.seconds for step in seen)


def passed_over(reading: Reading) -> float:
    """Updates a second that a resumed run passes over on its way to its place."""
    started = time.perf_counter()
    next(stream(reading))
    first = time.perf_counter() - started
    started = time.perf_counter()
    next(stream(reading, start=PASSED_OVER))
    return PASSED_OVER / max(1e-9, time.perf_counter() - started - first)


def measure(
    kind: str, reading: Reading, student: tuple[MaskedLanguageModelling, Machine], a: argparse.Namespace
) -> list[dict[str, object]]:
    """Prints and claims for one kind of sequences."""
    one, two = feed(reading), side_by_side(reading)
    learns = consumption(*student, reading, a.steps)
    print(f"{kind}: one process feeds {one:,.0f} tokens/s, two {two:,.0f}; {a.model} takes in {learns:,.0f}")
    resumed = passed_over(reading)
    print(f"{kind}: a resumed run passes over {resumed:,.0f} updates/s")
    if a.consumes:
        print(
            f"{kind}: to feed {a.consumes:,.0f} tokens/s {AMPLE:g} times over takes {math.ceil(AMPLE * a.consumes / one)} processes"
        )
    return [
        claim(f"feed, {kind}", one, "tokens/s"),
        claim(f"feed of two processes, {kind}", two, "tokens/s"),
        claim(f"two processes over one, {kind}", two / one, "x"),
        claim(f"{a.model} takes in, {kind}", learns, "tokens/s"),
        claim(f"feed over the student, {kind}", one / learns, "x", AMPLE),
        claim(f"passed over when resumed, {kind}", resumed, "updates/s"),
    ]


def main() -> None:
    on_gpu = torch.cuda.is_available()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=float, default=50.0, help="of the token set")
    parser.add_argument("--vocab", type=int, default=150_000)
    parser.add_argument("--batch-tokens", type=int, default=65536 if on_gpu else 4096)
    parser.add_argument("--seconds", type=float, default=5.0, help="of reading")
    parser.add_argument("--model", default="student-17m")
    parser.add_argument("--layers", type=int, help="in place of the model's own")
    parser.add_argument("--steps", type=int, default=20 if on_gpu else 3, help="of the student")
    parser.add_argument("--consumes", type=float, help="tokens/s of a student elsewhere")
    a = parser.parse_args()
    config = shape({"preset": a.model, **({"layers": a.layers} if a.layers else {})}, a.vocab)
    objective = MaskedLanguageModelling(MaskedLM(config, generator=torch.Generator().manual_seed(0)))
    student = objective, Machine.prepare(objective, "auto", "auto", ParallelConfig())
    claims: list[dict[str, object]] = []
    for kind in ("utterances", f"{TEXT} tokens"):
        with tempfile.TemporaryDirectory() as folder:
            tokens = write(Path(folder), kind, a.vocab, int(a.megabytes * 1e6))
            print(f"{kind}: {tokens:,} tokens on disk, vocabulary {a.vocab}, {a.batch_tokens} tokens per batch")
            claims += measure(kind, Reading(Path(folder), a.batch_tokens, a.seconds), student, a)
    finish("input", claims)


if __name__ == "__main__":
    main()
