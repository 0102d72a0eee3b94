"""The export stage: a fine-tuned model becomes a runtime that needs no torch.

Nothing is written unless it passes its gates:
- the float graph gives torch's numbers, within `tolerance`, on real utterances, padded and cut off ones among them;
- where a set of labels is named, the exported model loses at most `max_drop` points of exact match in any locale.

Shapes: B sequences, L positions, I intents, S slot tags.
"""

from __future__ import annotations

import logging
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnxruntime as ort
import torch
from onnx import ModelProto
from pydantic import Field

from understudy.artifact import Artifact, Draft
from understudy.config import CorpusRef, NluRef, StageConfig
from understudy.corpus.labels import read_labels
from understudy.errors import ArtifactError, ExportError
from understudy.evaluation.metrics import COUNTS, counts
from understudy.export.graph import Precision, write_graph
from understudy.interpretation import Interpretation
from understudy.model.encoder import Layout
from understudy.model.foreign import ForeignEncoder
from understudy.model.heads import NLU
from understudy.model.nlu import NLUSettings, load_nlu, read_settings
from understudy.runtime.decode import Labels
from understudy.runtime.encode import Encoded, encode, pad
from understudy.runtime.session import Runtime, RuntimeSettings, run_session, start_session
from understudy.tokenizer import Tokenizer

__all__ = ["PROBES", "ExportConfig", "max_difference", "run"]

log = logging.getLogger(__name__)

PARITY_UTTERANCES = 256
PARITY_BATCH = 16
LARGEST_FILE = 2**31 - 1

# Utterances for the parity gate where no labels are named: the twelve languages, of several lengths.
PROBES = (
    "wake me up at nine am on friday",
    "stop",
    "اضبط المنبه على الساعة السابعة صباحا",
    "spiele die neueste musik von den toten hosen",
    "pon una alarma para las siete y media de la mañana",
    "allume la lumière du salon s'il te plaît",
    "कल सुबह सात बजे मुझे जगाना",
    "che tempo farà domani a milano",
    "明日の朝七時に起こして",
    "उद्या सकाळी सात वाजता मला उठव",
    "qual é a previsão do tempo para o fim de semana em lisboa",
    "நாளை காலை ஏழு மணிக்கு என்னை எழுப்பு",
    "రేపు ఉదయం ఏడు గంటలకు నన్ను లేపు",
    "olly, what's 12.5 % of $80?",
)


class ExportConfig(StageConfig):
    """Settings of an export.

    model: the fine-tuned model. precision: of the weights in the runtime. weight_bits: bits of a quantised matrix weight;
    with 7, sums of two products fit 16 bits, so that processors without VNNI instructions compute them exactly too.
    tolerance: largest difference of a logit between torch and the float graph. check: labels whose `partition` the exported
    model is scored on. max_drop: points of exact match it may lose there in any locale; one utterance may always be lost. otherwise: what to export where
    that is too much, said in a warning and recorded as `refused` in the metrics; by default the export fails.
    """

    kind: Literal["export"] = "export"
    model: NluRef
    precision: Precision = "int8"
    otherwise: Literal["fp32"] | None = None
    weight_bits: Literal[7, 8] = 7
    tolerance: float = Field(default=1e-3, gt=0)
    check: CorpusRef | None = None
    partition: str = "dev"
    max_drop: float = Field(default=1.0, ge=0)


