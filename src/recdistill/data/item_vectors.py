"""Vectors of a catalogue: those that a file has, each given to its item by id."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Bool, Float32, Int32

from recdistill.data.vector_files import VectorTable
from recdistill.data.vocabulary import Vocabulary
from recdistill.errors import DataError


@dataclass(frozen=True)
class ItemVectors:
    """Attributes:
    vectors: one row an item of the catalogue; zeros for items without a vector.
    known: which items have one.
    strangers: rows of the file that are about no item of the catalogue.
    """

    vectors: Float32[np.ndarray, "items width"]
    known: Bool[np.ndarray, " items"]
    strangers: int


def item_vectors(table: VectorTable, vocabulary: Vocabulary, where: str) -> ItemVectors:
    """The vectors of a catalogue's items, found by id; strings and integers convert into each other.

    Args:
        table: ids and vectors, in any order.
        vocabulary: of the catalogue.
        where: what messages call the table.

    Raises:
        DataError: no id is known, one has two vectors, a number is not finite, or all vectors are alike.
    """
    _require_numbers(table, where)
    items = vocabulary.encode(table.ids)
    rows = np.flatnonzero(items >= 0)
    _require_some(rows, table.ids, vocabulary, where)
    _require_one_each(items[rows], vocabulary, where)
    if (table.vectors[rows] == table.vectors[rows[0]]).all():
        raise DataError(
            f"All vectors in {where} are alike; they say nothing about any item.",
            "At least two items with vectors that differ are needed.",
        )
    vectors = np.zeros((len(vocabulary), table.vectors.shape[1]), dtype=np.float32)
    vectors[items[rows]] = table.vectors[rows]
    known = np.zeros(len(vocabulary), dtype=bool)
    known[items[rows]] = True
    return ItemVectors(vectors, known, len(items) - len(rows))


def _require_numbers(table: VectorTable, where: str) -> None:
    wrong = np.flatnonzero(~np.isfinite(table.vectors).all(axis=1))
    if len(wrong):
        raise DataError(
            f"{where} has {len(wrong)} vectors that are not all finite numbers, the first that of item"
            f" '{table.ids[int(wrong[0])]}'.",
            "Leave such items out (they count as average); or name the `columns` that hold the numbers.",
        )


def _require_some(rows: np.ndarray, ids: pl.Series, vocabulary: Vocabulary, where: str) -> None:
    if not len(rows):
        theirs, ours = (", ".join(map(str, some.head(3))) for some in (ids, vocabulary.ids))
        raise DataError(
            f"{where} has no vector of any item of the catalogue: its ids are {theirs}…, the catalogue's {ours}….",
            "Vectors are joined by item id; write them with the ids of the interaction log.",
        )


def _require_one_each(
    items: Int32[np.ndarray, " rows"], vocabulary: Vocabulary, where: str
) -> None:
    found, counts = np.unique(items, return_counts=True)
    twice = found[counts > 1]
    if len(twice):
        raise DataError(
            f"{where} has several vectors of item '{vocabulary.ids[int(twice[0])]}' ({len(twice)} such items).",
            "Keep one row an item.",
        )
