"""ONNX Runtime behind one call, on a graph made by hand: what it promises of ties, padding and refusals."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from recdistill.bundle.runtime import Runtime, dense, no_candidates
from recdistill.data.sequences import Sequences
from recdistill.errors import BundleError, MissingExtraError

ITEMS = 300


def fixed_scores(scores: np.ndarray) -> bytes:
    """A model that gives everybody the same scores and listens to nothing but `k`."""
    value, kinds = helper.make_tensor_value_info, TensorProto
    graph = helper.make_graph(
        [
            helper.make_node("Shape", ["lengths"], ["rows"]),
            helper.make_node("Concat", ["rows", "width"], ["shape"], axis=0),
            helper.make_node("Expand", ["fixed", "shape"], ["all"]),
            helper.make_node("TopK", ["all", "k"], ["scores", "items"], axis=1),
        ],
        "fixed",
        [
            value("history", kinds.INT64, ["rows", "places"]),
            value("lengths", kinds.INT64, ["rows"]),
            value("filter_seen", kinds.BOOL, []),
            value("candidates", kinds.INT64, ["candidates"]),
            value("k", kinds.INT64, [1]),
        ],
        [value("items", kinds.INT64, ["rows", None]), value("scores", kinds.FLOAT, ["rows", None])],
        [
            numpy_helper.from_array(scores.astype(np.float32)[None], "fixed"),
            numpy_helper.from_array(np.array([len(scores)]), "width"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    return model.SerializeToString()


def ask(scores: np.ndarray, k: int, rows: int = 1) -> tuple[np.ndarray, np.ndarray]:
    histories = Sequences.from_lists([[0]] * rows)
    runtime = Runtime(fixed_scores(scores), len(scores))
    return runtime.top(histories, k, filter_seen=False, candidates=no_candidates())


@settings(deadline=None)
@given(
    scores=st.lists(st.sampled_from([-np.inf, -1.0, 0.0, 0.5, 2.0]), min_size=1, max_size=ITEMS),
    data=st.data(),
)
def test_ties_go_to_the_smaller_id(scores: list[float], data: st.DataObject) -> None:
    k = data.draw(st.integers(1, len(scores)))
    items, values = ask(np.array(scores), k)
    order = sorted(range(len(scores)), key=lambda item: (-scores[item], item))[:k]
    expected = [item if scores[item] > -np.inf else -1 for item in order]
    assert items[0].tolist() == expected
    assert values[0].tolist() == [scores[item] for item in order]


@pytest.mark.parametrize("k", [1, 7, 10, 100, 5_000])
def test_ties_of_a_whole_catalogue_go_to_the_smaller_ids(k: int) -> None:
    """Small and large k take different ways through the kernel."""
    items, _ = ask(np.zeros(20_000), k, rows=3)
    np.testing.assert_array_equal(items, np.tile(np.arange(k), (3, 1)))


def test_dense_inputs() -> None:
    feed = dense(Sequences.from_lists([[5], [], [7, 8, 9]]))
    assert feed["history"].tolist() == [[5, 0, 0], [0, 0, 0], [7, 8, 9]]
    assert feed["lengths"].tolist() == [1, 0, 3]
    assert feed["history"].dtype == feed["lengths"].dtype == np.int64


def test_nobody_with_anything_still_has_a_column() -> None:
    assert dense(Sequences.from_lists([[], []]))["history"].shape == (2, 1)


def test_rows_keep_their_place_over_many_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """More rows than one call takes, of all lengths, in no order."""
    random = np.random.default_rng(0)
    lengths = random.integers(0, 9, size=1_000)
    histories = Sequences.from_lists([[int(length)] * int(length) for length in lengths])
    runtime = Runtime(fixed_scores(np.arange(9.0)), 9)

    class Echo:
        """Scores are the row's length."""

        def run(self, outputs: Any, feed: dict[str, np.ndarray]) -> list[np.ndarray]:
            assert len(feed["lengths"]) <= 256
            assert feed["history"].shape[1] == max(feed["lengths"].max(), 1)
            return [feed["lengths"][:, None], feed["lengths"][:, None].astype(np.float32)]

    monkeypatch.setattr(runtime, "_session", Echo())
    items, scores = runtime.top(histories, 1, filter_seen=True, candidates=no_candidates())
    assert items[:, 0].tolist() == lengths.tolist() == scores[:, 0].tolist()


def renamed(change: Callable[[onnx.GraphProto], None]) -> bytes:
    model = onnx.load_from_string(fixed_scores(np.zeros(3)))
    change(model.graph)
    return model.SerializeToString()


def without_input(graph: onnx.GraphProto) -> None:
    del graph.input[0]


def without_output(graph: onnx.GraphProto) -> None:
    del graph.output[0]


@pytest.mark.parametrize("change", [without_input, without_output])
def test_other_models_are_refused(change: Callable[[onnx.GraphProto], None]) -> None:
    with pytest.raises(BundleError, match="not a bundle's model"):
        Runtime(renamed(change), 3)


@pytest.mark.parametrize("data", [b"", b"no model", b"\x08\x09"])
def test_what_is_no_model_is_refused(data: bytes) -> None:
    with pytest.raises(BundleError, match="refuses the model"):
        Runtime(data, 3)


def test_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingExtraError, match=r"recdistill\[serve\]"):
        Runtime(b"", 3)