def run(config: ExportConfig, inputs: Mapping[str, Artifact], draft: Draft, *, seed: int) -> None:
    """Write `model.onnx`, `tokenizer.json`, `labels.json` and `runtime.json`; nothing is random, `seed` is not used.

    Raises ExportError where a gate fails or the model is too large for one file, ArtifactError where an input is damaged.
    """
    source = inputs[config.model].path
    model, labels = load_nlu(source)
    if isinstance(model.encoder, ForeignEncoder):
        raise ExportError(
            "only encoders of ours are exported",
            where=source,
            got=model.encoder.body.config.model_type,
            hint="A model of another make is a baseline: `evaluate` runs it as it is",
        )
    tokenizer, settings = Tokenizer.load(source), read_settings(source)
    gold = _gold(config, inputs)
    float_graph = _graph_bytes(write_graph(model, max_length=settings.max_length))
    reference = _runtime(float_graph, tokenizer, labels, settings, "fp32")
    draft.metrics["parity"] = _parity_gate(model, reference, [g.text for g in gold] or list(PROBES), config.tolerance)
    graph, exported = float_graph, reference
    if config.precision != "fp32":
        graph = _graph_bytes(
            write_graph(model, precision=config.precision, weight_bits=config.weight_bits, max_length=settings.max_length)
        )
        exported = _runtime(graph, tokenizer, labels, settings, config.precision)
    try:
        draft.metrics |= _compare(reference, exported, gold, max_drop=config.max_drop)
    except ExportError as refused:
        if config.otherwise is None:
            raise
        log.warning("exporting %s instead of %s: %s", config.otherwise, config.precision, refused)
        graph, exported = float_graph, reference
        draft.metrics |= {"refused": str(refused), **_compare(reference, reference, gold, max_drop=config.max_drop)}
    (draft.path / "model.onnx").write_bytes(graph)
    shutil.copyfile(source / "tokenizer.json", draft.path / "tokenizer.json")
    labels.save(draft.path / "labels.json")
    (draft.path / "runtime.json").write_text(exported.settings.model_dump_json(indent=2) + "\n", encoding="utf-8")
    draft.metrics["bytes"] = sum(file.stat().st_size for file in draft.path.iterdir())
    draft.metrics["weights"] = _weights(graph)
    draft.tokenizer = inputs[config.model].manifest.tokenizer


def _gold(config: ExportConfig, inputs: Mapping[str, Artifact]) -> list[Interpretation]:
    if config.check is None:
        return []
    path = inputs[config.check].path / f"{config.partition}.jsonl"
    if not path.is_file():
        there = ", ".join(sorted(p.stem for p in path.parent.glob("*.jsonl"))) or "none"
        raise ArtifactError("these labels have no such partition", where=path, got=config.partition, wanted=f"one of {there}")
    return read_labels(path)


def _graph_bytes(graph: ModelProto) -> bytes:
    size: int = sum(len(weight.raw_data) for weight in graph.graph.initializer)
    if size > LARGEST_FILE - 2**20:
        raise ExportError(
            "the model does not fit one ONNX file",
            got=f"{size / 1e9:.1f} GB of weights",
            wanted="less than 2 GB",
            hint="Distil it into a smaller one, or trim its vocabulary",
        )
    written: bytes = graph.SerializeToString()
    return written


def _runtime(graph: bytes, tokenizer: Tokenizer, labels: Labels, settings: NLUSettings, precision: str) -> Runtime:
    kept = settings.model_dump(include={"max_length", "spoken", "lower", "threshold"})
    described = RuntimeSettings(precision=precision, **kept)
    return Runtime(Path(), start_session(graph, threads=None), tokenizer, labels, described, hash="")


