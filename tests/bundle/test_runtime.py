"""The runtime on a graph made by hand: which vectors reach the model, and what it promises of rows and refusals."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from recdistill.bundle.runtime import Runtime, no_candidates, padded
from recdistill.bundle.table import Table
from recdistill.data.sequences import Sequences
from recdistill.errors import BundleError, MissingExtraError

TABLE = Table(np.array([[1, 0], [2, 1], [3, -1], [4, 5]], dtype=np.float32))


def summing() -> bytes:
    """A model whose state is the sum of the vectors that it is shown; it does not look at lengths."""
    value, kinds = helper.make_tensor_value_info, TensorProto
    graph = helper.make_graph(
        [
            helper.make_node("ReduceSum", ["vectors", "axes"], ["states"], keepdims=0),
        ],
        "summing",
        [
            value("vectors", kinds.FLOAT, ["rows", "places", 2]),
            value("lengths", kinds.INT64, ["rows"]),
        ],
        [value("states", kinds.FLOAT, ["rows", 2])],
        [numpy_helper.from_array(np.array([1]), "axes")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    return model.SerializeToString()


def ask(histories: list[list[int]], k: int = 4, **options: Any) -> list[list[int]]:
    chosen = {"filter_seen": False, "candidates": no_candidates(), **options}
    items, scores = Runtime(summing(), TABLE, 2).top(Sequences.from_lists(histories), k, **chosen)
    assert ((items < 0) == (scores == -np.inf)).all()
    return items.tolist()


def test_padded_vectors() -> None:
    feed = padded(Sequences.from_lists([[1], [], [3, 0, 2]]), TABLE)
    nothing = [0.0, 0.0]
    assert feed["vectors"].tolist() == [
        [[2, 1], nothing, nothing],
        [nothing] * 3,
        [[4, 5], [1, 0], [3, -1]],
    ]
    assert feed["lengths"].tolist() == [1, 0, 3]
    assert feed["lengths"].dtype == np.int64


def test_nobody_with_anything_still_has_a_place() -> None:
    assert padded(Sequences.from_lists([[], []]), TABLE)["vectors"].shape == (2, 1, 2)


def test_the_model_sees_the_latest_items_and_scores_are_products() -> None:
    """The window is two: the state is (2, 1) + (3, -1) = (5, 0), the scores 5, 10, 15, 20."""
    histories = Sequences.from_lists([[3, 3, 1, 2]])
    runtime = Runtime(summing(), TABLE, 2)
    assert runtime.states(histories).tolist() == [[5, 0]]
    items, scores = runtime.top(histories, 4, filter_seen=False, candidates=no_candidates())
    assert items.tolist() == [[3, 2, 1, 0]]
    assert scores.tolist() == [[20, 15, 10, 5]]


def test_what_may_not_be_given() -> None:
    seen = [[3, 3, 1, 2]]
    assert ask(seen, filter_seen=True) == [[0, -1, -1, -1]]
    assert ask(seen, barred=Sequences.from_lists([[3, 0]])) == [[2, 1, -1, -1]]
    assert ask([[1, 2]], 2, filter_seen=True, barred=Sequences.from_lists([[3]])) == [[0, -1]]
    assert ask([[1, 2]], 3, candidates=np.array([0, 2])) == [[2, 0, -1]]


def test_rows_keep_their_place_over_many_calls() -> None:
    """More rows than one call takes, of all lengths, in no order."""
    random = np.random.default_rng(0)
    rows = [random.integers(4, size=random.integers(6)).tolist() for _ in range(1_000)]
    runtime, calls = Runtime(summing(), TABLE, 5), list[int]()
    run = runtime._session.run

    class Counting:
        def run(self, outputs: Any, feed: dict[str, np.ndarray]) -> list[np.ndarray]:
            calls.append(len(feed["lengths"]))
            assert feed["vectors"].shape[1] == max(feed["lengths"].max(), 1)
            return run(outputs, feed)

    runtime._session = Counting()
    states = runtime.states(Sequences.from_lists(rows))
    for row, state in zip(rows, states, strict=True):
        assert state.tolist() == TABLE.values[row].sum(axis=0).tolist()
    assert sum(calls) == 1_000
    assert max(calls) == 256


def renamed(change: Callable[[onnx.GraphProto], None]) -> bytes:
    model = onnx.load_from_string(summing())
    change(model.graph)
    return model.SerializeToString()


def without_lengths(graph: onnx.GraphProto) -> None:
    del graph.input[1]


def another_output(graph: onnx.GraphProto) -> None:
    graph.output[0].name = graph.node[0].output[0] = "scores"


@pytest.mark.parametrize("change", [without_lengths, another_output])
def test_other_models_are_refused(change: Callable[[onnx.GraphProto], None]) -> None:
    with pytest.raises(BundleError, match="not a bundle's model"):
        Runtime(renamed(change), TABLE, 2)


@pytest.mark.parametrize("data", [b"", b"no model", b"\x08\x09"])
def test_what_is_no_model_is_refused(data: bytes) -> None:
    with pytest.raises(BundleError, match="refuses the model"):
        Runtime(data, TABLE, 2)


def test_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingExtraError, match=r"recdistill\[serve\]"):
        Runtime(b"", TABLE, 2)
