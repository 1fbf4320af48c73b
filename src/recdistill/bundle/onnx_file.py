"""Look into an ONNX file without the onnx package and without trusting it.

Only the wire format of Protocol Buffers is read, and of the ONNX schema only the path from a model to its tensors
(github.com/onnx/onnx, onnx.proto; field numbers never change). Nothing is decoded that is not asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from recdistill.errors import BundleError

_DEEPEST = 16
_NO_STUDENT = "No student has one. Do not use this bundle; export it again."
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_EXTERNAL_DATA, _DATA_LOCATION = 13, 14
_KIND_OF_NODE = 4
_ENDLESS = frozenset({b"Loop", b"Scan", b"If", b"SequenceMap"})
"""A student's graph has one way and no turns; these could keep a server busy for ever."""

# Message -> field number -> message: every way that leads from a model to a tensor.
_CHILDREN: Mapping[str, Mapping[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {},
}


class _Field(NamedTuple):
    number: int
    wire: int
    value: int
    data: memoryview


def require_harmless(model: bytes) -> None:
    """Refuse a model that branches or repeats, or of which any tensor, in any subgraph, says that its data lie in
    another file.

    Raises:
        BundleError: it does, or the bytes are no well-formed ONNX model.
    """
    for tensor in _tensors(memoryview(model)):
        for field in _fields(tensor):
            if field.number == _EXTERNAL_DATA or (field.number == _DATA_LOCATION and field.value):
                raise BundleError(
                    "The model refers to data outside its file, which a bundle may not.",
                    "Do not use this bundle; export it again.",
                )


def _tensors(model: memoryview) -> Iterator[memoryview]:
    """Every tensor message, wherever it lies.

    Raises:
        BundleError: a node branches or repeats.
    """
    waiting = [("model", model, 0)]
    while waiting:
        kind, message, depth = waiting.pop()
        if kind == "tensor":
            yield message
            continue
        if depth > _DEEPEST:
            raise BundleError("The model's graphs are nested too deeply.")
        children = _CHILDREN[kind]
        for field in _fields(message):
            if kind == "node" and field.number == _KIND_OF_NODE and bytes(field.data) in _ENDLESS:
                raise BundleError(
                    f"The model has a node {bytes(field.data).decode()}.", _NO_STUDENT
                )
            if field.number in children:
                _expect(field.wire == _BYTES)
                waiting.append((children[field.number], field.data, depth + 1))


def _fields(message: memoryview) -> Iterator[_Field]:
    place = 0
    while place < len(message):
        key, place = _varint(message, place)
        number, wire = key >> 3, key & 7
        _expect(number > 0)
        if wire == _VARINT:
            value, place = _varint(message, place)
            yield _Field(number, wire, value, message[:0])
            continue
        size, place = _extent(message, place, wire)
        _expect(place + size <= len(message))
        yield _Field(number, wire, 0, message[place : place + size])
        place += size


def _extent(message: memoryview, place: int, wire: int) -> tuple[int, int]:
    """The size in bytes of a field's value, and where it starts."""
    _expect(wire in (_FIXED64, _BYTES, _FIXED32))
    return _varint(message, place) if wire == _BYTES else (8 if wire == _FIXED64 else 4, place)


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    """An integer of 7-bit groups, the lowest first, and the place after it."""
    value = 0
    for shift in range(0, 70, 7):
        _expect(place < len(message))
        byte = message[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
    raise _malformed()


def _expect(well_formed: bool) -> None:
    if not well_formed:
        raise _malformed()


def _malformed() -> BundleError:
    return BundleError("The model is no well-formed ONNX file.", "Export the bundle again.")
