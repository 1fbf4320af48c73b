"""Raw ids and dense ids are one to one, and unknown ids are named."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recdistill.data.encoding import as_integers, encode_ids
from recdistill.data.vocabulary import Vocabulary
from recdistill.errors import DataError


@given(st.lists(st.text(min_size=1, max_size=4), min_size=1, max_size=30))
def test_encoding_and_decoding_are_inverse(ids: list[str]) -> None:
    vocabulary = Vocabulary.from_column(pl.Series(ids))
    dense = vocabulary.encode(ids)
    assert vocabulary.decode(dense).to_list() == ids
    assert vocabulary.ids.to_list() == sorted(set(ids), key=lambda text: text.encode())


@given(st.lists(st.integers(-(2**62), 2**62), min_size=1, max_size=30))
def test_dense_ids_follow_the_order_of_integers(ids: list[int]) -> None:
    dense, vocabulary = encode_ids(pl.Series("user_id", ids), untyped=False)
    assert dense.tolist() == [sorted(set(ids)).index(raw) for raw in ids]
    assert vocabulary.ids.to_list() == sorted(set(ids))


@given(st.lists(st.text(min_size=1, max_size=3), min_size=1, max_size=30))
def test_one_pass_encoding_agrees_with_the_vocabulary(ids: list[str]) -> None:
    column = pl.Series("item_id", ids)
    dense, vocabulary = encode_ids(column, untyped=False)
    assert np.array_equal(dense, Vocabulary.from_column(column).encode(column))
    assert vocabulary.ids.to_list() == Vocabulary.from_column(column).ids.to_list()


def test_text_ids_are_numbers_only_if_all_are() -> None:
    assert as_integers(pl.Series(["10", "9", "-3"])).to_list() == [10, 9, -3]
    assert as_integers(pl.Series(["10", "x"])).to_list() == ["10", "x"]
    assert as_integers(pl.Series(["07", "1"])).to_list() == ["07", "1"]
    assert as_integers(pl.Series([3, 4])).to_list() == [3, 4]
    _, vocabulary = encode_ids(pl.Series("item_id", ["10", "9", "9"]), untyped=True)
    assert vocabulary.ids.to_list() == [9, 10]


def test_strings_and_integers_convert() -> None:
    numbers = Vocabulary.from_column(pl.Series([5, 7, 11]))
    assert numbers.encode(["7", "no", "11"]).tolist() == [1, -1, 2]
    words = Vocabulary.from_column(pl.Series(["5", "7"]))
    assert words.encode([7, 6]).tolist() == [1, -1]
    assert numbers.encode([]).tolist() == []
    assert numbers.encode([100, -4]).tolist() == [-1, -1]


def test_an_empty_vocabulary_knows_nothing() -> None:
    empty = Vocabulary(pl.Series([], dtype=pl.String))
    assert empty.encode(["a"]).tolist() == [-1]
    assert len(empty) == 0


def test_unknown_ids_are_refused_by_name() -> None:
    vocabulary = Vocabulary.from_column(pl.Series(["apple", "pear"]))
    assert vocabulary.require(["pear"]).tolist() == [1]
    with pytest.raises(DataError, match=r"Unknown item id 'aple' \(1 of 2") as caught:
        vocabulary.require(["pear", "aple"])
    assert "Did you mean 'apple'?" in str(caught.value)


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (pl.Series("item_id", ["a", None]), r"1 missing ids, the first in row 2"),
        (pl.Series("item_id", [1.5]), "ids are strings or integers"),
    ],
)
def test_bad_ids_are_refused(column: pl.Series, message: str) -> None:
    with pytest.raises(DataError, match=message):
        encode_ids(column, untyped=False)
