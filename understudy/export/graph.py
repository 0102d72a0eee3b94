"""A fine-tuned model as an ONNX graph, written node by node from its weights.

The graph is written, not traced: it has some sixty nodes where a traced one has two hundred, is faster by a quarter in
int8, is made in milliseconds, and equal weights give equal bytes. What keeps it true to the model is the parity gate of
`export.py`. Attention and quantised products are ONNX Runtime's own operators (domain com.microsoft).

int8: each column of a weight matrix gets its own scale, or the whole matrix one, and each row (token) of the word embedding too;
activations are quantised as they come. Embedding rows become float again once gathered, so that only rows in use are ever converted.

Shapes: B sequences, L positions, D width, F columns of a weight matrix, H heads, V vocabulary, I intents, S slot tags,
C domains.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper, numpy_helper
from torch import Tensor, nn

from understudy.config import Config
from understudy.model.encoder import POSITION_OFFSET, Block, Encoder
from understudy.model.heads import NLU
from understudy.runtime.session import DOMAINS, INPUTS, OUTPUTS

__all__ = ["OPSET", "Part", "Quantisation", "quantise", "write_graph"]

Part = Literal["words", "attention", "ffn_in", "ffn_out", "heads"]
"""Weights that can stay float: the word embedding; query, key, value and output projections; a block's two layers; all heads."""
OPSET = 17
IR_VERSION = 8  # the one that belongs to this opset: every supported ONNX Runtime reads it
MICROSOFT = "com.microsoft"
Floats = NDArray[np.float32]


class Quantisation(Config):
    """How weights become integers.

    weight_bits: of a matrix weight; with 7, no processor's 8-bit products can saturate. per: what has a scale of its own, each "column"
    of a matrix or the whole "tensor". float32: parts that stay as they are.
    """

    weight_bits: Literal[7, 8] = 7
    per: Literal["column", "tensor"] = "column"
    float32: tuple[Part, ...] = ()

    def __str__(self) -> str:
        kept = f", {' and '.join(self.float32)} in fp32" if self.float32 else ""
        return f"{self.weight_bits} bits per {self.per}{kept}"


def write_graph(
    model: NLU,
    quantisation: Quantisation | None = None,
    *,
    kept: NDArray[np.int64] | None = None,
    max_length: int | None = None,
) -> ModelProto:
    """The graph that computes `model`.

    Inputs are int64 `input_ids` [B, L] and `attention_mask` [B, L] (1 at tokens, then 0 at padding), outputs float32
    `intent_logits` [B, I] and `slot_logits` [B, L, S], then `domain_logits` [B, C] where the model has that head; B and L
    are free, L up to `max_length`.

    Args:
        model: the model, on the CPU.
        quantisation: of its weights; None leaves them float.
        kept: the words of the graph, as ids of the model; None keeps all. Word i of the graph is the model's `kept[i]`.
        max_length: positions to keep; None keeps the encoder's.
    """
    assert isinstance(model.encoder, Encoder), "only encoders of ours have a graph"
    graph = _Graph(quantisation)
    w_VD = model.encoder.words.weight.detach().float().numpy()
    w_VD = w_VD if kept is None else w_VD[kept]
    h_BLD = _encoder(graph, model.encoder, w_VD, max_length or model.encoder.config.max_length)
    pooled_BD = _mean(graph, h_BLD) if model.pooling == "mean" else _first(graph, h_BLD)
    _head(graph, pooled_BD, model.heads["intent"], name="intent", output=OUTPUTS[0])
    _head(graph, h_BLD, model.heads["slots"], name="slots", output=OUTPUTS[1])
    intents, tags = model.outputs
    shapes: dict[str, list[str | int]] = dict(zip(OUTPUTS, (["B", intents], ["B", "L", tags]), strict=True))
    if model.domains:
        _head(graph, pooled_BD, model.heads["domain"], name="domain", output=DOMAINS)
        shapes[DOMAINS] = ["B", model.domains]
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, ["B", "L"]) for name in INPUTS]
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()]
    body = helper.make_graph(graph.nodes, "understudy", inputs, outputs, graph.weights)
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(MICROSOFT, 1)]
    written: ModelProto = helper.make_model(body, opset_imports=opsets, ir_version=IR_VERSION, producer_name="understudy")
    return written


