"""The reader of ONNX's wire format, against the onnx package."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from recdistill.bundle.onnx_file import require_harmless
from recdistill.errors import BundleError

MATRIX = np.arange(12, dtype=np.float32).reshape(4, 3)


def outside(name: str = "outside") -> TensorProto:
    """A tensor whose data lie in another file."""
    tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=[1])
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../etc/passwd")
    return tensor


def graph(*initializers: TensorProto, nodes: tuple = ()) -> onnx.GraphProto:
    output = helper.make_tensor_value_info("table", TensorProto.FLOAT, None)
    return helper.make_graph(list(nodes), "graph", [], [output], list(initializers))


def constant(tensor: TensorProto) -> onnx.NodeProto:
    return helper.make_node("Constant", [], ["x"], value=tensor)


def conditional(inner: onnx.GraphProto) -> onnx.NodeProto:
    return helper.make_node("Either", ["c"], ["y"], then_branch=inner, else_branch=graph())


def plain() -> onnx.ModelProto:
    return helper.make_model(graph(numpy_helper.from_array(MATRIX, "table")))


def in_function() -> onnx.ModelProto:
    model = plain()
    model.functions.add(name="f").node.append(constant(outside()))
    return model


def in_training() -> onnx.ModelProto:
    model = plain()
    model.training_info.add().algorithm.CopyFrom(graph(outside()))
    return model


def in_sparse() -> onnx.ModelProto:
    model = plain()
    model.graph.sparse_initializer.add().indices.CopyFrom(outside())
    return model


def only_the_entry() -> onnx.ModelProto:
    tensor = outside()
    tensor.ClearField("data_location")
    return helper.make_model(graph(tensor))


def only_the_location() -> onnx.ModelProto:
    tensor = outside()
    tensor.ClearField("external_data")
    return helper.make_model(graph(tensor))


def in_attribute_lists() -> onnx.ModelProto:
    node = helper.make_node("Custom", [], ["x"])
    node.attribute.add(name="many", type=onnx.AttributeProto.TENSORS).tensors.append(outside())
    return helper.make_model(graph(nodes=(node,)))


def in_graph_lists() -> onnx.ModelProto:
    node = helper.make_node("Custom", [], ["x"])
    node.attribute.add(name="many", type=onnx.AttributeProto.GRAPHS).graphs.append(graph(outside()))
    return helper.make_model(graph(nodes=(node,)))


@pytest.mark.parametrize(
    "make",
    [
        lambda: helper.make_model(graph(outside())),
        lambda: helper.make_model(graph(nodes=(constant(outside()),))),
        lambda: helper.make_model(graph(nodes=(conditional(graph(outside())),))),
        lambda: helper.make_model(
            graph(nodes=(conditional(graph(nodes=(conditional(graph(outside())),))),))
        ),
        in_function,
        in_training,
        in_sparse,
        only_the_entry,
        only_the_location,
        in_attribute_lists,
        in_graph_lists,
    ],
)
def test_external_data_are_found_wherever_they_hide(make: Callable[[], onnx.ModelProto]) -> None:
    with pytest.raises(BundleError, match="outside its file"):
        require_harmless(make().SerializeToString())


def test_a_model_of_one_file_passes(bundle_folder: Path) -> None:
    require_harmless(plain().SerializeToString())
    require_harmless((bundle_folder / "model.onnx").read_bytes())


def test_external_may_not_hide_behind_what_follows() -> None:
    """Protobuf readers take the last of repeated scalars, but not all readers are Protobuf's."""
    first = TensorProto(data_location=TensorProto.EXTERNAL).SerializeToString()
    tensor = first + TensorProto(data_location=TensorProto.DEFAULT).SerializeToString()
    inner = b"\x2a" + bytes([len(tensor)]) + tensor
    with pytest.raises(BundleError, match="outside its file"):
        require_harmless(b"\x3a" + bytes([len(inner)]) + inner)


def test_bottomless_graphs_are_refused_without_descending() -> None:
    message = b""
    for _ in range(2_000):
        for field in (0x32, 0x2A, 0x0A):  # graph of an attribute, of a node, of a graph
            size, length = len(message), b""
            while size > 127:
                length, size = length + bytes([size & 127 | 128]), size >> 7
            message = bytes([field]) + length + bytes([size]) + message
    size, length = len(message), b""
    while size > 127:
        length, size = length + bytes([size & 127 | 128]), size >> 7
    with pytest.raises(BundleError, match="nested too deeply"):
        require_harmless(b"\x3a" + length + bytes([size]) + message)


@given(data=st.binary(max_size=80))
@example(b"\x3a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")
@example(b"\x3a\x80")
@example(b"\xff" * 12)
@example(b"\x38\x01")
@example(b"\x00\x01")
@example(b"\x3b")
@example(b"\x39\x00")
def test_any_bytes_end_in_an_answer(data: bytes) -> None:
    with contextlib.suppress(BundleError):
        require_harmless(data)


@given(data=st.data())
def test_a_damaged_model_never_crashes_the_reader(data: st.DataObject) -> None:
    whole = bytearray(helper.make_model(graph(outside())).SerializeToString())
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(BundleError):
        require_harmless(bytes(whole))
