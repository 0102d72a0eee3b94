"""Text in, Interpretation out: an exported model on the processor, in ONNX Runtime or on our int8 kernel (`vnni`). No torch.

    nlu = Runtime.load("artifacts/student")
    nlu("wake me at six")          # Interpretation(intent="alarm_set", slots=(Slot("time", "six", 11, 14, …),), …)
    nlu.batch(["stop", "play jazz"])
    nlu.rank("wake me at six", k=3)  # [("alarm_set", 0.97), ("alarm_query", 0.02), ("calendar_set", 0.004)]

Shapes: B sequences, L positions, I intents, S slot tags, C domains.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from pydantic import Field, ValidationError

from understudy import artifact
from understudy.config import Config
from understudy.errors import ArtifactError
from understudy.interpretation import Interpretation
from understudy.limits import available_cpus
from understudy.runtime.decode import Labels, decode
from understudy.runtime.encode import Encoded, encode, encode_each, in_batches, pad
from understudy.runtime.vnni import VnniSession, available
from understudy.tokenizer import Tokenizer

__all__ = [
    "DOMAINS",
    "INPUTS",
    "OUTPUTS",
    "Engine",
    "Runtime",
    "RuntimeSettings",
    "Scored",
    "Session",
    "run_session",
    "start_session",
]

INPUTS = ("input_ids", "attention_mask")
OUTPUTS = ("intent_logits", "slot_logits")
DOMAINS = "domain_logits"  # a third output, where the model has the head
TOKENS_PER_BATCH = 2048
Engine = Literal["onnxruntime", "vnni"]
Session: TypeAlias = "ort.InferenceSession | VnniSession"


class RuntimeSettings(Config):
    """The contents of `runtime.json`: how text is made ready for the model.

    precision: of the weights. max_length: tokens the model accepts, <s> and </s> included. spoken: typed text is converted
    to its spoken form first, where the caller names the language. lower: words are lower-cased for the model. threshold:
    confidence of the intent under which an utterance is called out of domain. engines: those whose answers passed the export's gates.
    """

    precision: str
    max_length: int
    spoken: bool = False
    lower: bool = False
    threshold: float = Field(default=0.0, ge=0, le=1)
    engines: tuple[Engine, ...] = ("onnxruntime",)


class Scored(NamedTuple):
    """Logits of padded utterances, float32: intents [B, I], slots [B, L, S], and domains [B, C] where the graph gives them."""

    intents_BI: NDArray[np.float32]
    slots_BLS: NDArray[np.float32]
    domains_BC: NDArray[np.float32] | None = None


class Runtime:
    """A loaded runtime artifact. Calls may come from several threads at once."""

    def __init__(
        self,
        path: Path,
        session: Session,
        tokenizer: Tokenizer,
        labels: Labels,
        settings: RuntimeSettings,
        *,
        hash: str,
    ) -> None:
        self.path, self.session, self.tokenizer, self.labels, self.settings, self.hash = (
            path,
            session,
            tokenizer,
            labels,
            settings,
            hash,
        )

    @classmethod
    def load(cls, path: Path | str, *, threads: int | None = 1, engine: Engine | None = None) -> Runtime:
        """The runtime artifact at `path`, every file checked against its hash.

        Args:
            path: directory that `export` made.
            threads: threads one call may use, at most what the process has; 1 answers single utterances soonest. None: all
                processors that the process may use.
            engine: what runs the graph. None: "vnni" where one thread is asked for, the model was exported for it and this machine
                has it, or else "onnxruntime".

        Raises ArtifactError where it is not a runtime, is damaged, its parts do not belong together, or it cannot run on `engine`.
        """
        path = Path(path)
        manifest = artifact.peek(path)
        if manifest is not None and manifest.kind == "nlu":
            raise ArtifactError(
                "this model has not been exported",
                where=path,
                got="an nlu artifact, which needs torch",
                wanted="a runtime artifact",
                hint="Make one with `understudy export`",
            )
        opened = artifact.open(path, kind="runtime")
        settings = _read_settings(path / "runtime.json")
        labels = Labels.load(path / "labels.json")
        tokenizer = Tokenizer.load(path)
        engine = engine or ("vnni" if threads == 1 and "vnni" in settings.engines and available() else "onnxruntime")
        if engine not in settings.engines:
            got, wanted = repr(engine), f"one of {', '.join(settings.engines)}, whose answers passed the gates"
            raise ArtifactError("this model was not exported for that engine", where=path, got=got, wanted=wanted)
        model = path / "model.onnx"
        if engine == "vnni":
            # Hashed once more: what is served are the bytes that were hashed, whatever became of the file meanwhile.
            recorded = opened.manifest.files.get(model.name)
            session: Session = VnniSession(model, sha256=recorded.sha256 if recorded else None)
        else:
            session = start_session(model, threads=threads)
        _check_graph(model, session, labels)
        return cls(path, session, tokenizer, labels, settings, hash=opened.hash)

    @property
    def engine(self) -> Engine:
        """What runs the graph."""
        return "vnni" if isinstance(self.session, VnniSession) else "onnxruntime"

    def __call__(self, text: str, lang: str | None = None) -> Interpretation:
        """What `text` means. Slots are spans of `text` as given.

        Args:
            text: one utterance.
            lang: its language or locale, e.g. "en" or "en-US"; needed only to convert typed text to spoken form.

        Raises DataError where the text holds no word or no formatter knows the language.
        """
        encoded = self.encode(text, lang)
        return self._answer([encoded], [0])[0]

    def batch(self, texts: Sequence[str], langs: Sequence[str | None] | str | None = None) -> list[Interpretation]:
        """What each of `texts` means, in their order; utterances of like length run together.

        Args:
            texts: utterances, none empty.
            langs: one language for all, or one (or None) per text.

        Raises DataError as a single call does, naming the text's place, or where texts and languages differ in number.
        """
        return self.answer(encode_each(texts, langs, self.encode))

    def rank(self, text: str, lang: str | None = None, *, k: int | None = 3) -> list[tuple[str, float]]:
        """The `k` likeliest intents of `text` (all where None) with their confidences, the likeliest first.

        The first is the intent that a call gives, with its confidence. Raises DataError as a call does.
        """
        [found] = self._answer([self.encode(text, lang)], [len(self.labels.intents) if k is None else k])
        return list(found.ranking)

    def encode(self, text: str, lang: str | None = None) -> Encoded:
        """The tokens the model would see for `text`, and its words with their spans."""
        s = self.settings
        return encode(text, self.tokenizer, max_length=s.max_length, lang=lang, spoken=s.spoken, lower=s.lower)

    def answer(self, encoded: Sequence[Encoded], *, ks: Sequence[int] | None = None) -> list[Interpretation]:
        """What each of `encoded`, made by `encode`, means, in their order; utterances of like length run together.

        ks: how many of the likeliest intents each is to bring in its `ranking`; none where not given.
        """
        each = [0] * len(encoded) if ks is None else ks

        def of(indices: Sequence[int]) -> list[Interpretation]:
            return self._answer([encoded[i] for i in indices], [each[i] for i in indices])

        return in_batches(encoded, of, budget=TOKENS_PER_BATCH)

    def _answer(self, encoded: Sequence[Encoded], ks: Sequence[int]) -> list[Interpretation]:
        ids_BL, mask_BL = pad([e.ids for e in encoded], pad_id=self.tokenizer.pad)
        intents_BI, slots_BLS, domains_BC = run_session(self.session, ids_BL, mask_BL)
        domains: Sequence[NDArray[np.float32] | None] = [None] * len(encoded) if domains_BC is None else list(domains_BC)
        return [
            decode(
                e.text,
                e.words,
                i_I,
                s_LS[e.first],
                self.labels,
                domain_logits_C=d_C,
                threshold=self.settings.threshold,
                k=k,
                spoken=e.spoken,
            )
            for e, i_I, s_LS, d_C, k in zip(encoded, intents_BI, slots_BLS, domains, ks, strict=True)
        ]


def start_session(model: Path | str | bytes, *, threads: int | None = 1) -> ort.InferenceSession:
    """An ONNX Runtime session on the processor that does not spin while idle.

    Args:
        model: path of an ONNX file, or its bytes.
        threads: as in `Runtime.load`.

    Raises ArtifactError where ONNX Runtime cannot read the model.
    """
    options = ort.SessionOptions()
    available = available_cpus()
    options.intra_op_num_threads = available if threads is None else max(1, min(threads, available))
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    where = None if isinstance(model, bytes) else model
    try:
        return ort.InferenceSession(
            model if isinstance(model, bytes) else str(model), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # ONNX Runtime's own exceptions have no common base but Exception
        raise ArtifactError("ONNX Runtime cannot read this model", where=where, got=str(error).splitlines()[0][:300]) from None


def run_session(session: Session, ids_BL: NDArray[np.int64], mask_BL: NDArray[np.int64]) -> Scored:
    """Logits of padded token ids and their mask, both [B, L]."""
    if isinstance(session, VnniSession):
        return Scored(*session.run(ids_BL, mask_BL))
    ids, mask = INPUTS
    return Scored(*session.run(None, {ids: ids_BL, mask: mask_BL}))


def _read_settings(path: Path) -> RuntimeSettings:
    try:
        return RuntimeSettings.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise ArtifactError("the runtime's settings cannot be read", where=path, got=" ".join(str(error).split())[:300]) from None


def _check_graph(path: Path, session: Session, labels: Labels) -> None:
    """Inputs, outputs and their widths must be the ones this package exports, for these labels."""
    widths = session.widths if isinstance(session, VnniSession) else _widths(path, session)
    named = [len(labels.intents), len(labels.tags), len(labels.domain_names)][: len(widths)]
    if widths != named:
        got = " and ".join(f"{n} {what}" for n, what in zip(widths, ("intents", "tags", "domains"), strict=False))
        wanted = f"{' and '.join(map(str, named))}, as in labels.json"
        got = f"{got} in the graph"
        raise ArtifactError("the graph and its labels do not belong together", where=path, got=got, wanted=wanted)


def _widths(path: Path, session: ort.InferenceSession) -> list[int]:
    """Of the outputs of a graph of ours."""
    inputs = {i.name: i.type for i in session.get_inputs()}
    outputs: dict[str, Any] = {o.name: o.shape[-1] for o in session.get_outputs()}
    # In this order too: `run_session` takes them as they come.
    if inputs != dict.fromkeys(INPUTS, "tensor(int64)") or tuple(outputs) not in (OUTPUTS, (*OUTPUTS, DOMAINS)):
        got = json.dumps({"inputs": inputs, "outputs": list(outputs)})
        wanted = f"int64 inputs {' and '.join(INPUTS)}, outputs {' and '.join(OUTPUTS)}, and perhaps {DOMAINS}"
        raise ArtifactError("this graph is not one of ours", where=path, got=got, wanted=wanted)
    return list(outputs.values())