def quantise(w_DF: Floats, *, bits: int, per: str = "column") -> tuple[NDArray[np.int8], Floats]:
    """Integers [D, F] and one scale per column [F], or one of all [], with `integers * scale` nearest to `w_DF`, symmetric about zero."""
    largest = 2 ** (bits - 1) - 1
    highest = np.abs(w_DF).max(axis=0 if per == "column" else None, initial=0)
    scale = np.asarray(np.maximum(highest, np.float32(1e-12)) / np.float32(largest), np.float32)
    return np.clip(np.rint(w_DF / scale), -largest, largest).astype(np.int8), scale


class _Graph:
    """Nodes and weights in the order they were added. `quantisation` is None for float weights."""

    def __init__(self, quantisation: Quantisation | None) -> None:
        self.quantisation = quantisation
        self.nodes: list[Any] = []
        self.weights: list[Any] = []

    def quantised(self, part: Part) -> Quantisation | None:
        """How the weights of a part become integers; None where they stay float."""
        return None if self.quantisation is None or part in self.quantisation.float32 else self.quantisation

    def matrix(self, w_DF: Floats, name: str, how: Quantisation) -> tuple[str, str, str]:
        """Names of a quantised matrix, its scales and its zero points."""
        q_DF, scale = quantise(w_DF, bits=how.weight_bits, per=how.per)
        zero = np.zeros(scale.shape, np.int8)
        return self.weight(f"{name}.weight", q_DF), self.weight(f"{name}.scale", scale), self.weight(f"{name}.zero", zero)

    def weight(self, name: str, value: Tensor | NDArray[Any]) -> str:
        array = value.detach().float().numpy() if isinstance(value, Tensor) else value
        self.weights.append(numpy_helper.from_array(np.asarray(array, order="C"), name))
        return name

    def op(self, kind: str, inputs: Sequence[str], name: str, *, domain: str = "", **attributes: Any) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [name], name=name, domain=domain, **attributes))
        return name

    def linear(self, x: str, layer: nn.Linear, name: str, part: Part, *, bias: bool = True) -> str:
        """x W + b over the last axis; without `bias`, the caller adds it."""
        w_DF = layer.weight.detach().float().numpy().T
        if (how := self.quantised(part)) is not None:
            inputs = [x, *self.matrix(w_DF, name, how)]
            inputs += [self.weight(f"{name}.bias", layer.bias)] if bias else []
            return self.op("DynamicQuantizeMatMul", inputs, name, domain=MICROSOFT)
        product = self.op("MatMul", [x, self.weight(f"{name}.weight", w_DF)], f"{name}.product" if bias else name)
        return self.op("Add", [product, self.weight(f"{name}.bias", layer.bias)], name) if bias else product

    def linear_gelu(self, x: str, layer: nn.Linear, name: str, part: Part) -> str:
        """gelu(x W + b), the exact GELU."""
        product = self.linear(x, layer, f"{name}.product", part, bias=False)
        return self.op("BiasGelu", [product, self.weight(f"{name}.bias", layer.bias)], name, domain=MICROSOFT)

    def norm(self, x: str, layer: nn.LayerNorm, name: str) -> str:
        scale, shift = self.weight(f"{name}.weight", layer.weight), self.weight(f"{name}.bias", layer.bias)
        return self.op("LayerNormalization", [x, scale, shift], name, axis=-1, epsilon=layer.eps)


def _encoder(graph: _Graph, encoder: Encoder, w_VD: Floats, max_length: int) -> str:
    h_BLD = graph.norm(_embeddings(graph, encoder, w_VD, max_length), encoder.embedding_norm, "embedding_norm")
    mask_BL = graph.op("Cast", [INPUTS[1]], "mask", to=TensorProto.INT32)
    for index, block in enumerate(encoder.blocks):
        assert isinstance(block, Block)
        h_BLD = _block(graph, h_BLD, mask_BL, block, name=f"blocks.{index}")
    return graph.norm(h_BLD, encoder.final_norm, "final_norm")