def _parity_gate(model: NLU, reference: Runtime, texts: Sequence[str], tolerance: float) -> dict[str, Any]:
    """Utterances from all over `texts`, and all of them as one, which no model is long enough for."""
    chosen = list(texts[:: max(1, len(texts) // PARITY_UTTERANCES)][:PARITY_UTTERANCES])
    s = reference.settings
    encoded = [encode(t, reference.tokenizer, max_length=s.max_length, lower=s.lower) for t in [*chosen, " ".join(chosen)]]
    difference = max_difference(model, reference.session, encoded, pad_id=reference.tokenizer.pad)
    if not difference < tolerance:  # not `>=`: NaN fails too
        raise ExportError(
            "the exported graph does not give the model's numbers",
            got=f"logits that differ by {difference:.2g}",
            wanted=f"less than {tolerance:g} on {len(encoded)} utterances",
            hint="This is a fault of the export or of the weights (not finite, or huge), not of the settings; nothing was written",
        )
    log.info("the graph and torch differ by %.1e on %d utterances", difference, len(encoded))
    # Rounded, so that a metric does not change with the order in which a processor adds.
    return {"max_abs_diff": float(f"{difference:.0e}"), "utterances": len(encoded)}


@torch.inference_mode()
def max_difference(model: NLU, session: ort.InferenceSession, encoded: Sequence[Encoded], *, pad_id: int) -> float:
    """The largest absolute difference of any logit, padding left out, between `model` in torch and its graph.

    Utterances run in the order given, `PARITY_BATCH` at a time, so that short ones are padded. NaN where either gives NaN.
    """
    largest = 0.0
    for start in range(0, len(encoded), PARITY_BATCH):
        ids_BL, mask_BL = pad([e.ids for e in encoded[start : start + PARITY_BATCH]], pad_id=pad_id)
        wanted = model(torch.from_numpy(ids_BL).flatten(), Layout.padded(torch.from_numpy(mask_BL)))
        found = run_session(session, ids_BL, mask_BL)
        tokens_T = mask_BL.astype(bool).flatten()
        pairs = [
            (found.intents_BI, wanted.intents_BI.numpy()),
            (found.slots_BLS.reshape(len(tokens_T), -1)[tokens_T], wanted.slots_TS.numpy()[tokens_T]),
        ]
        assert (found.domains_BC is None) == (wanted.domains_BC is None)
        if found.domains_BC is not None and wanted.domains_BC is not None:
            pairs.append((found.domains_BC, wanted.domains_BC.numpy()))
        assert all(ours.shape == theirs.shape for ours, theirs in pairs)  # else the differences below would broadcast
        largest = float(np.max([largest, *(np.abs(ours - theirs).max() for ours, theirs in pairs)]))  # keeps NaN
    return largest


def _compare(reference: Runtime, exported: Runtime, gold: Sequence[Interpretation], *, max_drop: float) -> dict[str, Any]:
    """How often the exported model says what the float one says, and what that costs where gold labels are known."""
    texts = [g.text for g in gold] or list(PROBES)
    langs = [g.locale or None for g in gold] or None
    wanted = reference.batch(texts, langs)
    found = wanted if exported is reference else exported.batch(texts, langs)
    same = counts(wanted, found).mean(axis=0)
    metrics: dict[str, Any] = {
        "precision": exported.settings.precision,
        "agreement": {
            "intent": round(100 * float(same[COUNTS.index("intents")]), 2),
            "exact": round(100 * float(same[COUNTS.index("exact")]), 2),
            "utterances": len(texts),
        },
    }
    if gold:
        metrics["exact_match"] = _drop_gate(gold, wanted, found, max_drop=max_drop)
    return metrics


def _drop_gate(
    gold: Sequence[Interpretation], wanted: Sequence[Interpretation], found: Sequence[Interpretation], *, max_drop: float
) -> dict[str, dict[str, float]]:
    """Exact match per locale, in percent, of the float and of the exported model. Raises ExportError where it falls too far."""
    exact = COUNTS.index("exact")
    before, after, of = Counter[str](), Counter[str](), Counter[str]()
    for g, w, f in zip(gold, counts(gold, wanted)[:, exact], counts(gold, found)[:, exact], strict=True):
        of[g.locale] += 1
        before[g.locale] += int(w)
        after[g.locale] += int(f)
    for locale, n in of.items():
        lost = before[locale] - after[locale]
        if lost > max(1, max_drop * n / 100):
            raise ExportError(
                "the quantised model understands too much less than the model it came from",
                where=locale or None,
                got=f"{100 * lost / n:.2f} points of exact match lost on {n} utterances",
                wanted=f"at most {max_drop:g}",
                hint="Export with weight_bits=8 or precision='fp32', or allow more with max_drop; nothing was written",
            )
    return {
        locale: {"float": round(100 * before[locale] / n, 2), "exported": round(100 * after[locale] / n, 2), "n": n}
        for locale, n in sorted(of.items())
    }


def _weights(graph: bytes) -> dict[str, dict[str, int]]:
    """Tensors and bytes of the graph's weights by type."""
    types = {1: "float32", 3: "int8", 7: "int64"}
    tensors, sizes = Counter[str](), Counter[str]()
    for weight in ModelProto.FromString(graph).graph.initializer:
        kind = types.get(weight.data_type, str(weight.data_type))
        tensors[kind] += 1
        sizes[kind] += len(weight.raw_data)
    return {kind: {"tensors": tensors[kind], "bytes": sizes[kind]} for kind in sorted(tensors)}
