"""Ragged rows against plain lists; context keys against a polynomial computed with Python integers."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recdistill.data.contexts import Contexts, history_keys, mix
from recdistill.data.encoding import id_keys
from recdistill.data.sequences import Sequences

LISTS = st.lists(st.lists(st.integers(0, 9), max_size=6), max_size=8)


def _as_lists(rows: Sequences) -> list[list[int]]:
    return [rows[row].tolist() for row in range(len(rows))]


@given(LISTS, st.integers(0, 7))
def test_rows_tails_and_packing_are_those_of_lists(rows: list[list[int]], length: int) -> None:
    sequences = Sequences.from_lists(rows)
    assert _as_lists(sequences) == rows
    assert _as_lists(sequences.tail(length)) == [row[max(len(row) - length, 0) :] for row in rows]
    assert sequences.lengths.tolist() == [len(row) for row in rows]
    backwards = sequences.take(np.arange(len(rows), dtype=np.int64)[::-1])
    assert _as_lists(backwards) == rows[::-1]
    assert _as_lists(backwards.packed()) == rows[::-1]
    assert backwards.values[backwards.places()].tolist() == [x for row in rows[::-1] for x in row]


def test_tails_and_prefixes_share_memory() -> None:
    rows = Sequences.from_lists([[1, 2, 3], [4, 5]])
    assert np.shares_memory(rows.tail(1).values, rows.values)
    assert np.shares_memory(rows.take(slice(0, 1)).values, rows.values)


def _mixed(value: int) -> int:
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    value = (value ^ (value >> 27)) * 0x94D049BB133111EB % 2**64
    return value ^ (value >> 31)


def _key(history: list[int], keys: list[int]) -> int:
    """The documented hash, with Python's unbounded integers: item `j` weighs `m ** (distance to the end)`."""
    total = 0
    for item in history:
        total = (total + keys[item]) * 0x9E3779B97F4A7C15 % 2**64
    return _mixed(total ^ _mixed(len(history)))


@given(LISTS)
def test_keys_are_the_documented_polynomial(rows: list[list[int]]) -> None:
    keys = id_keys(pl.Series([f"item-{i}" for i in range(10)]))
    sequences = Sequences.from_lists(rows)
    expected = [_key(row, keys.tolist()) for row in rows]
    assert history_keys(sequences, keys).tolist() == expected


def test_keys_know_order_and_length_but_not_place() -> None:
    keys = id_keys(pl.Series(range(10)))
    rows = Sequences.from_lists([[1, 2, 3], [3, 2, 1], [1, 2], [0, 0], [0, 0, 0], [1, 2, 3]])
    found = Contexts.of(rows, keys)
    assert found.keys[0] == found.keys[5]
    assert len(found.distinct()) == 5
    assert len(found) == 6
    assert found.take(slice(1, 3)).keys.tolist() == found.keys[1:3].tolist()


def test_keys_do_not_collide_over_many_prefixes() -> None:
    random = np.random.default_rng(0)
    values = random.integers(0, 1000, size=200_000).astype(np.int32)
    stops = np.arange(1, len(values) + 1, dtype=np.int64)
    rows = Sequences(values, np.maximum(stops - 20, 0), stops)
    keys = history_keys(rows, id_keys(pl.Series(range(1000))))
    assert len(np.unique(keys)) == len(keys)


def test_mix_is_splitmix64() -> None:
    # First outputs of splitmix64 with seed 0: mix(k * golden) for k = 1, 2.
    seeds = np.array([0x9E3779B97F4A7C15, 2 * 0x9E3779B97F4A7C15 % 2**64], dtype=np.uint64)
    assert mix(seeds).tolist() == [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4]


def test_id_keys_are_fixed_forever() -> None:
    """BLAKE2b-64 of the text, little-endian; signals on disk depend on it."""
    import hashlib

    def expected(text: str) -> int:
        return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")

    assert id_keys(pl.Series(["B00", "é"])).tolist() == [expected("B00"), expected("é")]
    assert id_keys(pl.Series([1, 22])).tolist() == [expected("1"), expected("22")]


def test_mutation_of_one_item_changes_the_key() -> None:
    keys = id_keys(pl.Series(range(50)))
    base = list(range(20))
    variants = [base] + [[*base[:i], 49, *base[i + 1 :]] for i in range(20)]
    found = history_keys(Sequences.from_lists(variants), keys)
    assert len(set(found.tolist())) == 21


@pytest.mark.parametrize("rows", [[], [[]]])
def test_nothing_is_fine(rows: list[list[int]]) -> None:
    keys = id_keys(pl.Series(range(3)))
    assert len(history_keys(Sequences.from_lists(rows), keys)) == len(rows)