def _embeddings(graph: _Graph, encoder: Encoder, w_VD: Floats, max_length: int) -> str:
    """Word plus position; the one row of token types is folded into the positions, which begin after their offset."""
    if graph.quantised("words") is not None:
        q_DV, scale_V = quantise(w_VD.T, bits=8)  # never multiplied as integers, so all 8 bits are safe
        rows = graph.op("Gather", [graph.weight("words.weight", q_DV.T), INPUTS[0]], "words.rows")
        floats = graph.op("Cast", [rows], "words.floats", to=TensorProto.FLOAT)
        scales = graph.op("Gather", [graph.weight("words.scale", scale_V[:, None]), INPUTS[0]], "words.scales")
        words_BLD = graph.op("Mul", [floats, scales], "words")
    else:
        words_BLD = graph.op("Gather", [graph.weight("words.weight", w_VD), INPUTS[0]], "words")
    end = min(max_length, encoder.config.max_length) + POSITION_OFFSET
    table_LD = encoder.positions.weight[POSITION_OFFSET:end] + encoder.token_type.weight
    length = graph.op("Shape", [INPUTS[0]], "length", start=1, end=2)
    bounds = [graph.weight("positions.first", np.array([0])), length]
    positions_LD = graph.op("Slice", [graph.weight("positions.weight", table_LD), *bounds], "positions")
    return graph.op("Add", [words_BLD, positions_LD], "embeddings")


def _block(graph: _Graph, h_BLD: str, mask_BL: str, block: Block, *, name: str) -> str:
    # Add and LayerNormalization stay apart: ONNX Runtime's SkipLayerNormalization is three times slower than both on a CPU.
    normed = graph.norm(h_BLD, block.attention_norm, f"{name}.attention_norm")
    attended = _attention(graph, normed, mask_BL, block.attention.qkv, block.attention.heads, name=f"{name}.attention")
    update = graph.linear(attended, block.attention.out, f"{name}.attention.out", "attention")
    h_BLD = graph.op("Add", [h_BLD, update], f"{name}.after_attention")
    normed = graph.norm(h_BLD, block.ffn_norm, f"{name}.ffn_norm")
    inner = graph.linear_gelu(normed, block.ffn_in, f"{name}.ffn_in", "ffn_in")
    update = graph.linear(inner, block.ffn_out, f"{name}.ffn_out", "ffn_out")
    return graph.op("Add", [h_BLD, update], f"{name}.after_ffn")


def _attention(graph: _Graph, x_BLD: str, mask_BL: str, qkv: nn.Linear, heads: int, *, name: str) -> str:
    """Query, key and value projections and attention in one operator."""
    w_DF = qkv.weight.detach().float().numpy().T
    bias = graph.weight(f"{name}.qkv.bias", qkv.bias)
    if (how := graph.quantised("attention")) is None:
        inputs = [x_BLD, graph.weight(f"{name}.qkv.weight", w_DF), bias, mask_BL]
        return graph.op("Attention", inputs, name, domain=MICROSOFT, num_heads=heads)
    x, x_scale, x_zero = (f"{name}.{part}" for part in ("input", "input_scale", "input_zero"))
    graph.nodes.append(helper.make_node("DynamicQuantizeLinear", [x_BLD], [x, x_scale, x_zero], name=x))
    weight, scale, zero = graph.matrix(w_DF, f"{name}.qkv", how)
    inputs = [x, weight, bias, x_scale, scale, mask_BL, x_zero, zero]
    return graph.op("QAttention", inputs, name, domain=MICROSOFT, num_heads=heads)


def _mean(graph: _Graph, h_BLD: str) -> str:
    """[B, D]: the mean over each sequence's tokens."""
    axis = graph.weight("pool.axis", np.array([1]))
    mask_BL = graph.op("Cast", [INPUTS[1]], "pool.mask", to=TensorProto.FLOAT)
    mask_B1L = graph.op("Unsqueeze", [mask_BL, axis], "pool.row")
    total_BD = graph.op("Squeeze", [graph.op("MatMul", [mask_B1L, h_BLD], "pool.sum"), axis], "pool.total")
    return graph.op("Div", [total_BD, graph.op("ReduceSum", [mask_BL, axis], "pool.count", keepdims=1)], "pool")


def _first(graph: _Graph, h_BLD: str) -> str:
    """[B, D]: each sequence's first token."""
    return graph.op("Gather", [h_BLD, graph.weight("pool.index", np.array(0))], "pool", axis=1)


def _head(graph: _Graph, x: str, head: nn.Module, *, name: str, output: str) -> None:
    *hidden, last = [layer for layer in head.modules() if isinstance(layer, nn.Linear)]
    for index, layer in enumerate(hidden):
        x = graph.linear_gelu(x, layer, f"{name}.{index}", "heads")
    graph.linear(x, last, output, "heads")
