"""Agreement of lists against definitions spelled out item by item."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recdistill.evaluation.agreement import overlap, rank_correlation

Row = st.lists(st.integers(0, 9), max_size=5, unique=True)


def padded(row: list[int]) -> np.ndarray:
    return np.array([row + [-1] * (5 - len(row))], dtype=np.int32)


def slow_correlation(one: list[int], other: list[int]) -> float:
    """Fagin et al.'s four cases, pair by pair, with penalty one half."""
    disorder = 0.0
    for a, b in combinations(sorted({*one, *other}), 2):
        places = [
            [row.index(item) if item in row else None for item in (a, b)] for row in (one, other)
        ]
        signs = [_order(*place) for place in places]
        disorder += 0.5 if 0 in signs else float(signs[0] != signs[1])
    worst = len(one) * len(other) + (len(one) * (len(one) - 1) + len(other) * (len(other) - 1)) / 4
    return 1 - 2 * disorder / worst if worst else 1.0


def _order(first: int | None, second: int | None) -> int:
    if first is None and second is None:
        return 0
    if first is None or second is None:
        return -1 if second is None else 1
    return -1 if first < second else 1


@given(Row, Row)
@settings(max_examples=200, deadline=None)
def test_correlation_agrees_with_the_definition(one: list[int], other: list[int]) -> None:
    found = rank_correlation(padded(one), padded(other))[0]
    assert found == pytest.approx(slow_correlation(one, other), abs=1e-12)


@given(Row, Row)
@settings(max_examples=100, deadline=None)
def test_overlap_is_the_share_of_common_items(one: list[int], other: list[int]) -> None:
    longer = max(len(one), len(other))
    expected = len({*one} & {*other}) / longer if longer else 1.0
    assert overlap(padded(one), padded(other))[0] == pytest.approx(expected)


def test_the_extremes() -> None:
    row, reverse, other = padded([1, 2, 3, 4, 5]), padded([5, 4, 3, 2, 1]), padded([6, 7, 8, 9, 0])
    assert rank_correlation(row, row)[0] == 1.0
    assert rank_correlation(row, other)[0] == -1.0
    assert rank_correlation(row, reverse)[0] == pytest.approx(
        slow_correlation([1, 2, 3, 4, 5], [5, 4, 3, 2, 1])
    )
    assert overlap(row, reverse)[0] == 1.0


def test_more_cases_than_fit_at_once() -> None:
    lists = np.tile(padded([1, 2, 3]), (5000, 1))
    assert (rank_correlation(lists, lists) == 1.0).all()
    assert rank_correlation(lists[:0], lists[:0]).shape == (0,)
