"""Vectors in four bits a piece: product codes (Jégou, Douze, Schmid 2011, Product Quantization for Nearest Neighbor
Search), each piece of a vector by the nearest of sixteen.

Legend: `items`, `width`, `pieces` (of a vector), `piece` (numbers of one), `bytes` (two pieces in each).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from jaxtyping import Float32, UInt8

from recdistill.bundle.places import Data
from recdistill.bundle.tensors import Layout, read, written
from recdistill.errors import BundleError, MissingExtraError

_BITS: Final = 4
_LEARNT_FROM: Final = 100_000
"""Vectors from which the sixteen are learnt, at most."""


@dataclass(frozen=True)
class Codes:
    """Codes of all items, and what they stand for."""

    books: Float32[np.ndarray, "pieces 16 piece"]
    codes: UInt8[np.ndarray, "items bytes"]

    def __len__(self) -> int:
        return len(self.codes)

    @classmethod
    def of(cls, vectors: Float32[np.ndarray, "items width"], piece: int) -> Codes:
        """Learn codes of vectors whose width is a multiple of `piece`, and write them so.

        Raises:
            MissingExtraError: faiss is not installed.
        """
        faiss = library()
        items, width = vectors.shape
        pieces = width // piece
        found = faiss.ProductQuantizer(width, pieces, _BITS)
        some = np.linspace(0, items - 1, min(items, _LEARNT_FROM)).astype(np.int64)
        found.train(np.ascontiguousarray(vectors[some]))
        books = faiss.vector_to_array(found.centroids).reshape(pieces, 1 << _BITS, piece)
        return cls(books, found.compute_codes(np.ascontiguousarray(vectors)))

    def searchable(self) -> Any:
        """The codes as faiss scans them quickest, sixteen at a time by a shuffle of bytes.

        Raises:
            MissingExtraError: faiss is not installed.
        """
        faiss = library()
        pieces, _, piece = self.books.shape
        plain = faiss.IndexPQ(pieces * piece, pieces, _BITS, faiss.METRIC_INNER_PRODUCT)
        faiss.copy_array_to_vector(self.books.ravel(), plain.pq.centroids)
        faiss.copy_array_to_vector(self.codes.ravel(), plain.codes)
        plain.ntotal, plain.is_trained = len(self), True
        return faiss.IndexPQFastScan(plain)

    def written(self) -> bytes:
        """The content of `index.safetensors`."""
        pieces, _, piece = self.books.shape
        layout = _layout(len(self), pieces * piece, piece)
        return written({"books": self.books, "codes": self.codes}, layout)

    @classmethod
    def read(cls, data: Data, items: int, width: int, piece: int) -> Codes:
        """What `written` wrote.

        Raises:
            BundleError: it is to the byte no such file, or not finite.
        """
        if width % piece:
            raise BundleError(f"Vectors of {width} numbers have no pieces of {piece}.")
        arrays = read(data, _layout(items, width, piece), "The index")
        if not np.isfinite(arrays["books"]).all():
            raise BundleError("The index: not all of it are finite numbers.")
        return cls(**arrays)


def _layout(items: int, width: int, piece: int) -> Layout:
    pieces = width // piece
    return {
        "books": ("F32", (pieces, 1 << _BITS, piece)),
        "codes": ("U8", (items, -(-pieces * _BITS // 8))),
    }


def library() -> Any:
    """The library that learns and scans codes.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import faiss
    except ImportError:
        raise MissingExtraError("An index of items", "index") from None
    return faiss
