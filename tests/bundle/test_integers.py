"""Layers in whole numbers: what the file holds, against products written out; it answers alike, or not at all."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from recdistill.bundle.export import export
from recdistill.bundle.integers import batches, in_integers
from recdistill.bundle.loading import load_bundle
from recdistill.bundle.runtime import Runtime, padded
from recdistill.bundle.table import Table
from recdistill.compression.settings import Integers
from recdistill.data.sequences import Sequences
from recdistill.errors import BundleError

WAYS = [
    Integers(kind=kind, symmetric=symmetric, each=each)
    for kind in ("dynamic", "static")
    for symmetric in (True, False)
    for each in ("tensor", "channel")
]
WIDTH = 6


def straight(weight: np.ndarray) -> bytes:
    """A model whose state is the sum of a row's vectors, times a matrix."""
    value, kinds = helper.make_tensor_value_info, TensorProto
    graph = helper.make_graph(
        [
            helper.make_node("ReduceSum", ["vectors", "axes"], ["sums"], keepdims=0),
            helper.make_node("MatMul", ["sums", "weight"], ["states"]),
        ],
        "straight",
        [
            value("vectors", kinds.FLOAT, ["rows", "places", WIDTH]),
            value("lengths", kinds.INT64, ["rows"]),
        ],
        [value("states", kinds.FLOAT, ["rows", WIDTH])],
        [numpy_helper.from_array(weight, "weight"), numpy_helper.from_array(np.array([1]), "axes")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    return model.SerializeToString()


@pytest.fixture(scope="module")
def table() -> Table:
    return Table(np.random.default_rng(0).normal(size=(50, WIDTH)).astype(np.float32))


@pytest.fixture(scope="module")
def histories() -> Sequences:
    random = np.random.default_rng(1)
    return Sequences.from_lists([random.integers(0, 50, n).tolist() for n in [1, 2, 3, 4, 0] * 20])


def whole(values: np.ndarray, most: int, axis: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Symmetric whole numbers up to `most`, and their scales."""
    scales = np.abs(values).max(axis=axis, keepdims=axis is not None) / most
    return np.rint(values / scales), scales


@pytest.mark.parametrize("each", ["tensor", "channel"])
def test_a_dynamic_product_is_the_one_written_out(table, histories, each):
    """ONNX's DynamicQuantizeLinear by its formula, weights of 7 bits, and a product of whole numbers."""
    weight = np.random.default_rng(2).normal(size=(WIDTH, WIDTH)).astype(np.float32)
    model = in_integers(straight(weight), Integers(each=each), table, histories)
    asked = histories.take(np.array([3]))
    got = Runtime(model, table, 4).states(asked)[0]
    sums = padded(asked, table)["vectors"].sum(1)[0].astype(np.float64)
    low, high = min(sums.min(), 0), max(sums.max(), 0)
    step = (high - low) / 255
    zero = np.rint(-low / step)
    units = np.clip(np.rint(sums / step) + zero, 0, 255) - zero
    matrix, scales = whole(weight.astype(np.float64), 64, None if each == "tensor" else 0)
    expected = (units @ matrix) * step * np.ravel(scales)
    np.testing.assert_allclose(got, expected, atol=0.02 * np.abs(expected).max())
    exact = sums @ weight
    assert 0 < np.abs(got - exact).max() < 0.05 * np.abs(exact).max()


@pytest.mark.parametrize("wanted", WAYS, ids=lambda one: one.label)
def test_every_way_is_near_the_exact_and_makes_the_same_file_again(table, histories, wanted):
    weight = np.random.default_rng(3).normal(size=(WIDTH, WIDTH)).astype(np.float32)
    made = [in_integers(straight(weight), wanted, table, histories) for _ in range(2)]
    assert made[0] == made[1]
    exact = Runtime(straight(weight), table, 4).states(histories)
    found = Runtime(made[0], table, 4).states(histories)
    assert 0 < np.abs(found - exact).max() < 0.06 * np.abs(exact).max()
    kinds = {node.op_type for node in onnx.load_from_string(made[0]).graph.node}
    assert ("MatMulInteger" in kinds) == (wanted.kind == "dynamic")
    assert ("QuantizeLinear" in kinds) == (wanted.kind == "static")
    assert b"/tmp" not in made[0]


def test_scales_of_columns_keep_what_one_scale_drowns(table, histories):
    """A column a thousand times smaller than its neighbours."""
    weight = np.random.default_rng(4).normal(size=(WIDTH, WIDTH)).astype(np.float32)
    weight[:, 0] /= 1000
    exact = Runtime(straight(weight), table, 4).states(histories)[:, 0]
    errors = {
        each: np.abs(
            Runtime(in_integers(straight(weight), Integers(each=each), table, histories), table, 4)
            .states(histories)[:, 0] - exact
        ).max()
        for each in ("tensor", "channel")
    }  # fmt: skip
    assert errors["channel"] < 0.05 * np.abs(exact).max() < 0.5 * errors["tensor"]


def test_static_ranges_are_those_of_training_histories(table):
    """Shown only short histories, long ones fall out of the range; dynamic ranges follow them."""
    weight = np.eye(WIDTH, dtype=np.float32)
    shown = Sequences.from_lists([[item] for item in range(50)])
    asked = Sequences.from_lists([[7, 7, 7, 7]])
    exact = Runtime(straight(weight), table, 4).states(asked)
    errors = {}
    for kind in ("static", "dynamic"):
        model = in_integers(straight(weight), Integers(kind=kind), table, shown)
        errors[kind] = np.abs(Runtime(model, table, 4).states(asked) - exact).max()
    assert errors["dynamic"] < 0.05 * np.abs(exact).max()
    most = np.abs(table.vectors).max()
    clipped = np.maximum(np.abs(exact) - most, 0).max()
    assert clipped > 0
    assert errors["static"] >= 0.9 * clipped


def test_calibration_shows_no_padding_and_every_length(table, histories):
    found = list(batches(histories, table, 60))
    assert sum(len(one["lengths"]) for one in found) == 60
    assert {int(n) for one in found for n in one["lengths"]} == {1, 2, 3, 4}
    for one in found:
        assert (one["lengths"] == one["vectors"].shape[1]).all()


def test_without_histories_nothing_shows_the_ranges(table):
    none = Sequences.from_lists([])
    weight = np.eye(WIDTH, dtype=np.float32)
    with pytest.raises(BundleError, match="no training history"):
        in_integers(straight(weight), Integers(kind="static"), table, none)
    in_integers(straight(weight), Integers(kind="dynamic"), table, none)


@pytest.mark.parametrize("kind", ["dynamic", "static"])
def test_a_student_leaves_in_whole_numbers_and_says_so(student, tiny_dataset, tmp_path, kind):
    bundle = export(
        student, tiny_dataset, tmp_path / "b", precision="int8", encoder=Integers(kind=kind)
    )
    assert bundle.info.model.encoder == Integers(kind=kind)
    assert bundle.info.narrowing is not None
    assert bundle.info.narrowing.kept >= 0.9
    opened = load_bundle(tmp_path / "b")
    histories = tiny_dataset.valid.histories
    np.testing.assert_array_equal(opened.top(histories, 5)[0], bundle.top(histories, 5)[0])
    assert f"ranges {kind}" in (tmp_path / "b/README.md").read_text()


def test_other_bundles_say_nothing_of_it(bundle_folder):
    assert "encoder" not in (bundle_folder / "manifest.json").read_text()


def test_a_student_without_layers_is_refused(popular, tiny_dataset, tmp_path):
    with pytest.raises(BundleError, match="no product by a learned matrix"):
        export(popular, tiny_dataset, tmp_path / "b", encoder=Integers())
    assert not (tmp_path / "b").exists()
