"""The int8 kernel against the same arithmetic in numpy, and where it serves."""

from __future__ import annotations

import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers_tiny import SENTENCES, export, random_nlu
from numpy.typing import NDArray
from onnx import numpy_helper
from scipy.special import erf

from understudy.errors import ArtifactError
from understudy.export.graph import Quantisation, write_graph
from understudy.runtime.encode import pad
from understudy.runtime.session import Runtime, run_session, start_session
from understudy.runtime.vnni import VnniSession, available, panels
from understudy.runtime.weights import read_weights

V = 70
STEP = 0.02  # where a number lies half-way between two integers the kernel and its twin may choose differently: some thousandths here
ROWS = [[0, *range(5, 5 + n), 2] for n in (1, 9, 3, 30, 0)]
needs_kernel = pytest.mark.skipif(
    not available(), reason="the int8 kernel was not compiled, or this processor has no AVX-512 VNNI"
)
Floats = NDArray[np.float64]


# Ends by SIGBUS, or says something else, where the file that was loaded is still looked at.
OVERWRITTEN = """
import sys
from pathlib import Path
from understudy.runtime.session import Runtime
runtime, texts = Runtime.load(sys.argv[1], engine=sys.argv[2]), sys.argv[3:]
said, file = runtime.batch(texts), Path(sys.argv[1]) / "model.onnx"
with file.open("r+b") as handle:
    handle.write(bytes(file.stat().st_size))
    assert runtime.batch(texts) == said
    handle.truncate(10)
assert runtime.batch(texts) == said
"""


class Slow:
    """What the kernel computes, one sequence after the other."""

    def __init__(self, graph: bytes) -> None:
        self.w, self.nodes = read_weights(graph)

    def linear(self, x_TD: Floats, name: str, bias: str) -> Floats:
        q_DF = self.w[f"{name}.weight"].astype(np.int64)
        low_T, high_T = np.minimum(x_TD.min(axis=1), 0), np.maximum(x_TD.max(axis=1), 0)
        scale_T = np.where(high_T > low_T, (high_T - low_T) / 255, 1)
        zero_T = np.rint(-low_T / scale_T)
        x_TD = np.clip(np.rint(x_TD / scale_T[:, None]) + zero_T[:, None], 0, 255) - zero_T[:, None]
        return (x_TD @ q_DF) * scale_T[:, None] * self.w[f"{name}.scale"] + self.w[f"{bias}.bias"]

    def gelu(self, x_TD: Floats, name: str) -> Floats:
        x_TF = self.linear(x_TD, f"{name}.product", name)
        return x_TF * 0.5 * (1 + erf(x_TF / np.sqrt(2)))

    def norm(self, x_TD: Floats, name: str) -> Floats:
        y_TD = x_TD - x_TD.mean(axis=1, keepdims=True)
        y_TD = y_TD / np.sqrt((y_TD**2).mean(axis=1, keepdims=True) + self.nodes[name]["epsilon"])
        return y_TD * self.w[f"{name}.weight"] + self.w[f"{name}.bias"]

    def attention(self, x_TD: Floats, name: str) -> Floats:
        T, heads = len(x_TD), int(self.nodes[name]["num_heads"])
        q_HTd, k_HTd, v_HTd = self.linear(x_TD, f"{name}.qkv", f"{name}.qkv").reshape(T, 3, heads, -1).transpose(1, 2, 0, 3)
        e_HTT = np.exp(q_HTd @ k_HTd.transpose(0, 2, 1) / np.sqrt(q_HTd.shape[2]))
        mixed_HTd = (e_HTT / e_HTT.sum(axis=2, keepdims=True)) @ v_HTd
        return self.linear(mixed_HTd.transpose(1, 0, 2).reshape(T, -1), f"{name}.out", f"{name}.out")

    def head(self, x_TD: Floats, name: str, output: str) -> Floats:
        return self.linear(self.gelu(self.gelu(x_TD, f"{name}.0"), f"{name}.1"), output, output)

    def __call__(self, ids: list[int]) -> list[Floats]:
        w = self.w
        h_TD = self.norm(w["words.weight"][ids] * w["words.scale"][ids] + w["positions.weight"][: len(ids)], "embedding_norm")
        for name in (f"blocks.{i}" for i in range(sum(key.endswith("attention_norm.weight") for key in w))):
            h_TD = h_TD + self.attention(self.norm(h_TD, f"{name}.attention_norm"), f"{name}.attention")
            inner_TF = self.gelu(self.norm(h_TD, f"{name}.ffn_norm"), f"{name}.ffn_in")
            h_TD = h_TD + self.linear(inner_TF, f"{name}.ffn_out", f"{name}.ffn_out")
        h_TD = self.norm(h_TD, "final_norm")
        pooled_1D = h_TD[:1] if "pool.index" in w else h_TD.mean(axis=0, keepdims=True)
        found = [self.head(pooled_1D, "intent", "intent_logits")[0], self.head(h_TD, "slots", "slot_logits")]
        return found + ([self.head(pooled_1D, "domain", "domain_logits")[0]] if "domain_logits.weight" in w else [])


