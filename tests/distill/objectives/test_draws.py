"""Draws against exact probabilities."""

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from recdistill.distill.objectives.draws import drawn, outside

WEIGHTS = torch.tensor([0.5, 0.3, 0.15, 0.05], dtype=torch.float64)
ROWS = 40_000


def chance_of_set(columns):
    """Over every order in which these columns can be drawn one after the other."""
    total = 0.0
    for order in itertools.permutations(columns):
        chance, left = 1.0, 1.0
        for column in order:
            chance *= WEIGHTS[column].item() / left
            left -= WEIGHTS[column].item()
        total += chance
    return total


@pytest.mark.parametrize("count", [1, 2, 3])
def test_columns_are_drawn_one_after_the_other_by_weight(count):
    torch.manual_seed(0)
    found = drawn(WEIGHTS.log().expand(ROWS, -1), count).tolist()
    sets = list(itertools.combinations(range(4), count))
    seen = [sum(row == list(one) for row in found) for one in sets]
    assert chisquare(seen, [ROWS * chance_of_set(one) for one in sets]).pvalue > 0.01


def test_weights_that_underflow_are_still_told_apart():
    torch.manual_seed(0)
    far = torch.arange(0.0, -5000, -500).expand(50, -1)
    assert far.exp()[0, 2:].sum() == 0
    assert drawn(far, 4).tolist() == [[0, 1, 2, 3]] * 50


def test_all_columns_are_all_columns():
    assert drawn(torch.randn(3, 6), 6).tolist() == [list(range(6))] * 3


@given(st.data())
def test_outside_is_outside(data):
    catalogue = data.draw(st.integers(1, 12))
    k = data.draw(st.integers(1, catalogue))
    items = torch.tensor([data.draw(st.permutations(range(catalogue)))[:k] for _ in range(3)])
    found = outside(items, catalogue, 50)
    assert found.shape == (3, 50 if k < catalogue else 0)
    for row, others in zip(items.tolist(), found.tolist(), strict=True):
        assert set(others) <= set(range(catalogue)) - set(row)


def test_outside_draws_all_others_alike():
    torch.manual_seed(0)
    items = torch.tensor([[7, 0, 3], [1, 2, 9]])
    for row, others in zip(items.tolist(), outside(items, 10, ROWS), strict=True):
        counts = torch.bincount(others, minlength=10)
        left = [item for item in range(10) if item not in row]
        assert chisquare(counts[left]).pvalue > 0.01
