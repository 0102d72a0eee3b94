"""An int8 graph on our own kernel (`_vnni.c`): one core with AVX-512 VNNI, a third of the time of ONNX Runtime.

The kernel is compiled where the package is installed, if there is a C compiler; `available` says whether it is here and this processor
runs it. It reads the same `model.onnx`. Each token is quantised by its own least and largest value, where ONNX Runtime takes one range for all
tokens of a batch: answers differ a little, so `export` puts both through its gates.

Shapes: B sequences, L positions, D width, F columns of a matrix, I intents, S slot tags, C domains.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.errors import ArtifactError
from understudy.runtime.weights import read_weights

__all__ = ["VnniSession", "available"]

COLUMNS = 32  # of a panel, as in the kernel; widths of rows are multiples of it
LINE = 64  # bytes
Array = NDArray[Any]
Pointer = ctypes.c_void_p


class _Norm(ctypes.Structure):
    _fields_ = (("scale", Pointer), ("shift", Pointer), ("epsilon", ctypes.c_float))


class _Linear(ctypes.Structure):
    _fields_ = (
        *((name, Pointer) for name in ("weight", "scale", "bias", "sums")),
        ("inputs", ctypes.c_int32),
        ("outputs", ctypes.c_int32),
    )


class _Block(ctypes.Structure):
    _fields_ = (
        ("attention_norm", _Norm),
        ("qkv", _Linear),
        ("out", _Linear),
        ("ffn_norm", _Norm),
        ("ffn_in", _Linear),
        ("ffn_out", _Linear),
    )


_Head = _Linear * 3


class _Model(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_int32) for name in ("width", "heads", "blocks", "words", "positions", "pooling")),
        *((name, Pointer) for name in ("word", "word_scale", "position")),
        ("embedding_norm", _Norm),
        ("final_norm", _Norm),
        ("block", ctypes.POINTER(_Block)),
        *((name, _Head) for name in ("intent", "slots", "domain")),
    )


def available() -> bool:
    """Whether the kernel was compiled and this processor has the instructions it uses."""
    kernel = _kernel()
    return kernel is not None and bool(kernel.understudy_supported())


class VnniSession:
    """A graph whose matrices are all int8, on one core. Calls may come from several threads at once.

    widths: of the outputs: intents, tags, and domains where there is that head.
    """

    def __init__(self, model: Path | bytes, *, sha256: str | None = None) -> None:
        """`sha256` is what the bytes of `model` must hash to, where that is known.

        Raises ArtifactError where they do not, `model` is no int8 graph of ours, or the kernel is not `available`.
        """
        kernel = _kernel()
        if kernel is None or not available():
            raise ArtifactError(
                "the int8 kernel is not here", wanted="a C compiler at installation and a processor with AVX-512 VNNI"
            )
        self._kernel = kernel
        weights, nodes = read_weights(model, sha256=sha256)
        try:
            self._reader = _Reader(weights, nodes)
            self._model = self._reader.model()
        except (KeyError, ValueError) as error:
            where = None if isinstance(model, bytes) else model
            raise ArtifactError("this graph is not one of ours, wholly in int8", where=where, got=f"{error!s:.300}") from None
        heads = (self._model.intent, self._model.slots, self._model.domain)
        self.widths = [head[2].outputs for head in heads if head[2].outputs]
        self._local = threading.local()

    def run(self, ids_BL: NDArray[np.int64], mask_BL: NDArray[np.int64]) -> list[NDArray[np.float32]]:
        """Logits of intents [B, I], of tags [B, L, S] (0 at padding), and of domains [B, C] where there is that head.

        ids_BL: padded token ids. mask_BL: 1 at tokens, then 0 at padding. Raises ValueError where an id is none of the vocabulary's or
        a sequence is empty or too long.
        """
        ids_BL = np.ascontiguousarray(ids_BL, np.int64)
        lengths_B = mask_BL.sum(axis=1, dtype=np.int32)
        B, L = ids_BL.shape
        shapes = [(B, self.widths[0]), (B, L, self.widths[1]), *((B, width) for width in self.widths[2:])]
        outputs = [np.zeros(shape, np.float32) for shape in shapes]
        pointers = [each.ctypes.data for each in outputs] + [None] * (3 - len(outputs))
        scratch = self._scratch(int(lengths_B.sum()), L)
        model = ctypes.byref(self._model)
        if self._kernel.understudy_run(model, ids_BL.ctypes.data, lengths_B.ctypes.data, B, L, scratch, *pointers):
            raise ValueError(f"token ids or lengths are out of range: {ids_BL.min()} to {ids_BL.max()}, lengths {lengths_B}")
        return outputs

    def _scratch(self, tokens: int, longest: int) -> int:
        """Where this thread's room for so many tokens begins; it is kept, since fresh pages cost more than what is written there."""
        needed = self._kernel.understudy_scratch(ctypes.byref(self._model), tokens, longest)
        held: Array | None = getattr(self._local, "scratch", None)
        if held is None or len(held) < needed:
            held = self._local.scratch = _aligned(needed, np.uint8)
        return int(held.ctypes.data)


