"""The share of a GPU's arithmetic that training uses (MFU), for the paper's shapes at a 150,000 vocabulary.

    python benchmarks/mfu.py [--models NAME ...] [--dropout 0 0.1 0.1/0] [--checkpointing auto] [--float8] [--steps 10]
        [--profile NAME]

Each model is trained by the loop itself, `steps`, with AdamW, masked language modelling of 15 % and sequences of 512 random ids.
FLOPs are what the model needs: the vocabulary's products at masked positions only, a backward pass twice a forward pass, nothing
for what is computed again. They are divided by the median time of an update, everything in it included, and by the rate of a
product of two large matrices in the same precision, measured right after. (The loop reads the loss and the gradient's norm of each
update, so its times are the device's; an update's last part, the optimizer's step, is waited for in the next one.) Batches stand
ready on the device; with --feed they are made as in a run, in its time.

--dropout: of hidden states and of attention, or of both apart as HIDDEN/ATTENTION. The variable-length attention kernel has no
dropout, so with attention dropout another one runs. --checkpointing auto keeps all activations if they fit, else the products of
matrices only ("selective"), else each block's input ("block"). teacher-9.3b gets as many layers as fit. What does not fit is
reported, and the next model tried. --float8 measures each setting with blocks in float8 as well, as a share of the same rate in
bf16. Without a GPU a model of two layers shows that all of this works; its share is no claim.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import resource
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from common import claim, finish
from sequences import TEXT, Sequences, random_ids
from torch.profiler import ProfilerActivity, profile

from understudy.model.encoder import EncoderConfig, MaskedLM, initialise
from understudy.model.presets import shape
from understudy.training.batches import MaskedBatch, MaskedSequences, Pieces, batches
from understudy.training.loop import steps
from understudy.training.machine import Machine
from understudy.training.masking import Masking
from understudy.training.objectives import MaskedLanguageModelling
from understudy.training.optim import OptimConfig, build
from understudy.training.outcome import Step
from understudy.training.parallel import ParallelConfig
from understudy.training.precision import default_device
from understudy.training.schedule import ScheduleConfig

# Tokens of one micro-batch: what fits 140 GB beside weights, gradients and states, and fills the device.
MODELS = {"base-85m": 65536, "assistant-170m": 65536, "teacher-700m": 32768, "teacher-2.3b": 16384, "teacher-9.3b": 16384}
WANTED = {"assistant-170m": 0.40, "teacher-2.3b": 0.50}
BYTES_PER_WEIGHT = 18  # fp32 weight, gradient and two states; the copy in bf16
RESERVE = 0.8  # of the memory, where layers are chosen: the rest is for activations
TOP = 15
Checkpointing = Literal["none", "selective", "block"]
MODES: tuple[Checkpointing, ...] = ("none", "selective", "block")
LAUNCHES = ("cudaLaunchKernel", "cudaLaunchKernelExC", "cuLaunchKernel", "cuLaunchKernelEx")
WAITS = ("cudaStreamSynchronize", "cudaDeviceSynchronize", "cudaEventSynchronize")


@dataclass(frozen=True)
class Setting:
    """One model as it is trained."""

    name: str
    config: EncoderConfig
    tokens: int
    accumulate: int
    checkpointing: Checkpointing
    feed: bool
    float8: bool

    @property
    def label(self) -> str:
        c = self.config
        return (
            f"{self.name}, {c.layers} layers, dropout {c.dropout:g}/{c.attention_dropout:g}, checkpointing {self.checkpointing}"
            f"{', float8' if self.float8 else ''}"
        )


def attempts(
    config: EncoderConfig, wanted: Checkpointing | Literal["auto"], memory: int | None
) -> Iterator[tuple[Checkpointing, int]]:
    """Checkpointing and number of layers to try, in this order, until one fits. `memory`: bytes of the device; None is enough."""
    most = config.layers if memory is None else min(config.layers, layers_in(config, memory))
    if most == config.layers:
        yield from ((mode, most) for mode in (MODES if wanted == "auto" else (wanted,)))
    else:
        yield from (("block" if wanted == "auto" else wanted, layers) for layers in range(most, max(0, most - 12), -3))


def layers_in(config: EncoderConfig, memory: int) -> int:
    """How many of the model's layers can be trained in `memory` bytes, activations apart."""
    total, layer = config.parameters_total, config.body_parameters / config.layers
    room = RESERVE * memory / BYTES_PER_WEIGHT - (total - config.body_parameters)
    return max(0, int(room / layer))


