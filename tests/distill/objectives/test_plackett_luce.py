"""Likelihoods of orders: they sum to one, and agree with loops."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from recdistill.distill.objectives.plackett_luce import choice_log_likelihoods

NOTHING = torch.zeros(1, 0, dtype=torch.float64)


def by_loops(ordered, below):
    found = []
    for r, score in enumerate(ordered):
        left = [*ordered[r:], *below]
        found.append(score - math.log(sum(math.exp(other) for other in left)))
    return found


@pytest.mark.parametrize("below", [0, 1, 6])
def test_against_loops(below):
    generator = torch.Generator().manual_seed(0)
    ordered = torch.randn(3, 5, generator=generator, dtype=torch.float64)
    rest = torch.randn(3, below, generator=generator, dtype=torch.float64)
    found = choice_log_likelihoods(ordered, rest)
    for row in range(3):
        wanted = by_loops(ordered[row].tolist(), rest[row].tolist())
        assert found[row].tolist() == pytest.approx(wanted)


@given(hnp.arrays("float64", 4, elements=st.floats(-20, 20)))
def test_the_likelihoods_of_all_orders_sum_to_one(scores):
    orders = torch.from_numpy(scores)[torch.tensor(list(itertools.permutations(range(4))))]
    found = choice_log_likelihoods(orders, NOTHING.expand(len(orders), -1)).sum(1).exp()
    assert found.sum().item() == pytest.approx(1)


@given(st.floats(-500, 500))
def test_a_shift_changes_nothing_and_large_scores_do_not_overflow(shift):
    ordered = torch.tensor([[3.0, 1.0, 2.0]], dtype=torch.float64)
    below = torch.tensor([[0.0, -1.0]], dtype=torch.float64)
    torch.testing.assert_close(
        choice_log_likelihoods(ordered + shift, below + shift),
        choice_log_likelihoods(ordered, below),
    )


def test_a_choice_without_alternatives_is_certain():
    assert choice_log_likelihoods(torch.tensor([[4.0]]), torch.zeros(1, 0)).item() == 0
    last = choice_log_likelihoods(torch.tensor([[4.0, -2.0]]), torch.zeros(1, 0))[0, 1]
    assert last.item() == 0


@pytest.mark.parametrize("below", [0, 3])
def test_gradients_by_finite_differences(below):
    generator = torch.Generator().manual_seed(0)
    ordered = torch.randn(2, 4, generator=generator, dtype=torch.float64, requires_grad=True)
    rest = torch.randn(2, below, generator=generator, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(choice_log_likelihoods, (ordered, rest))
