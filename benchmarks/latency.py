"""Text to Interpretation on one core: this runtime beside the same weights in Hugging Face transformers and in plain ONNX Runtime.

    python benchmarks/latency.py [--model student-17m --vocab 150000 --tokenizer DIR --calls 1000]

Weights are random: time depends on their shapes only. What decoding has to do is set as in a fine-tuned model: 60 intents and 55 slots, as
MASSIVE has, one word in four inside a slot, and no word inside a slot that has not begun. The vocabulary is learned from nothing: it is the
words of the utterances in the order of their counts, of those met once every other one, their letters, and made-up pieces up to --vocab;
--tokenizer takes one that was trained. Utterances are timed that warming up has not shown, as in a service, so that new words are
cut into pieces while the clock runs.

Ways, in turns of a few calls so that a noisy machine disturbs all alike:
    int8                understudy.load of an export with precision = "int8", on our kernel where this machine has it
    int8-trimmed        the same with the vocabulary cut to what the utterances use
    int8-onnxruntime    the export of `int8` in ONNX Runtime, as it is served where there is no kernel
    fp32                understudy.load of an export with precision = "fp32"
    onnx                the model of transformers, traced to ONNX, in ONNX Runtime as it comes; text to tags
    eager               the model of transformers in torch eager; text to tags
The last two do less than ours: an argmax over intents and tags stands for the Interpretation with its spans and confidences.

Times are those on the clock; the column `thread` is the median of what the thread itself took, which a busy machine disturbs less.
The floor is the time that reading the int8 matrices once takes at the highest speed measured for an array of that size.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import statistics
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

# One core, decided before any library starts its threads.
os.environ["OMP_NUM_THREADS"] = "1"
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})

import numpy as np
import onnxruntime as ort
import torch
import transformers
from common import claim, finish, texts

from understudy import artifact
from understudy.export import export
from understudy.model.encoder import Encoder, Layout
from understudy.model.heads import NLU
from understudy.model.nlu import save_nlu
from understudy.model.presets import shape
from understudy.runtime.decode import Labels, decode
from understudy.runtime.encode import encode, pad
from understudy.runtime.session import Runtime, run_session
from understudy.text.words import split
from understudy.tokenizer import Tokenizer
from understudy.tokenizer.backend import SPACE, SPECIALS, build

MAX_LENGTH = 64
TURN = 20  # calls
WARM = 200  # calls of each way before anything is timed
INTENTS, SLOTS = 60, 55  # MASSIVE's
INSIDE = 0.25  # share of words in a slot
Call = Callable[[str], object]


def vocabulary(folder: Path, utterances: Sequence[str], size: int) -> Path:
    """A tokenizer artifact of about `size` ids over the words of `utterances`."""
    counts = Counter(word for text in utterances for word in split(text))
    letters = sorted({c for word in counts for c in word} | {SPACE})
    often = [w for i, (w, n) in enumerate(counts.most_common()) if len(w) > 1 and (n > 1 or i % 2)]
    room = size - len(SPECIALS) - len(letters)
    pieces = [f"{SPACE}{word}" for word in often][:room]
    pieces += [f"{SPACE}{i:x}{SPACE}" for i in range(room - len(pieces))]
    scored = [(piece, -8.0 - i / room) for i, piece in enumerate(pieces)] + [(c, -14.0) for c in letters]
    with artifact.writing(folder, kind="tokenizer", config={}) as draft:
        build(scored).save(str(draft.path / "tokenizer.json"))
        (draft.path / "tokenizer_config.json").write_text('{"tokenizer_class": "PreTrainedTokenizerFast"}')
    return folder


def corpus(folder: Path, utterances: Sequence[str]) -> Path:
    """The utterances as a labels artifact, for trimming."""
    with artifact.writing(folder, kind="labels", config={}) as draft:
        rows = (json.dumps({"text": text, "locale": "", "intent": "intent_0", "slots": []}) for text in utterances)
        (draft.path / "train.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder


def random_model(preset: str, tokenizer: Tokenizer, utterances: Sequence[str]) -> tuple[NLU, Labels]:
    """A model of that shape, its slot head told to leave three words of four outside and to begin a slot at each other one."""
    names = [f"intent_{i}" for i in range(INTENTS)]
    labels = Labels.from_inventory(names, {}, [f"slot_{i}" for i in range(SLOTS)])
    generator = torch.Generator().manual_seed(0)
    encoder = Encoder(shape(preset, tokenizer.size))
    model = NLU(encoder, INTENTS, len(labels.tags), generator=generator).eval()
    bias: torch.Tensor = model.heads["slots"][-1].bias  # type: ignore[index, assignment]
    with torch.no_grad():
        bias[2::2] -= 1e3
        rows = [encode(text, tokenizer, max_length=MAX_LENGTH) for text in utterances[:100]]
        tags = torch.cat([model(torch.tensor(r.ids), Layout.packed([len(r.ids)])).slots_TS[r.first] for r in rows])
        margins = tags[:, 1:].max(dim=1).values - tags[:, 0]
        bias[0] += margins.quantile(1 - INSIDE)
    return model, labels


def exported(nlu: Path, folder: Path, corpus: Path | None = None, **settings: Any) -> Runtime:
    """The model at `nlu` through the export stage."""
    config = export.ExportConfig.model_validate({"model": str(nlu), "weight_bits": 8, **settings})
    inputs = {str(path): artifact.open(path) for path in (nlu, corpus) if path is not None}
    with artifact.writing(folder, kind="runtime", config={}, parents=inputs) as draft:
        export.run(config, inputs, draft, seed=0)
    return Runtime.load(folder)


class Theirs(torch.nn.Module):
    """transformers' encoder under our heads."""

    def __init__(self, nlu: Path, model: NLU) -> None:
        super().__init__()
        transformers.logging.set_verbosity_error()
        self.encoder = transformers.RobertaPreLayerNormModel.from_pretrained(nlu, add_pooling_layer=False).eval()
        self.heads = model.heads

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits of intents [B, I] and of tags at each piece [B, L, S]."""
        h_BLD = self.encoder(input_ids, attention_mask).last_hidden_state
        mask_BL1 = attention_mask[:, :, None].to(h_BLD.dtype)
        return self.heads["intent"]((h_BLD * mask_BL1).sum(1) / mask_BL1.sum(1)), self.heads["slots"](h_BLD)


def eager_call(theirs: Theirs, tokenizer: Any) -> Call:
    @torch.inference_mode()
    def call(text: str) -> object:
        found = tokenizer(text, return_tensors="pt", truncation=True, max_length=MAX_LENGTH)
        intents_BI, slots_BLS = theirs(found["input_ids"], found["attention_mask"])
        return int(intents_BI.argmax()), slots_BLS[0].argmax(-1).tolist()

    return call


def onnx_call(theirs: Theirs, tokenizer: Any) -> Call:
    example = tokenizer("wake me at six", return_tensors="pt")
    file = io.BytesIO()
    axes = {0: "B", 1: "L"}
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            theirs, (example["input_ids"], example["attention_mask"]), file, dynamo=False, opset_version=17,
            input_names=["input_ids", "attention_mask"], output_names=["intents", "slots"],
            dynamic_axes={"input_ids": axes, "attention_mask": axes},
        )  # fmt: skip
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = ort.InferenceSession(file.getvalue(), options, providers=["CPUExecutionProvider"])

    def call(text: str) -> object:
        found = tokenizer(text, return_tensors="np", truncation=True, max_length=MAX_LENGTH)
        feed = {name: found[name].astype(np.int64) for name in ("input_ids", "attention_mask")}
        intents_BI, slots_BLS = session.run(None, feed)
        return int(intents_BI.argmax()), slots_BLS[0].argmax(-1).tolist()

    return call


class Times(NamedTuple):
    """Milliseconds of each call: on the clock, and of this thread alone. They differ where others want the core too."""

    clock: list[float]
    thread: list[float]


def timed(ways: dict[str, Call], utterances: Sequence[str]) -> dict[str, Times]:
    """Times of every call of every way over `utterances`."""
    found = {name: Times([], []) for name in ways}
    for start in range(0, len(utterances), TURN):
        for name, call in ways.items():
            for text in utterances[start : start + TURN]:
                began, before = time.perf_counter_ns(), time.thread_time_ns()
                call(text)
                found[name].thread.append((time.thread_time_ns() - before) / 1e6)
                found[name].clock.append((time.perf_counter_ns() - began) / 1e6)
    return found


def parts(nlu: Runtime, utterances: Sequence[str]) -> dict[str, float]:
    """Median milliseconds of this thread in the three parts of a call, each word met before."""
    spent: dict[str, list[float]] = {"encode": [], "session": [], "decode": []}
    for text in [*utterances, *utterances]:
        at = [time.thread_time_ns()]
        encoded = nlu.encode(text)
        ids_BL, mask_BL = pad([encoded.ids], pad_id=nlu.tokenizer.pad)
        at.append(time.thread_time_ns())
        scored = run_session(nlu.session, ids_BL, mask_BL)
        at.append(time.thread_time_ns())
        decode(text, encoded.words, scored.intents_BI[0], scored.slots_BLS[0][encoded.first], nlu.labels)
        at.append(time.thread_time_ns())
        for each, (began, ended) in zip(spent.values(), pairwise(at), strict=True):
            each.append((ended - began) / 1e6)
    return {name: statistics.median(each[-len(utterances) :]) for name, each in spent.items()}


def matrix_bytes(model: NLU) -> int:
    """Bytes of the int8 matrices that one call reads; of the word embedding it reads a few rows."""
    return sum(layer.weight.numel() for layer in model.modules() if isinstance(layer, torch.nn.Linear))


def at_most(name: str, ms: float, target: float) -> dict[str, object]:
    """A claim that a time is no longer than its target."""
    return {**claim(name, ms, "ms"), "target": target, "met": ms <= target}


def bandwidth(size: int) -> float:
    """Bytes a second that one core reads of an array of `size` bytes, over and over: the best of many times."""
    array = np.ones(size // 4, np.float32)
    best = float("inf")
    for _ in range(max(5, 2**30 // size)):
        began = time.perf_counter()
        np.dot(array, array)
        best = min(best, time.perf_counter() - began)
    return array.nbytes / best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="student-17m")
    parser.add_argument("--vocab", type=int, default=150_000)
    parser.add_argument("--tokenizer", type=Path, help="a tokenizer artifact, in place of the one made here")
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--without-peers", action="store_true", help="time ours only")
    a = parser.parse_args()
    torch.set_num_threads(1)
    source, rows = texts(limit=max(4 * a.calls, 2000) + WARM)
    warm, rows = rows[:WARM], rows[WARM:]
    lengths = [len(split(row)) for row in rows]
    median = statistics.median_low(lengths)
    of_median = [row for row, n in zip(rows, lengths, strict=True) if n == median]
    of_median = (of_median * (a.calls // len(of_median) + 1))[: a.calls]
    everything = rows[:: max(1, len(rows) // a.calls)][: a.calls]

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tokenizer_dir = a.tokenizer or vocabulary(folder / "tokenizer", rows + warm, a.vocab)
        tokenizer = Tokenizer.load(tokenizer_dir)
        model, labels = random_model(a.model, tokenizer, warm)
        nlu = folder / "nlu"
        with artifact.writing(nlu, kind="nlu", config={}) as draft:
            save_nlu(model, labels, draft.path, tokenizer_dir, spoken=False, max_length=MAX_LENGTH)
        int8 = exported(nlu, folder / "int8")
        used = corpus(folder / "corpus", rows + warm)
        trimmed = exported(nlu, folder / "trimmed", used, trim=str(used))
        ours = {"int8": int8, "int8-trimmed": trimmed}
        if int8.engine != "onnxruntime":
            ours["int8-onnxruntime"] = Runtime.load(int8.path, engine="onnxruntime")
        ours["fp32"] = exported(nlu, folder / "fp32", precision="fp32")
        sizes = {name: sum(f.stat().st_size for f in each.path.iterdir()) / 1e6 for name, each in ours.items()}
        ways: dict[str, Call] = dict(ours)
        if not a.without_peers:
            theirs = Theirs(nlu, model)
            fast = transformers.PreTrainedTokenizerFast(tokenizer_file=str(tokenizer_dir / "tokenizer.json"))
            ways |= {"onnx": onnx_call(theirs, fast), "eager": eager_call(theirs, fast)}
        print(
            f"{source}, {tokenizer.size:,} ids ({trimmed.tokenizer.size:,} trimmed); median {median} words, "
            f"{statistics.mean(len(int8.encode(row).ids) for row in of_median):.1f} pieces with <s> and </s>"
        )
        timed(ways, warm)
        print(f"{'ms':>16} {'p50':>8} {'p99':>8} {'p50 all':>8} {'p99 all':>8} {'thread':>8} {'MB':>8}", flush=True)
        at_median, at_all = timed(ways, of_median), timed(ways, everything)
        for way in ways:
            figures = [float(np.percentile(each[way].clock, share)) for each in (at_median, at_all) for share in (50, 99)]
            figures.append(statistics.median(at_median[way].thread))
            print(f"{way:>16} {' '.join(f'{v:8.3f}' for v in figures)} {sizes.get(way, float('nan')):8.1f}", flush=True)
        spent_by = {way: parts(each, of_median) for way, each in ours.items() if way.startswith("int8") and each is not trimmed}
        read = matrix_bytes(model)
        floor = 1e3 * read / bandwidth(read)
        for way, spent in spent_by.items():
            print(f"of {way} ({ours[way].engine}): " + ", ".join(f"{part} {ms:.3f}" for part, ms in spent.items()) + " ms")
        print(f"floor: {read / 1e6:.1f} MB of int8 weights at {read / floor / 1e6:.1f} GB/s: {floor:.3f} ms", flush=True)
    claims = []
    for way in ("int8", "int8-trimmed"):
        p50, p99 = np.percentile(at_median[way].clock, (50, 99)).tolist()
        claims += [at_most(f"{way}: p50 at {median} words", p50, 0.8), at_most(f"{way}: p99 at {median} words", p99, 1.5)]
        claims += [
            claim(f"{way}: {name} over all", v, "ms")
            for name, v in zip(("p50", "p99"), np.percentile(at_all[way].clock, (50, 99)), strict=True)
        ]
    for peer in [way for way in ways if way not in ours or way == "int8-onnxruntime"]:
        ratio = statistics.median(at_median[peer].clock) / statistics.median(at_median["int8"].clock)
        claims.append(claim(f"{peer} / int8", ratio, "x", 10.0 if peer == "eager" else None))
    claims += [claim(f"{way}: {part}", ms, "ms") for way, spent in spent_by.items() for part, ms in spent.items()]
    claims += [claim("floor", floor, "ms"), claim("int8 session / floor", spent_by["int8"]["session"] / floor, "x")]
    claims += [claim(f"{name}: artifact", size, "MB") for name, size in sizes.items()]
    finish("latency", claims)


if __name__ == "__main__":
    main()
