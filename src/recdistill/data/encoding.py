"""From raw ids to dense ones, and to hashes that stay the same everywhere."""

from __future__ import annotations

import hashlib

import numpy as np
import polars as pl
from jaxtyping import Int32, UInt64

from recdistill.data.vocabulary import Vocabulary
from recdistill.errors import DataError


def encode_ids(
    column: pl.Series, *, untyped: bool
) -> tuple[Int32[np.ndarray, " rows"], Vocabulary]:
    """Dense ids of a column and their vocabulary.

    One pass of hashing gives provisional codes; only the distinct ids are sorted.

    Args:
        column: raw ids, strings or integers.
        untyped: the column comes from text: ids are integers if every one reads as one.

    Raises:
        DataError: an id is missing, or ids are neither strings nor integers.
    """
    _require_ids(column)
    encoded = column.to_arrow(compat_level=pl.CompatLevel.oldest()).dictionary_encode()
    distinct = pl.Series(column.name, pl.from_arrow(encoded.dictionary))
    codes = np.asarray(encoded.indices, dtype=np.int32)
    if untyped:
        distinct = as_integers(distinct)
    order = distinct.arg_sort().to_numpy()
    rank = np.empty(len(order), dtype=np.int32)
    rank[order] = np.arange(len(order), dtype=np.int32)
    return rank[codes], Vocabulary(distinct.gather(order))


def as_integers(ids: pl.Series) -> pl.Series:
    """`ids` as integers if each is written as one (`07` is not), else as they are."""
    if ids.dtype != pl.String:
        return ids
    numbers = ids.cast(pl.Int64, strict=False)
    return numbers if (numbers.cast(pl.String) == ids).all() and not numbers.has_nulls() else ids


def id_keys(ids: pl.Series) -> UInt64[np.ndarray, " ids"]:
    """A 64-bit hash (BLAKE2b) of each id as text, the same in every session and version."""
    texts = ids.cast(pl.String).to_list()
    digests = b"".join(hashlib.blake2b(text.encode(), digest_size=8).digest() for text in texts)
    return np.frombuffer(digests, dtype="<u8").astype(np.uint64)


def _require_ids(column: pl.Series) -> None:
    if not (column.dtype == pl.String or column.dtype.is_integer()):
        raise DataError(
            f"Column '{column.name}' holds {column.dtype}; ids are strings or integers.",
            "Convert the column, or map another one under dataset.columns.",
        )
    if column.has_nulls():
        row = int(column.is_null().arg_true()[0])
        raise DataError(
            f"Column '{column.name}' has {column.null_count()} missing ids, "
            f"the first in row {row + 1}."
        )