def graph_of(*, way: Quantisation | None = None, **shape: Any) -> bytes:
    written: bytes = write_graph(random_nlu(V, **shape), way or Quantisation()).SerializeToString()
    return written


def difference(graph: bytes, rows: list[list[int]]) -> float:
    """The largest difference of any logit at a token between the kernel, all rows in one batch, and `Slow`."""
    slow, found = Slow(graph), VnniSession(graph).run(*pad(rows, pad_id=1))
    largest = 0.0
    for i, row in enumerate(rows):
        for ours, theirs in zip(found, slow(row), strict=True):
            here = ours[i, : len(row)] if ours.ndim == 3 else ours[i]
            largest = max(largest, float(np.abs(here - theirs).max()))
    return largest


@needs_kernel
@pytest.mark.parametrize("pooling", ["mean", "first"])
@pytest.mark.parametrize(
    "shape", [{}, {"layers": 1, "heads": 1, "domains": 3}, {"layers": 3, "hidden": 48, "ffn": 20, "heads": 6}]
)
def test_the_kernel_gives_the_numbers_of_its_slow_twin(pooling: str, shape: dict[str, int]):
    assert difference(graph_of(pooling=pooling, **shape), ROWS) < STEP


@needs_kernel
@pytest.mark.parametrize("per", ["column", "tensor"])
@pytest.mark.parametrize("bits", [7, 8])
def test_every_way_to_int8_is_read(bits: Any, per: Any):
    assert difference(graph_of(way=Quantisation(weight_bits=bits, per=per)), ROWS) < STEP


@needs_kernel
def test_every_number_of_rows_is_multiplied():
    graph = graph_of(layers=1)
    for n in range(1, 27):  # one tile of each size, and tiles of two sizes
        assert difference(graph, [[0, *range(5, 4 + n)]]) < STEP, n


@needs_kernel
def test_an_answer_does_not_depend_on_what_else_is_in_its_batch():
    session = VnniSession(graph_of())
    together_BI, together_BLS = session.run(*pad(ROWS, pad_id=1))
    for row, intents_I, slots_LS in zip(ROWS, together_BI, together_BLS, strict=True):
        [alone_I], [alone_LS] = session.run(*pad([row], pad_id=1))
        assert np.array_equal(alone_I, intents_I)
        assert np.array_equal(alone_LS, slots_LS[: len(row)])
        assert not slots_LS[len(row) :].any()


@needs_kernel
def test_the_kernel_is_nearer_to_the_float_graph_than_a_tenth_of_its_spread():
    model, batch = random_nlu(V), pad(ROWS, pad_id=1)
    wanted = run_session(start_session(write_graph(model).SerializeToString()), *batch).intents_BI
    found = VnniSession(write_graph(model, Quantisation(weight_bits=8)).SerializeToString()).run(*batch)[0]
    assert float(np.sqrt(np.mean((found - wanted) ** 2))) < 0.1 * float(wanted.std())


