"""The export stage: a fine-tuned model becomes a runtime that needs no torch.

Nothing is written unless it passes its gates:
- the float graph gives torch's numbers, within `tolerance`, on real utterances, padded and cut off ones among them;
- where a set of labels is named, the exported model loses at most `max_drop` points of exact match in any locale, as far as so many
  utterances can tell (`gates.by_chance`).
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

from onnx import ModelProto
from pydantic import Field, field_validator, model_validator

from understudy.artifact import Artifact, Draft
from understudy.config import LabelsRef, NluRef, StageConfig
from understudy.corpus.utterances import read_partition
from understudy.errors import ArtifactError, ExportError
from understudy.export.gates import parity_gate
from understudy.export.graph import Part, Quantisation, write_graph
from understudy.export.sweep import SWEEP, Judge, Made, engines, fastest
from understudy.export.trim import TrimConfig, coverage, trimmed
from understudy.interpretation import Interpretation
from understudy.model.foreign import ForeignEncoder
from understudy.model.nlu import NLUSettings, Predictor, load_nlu, read_settings
from understudy.runtime.decode import Labels
from understudy.runtime.session import Runtime, RuntimeSettings, Session, start_session
from understudy.runtime.vnni import VnniSession, available
from understudy.tokenizer import Tokenizer
from understudy.tokenizer.runtime import FILE as TOKENIZER

__all__ = ["PROBES", "ExportConfig", "run"]

log = logging.getLogger(__name__)

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
    per: what has a scale of its own, each "column" of a matrix or the whole "tensor". float32: parts of an int8 model that stay
    float: "words" (the embedding), "attention", "ffn_in", "ffn_out", "heads".
    sweep: try several ways to int8 on the `check` labels and export the fastest that passes, here and now on one thread; ways within
    5 % of it count as fast as it, and the first of them is taken. A list of tables with `weight_bits`, `per` and `float32`, or true for
    7 and 8 bits per column and per tensor, then parts in float. All are recorded under `sweep` in the metrics. Choose on labels that
    nothing is reported on: partition = "held".
    trim: keep only the words of the vocabulary that some text uses: the name of a corpus or labels stage, or a table with `corpora`,
    `partitions` (["train"]), `languages` (all) and `min_count` (1). Single characters stay, so that all text has a spelling.
    tolerance: largest difference of a logit between torch and the float graph. check: labels whose `partition` the exported
    model is scored on. partition: of `check`. max_drop: points of exact match it may lose there in any locale, or in all together,
    beyond what chance does (a one-sided sign test over the utterances that changed, at 5 %). otherwise: what to export where it loses
    more than `max_drop`, said in a warning and recorded as `refused` in the metrics; by default the export fails.
    """

    kind: Literal["export"] = "export"
    model: NluRef
    precision: Literal["fp32", "int8"] = "int8"
    otherwise: Literal["fp32"] | None = None
    weight_bits: Literal[7, 8] = 7
    per: Literal["column", "tensor"] = "column"
    float32: tuple[Part, ...] = ()
    sweep: bool | tuple[Quantisation, ...] = False
    trim: TrimConfig | None = None
    tolerance: float = Field(default=1e-3, gt=0)
    check: LabelsRef | None = None
    partition: str = "dev"
    max_drop: float = Field(default=0.3, ge=0)

    @field_validator("trim", mode="before")
    @classmethod
    def _one_corpus(cls, trim: Any) -> Any:
        return {"corpora": [trim]} if isinstance(trim, str) else trim

    @model_validator(mode="after")
    def _sweep_measures(self) -> ExportConfig:
        if self.sweep and (self.check is None or self.precision == "fp32"):
            raise ValueError('`sweep` chooses among ways to int8 by labels: it needs `check`, and precision = "int8"')
        return self

    def ways(self) -> tuple[Quantisation, ...]:
        """The ways to int8 to be tried; none where the weights stay float."""
        if self.precision == "fp32":
            return ()
        if self.sweep is True:
            return SWEEP
        return self.sweep or (Quantisation(weight_bits=self.weight_bits, per=self.per, float32=self.float32),)


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
    whole, settings = Tokenizer.load(source), read_settings(source)
    gold = _gold(config, inputs)
    asked = [(g.text, g.locale) for g in gold] or [(text, "") for text in PROBES]
    found = None if config.trim is None else trimmed(config.trim, inputs, source / TOKENIZER, whole, settings)
    kept, tokenizer = (None, whole) if found is None else (found.kept, found.tokenizer)

    def made(way: Quantisation | None, threads: int | None = None) -> Made:
        graph = _graph_bytes(write_graph(model, way, kept=kept, max_length=settings.max_length))
        precision = "fp32" if way is None else "int8"
        runtime = _runtime(start_session(graph, threads=threads), tokenizer, labels, settings, precision)
        wholly_int8 = way is not None and not way.float32
        kernel = _runtime(VnniSession(graph), tokenizer, labels, settings, precision) if wholly_int8 and available() else None
        return Made(way, graph, runtime, kernel)

    plain = made(None)
    draft.metrics["parity"] = parity_gate(model, plain.runtime, [text for text, _ in asked], config.tolerance, kept=kept)
    if found is not None:
        draft.metrics["trim"] = {"ids": len(found.kept), "of": whole.size, **coverage(found, whole, settings, asked)}
    # With all its words the float graph has just been shown to be the model; a trimmed one may understand less.
    original = plain.runtime if found is None else Predictor(model, labels, whole, settings)
    judge = Judge(
        original, gold or [Interpretation(text, "") for text, _ in asked], labelled=bool(gold), max_drop=config.max_drop
    )
    exported, measured = _chosen(config, made, judge, plain)
    draft.metrics |= measured
    if "refused" in measured.get("vnni", {}):
        log.warning("ONNX Runtime alone will serve this model, not the faster kernel: %s", measured["vnni"]["refused"])
    (draft.path / "model.onnx").write_bytes(exported.graph)
    (draft.path / TOKENIZER).write_bytes((source / TOKENIZER).read_bytes() if found is None else found.serialized)
    labels.save(draft.path / "labels.json")
    described = exported.runtime.settings.model_copy(update={"engines": engines(measured)})
    (draft.path / "runtime.json").write_text(described.model_dump_json(indent=2) + "\n", encoding="utf-8")
    draft.metrics["bytes"] = sum(file.stat().st_size for file in draft.path.iterdir())
    draft.metrics["weights"] = _weights(exported.graph)
    draft.tokenizer = inputs[config.model].manifest.tokenizer if found is None else tokenizer.hash