def prepare(setting: Setting) -> tuple[MaskedLanguageModelling, Machine]:
    """The objective on the device, its weights drawn there."""
    with torch.device("meta"):
        objective = MaskedLanguageModelling(MaskedLM(setting.config))
    generator = torch.Generator(default_device()).manual_seed(0)
    fills = [lambda put: initialise(objective.model, generator=generator, put=put)]
    parallel = ParallelConfig(checkpointing=setting.checkpointing)
    return objective, Machine.prepare(objective, "auto", "auto", parallel, fills=fills, float8=setting.float8)


def stream(setting: Setting, device: torch.device) -> Iterator[tuple[MaskedBatch, ...]]:
    """Batches of random ids, made anew for each update or a few of them again and again."""
    count = 4 * setting.accumulate * max(1, setting.tokens // TEXT)
    lengths = np.full(count, TEXT, np.int64)
    data = Sequences(random_ids(lengths, setting.config.vocab_size), lengths)
    masked = MaskedSequences(Pieces(data, max_length=TEXT), Masking(0.15, setting.config.vocab_size), seed=0)
    made = batches(masked, budget=setting.tokens * setting.accumulate, parts=setting.accumulate, seed=0)
    moved = (tuple(part.to(device) for part in parts) for parts in made)
    return moved if setting.feed else itertools.cycle([*itertools.islice(moved, 4)])


def measure(setting: Setting, *, warm_up: int, count: int, profiled: bool) -> dict[str, float] | None:
    """What training came to, or None where memory did not suffice."""
    forget()
    try:
        objective, machine = prepare(setting)
        schedule = ScheduleConfig().of(peak=1e-4, steps=100_000)
        optimizer = build(objective, OptimConfig(lr=1e-4))
        updates = steps(objective.train(), stream(setting, machine.device), optimizer, schedule, autocast=machine.autocast)
        started = time.perf_counter()
        for _ in range(warm_up):
            next(updates)
        warm = time.perf_counter() - started
        seen = [next(updates) for _ in range(count)]
        memory = peak_memory()
        if profiled:
            print_profile(updates, machine)
        return summary(seen, machine.peak) | {"memory": memory, "warm_up": warm}
    except torch.OutOfMemoryError:
        return None


def summary(seen: Sequence[Step], peak: float) -> dict[str, float]:
    """Median over updates, in the units of claims."""
    seconds = statistics.median(step.seconds for step in seen)
    flops = seen[0].flops
    return {
        "mfu": flops / seconds / peak,
        "seconds": seconds,
        "tokens": seen[0].tokens / seconds,
        "tflops": flops / seconds / 1e12,
        "peak": peak / 1e12,
    }


def print_profile(updates: Iterator[Step], machine: Machine, *, count: int = 3) -> None:
    """The operators that took the most of the device's time in a few updates, and how often it was given work or waited for."""
    on_gpu = machine.device.type == "cuda"
    with profile(activities=[ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_gpu else [])]) as found:
        for _ in range(count):
            next(updates)
    rows = found.key_averages()
    print(
        rows.table(sort_by="self_device_time_total" if on_gpu else "self_cpu_time_total", row_limit=TOP, max_name_column_width=48)
    )
    times: dict[str, int] = {row.key: row.count for row in rows}
    launches, waits = (sum(times.get(name, 0) for name in names) / count for names in (LAUNCHES, WAITS))
    reads = times.get("aten::_local_scalar_dense", 0) / count
    print(
        f"in one update: {launches:.0f} kernels launched, {waits:.0f} waits for the device, {reads:.0f} numbers read one by one"
    )


