"""Several ways to int8, tried on labelled utterances: the fastest that passes its gate is exported."""

from __future__ import annotations

import logging
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, Final, NamedTuple

from understudy.errors import ExportError
from understudy.evaluation.metrics import COUNTS, counts
from understudy.export.gates import drop_gate, losses
from understudy.export.graph import Quantisation
from understudy.interpretation import Interpretation, Parser
from understudy.runtime.session import Engine, Runtime

__all__ = ["SWEEP", "Judge", "Made", "engines", "fastest", "milliseconds"]

log = logging.getLogger(__name__)

# In the order of preference: 7 bits are right on every processor, so 8 are taken only where 7 lose too much.
SWEEP: Final = (
    Quantisation(weight_bits=7, per="column"),
    Quantisation(weight_bits=7, per="tensor"),
    Quantisation(weight_bits=8, per="column"),
    Quantisation(weight_bits=8, per="tensor"),
    Quantisation(weight_bits=8, float32=("heads",)),
    Quantisation(weight_bits=8, float32=("ffn_out",)),
    Quantisation(weight_bits=8, float32=("words", "heads", "ffn_out")),
)
AS_FAST = 1.05
CALLS = 200
TURN = 10


class Made(NamedTuple):
    """A model exported in memory; `way` is None where its weights are float. runtime: in ONNX Runtime, which runs it anywhere. kernel:
    the same graph on the int8 kernel, where this machine has it and all of the model is int8."""

    way: Quantisation | None
    graph: bytes
    runtime: Runtime
    kernel: Runtime | None = None


class Judge:
    """Holds exported models against the one they came from.

    original: that model. utterances: what both are asked, with gold labels where `labelled`. max_drop: as in `drop_gate`.
    """

    def __init__(self, original: Parser, utterances: Sequence[Interpretation], *, labelled: bool, max_drop: float) -> None:
        self.original, self.utterances, self.labelled, self.max_drop = original, utterances, labelled, max_drop
        self.texts = [each.text for each in utterances]
        self.langs = [each.locale or None for each in utterances]

    @cached_property
    def wanted(self) -> list[Interpretation]:
        """What the original says."""
        return self.original.batch(self.texts, self.langs)

    def weigh(self, made: Made) -> tuple[dict[str, Any], ExportError | None]:
        """How often `made` says what the original says; where gold labels are known, what that costs, and the refusal if too much.
        Under `vnni` the same of the kernel, which may be `refused` alone: the model is then served by ONNX Runtime."""
        metrics: dict[str, Any] = {"precision": made.runtime.settings.precision}
        metrics |= {} if made.way is None else {"quantisation": str(made.way)}
        figures, refused = self._score(made.runtime)
        metrics |= figures
        if made.kernel is not None and refused is None:
            metrics["vnni"], too_much = self._score(made.kernel)
            if too_much is not None:
                metrics["vnni"]["refused"] = str(too_much)
        return metrics, refused

    def _score(self, runtime: Runtime) -> tuple[dict[str, Any], ExportError | None]:
        found = self.wanted if runtime is self.original else runtime.batch(self.texts, self.langs)
        same = counts(self.wanted, found).mean(axis=0)
        shares = {name: round(100 * float(same[COUNTS.index(of)]), 2) for name, of in (("intent", "intents"), ("exact", "exact"))}
        metrics: dict[str, Any] = {"agreement": {**shares, "utterances": len(self.texts)}}
        if not self.labelled:
            return metrics, None
        lost = losses(self.utterances, self.wanted, found)
        metrics["exact_match"] = {locale: loss.to_dict() for locale, loss in lost.items()}
        try:
            drop_gate(lost, max_drop=self.max_drop)
        except ExportError as refused:
            return metrics, refused
        return metrics, None

    def passed(self, made: Made) -> dict[str, Any]:
        """The figures of `weigh`. Raises ExportError where too much is lost."""
        metrics, refused = self.weigh(made)
        if refused is not None:
            raise refused
        return metrics


def engines(metrics: Mapping[str, Any]) -> tuple[Engine, ...]:
    """Those whose answers passed, by the metrics of `Judge.weigh`."""
    return ("onnxruntime", "vnni") if "refused" not in metrics.get("vnni", {"refused": "not tried"}) else ("onnxruntime",)


def fastest(
    ways: Sequence[Quantisation], made: Callable[[Quantisation | None, int | None], Made], judge: Judge
) -> tuple[Made, dict[str, Any]]:
    """The fastest of those that pass, on one thread of the engine that would serve here, and its figures; under `sweep` those of all.

    Of ways that take at most `AS_FAST` times as long as the fastest the first is taken: less is noise. Raises ExportError where none
    passes.
    """
    tried: list[dict[str, Any]] = []
    passed: list[tuple[Made, dict[str, Any], dict[str, Any]]] = []
    for way in ways:
        candidate = made(way, 1)
        metrics, refused = judge.weigh(candidate)
        exact = {locale: each["exported"] for locale, each in metrics["exact_match"].items()}
        tried.append({"quantisation": str(way), "bytes": len(candidate.graph), "exact_match": exact})
        if refused is None:
            passed.append((candidate, metrics, tried[-1]))
        else:
            tried[-1]["refused"] = refused.got if refused.where is None else f"{refused.where}: {refused.got}"
    if not passed:
        raise ExportError(
            "no way to int8 understands enough of what the model it came from does",
            got="; ".join(f"{row['quantisation']}: {row['refused']}" for row in tried),
            wanted=f"at most {judge.max_drop:g} points of exact match lost",
            hint="Export with precision='fp32', or allow more with max_drop; nothing was written",
        )
    serving = [(made.kernel if "vnni" in engines(metrics) else None) or made.runtime for made, metrics, _ in passed]
    each_ms = milliseconds(serving, judge.texts, judge.langs)
    for (_, _, row), runtime, ms in zip(passed, serving, each_ms, strict=True):
        row |= {"engine": runtime.engine, "ms": round(ms, 3)}
    chosen = next(i for i, ms in enumerate(each_ms) if ms <= AS_FAST * min(each_ms))
    candidate, metrics, row = passed[chosen]
    log.info("exporting %s: %s ms", candidate.way, row["ms"])
    return candidate, {**metrics, "sweep": tried}


def milliseconds(runtimes: Sequence[Runtime], texts: Sequence[str], langs: Sequence[str | None]) -> list[float]:
    """Median time of a single call of each runtime, over the same utterances from all over `texts`, in turns of a few calls so that a
    busy machine disturbs all alike."""
    asked = list(zip(texts, langs, strict=True))[:: max(1, len(texts) // CALLS)]
    asked = (asked * (CALLS // len(asked) + 1))[:CALLS]
    spent: list[list[float]] = [[] for _ in runtimes]
    for start in range(-TURN, CALLS, TURN):  # the first turn warms up
        for runtime, times in zip(runtimes, spent, strict=True):
            for text, lang in asked[max(0, start) : max(0, start) + TURN]:
                began = time.perf_counter()
                runtime(text, lang)
                times.append(1e3 * (time.perf_counter() - began))
    return [statistics.median(times[TURN:]) for times in spent]
