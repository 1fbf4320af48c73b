"""A student in fewer bits: the weights of its layers, and what that does to its answers."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from jaxtyping import Float32, Float64, Shaped

from recdistill.bundle.manifest import NarrowingEntry, Precision
from recdistill.bundle.runtime import Runtime, no_candidates
from recdistill.data.sequences import Sequences
from recdistill.errors import BundleError

LEAST_KEPT: Final = 0.9
"""The share of the top ten that a narrower student must keep, on average."""
_K: Final = 10
_LARGE: Final = 1_024
"""Smaller tensors stay as they are: they are few bytes, and norms and biases among them."""


def narrowed(model: bytes, precision: Precision) -> bytes:
    """The model with its large matrices in `precision`, cast back where they are used.

    Weights only: the runtime widens them once, when it opens the file, and computes in float32. Of int8, each row
    of the matrix as it lies in the file has a scale of its own (symmetric, nearest whole number).
    """
    import onnx

    proto = onnx.load_from_string(model)
    widening: list[Any] = []
    for tensor in list(proto.graph.initializer):
        values = onnx.numpy_helper.to_array(tensor)
        if values.dtype == np.float32 and values.ndim >= 2 and values.size >= _LARGE:
            proto.graph.initializer.remove(tensor)
            widening += _narrow(proto.graph, tensor.name, values, precision, onnx)
    for place, node in enumerate(widening):
        proto.graph.node.insert(place, node)
    onnx.checker.check_model(proto, full_check=True)
    return proto.SerializeToString(deterministic=True)


def _narrow(
    graph: Any, name: str, values: Float32[np.ndarray, "*shape"], precision: Precision, onnx: Any
) -> list[Any]:
    """Put the narrow tensor into the graph, and give the nodes that make `name` of it."""

    def keep(suffix: str, array: Shaped[np.ndarray, "*any"]) -> str:
        graph.initializer.append(onnx.numpy_helper.from_array(array, name + suffix))
        return name + suffix

    def node(kind: str, source: list[str], result: str, **attributes: Any) -> Any:
        return onnx.helper.make_node(kind, source, [result], **attributes)

    wide = onnx.TensorProto.FLOAT
    if precision == "float16":
        return [node("Cast", [keep(".narrow", values.astype(np.float16))], name, to=wide)]
    largest = np.abs(values).max(axis=-1, keepdims=True)
    scales = np.where(largest > 0, largest / 127, 1).astype(np.float32)
    whole = np.clip(np.rint(values / scales), -127, 127).astype(np.int8)
    return [
        node("Cast", [keep(".narrow", whole)], name + ".whole", to=wide),
        node("Mul", [name + ".whole", keep(".scales", scales)], name),
    ]


def require_kept(wide: Runtime, narrow: Runtime, histories: Sequences) -> NarrowingEntry:
    """Compare the top tens of a student and of its narrower form.

    Raises:
        BundleError: the narrower one gives too many other items, or no numbers.
    """
    kept = _kept(wide, narrow, histories).mean()
    if not kept >= LEAST_KEPT:
        raise BundleError(
            f"In fewer bits the student keeps {kept:.1%} of its top ten; at least {LEAST_KEPT:.0%} are asked.",
            "Nothing was written. Export it with a wider precision.",
        )
    return NarrowingEntry(histories=len(histories), kept=round(float(kept), 6))


def _kept(wide: Runtime, narrow: Runtime, histories: Sequences) -> Float64[np.ndarray, " rows"]:
    """Of each row's list, the share that is in the other's too."""
    k = min(_K, wide.num_items)
    ours, theirs = (
        side.top(histories, k, filter_seen=False, candidates=no_candidates())[0]
        for side in (wide, narrow)
    )
    return (ours[:, :, None] == theirs[:, None, :]).any(axis=2).mean(axis=1)
