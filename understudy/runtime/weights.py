"""The weights in an ONNX file of ours, without the `onnx` package, which serving does not need.

An ONNX file is one protobuf message (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto); the numbers below are its fields.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.errors import ArtifactError

__all__ = ["read_weights"]

AGAIN = "Export to another place and let it appear whole, or load again"
TYPES: dict[int, np.dtype[Any]] = {1: np.dtype("<f4"), 3: np.dtype("i1"), 7: np.dtype("<i8")}


def read_weights(
    model: Path | bytes, *, sha256: str | None = None
) -> tuple[dict[str, NDArray[Any]], dict[str, dict[str, int | float]]]:
    """Weights by name, read-only, and the numbers on each node by its name and theirs.

    sha256: what the bytes must hash to, in hexadecimal; None takes them as they are.

    Raises ArtifactError where it is not an ONNX file as `export` writes them, or hashes to something else.
    """
    weights, nodes = {}, {}
    where = None if isinstance(model, bytes) else model
    try:
        # Read, not mapped: who cuts a mapped file off ends this process by SIGBUS, and who writes into it changes its answers.
        data = model if isinstance(model, bytes) else model.read_bytes()
        if sha256 is not None and (found := hashlib.sha256(data).hexdigest()) != sha256:
            got, wanted = f"sha256 {found[:12]}…", f"{sha256[:12]}…"
            raise ArtifactError("this file was altered while it was opened", where=where, got=got, wanted=wanted, hint=AGAIN)
        for field, graph in _fields(memoryview(data)):
            for inner, value in _fields(graph) if field == 7 else ():
                if inner == 1:
                    name, numbers = _node(value)
                    nodes[name] = numbers
                elif inner == 5:
                    name, weights[name] = _weight(value)
    except (OSError, ValueError, IndexError, KeyError, TypeError, struct.error) as error:
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
