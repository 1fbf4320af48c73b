"""CKA against its definition by Gram matrices, entry by entry, and what it must not see."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recdistill.evaluation.cka import linear_cka

seeds = st.integers(0, 2**32 - 1)


def pair(seed, rows=8, widths=(4, 6)):
    random = np.random.default_rng(seed)
    one = random.normal(size=(rows, widths[0]))
    return one, one @ random.normal(size=widths) + random.normal(size=(rows, widths[1]))


def hsic(one, other):
    """tr(K H L H), H the centring matrix, by loops over the entries."""
    rows = len(one)

    def centred_gram(vectors):
        gram = [[sum(a * b for a, b in zip(x, y, strict=True)) for y in vectors] for x in vectors]
        means = [sum(row) / rows for row in gram]
        mean = sum(means) / rows
        return [[gram[i][j] - means[i] - means[j] + mean for j in range(rows)] for i in range(rows)]

    left, right = centred_gram(one.tolist()), centred_gram(other.tolist())
    return sum(left[i][j] * right[i][j] for i in range(rows) for j in range(rows))


@given(seeds)
def test_the_definition(seed):
    one, other = pair(seed)
    wanted = hsic(one, other) / (hsic(one, one) * hsic(other, other)) ** 0.5
    assert linear_cka(one, other) == pytest.approx(wanted, rel=1e-9)
    assert 0 < wanted < 1


def test_by_hand():
    """One column each: the squared correlation. 1, 2, 3 and 1, 3, 2 correlate by one half."""
    one, other = np.array([[1.0], [2], [3]]), np.array([[1.0], [3], [2]])
    assert linear_cka(one, other) == pytest.approx(0.25)


@given(seeds)
def test_shifts_turns_factors_and_which_is_first_do_not_count(seed):
    one, other = pair(seed)
    basis = np.linalg.qr(np.random.default_rng(seed).normal(size=(4, 4)))[0]
    wanted = linear_cka(one, other)
    assert linear_cka(1e-3 * one @ basis + 5, 1e4 * other - 7) == pytest.approx(wanted, rel=1e-6)
    assert linear_cka(other, one) == pytest.approx(wanted)
    order = np.random.default_rng(seed).permutation(len(one))
    assert linear_cka(one[order], other[order]) == pytest.approx(wanted)
    assert linear_cka(one, 3 * one @ basis + 1) == pytest.approx(1)


def test_a_stretched_direction_counts():
    one, _ = pair(0)
    assert linear_cka(one, one * [9, 1, 1, 1]) < 0.9


def test_vectors_of_other_things_have_little_in_common():
    random = np.random.default_rng(0)
    one, other = random.normal(size=(1700, 64)), random.normal(size=(1700, 384))
    assert linear_cka(one, other) == pytest.approx((64 * 384) ** 0.5 / 1700, rel=0.15)
    related = one @ random.normal(size=(64, 384))
    assert linear_cka(one, related) > 0.85 > 5 * linear_cka(one, random.permutation(related))


@pytest.mark.parametrize("nothing", [np.zeros((8, 3)), np.full((8, 3), 0.1), np.zeros((8, 0))])
def test_where_all_are_equal_there_is_nothing_to_agree_on(nothing):
    one, _ = pair(0)
    assert linear_cka(one, nothing) == linear_cka(nothing, one) == linear_cka(nothing, nothing) == 0


def test_one_row_or_none_agree_on_nothing():
    for rows in (0, 1):
        assert linear_cka(np.ones((rows, 3)), np.ones((rows, 4))) == 0


def test_neither_half_precision_nor_great_numbers_overflow():
    one, other = pair(0)
    wanted = linear_cka(one, other)
    assert linear_cka((1e4 * one).astype(np.float16), other.astype(np.float32)) == pytest.approx(
        wanted, rel=1e-2
    )
    assert linear_cka(1e200 * one, 1e-200 * other) == pytest.approx(wanted)
