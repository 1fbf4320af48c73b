"""Files of one node, read by the package that defines the format."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import numpy_helper

from recdistill.bundle.onnx_writer import model


def written(width: int) -> onnx.ModelProto:
    table = np.arange(3 * width, dtype=np.int8).reshape(width, 3)
    data = model(
        "MatMulInteger",
        inputs={"states": (np.uint8, ("rows", width))},
        constants={"table": table, "zero": np.array(7, np.uint8)},
        output=("products", np.int32, ("rows", 3)),
    )
    return onnx.load_from_string(data)


def test_the_onnx_package_finds_nothing_wrong() -> None:
    for width in (1, 127, 128, 300):  # sizes of one, of two and of three bytes
        onnx.checker.check_model(written(width), full_check=True)


def test_it_says_what_was_meant() -> None:
    found = written(300)
    (node,) = found.graph.node
    assert (node.op_type, list(node.input)) == ("MatMulInteger", ["states", "table", "zero"])
    table, zero = map(numpy_helper.to_array, found.graph.initializer)
    np.testing.assert_array_equal(table, np.arange(900).astype(np.int8).reshape(300, 3))
    assert zero.shape == ()
    assert zero == 7
    sizes = found.graph.input[0].type.tensor_type.shape.dim
    assert (sizes[0].dim_param, sizes[1].dim_value) == ("rows", 300)
