"""Distillation from a teacher that is there and from the teacher cache: updates a second, bytes, and what the cut costs.

    python benchmarks/distill.py [--student 4x256x512x4 --teacher 12x512x2048x8 --vocab 16000 --ks 8 64 256 --steps 2000]

A teacher learns utterances for --teacher-steps updates, so that it has opinions. Students of the same first weights then learn from it
over the same batches and masks: one asks it at every update, the others read what was kept of it, one for each k, and --samples of all other words. They are trained in
turns, and an update's time is the sum over all turns. At the end each is measured by the teacher itself, on utterances that no one has
learned: the cross-entropy against its whole distribution. The gap is that of a cached student less that of the live one; beside it
stands how far two live students come apart that differ in the order of batches and the masks, which is what chance makes. Masks are
kept for --epochs passes; over more updates than those hold the cached students see the first ones again and the live one does not.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import itertools
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from common import claim, finish
from sequences import Sequences, utterances

from understudy.model.encoder import MaskedLM
from understudy.model.presets import shape
from understudy.training.batches import MaskedBatch, MaskedSequences, Pieces, Source, batches, one_epoch
from understudy.training.listen import Listener, Windows, write_down
from understudy.training.loop import steps
from understudy.training.machine import Machine
from understudy.training.masking import Masking
from understudy.training.objectives import Distillation, MaskedLanguageModelling, Objective
from understudy.training.optim import OptimConfig, build
from understudy.training.outcome import Step
from understudy.training.parallel import ParallelConfig
from understudy.training.schedule import ScheduleConfig
from understudy.training.tally import evaluate
from understudy.training.teachings import Heard, Parts, TaughtSequences, Teachings

TURNS = 4
HELD_OUT = 1000  # utterances


@dataclass
class Student:
    """One that learns, and what its updates have taken so far."""

    model: MaskedLM
    updates: Iterator[Step]
    seconds: float = 0.0
    losses: list[float] = field(default_factory=list)


def encoder(text: str, vocab: int, *, seed: int) -> MaskedLM:
    """Of layers x hidden x ffn x heads, without dropout."""
    table = dict(zip(("layers", "hidden", "ffn", "heads"), map(int, text.split("x")), strict=True))
    config = shape({**table, "max_length": 128, "dropout": 0.0, "attention_dropout": 0.0}, vocab)
    return MaskedLM(config, generator=torch.Generator().manual_seed(seed))


def updates(
    objective: Objective, source: Source[MaskedBatch], machine: Machine, a: argparse.Namespace, *, seed: int, count: int
) -> Iterator[Step]:
    """Updates of an objective over a source, with a schedule for `count` of them."""
    made = batches(source, budget=a.batch_tokens, seed=seed)
    stream = (tuple(part.to(machine.device) for part in parts) for parts in made)
    schedule = ScheduleConfig().of(peak=a.lr, steps=count)
    return steps(objective.train(), stream, build(objective, OptimConfig(lr=a.lr)), schedule, autocast=machine.autocast)


def prepared(objective: Objective, a: argparse.Namespace) -> Machine:
    return Machine.prepare(objective, a.precision, False if a.no_compile else "auto", ParallelConfig())


def listened(
    teacher: MaskedLM, source: MaskedSequences, machine: Machine, folder: Path, k: int, a: argparse.Namespace
) -> tuple[Teachings, Heard]:
    """What the stage writes, without the artifact around it."""
    vocab = teacher.config.vocab_size
    heard = Heard(
        teacher="", data="", tokenizer="", vocab_size=vocab, seed=0, mask_rate=0.15, whole_words=False, max_length=128, temperature=1.0,
        k=min(k, vocab), samples=a.samples, epochs=a.epochs,
    )  # fmt: skip
    parts, windows = Parts(folder, "train", vocab_size=vocab), Windows.of(source.lengths, epochs=a.epochs, budget=a.batch_tokens)
    listener = Listener(teacher.eval(), heard, a.batch_tokens, machine.autocast, machine.device)
    for _ in write_down(listener, source, parts, windows):
        pass
    parts.join(windows.starts.tolist(), folder)
    return Teachings.open(folder, "train", heard, epochs=a.epochs), heard


def in_turns(students: dict[str, Student], count: int) -> None:
    """`count` updates of each, the first of them not timed."""
    for name in itertools.chain.from_iterable(itertools.repeat(list(students), TURNS)):
        student = students[name]
        share = list(itertools.islice(student.updates, 1)) if not student.losses else []
        wait()
        started = time.perf_counter()
        share += itertools.islice(student.updates, -(-count // TURNS) - len(share))
        wait()
        student.seconds += time.perf_counter() - started
        student.losses += [step.loss for step in share]


def wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def split(data: Sequences) -> tuple[Sequences, Sequences]:
    """What is learned, and the last `HELD_OUT` utterances or a tenth."""
    cut = len(data) - min(HELD_OUT, len(data) // 10)
    at = int(data.offsets[cut])
    return Sequences(data.tokens[:at], data.lengths[:cut]), Sequences(data.tokens[at:], data.lengths[cut:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--student", default="2x64x128x2", help="layers x hidden x ffn x heads")
    parser.add_argument("--teacher", default="4x128x256x4")
    parser.add_argument("--ks", type=int, nargs="+", default=[8, 64, 256])
    numbers = {
        "vocab": 2000,
        "limit": 10_000,
        "steps": 240,
        "teacher-steps": 500,
        "batch-tokens": 1024,
        "epochs": 4,
        "samples": 16,
    }
    for name, default in numbers.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--no-compile", action="store_true")
    a = parser.parse_args()
    with contextlib.redirect_stdout(io.StringIO()):
        origin, vocab, data = utterances(a.vocab, limit=a.limit)
    learned, aside = (Pieces(part, max_length=128) for part in split(data))
    source, other = (MaskedSequences(learned, Masking(0.15, vocab), seed=seed) for seed in (0, 1))
    teacher = encoder(a.teacher, vocab, seed=0)
    objective = MaskedLanguageModelling(teacher)
    machine = prepared(objective, a)
    for _ in itertools.islice(updates(objective, source, machine, a, seed=2, count=a.teacher_steps), a.teacher_steps):
        pass
    with tempfile.TemporaryDirectory() as folder:
        run(a, teacher, machine, source, other, aside, f"{origin}, {len(learned)} utterances", Path(folder))


def run(
    a: argparse.Namespace,
    teacher: MaskedLM,
    machine: Machine,
    source: MaskedSequences,
    other: MaskedSequences,
    aside: Pieces,
    origin: str,
    folder: Path,
) -> None:
    """Train the students, measure them, and say what came out."""
    vocab = teacher.config.vocab_size

    def student(listened_to: MaskedLM | None, shown: Source[MaskedBatch], *, seed: int = 0) -> Student:
        objective = Distillation(encoder(a.student, vocab, seed=1), listened_to)
        prepared(objective, a)
        return Student(objective.student, updates(objective, shown, machine, a, seed=seed, count=a.steps))

    students = {"live": student(teacher, source), "live, other masks": student(teacher, other, seed=1)}
    claims: list[dict[str, object]] = []
    for k in a.ks:
        (inside := folder / str(k)).mkdir()
        teachings, heard = listened(teacher, source, machine, inside, k, a)
        students[f"k = {k}"] = student(None, TaughtSequences(source, teachings))
        claims += [
            claim(f"bytes of a masked token, k = {k}", heard.row_bytes, "bytes"),
            claim(f"left to samples, k = {k}", teachings.tail(), "of the mass"),
        ]
    in_turns(students, a.steps)
    held_out = MaskedSequences(aside, Masking(0.15, vocab), seed=0)
    cut = one_epoch(aside.lengths, budget=4096, key="validation", order_by=aside.lengths)
    valid = [held_out.batch(np.sort(part), epoch=0).to(machine.device) for part in cut]
    found = {
        name: evaluate(Distillation(s.model, teacher), valid, autocast=machine.autocast)["soft"] for name, s in students.items()
    }
    floor = evaluate(Distillation(teacher, teacher), valid, autocast=machine.autocast)["soft"]
    rate = {name: (len(s.losses) - 1) / s.seconds for name, s in students.items()}
    print(
        f"{origin}, vocabulary {vocab}; teacher {a.teacher}, student {a.student}, {a.batch_tokens} tokens per update, {a.steps} updates"
    )
    print(
        f"{machine.precision}; cross-entropy against the teacher, held out; its entropy, the least there can be, is {floor:.4f}"
    )
    for name, s in students.items():
        print(f"{name:>18}: {rate[name]:8.2f} updates/s  last loss {s.losses[-1]:8.4f}  held out {found[name]:.4f}")
    claims += [claim(f"updates, {name}", rate[name], "updates/s") for name in students]
    claims += [claim(f"cached over live, k = {k}", rate[f"k = {k}"] / rate["live"], "x") for k in a.ks]
    gaps = [(f"gap of the held-out loss, {name}", value - found["live"]) for name, value in found.items() if name != "live"]
    finish("distill", [*claims, *({**claim(name, 0, "nats"), "value": round(gap, 5)} for name, gap in gaps)])


if __name__ == "__main__":
    main()
