"""Codes of four bits, against nearest neighbours looked up in numpy and against the safetensors package."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from safetensors.numpy import load

from recdistill.bundle.scoring.codes import Codes
from recdistill.errors import BundleError, MissingExtraError


def some_vectors(items: int = 600, width: int = 6) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(items, width)).astype(np.float32)


def decoded(codes: Codes) -> np.ndarray:
    """The vectors that codes stand for: two pieces in a byte, the first in its lower half."""
    nibbles = np.stack((codes.codes & 15, codes.codes >> 4), axis=2).reshape(len(codes), -1)
    pieces = len(codes.books)
    return codes.books[np.arange(pieces), nibbles[:, :pieces]].reshape(len(codes), -1)


@pytest.mark.parametrize(("width", "piece"), [(6, 2), (6, 1), (5, 1), (6, 6)])
def test_each_piece_is_the_nearest_of_sixteen(width: int, piece: int) -> None:
    vectors = some_vectors(width=width)
    codes = Codes.of(vectors, piece)
    assert codes.books.shape == (width // piece, 16, piece)
    pieces = vectors.reshape(len(vectors), -1, piece)
    off = ((pieces[:, :, None] - codes.books[None]) ** 2).sum(axis=3).min(axis=2).sum(axis=1)
    np.testing.assert_allclose(((decoded(codes) - vectors) ** 2).sum(axis=1), off, rtol=1e-4)


def test_the_library_scans_what_the_codes_mean() -> None:
    """Its tables are rounded to bytes, so of fifty best at the codes' word a few may be others."""
    vectors = some_vectors(4_000, 16)
    codes = Codes.of(vectors, 2)
    states = some_vectors(20, 16)
    found = codes.searchable().search(states, 50)[1]
    wanted = np.argsort(-(states @ decoded(codes).T), axis=1)[:, :50]
    shared = [len(set(one) & set(other)) for one, other in zip(found, wanted, strict=True)]
    assert np.mean(shared) > 45


def test_reads_what_it_writes_and_so_does_the_package() -> None:
    codes = Codes.of(some_vectors(), 2)
    data = codes.written()
    again = Codes.read(data, 600, 6, 2)
    assert again.written() == data
    tensors = load(data)
    np.testing.assert_array_equal(tensors["books"], codes.books)
    np.testing.assert_array_equal(tensors["codes"], codes.codes)


def test_what_does_not_fit_is_refused() -> None:
    data = Codes.of(some_vectors(), 2).written()
    for change in (data[:-1], data + b"\0", b"", data.replace(b"U8", b"I8")):
        with pytest.raises(BundleError, match="index does not fit"):
            Codes.read(change, 600, 6, 2)
    for items, width, piece in ((599, 6, 2), (600, 4, 2), (600, 6, 3)):
        with pytest.raises(BundleError, match="index does not fit"):
            Codes.read(data, items, width, piece)
    with pytest.raises(BundleError, match="no pieces of 4"):
        Codes.read(data, 600, 6, 4)


def test_numbers_are_finite() -> None:
    codes = Codes.of(some_vectors(), 2)
    codes.books[1, 3, 0] = np.nan
    with pytest.raises(BundleError, match="finite"):
        Codes.read(codes.written(), 600, 6, 2)


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(MissingExtraError, match="index"):
        Codes.of(some_vectors(), 2)
