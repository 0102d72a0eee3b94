"""Weights read from an ONNX file without the onnx package, held equal to what that package reads."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import onnx
import pytest
from helpers_tiny import random_nlu
from onnx import numpy_helper

from understudy.errors import ArtifactError
from understudy.export.graph import Quantisation, write_graph
from understudy.runtime.weights import read_weights


@pytest.mark.parametrize("way", [None, Quantisation(), Quantisation(per="tensor", float32=("heads",))], ids=str)
def test_all_weights_are_those_that_onnx_reads(way: Quantisation | None, tmp_path: Path):
    graph = write_graph(random_nlu(70, domains=3), way)
    (tmp_path / "model.onnx").write_bytes(graph.SerializeToString())
    for source in (graph.SerializeToString(), tmp_path / "model.onnx"):
        found, _ = read_weights(source)
        assert list(found) == [each.name for each in graph.graph.initializer]
        for each in graph.graph.initializer:
            wanted = numpy_helper.to_array(each)
            assert (found[each.name].dtype, found[each.name].shape) == (wanted.dtype, wanted.shape)
            assert np.array_equal(found[each.name], wanted)


def test_numbers_stand_on_their_nodes():
    _, nodes = read_weights(write_graph(random_nlu(70, heads=2), Quantisation()).SerializeToString())
    assert nodes["blocks.1.attention"]["num_heads"] == 2
    assert nodes["final_norm"] == {"axis": (1 << 64) - 1, "epsilon": pytest.approx(1e-5)}  # -1 as protobuf writes it


@pytest.mark.parametrize("damage", [lambda b: b[: len(b) // 2], lambda b: b"\xff" + b, lambda b: b"no graph"])
def test_what_is_no_onnx_file_is_refused(damage, tmp_path: Path):
    (tmp_path / "model.onnx").write_bytes(damage(write_graph(random_nlu(70)).SerializeToString()))
    with pytest.raises(ArtifactError, match=r"model.onnx: this file is not an ONNX graph of ours"):
        read_weights(tmp_path / "model.onnx")


def test_what_is_read_is_what_was_hashed(tmp_path: Path):
    whole = write_graph(random_nlu(70)).SerializeToString()
    (tmp_path / "model.onnx").write_bytes(whole)
    recorded = hashlib.sha256(whole).hexdigest()
    assert "words.weight" in read_weights(tmp_path / "model.onnx", sha256=recorded)[0]
    (tmp_path / "model.onnx").write_bytes(whole[:-1] + b"\0")
    with pytest.raises(ArtifactError, match=r"model.onnx: this file was altered while it was opened. Got: sha256 .*Wanted: "):
        read_weights(tmp_path / "model.onnx", sha256=recorded)


def test_a_type_that_no_export_writes_is_refused():
    graph = write_graph(random_nlu(70))
    graph.graph.initializer.append(onnx.helper.make_tensor("other", onnx.TensorProto.DOUBLE, [1], b"\0" * 8, raw=True))
    with pytest.raises(ArtifactError, match="not an ONNX graph of ours"):
        read_weights(graph.SerializeToString())