def forget() -> None:
    """Give back what the model before left: memory, and compiled blocks, whose number is limited."""
    gc.collect()
    torch._dynamo.reset()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def peak_memory() -> float:
    """GB, of the device or, without one, of this process since it began."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 1e9
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def settings(a: argparse.Namespace, name: str, dropout: str, float8: bool) -> Iterator[Setting]:
    """The ways to train a model, in the order in which they are tried."""
    hidden, _, attention = dropout.partition("/")
    table: dict[str, Any] = {"preset": name, "dropout": float(hidden), "attention_dropout": float(attention or hidden)}
    table |= {"layers": a.layers} if a.layers else {}
    table |= {"hidden": a.width, "ffn": 4 * a.width, "heads": 4} if a.width else {}
    config = shape(table, a.vocab)
    memory = torch.cuda.mem_get_info()[1] if torch.cuda.is_available() else None
    for mode, layers in attempts(config, a.checkpointing, memory):
        tokens = a.batch_tokens or MODELS.get(name, 65536)
        yield Setting(name, config.model_copy(update={"layers": layers}), tokens, a.accumulate, mode, a.feed, float8)


def arguments() -> argparse.Namespace:
    on_gpu = torch.cuda.is_available()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=[*MODELS] if on_gpu else ["base-85m"])
    parser.add_argument("--dropout", nargs="+", default=["0", "0.1"], metavar="RATE[/RATE]")
    parser.add_argument("--vocab", type=int, default=150_000 if on_gpu else 8_000)
    parser.add_argument("--batch-tokens", type=int, default=None if on_gpu else 1024, help="of one micro-batch")
    parser.add_argument("--accumulate", type=int, default=1, help="micro-batches of one update")
    parser.add_argument("--layers", type=int, default=None if on_gpu else 2, help="in place of the model's own")
    parser.add_argument("--width", type=int, default=None if on_gpu else 128, help="in place of the model's own")
    parser.add_argument("--checkpointing", choices=["auto", *MODES], default="auto")
    parser.add_argument("--float8", action="store_true", help="also with blocks in float8; needs a GPU from Ada or Hopper on")
    parser.add_argument("--feed", action="store_true", help="make batches in the time of the update, as a run does")
    parser.add_argument("--warm-up", type=int, default=5 if on_gpu else 1)
    parser.add_argument("--steps", type=int, default=10 if on_gpu else 3)
    parser.add_argument("--profile", metavar="NAME", help="print the costliest operators of this model, once")
    return parser.parse_args()


def main() -> None:
    a = arguments()
    claims: list[dict[str, object]] = []
    # float8 first: where it cannot be had, that is said before anything is measured.
    for name, dropout, float8 in itertools.product(a.models, a.dropout, (True, False) if a.float8 else (False,)):
        for setting in settings(a, name, dropout, float8):
            profiled = a.profile == name and dropout == a.dropout[0]
            found = measure(setting, warm_up=a.warm_up, count=a.steps, profiled=profiled)
            if found is not None:
                print(
                    f"{setting.label}: {found['mfu']:.3f} of {found['peak']:,.1f} TFLOP/s, {found['tokens']:,.0f} tokens/s, "
                    f"{1000 * found['seconds']:,.1f} ms an update of {setting.accumulate} x {setting.tokens} tokens, "
                    f"{found['memory']:.1f} GB, warm after {found['warm_up']:.0f} s",
                    flush=True,
                )
                whole = setting.config.layers == shape(name, a.vocab).layers and torch.cuda.is_available()
                wanted = WANTED.get(name) if whole and not float8 else None
                claims.append(claim(f"MFU of {setting.label}", found["mfu"], "of the matrix rate", wanted))
                claims.append(claim(f"tokens of {setting.label}", found["tokens"], "tokens/s"))
                claims.append(claim(f"memory of {setting.label}", found["memory"], "GB"))
                break
            print(f"{setting.label}: does not fit", flush=True)
        else:
            tried = f"{name}, dropout {dropout}{', float8' if float8 else ''}"
            claims.append({"name": f"MFU of {tried}", "value": None, "unit": "does not fit", "target": None, "met": None})
    forget()
    finish("mfu", claims)


if __name__ == "__main__":
    main()
