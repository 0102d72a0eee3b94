"""What a run writes down of every update and evaluation: `log.jsonl`, one JSON object a line; the tools of `sinks` are told the same."""

from __future__ import annotations

import json
import math
import resource
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from understudy.training.outcome import Step
from understudy.training.ranks import ranks
from understudy.training.sinks import Sink, Watch, each

__all__ = ["Journal", "copy_log", "figures"]

CLOCK = frozenset({"seconds", "tflops", "mfu", "memory"})  # what differs between equal runs


def figures(table: Mapping[str, Any]) -> dict[str, float]:
    """What a line of `log.jsonl` says, by name: `train/loss`, `valid/loss`, and `train_mlm/de` for its `mlm.de`.

    Languages get a group of their own, for they are many, and because MLflow can keep a name as a file, so that no name may be
    a folder of another. What is null there (not finite) is left out.
    """
    group, values = ("valid", table["valid"]) if "valid" in table else ("train", table)
    named: dict[str, float] = {}
    for key, value in values.items():
        part, dot, language = key.partition(".")
        if key != "step" and value is not None:
            named[f"{group}_{part}/{language}" if dot else f"{group}/{key}"] = float(value)
    return named


class Journal:
    """`log.jsonl`, which the leader writes; after a resume, lines of updates that are made again are dropped first.

    Beside losses: `tflops` that the model needed per second, `mfu`, their share of `peak` (FLOP/s of all devices at best), and
    `memory`, the most GB that this process has held so far, on the GPU where there is one.
    """

    def __init__(self, path: Path, *, after: int, peak: float | None = None, watch: Watch | None = None) -> None:
        self._file, self._peak = None, peak
        self._sinks: list[Sink] = []
        if not ranks().leads:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        kept = []
        for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
            try:
                kept += [line] if json.loads(line)["step"] <= after else []
            except (ValueError, KeyError, TypeError):
                continue  # the last line of a killed process
        fresh = path.with_suffix(".tmp")
        fresh.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")
        fresh.replace(path)  # a kill in between leaves the old lines
        if watch is not None and watch.tools:
            self._sinks = watch.open(path.parent, after=after)
            for line in kept:  # a tool may have lost what it was told just before a kill; what it has, it leaves out
                self._tell(json.loads(line))
        self._file = path.open("a", encoding="utf-8")

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._file is not None:
            self._file.close()
        each(self._sinks, lambda sink: sink.close(done=kind is None))

    def step(self, step: Step) -> None:
        """One update."""
        self.line(
            {
                "step": step.number,
                "loss": _short(step.loss),
                **{name: _short(value) for name, value in step.parts.items()},
                "lr": step.lr,
                "grad_norm": _short(step.grad_norm),
                "tokens": step.tokens,
                "examples": step.examples,
                "seconds": round(step.seconds, 4),
                "tflops": round(step.flops / step.seconds / 1e12, 4),
                **({"mfu": round(step.flops / step.seconds / self._peak, 4)} if self._peak else {}),
                "memory": round(_memory() / 1e9, 3),
                **({"skipped": True} if step.skipped else {}),
            }
        )

    def line(self, table: Mapping[str, Any]) -> None:
        """Anything else, such as an evaluation."""
        if self._file is not None:
            self._file.write(json.dumps(table) + "\n")
        self._tell(table)

    def _tell(self, table: Mapping[str, Any]) -> None:
        if values := figures(table):
            each(self._sinks, lambda sink: sink.line(table["step"], values))

    def flush(self) -> None:
        """To the operating system, before a checkpoint says that so much was done."""
        if self._file is not None:
            self._file.flush()
        each(self._sinks, lambda sink: sink.flush())


def copy_log(source: Path, target: Path) -> None:
    """A finished run's `log.jsonl` without its clock, so that equal runs make equal artifacts."""
    lines = [json.loads(line) for line in source.read_text(encoding="utf-8").splitlines()]
    kept = [{key: value for key, value in line.items() if key not in CLOCK} for line in lines]
    target.write_text("".join(json.dumps(line) + "\n" for line in kept), encoding="utf-8")


def _memory() -> int:
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _short(value: float) -> float | None:
    return round(value, 6) if math.isfinite(value) else None