@needs_kernel
def test_ids_and_lengths_out_of_range_are_refused():
    session = VnniSession(graph_of())
    for ids, mask in ([[0, V]], [[1, 1]]), ([[0, -1]], [[1, 1]]), ([[0, 2]], [[0, 0]]), ([[0] * 41], [[1] * 41]):
        with pytest.raises(ValueError, match="out of range"):
            session.run(np.array(ids), np.array(mask))


@needs_kernel
def test_a_graph_with_float_parts_is_refused():
    for way in (Quantisation(float32=("heads",)), Quantisation(float32=("words",))):
        with pytest.raises(ArtifactError, match="not one of ours, wholly in int8"):
            VnniSession(graph_of(way=way))


@needs_kernel
@pytest.mark.parametrize(
    "name",
    [
        "words.scale",
        "positions.weight",
        "final_norm.bias",
        "blocks.0.attention.qkv.weight",
        "blocks.1.ffn_out.weight",
        "slots.1.bias",
    ],
)
def test_a_graph_whose_parts_do_not_fit_is_refused(name: str):
    graph = write_graph(random_nlu(V), Quantisation())
    [found] = [weight for weight in graph.graph.initializer if weight.name == name]
    found.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(found)[..., :-1].copy(), name))
    with pytest.raises(ArtifactError, match="not one of ours, wholly in int8"):
        VnniSession(graph.SerializeToString())


def test_panels_by_hand():
    q_DF = np.arange(5 * 33, dtype=np.int8).reshape(5, 33)
    found = panels(q_DF)
    assert (len(found), found.ctypes.data % 64) == (2 * 8 * 32, 0)  # two panels of eight inputs and 32 columns
    assert found[:8].tolist() == [*q_DF[:4, 0], *q_DF[:4, 1]]
    assert found[128:132].tolist() == [q_DF[4, 0], 0, 0, 0]
    assert found[256:264].tolist() == [*q_DF[:4, 32], 0, 0, 0, 0]


@pytest.fixture(scope="module")
def int8_dir(nlu_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export(nlu_dir, tmp_path_factory.mktemp("int8") / "runtime")


@needs_kernel
def test_the_kernel_serves_what_was_exported_for_it_on_one_thread(int8_dir: Path, runtime_dir: Path):
    assert Runtime.load(int8_dir).engine == "vnni"
    assert Runtime.load(int8_dir, engine="onnxruntime").engine == "onnxruntime"
    assert Runtime.load(int8_dir, threads=2).engine == Runtime.load(runtime_dir).engine == "onnxruntime"
    with pytest.raises(ArtifactError, match="not exported for that engine. Got: 'vnni'. Wanted: one of onnxruntime"):
        Runtime.load(runtime_dir, engine="vnni")


@pytest.mark.parametrize("engine", ["onnxruntime", pytest.param("vnni", marks=needs_kernel)])
def test_what_becomes_of_the_file_changes_no_answer(int8_dir: Path, tmp_path: Path, engine: str):
    here = shutil.copytree(int8_dir, tmp_path / "model")
    assert subprocess.run([sys.executable, "-c", OVERWRITTEN, here, engine, *SENTENCES], check=False).returncode == 0


@needs_kernel
def test_both_engines_mostly_say_the_same(int8_dir: Path):
    ours, theirs = (Runtime.load(int8_dir, engine=engine).batch(SENTENCES) for engine in ("vnni", "onnxruntime"))
    assert sum(a.intent == b.intent for a, b in zip(ours, theirs, strict=True)) > 0.8 * len(SENTENCES)
    assert np.mean([abs(a.confidence - b.confidence) for a, b in zip(ours, theirs, strict=True)]) < 0.05


@needs_kernel
def test_calls_from_many_threads_agree(int8_dir: Path):
    runtime = Runtime.load(int8_dir)
    expected = [runtime(text) for text in SENTENCES]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(runtime, SENTENCES * 8)) == expected * 8


@pytest.mark.skipif(available(), reason="the int8 kernel is here")
def test_without_the_kernel_onnx_runtime_serves_and_asking_for_it_says_why(int8_dir: Path):
    assert Runtime.load(int8_dir).engine == "onnxruntime"
    with pytest.raises(ArtifactError, match="C compiler"):
        VnniSession(int8_dir / "model.onnx")
