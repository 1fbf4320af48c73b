"""An ONNX file of one node, written without the onnx package, which servers do not have.

The wire format of Protocol Buffers; field numbers are those of onnx.proto (github.com/onnx/onnx), and never change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

_TYPES: Final[Mapping[type[np.generic], int]] = {
    np.float32: 1,
    np.uint8: 2,
    np.int8: 3,
    np.int32: 6,
}
_OPSET: Final = 18
_IR_VERSION: Final = 8

Shape = Sequence[int | str]
"""Sizes, or the names of sizes that stay free."""


def model(
    node: str,
    *,
    inputs: Mapping[str, tuple[type[np.generic], Shape]],
    constants: Mapping[str, np.ndarray],
    output: tuple[str, type[np.generic], Shape],
) -> bytes:
    """A model that computes `output = node(*inputs, *constants)`, arguments in the order given."""
    arguments = [_text(1, name) for name in (*inputs, *constants)]
    graph = [
        _message(1, [*arguments, _text(2, output[0]), _text(4, node)]),
        _text(2, "graph"),
        *(_message(5, _tensor(name, value)) for name, value in constants.items()),
        *(_message(11, _described(name, *described)) for name, described in inputs.items()),
        _message(12, _described(*output)),
    ]
    opset = _message(8, [_number(2, _OPSET)])
    return b"".join([_number(1, _IR_VERSION), _text(2, "recdistill"), _message(7, graph), opset])


def _tensor(name: str, values: np.ndarray) -> list[bytes]:
    dims = [_number(1, size) for size in values.shape]
    kind = _number(2, _TYPES[values.dtype.type])
    return [*dims, kind, _text(8, name), _bytes(9, values.tobytes())]


def _described(name: str, kind: type[np.generic], shape: Shape) -> list[bytes]:
    sizes = [
        _message(1, [_text(2, size) if isinstance(size, str) else _number(1, size)])
        for size in shape
    ]
    tensor = _message(1, [_number(1, _TYPES[kind]), _message(2, sizes)])
    return [_text(1, name), _message(2, [tensor])]


def _message(field: int, parts: Sequence[bytes]) -> bytes:
    return _bytes(field, b"".join(parts))


def _text(field: int, text: str) -> bytes:
    return _bytes(field, text.encode())


def _bytes(field: int, data: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(data)) + data


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first; all but the last are marked."""
    groups = bytearray()
    while value > 0x7F:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    groups.append(value)
    return bytes(groups)