class _Reader:
    """Makes the kernel's model from an ONNX file's weights, and holds the memory it points to."""

    def __init__(self, weights: Mapping[str, Array], nodes: Mapping[str, Mapping[str, int | float]]) -> None:
        self.weights, self.nodes = weights, nodes
        self.held: list[object] = []

    def model(self) -> _Model:
        words, width = self.weights["words.weight"].shape
        positions = len(self.weights["positions.weight"])
        heads = int(self.nodes["blocks.0.attention"]["num_heads"])
        if heads < 1 or width % heads:
            raise ValueError(f"{heads} heads of a width of {width}")
        count = sum(name.endswith(".attention_norm.weight") for name in self.weights)
        blocks = (_Block * count)(*(self.block(f"blocks.{index}", width) for index in range(count)))
        self.held.append(blocks)
        return _Model(
            width=width,
            heads=heads,
            blocks=count,
            words=words,
            positions=positions,
            pooling=int("pool.index" in self.weights),
            word=self.hold(self.weight("words.weight", np.int8, words, width)),
            word_scale=self.hold(self.weight("words.scale", np.float32, words, 1).copy()),
            position=self.hold(self.weight("positions.weight", np.float32, positions, width).copy()),
            embedding_norm=self.norm("embedding_norm", width),
            final_norm=self.norm("final_norm", width),
            block=blocks,
            intent=self.head("intent", "intent_logits", width),
            slots=self.head("slots", "slot_logits", width),
            domain=self.head("domain", "domain_logits", width) if "domain_logits.weight" in self.weights else _Head(),
        )

    def weight(self, name: str, dtype: type[np.generic], *shape: int) -> Array:
        """A weight of this type and shape: the kernel reads as far as it is told, whatever there is."""
        found = self.weights[name]
        if found.dtype != dtype or found.shape != shape:
            raise ValueError(f"{name} is {found.dtype} of shape {found.shape}, not {np.dtype(dtype)} of shape {shape}")
        return found

    def block(self, name: str, width: int) -> _Block:
        inner = self.weights[f"{name}.ffn_out.weight"].shape[0]
        return _Block(
            attention_norm=self.norm(f"{name}.attention_norm", width),
            qkv=self.linear(f"{name}.attention.qkv", width, 3 * width),
            out=self.linear(f"{name}.attention.out", width, width),
            ffn_norm=self.norm(f"{name}.ffn_norm", width),
            ffn_in=self.linear(f"{name}.ffn_in.product", width, inner, bias=f"{name}.ffn_in"),
            ffn_out=self.linear(f"{name}.ffn_out", inner, width),
        )

    def head(self, name: str, output: str, width: int) -> Any:
        layers = []
        for matrix, bias in ((f"{name}.0.product", f"{name}.0"), (f"{name}.1.product", f"{name}.1"), (output, output)):
            layers.append(self.linear(matrix, width, self.weights[f"{matrix}.weight"].shape[1], bias=bias))
            width = layers[-1].outputs
        return _Head(*layers)

    def norm(self, name: str, width: int) -> _Norm:
        scale, shift = (self.row(self.weight(f"{name}.{part}", np.float32, width)) for part in ("weight", "bias"))
        return _Norm(scale, shift, self.nodes[name]["epsilon"])

    def linear(self, name: str, inputs: int, outputs: int, *, bias: str | None = None) -> _Linear:
        q_DF = self.weight(f"{name}.weight", np.int8, inputs, outputs)
        scale_F = np.broadcast_to(self.weights[f"{name}.scale"], outputs)  # one of all, where a matrix has one
        bias_F = self.weight(f"{bias or name}.bias", np.float32, outputs)
        rows = (scale_F.astype(np.float32), bias_F, q_DF.sum(axis=0, dtype=np.int32))
        return _Linear(self.hold(panels(q_DF)), *(self.row(each_F) for each_F in rows), inputs, outputs)

    def row(self, values_F: Array) -> int:
        """A row of outputs, zero beyond its width."""
        row = _aligned(-len(values_F) % COLUMNS + len(values_F), values_F.dtype)
        row[: len(values_F)] = values_F
        return self.hold(row)

    def hold(self, array: Array) -> int:
        assert array.flags.c_contiguous
        self.held.append(array)
        return int(array.ctypes.data)


def panels(q_DF: NDArray[np.int8]) -> NDArray[np.int8]:
    """A matrix in the order in which the kernel reads it: 32 columns at a time, of each four inputs side by side; zeros fill it up."""
    inputs, outputs = q_DF.shape
    padded_DF = np.pad(q_DF, ((0, -inputs % 4), (0, -outputs % COLUMNS)))
    ordered = padded_DF.reshape(-1, 4, padded_DF.shape[1] // COLUMNS, COLUMNS).transpose(2, 0, 3, 1)
    array = _aligned(padded_DF.size, np.int8)
    array[:] = ordered.ravel()
    return array


def _aligned(size: int, dtype: Any) -> Array:
    """Zeros that begin at a cache line."""
    dtype = np.dtype(dtype)
    room = np.zeros(size * dtype.itemsize + LINE, np.uint8)
    start = -room.ctypes.data % LINE
    return room[start : start + size * dtype.itemsize].view(dtype)


@cache
def _kernel() -> ctypes.CDLL | None:
    spec = find_spec("understudy.runtime._vnni")
    if spec is None or spec.origin is None:
        return None
    kernel = ctypes.CDLL(spec.origin)
    if not kernel.understudy_supported():
        return kernel
    number = ctypes.c_int
    kernel.understudy_scratch.restype = ctypes.c_size_t
    kernel.understudy_scratch.argtypes = [Pointer, number, number]
    kernel.understudy_run.argtypes = [Pointer, Pointer, Pointer, number, number, Pointer, Pointer, Pointer, Pointer]
    return kernel
