"""The weights in an ONNX file of ours, without the `onnx` package, which serving does not need.

An ONNX file is one protobuf message (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto); the numbers below are its fields.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.errors import ArtifactError

__all__ = ["read_weights"]

TYPES: dict[int, np.dtype[Any]] = {1: np.dtype("<f4"), 3: np.dtype("i1"), 7: np.dtype("<i8")}


def read_weights(model: Path | bytes) -> tuple[dict[str, NDArray[Any]], dict[str, dict[str, int | float]]]:
    """Weights by name, and the numbers on each node by its name and theirs.

    The weights of a path are read as they are used, and read-only: processes that load the same file share the memory.
    Raises ArtifactError where it is not an ONNX file as `export` writes them.
    """
    weights, nodes = {}, {}
    try:
        data: Any = model if isinstance(model, bytes) else np.memmap(model, np.uint8, mode="r")
        for field, graph in _fields(memoryview(data)):
            for inner, value in _fields(graph) if field == 7 else ():
                if inner == 1:
                    name, numbers = _node(value)
                    nodes[name] = numbers
                elif inner == 5:
                    name, weights[name] = _weight(value)
    except (OSError, ValueError, IndexError, KeyError, TypeError, struct.error) as error:
        where = None if isinstance(model, bytes) else model
        raise ArtifactError("this file is not an ONNX graph of ours", where=where, got=str(error)[:300]) from None
    return weights, nodes


def _fields(data: Any) -> Iterator[tuple[int, Any]]:
    """Field numbers and values of a message: an integer, or the bytes."""
    at = 0
    while at < len(data):
        key, at = _integer(data, at)
        kind = key & 7
        if kind == 0:
            value, at = _integer(data, at)
            yield key >> 3, value
            continue
        if kind == 2:
            size, at = _integer(data, at)
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
        else:
            raise ValueError(f"a field of wire type {kind}")
        if at + size > len(data):
            raise ValueError("the file ends within a field")
        yield key >> 3, data[at : at + size]
        at += size


def _integer(data: Any, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at, value, shift = at + 1, value | (byte & 127) << shift, shift + 7
        if byte < 128:
            return value, at


def _node(data: Any) -> tuple[str, dict[str, int | float]]:
    name, numbers = "", {}
    for field, value in _fields(data):
        if field == 3:
            name = str(value, "utf-8")
        elif field == 5:
            attribute = dict(_fields(value))
            if 2 in attribute:
                [numbers[str(attribute[1], "utf-8")]] = struct.unpack("<f", attribute[2])
            elif 3 in attribute:
                numbers[str(attribute[1], "utf-8")] = attribute[3]
    return name, numbers


def _weight(data: Any) -> tuple[str, NDArray[Any]]:
    dims = [value for field, value in _fields(data) if field == 1]
    rest = dict(_fields(data))
    return str(rest[8], "utf-8"), np.frombuffer(rest[9], TYPES[rest[2]]).reshape(dims)