def _chosen(
    config: ExportConfig, made: Callable[[Quantisation | None, int | None], Made], judge: Judge, plain: Made
) -> tuple[Made, dict[str, Any]]:
    """What is exported, and what is known of it. Raises ExportError where no way passes and nothing else may be exported."""
    if not config.ways():
        return plain, judge.passed(plain)
    try:
        if config.sweep:
            return fastest(config.ways(), made, judge)
        [way] = config.ways()
        quantised = made(way, None)
        return quantised, judge.passed(quantised)
    except ExportError as refused:
        if config.otherwise is None:
            raise
        log.warning("exporting %s instead of %s: %s", config.otherwise, config.precision, refused)
        return plain, {"refused": str(refused), **judge.passed(plain)}


def _gold(config: ExportConfig, inputs: Mapping[str, Artifact]) -> list[Interpretation]:
    if config.check is None:
        return []
    labels = inputs[config.check].path
    gold = read_partition(labels, config.partition)
    if not gold:
        raise ArtifactError("there are no labels to check the exported model by", where=labels, got=f"none in {config.partition}")
    return gold


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


def _runtime(session: Session, tokenizer: Tokenizer, labels: Labels, settings: NLUSettings, precision: str) -> Runtime:
    kept = settings.model_dump(include={"max_length", "spoken", "lower", "threshold"})
    described = RuntimeSettings(precision=precision, **kept)
    return Runtime(Path(), session, tokenizer, labels, described, hash="")


def _weights(graph: bytes) -> dict[str, dict[str, int]]:
    """Tensors and bytes of the graph's weights by type."""
    types = {1: "float32", 3: "int8", 7: "int64"}
    tensors, sizes = Counter[str](), Counter[str]()
    for weight in ModelProto.FromString(graph).graph.initializer:
        kind = types.get(weight.data_type, str(weight.data_type))
        tensors[kind] += 1
        sizes[kind] += len(weight.raw_data)
    return {kind: {"tensors": tensors[kind], "bytes": sizes[kind]} for kind in sorted(tensors)}
