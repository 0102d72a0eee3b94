"""The written graph against torch: every shape and head, padding, quantised weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
import torch
from helpers_tiny import random_nlu
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from understudy.export.graph import Part, Quantisation, quantise, write_graph
from understudy.model.encoder import Layout
from understudy.model.heads import NLU
from understudy.runtime.encode import pad
from understudy.runtime.session import run_session, start_session

V = 70
ROWS = [[0, *range(5, 5 + n), 2] for n in (1, 9, 3, 30, 0)]


def both(model: NLU, **settings: Any) -> tuple[float, float]:
    """The largest difference of an intent logit and of a slot logit at a token, over ROWS in one padded batch."""
    session = start_session(write_graph(model, **settings).SerializeToString())
    ids_BL, mask_BL = pad(ROWS, pad_id=1)
    with torch.inference_mode():
        wanted_BI, wanted_TS, _ = model(torch.from_numpy(ids_BL).flatten(), Layout.padded(torch.from_numpy(mask_BL)))
    found_BI, found_BLS, _ = run_session(session, ids_BL, mask_BL)
    token_T = mask_BL.astype(bool).flatten()
    slots = np.abs(found_BLS.reshape(token_T.size, -1) - wanted_TS.numpy())[token_T].max()
    return float(np.abs(found_BI - wanted_BI.numpy()).max()), float(slots)


@pytest.mark.parametrize("pooling", ["mean", "first"])
@pytest.mark.parametrize("shape", [{}, {"layers": 1, "heads": 1}, {"layers": 3, "hidden": 48, "ffn": 20, "heads": 6}])
def test_the_float_graph_gives_torchs_numbers(pooling: str, shape: dict[str, int]):
    assert max(both(random_nlu(V, pooling=pooling, **shape))) < 1e-4


@pytest.mark.parametrize("per", ["column", "tensor"])
@pytest.mark.parametrize("bits", [7, 8])
def test_the_quantised_graph_gives_nearly_torchs_numbers(bits: Any, per: Any):
    model = random_nlu(V)
    with torch.inference_mode():
        scale = float(model(torch.tensor(ROWS[3]), Layout.packed([len(ROWS[3])]))[1].std())
    assert max(both(model, quantisation=Quantisation(weight_bits=bits, per=per))) < 0.25 * scale


def test_padding_changes_nothing():
    session = start_session(write_graph(random_nlu(V)).SerializeToString())
    together_BI, together_BLS, _ = run_session(session, *pad(ROWS, pad_id=1))
    for row, intents_I, slots_LS in zip(ROWS, together_BI, together_BLS, strict=True):
        [alone_I], [alone_LS], _ = run_session(session, *pad([row], pad_id=1))
        assert np.abs(alone_I - intents_I).max() < 1e-4
        assert np.abs(alone_LS - slots_LS[: len(row)]).max() < 1e-4


@pytest.mark.parametrize("way", [None, Quantisation()])
def test_equal_weights_give_equal_bytes(way: Quantisation | None):
    first, second = (write_graph(random_nlu(V), way).SerializeToString() for _ in range(2))
    assert first == second


def test_the_graph_says_what_it_takes_and_gives():
    graph = onnx.shape_inference.infer_shapes(write_graph(random_nlu(V))).graph
    shapes = {v.name: [d.dim_param or d.dim_value for d in v.type.tensor_type.shape.dim] for v in [*graph.input, *graph.output]}
    assert shapes == {
        "input_ids": ["B", "L"],
        "attention_mask": ["B", "L"],
        "intent_logits": ["B", 4],
        "slot_logits": ["B", "L", 9],
    }


@pytest.mark.parametrize("pooling", ["mean", "first"])
def test_a_domain_head_is_a_third_output(pooling: str):
    model = random_nlu(V, pooling=pooling, domains=3)
    written = write_graph(model)
    shapes = [[d.dim_param or d.dim_value for d in v.type.tensor_type.shape.dim] for v in written.graph.output]
    assert ([v.name for v in written.graph.output][2:], shapes[2]) == (["domain_logits"], ["B", 3])
    ids_BL, mask_BL = pad(ROWS, pad_id=1)
    with torch.inference_mode():
        wanted = model(torch.from_numpy(ids_BL).flatten(), Layout.padded(torch.from_numpy(mask_BL)))
    found = run_session(start_session(written.SerializeToString()), ids_BL, mask_BL)
    assert found.domains_BC is not None
    assert np.abs(found.domains_BC - wanted.domains_BC.numpy()).max() < 1e-4


def test_int8_is_a_quarter_of_fp32_in_large():
    model = random_nlu(2000, hidden=64, ffn=128)
    full, small = (write_graph(model, way).ByteSize() for way in (None, Quantisation()))
    assert 0.25 < small / full < 0.33


def test_positions_are_cut_to_the_length_asked_for():
    graph = write_graph(random_nlu(V), max_length=10).graph
    assert next(list(w.dims) for w in graph.initializer if w.name == "positions.weight") == [10, 32]


def test_quantising_by_hand():
    w_DF = np.array([[1.0, -0.2], [-2.0, 0.1]], dtype=np.float32)
    q_DF, scale_F = quantise(w_DF, bits=8)
    assert scale_F.tolist() == pytest.approx([2 / 127, 0.2 / 127])
    assert q_DF.tolist() == [[64, -127], [-127, 64]]  # 63.5 goes to the even neighbour
    q_DF, scale = quantise(np.array([[1.0, -0.2], [-2.1, 0.1]], dtype=np.float32), bits=7, per="tensor")
    assert (scale.shape, float(scale)) == ((), pytest.approx(2.1 / 63))
    assert q_DF.tolist() == [[30, -6], [-63, 3]]  # the scale is 1/30


PARTS = {
    "words": ["words.weight"],
    "attention": ["blocks.0.attention.qkv.weight", "blocks.0.attention.out.weight"],
    "ffn_in": ["blocks.0.ffn_in.product.weight"],
    "ffn_out": ["blocks.0.ffn_out.weight"],
    "heads": ["intent.0.product.weight", "intent_logits.weight", "slots.1.product.weight", "slot_logits.weight"],
}


@pytest.mark.parametrize("part", PARTS)
def test_a_part_left_float_is_float_and_no_other_is(part: Part):
    types = {w.name: w.data_type for w in write_graph(random_nlu(V), Quantisation(float32=(part,))).graph.initializer}
    floats = {name for names in PARTS.values() for name in names if types[name] == onnx.TensorProto.FLOAT}
    assert floats == set(PARTS[part])
    assert both(random_nlu(V), quantisation=Quantisation(weight_bits=8, float32=tuple(PARTS)))[0] < 1e-4  # type: ignore[arg-type]


def test_a_graph_with_fewer_words_gives_the_models_numbers_for_those():
    model, kept = random_nlu(V), np.array([0, 1, 2, 3, 4, 20, 21, 60])
    session = start_session(write_graph(model, kept=kept).SerializeToString())
    ids_BL, mask_BL = pad([[0, 5, 7, 2]], pad_id=1)
    with torch.inference_mode():
        wanted_BI = model(torch.tensor([0, 20, 60, 2]), Layout.packed([4])).intents_BI
    assert np.abs(run_session(session, ids_BL, mask_BL).intents_BI - wanted_BI.numpy()).max() < 1e-4


@given(
    hnp.arrays(np.float32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=6), elements=st.floats(-1e3, 1e3, width=32)),
    st.sampled_from([7, 8]),
)
def test_quantised_weights_are_within_half_a_step(w_DF: np.ndarray, bits: int):
    q_DF, scale_F = quantise(w_DF, bits=bits)
    assert np.abs(q_DF).max(initial=0) < 2 ** (bits - 1)
    assert (np.abs(q_DF * scale_F - w_DF) <= 0.5001 * scale_F + 1e-12).all()
