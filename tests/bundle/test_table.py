"""The item table as a file, against the safetensors package and against numbers worked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from safetensors.numpy import load

from recdistill.bundle.manifest import Precision
from recdistill.bundle.table import Table
from recdistill.errors import BundleError

PRECISIONS: tuple[Precision, ...] = ("float32", "float16", "int8")
each_precision = pytest.mark.parametrize("precision", PRECISIONS)
matrices = arrays.arrays(
    np.float32,
    arrays.array_shapes(min_dims=2, max_dims=2, max_side=9),
    elements=st.floats(-60_000, 60_000, width=32),
)


@each_precision
@given(vectors=matrices)
def test_reads_what_it_writes_and_so_does_the_package(
    precision: Precision, vectors: np.ndarray
) -> None:
    table = Table.of(vectors, precision)
    data = table.written()
    again = Table.read(data, precision, *vectors.shape)
    assert again.precision == precision
    assert again.written() == data
    tensors = load(data)
    np.testing.assert_array_equal(tensors["values"], again.values)
    assert sorted(tensors) == (["scales", "values"] if precision == "int8" else ["values"])
    if again.scales is not None:
        np.testing.assert_array_equal(tensors["scales"], again.scales)
    assert not again.values.flags.writeable


@given(vectors=matrices)
def test_int8_is_off_by_half_a_step_at_most(vectors: np.ndarray) -> None:
    table = Table.of(vectors, "int8")
    step = np.abs(vectors).max(axis=1, keepdims=True) / 127
    # Steps so small that float32 has few digits left for them are less exact.
    assert (np.abs(table.vectors - vectors) <= 0.5001 * step + 127 * 1e-45).all()


def test_int8_by_hand() -> None:
    vectors = np.array([[127.0, -63.5, 0.4], [0, 0, 0], [-2.54, 0.01, 1.27]], dtype=np.float32)
    table = Table.of(vectors, "int8")
    assert table.values.tolist() == [[127, -64, 0], [0, 0, 0], [-127, 0, 64]]
    np.testing.assert_allclose(table.vectors[2], [-2.54, 0, 1.28], rtol=1e-6)
    np.testing.assert_array_equal(table.rows(np.array([2, 0])), table.vectors[[2, 0]])


@each_precision
def test_all_vectors_are_the_rows(precision: Precision) -> None:
    vectors = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    table = Table.of(vectors, precision)
    np.testing.assert_array_equal(table.vectors, table.rows(np.arange(20)))
    assert (len(table), table.width) == (20, 3)


def test_float32_is_not_copied() -> None:
    table = Table.read(Table(np.ones((4, 2), np.float32)).written(), "float32", 4, 2)
    assert table.vectors is table.values


def test_what_does_not_fit_is_refused() -> None:
    data = Table.of(np.ones((4, 2), np.float32), "int8").written()
    for change in (
        data[:-1],
        data + b"\0",
        b"",
        b"\xff" * 8 + data[8:],
        data.replace(b"I8", b"U8"),
    ):
        with pytest.raises(BundleError, match="does not fit"):
            Table.read(change, "int8", 4, 2)
    for form, items, width in (("int8", 2, 4), ("int8", 5, 2), ("float32", 4, 2)):
        with pytest.raises(BundleError, match="does not fit"):
            Table.read(data, form, items, width)


@pytest.mark.parametrize(
    ("precision", "value"),
    [("float32", np.nan), ("float32", np.inf), ("float16", 1e6), ("int8", np.nan)],
)
def test_vectors_are_finite(precision: Precision, value: float) -> None:
    vectors = np.ones((3, 2), dtype=np.float32)
    vectors[1, 1] = value
    with pytest.raises(BundleError, match="not all vectors are finite"):
        Table.of(vectors, precision)


def test_infinite_scales_are_refused_when_read() -> None:
    table = Table(np.ones((3, 2), np.int8), np.array([1, np.nan, 1], dtype=np.float32))
    with pytest.raises(BundleError, match="not all vectors are finite"):
        Table.read(table.written(), "int8", 3, 2)
