"""`margin-mse` against loops over pairs."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from logit_objectives import ITEMS, check_contract, each, listed, student, targets, top_k

from recdistill.distill.objectives import MSE, MarginMSE


def by_loops(teacher, ours, positive):
    others = [j for j in range(len(teacher)) if j != positive]
    errors = [(ours[positive] - ours[j]) - (teacher[positive] - teacher[j]) for j in others]
    return sum(error**2 for error in errors) / len(others)


@pytest.mark.parametrize("positive", ["target", "best"])
@pytest.mark.parametrize("standardise", [False, True])
def test_contract(positive, standardise):
    check_contract(MarginMSE(positive=positive, standardise=standardise))


def test_against_loops():
    states, table = student()
    signal, _ = top_k()
    ours = (states @ table.T).gather(1, signal["items"])
    by_target = each(MarginMSE(), states, table, signal)
    by_best = each(MarginMSE(positive="best"), states, table, signal)
    inside = 0
    for row, target in enumerate(targets().tolist()):
        items = signal["items"][row].tolist()
        teacher, mine = signal["logits"][row].tolist(), ours[row].tolist()
        assert by_best[row].item() == pytest.approx(by_loops(teacher, mine, 0))
        wanted = by_loops(teacher, mine, items.index(target)) if target in items else 0.0
        assert by_target[row].item() == pytest.approx(wanted)
        inside += target in items
    assert 0 < inside < len(states)


def test_over_all_pairs_it_is_mse_of_centred_logits():
    """The mean over every positive = 2k / (k − 1) · the variance of the errors."""
    states, table = student()
    signal, _ = top_k(k=ITEMS)
    every = [
        each(MarginMSE(), states, table, signal, torch.full((len(states),), item))
        for item in range(ITEMS)
    ]
    wanted = 2 * ITEMS / (ITEMS - 1) * each(MSE(scale="centred"), states, table, signal)
    torch.testing.assert_close(torch.stack(every).mean(0), wanted)


@given(st.floats(0.1, 10), st.floats(-30, 30))
def test_invariances(factor, shift):
    states, table = student()
    signal, _ = top_k()
    for objective, by in ((MarginMSE(), 1.0), (MarginMSE(standardise=True), factor)):
        moved = {**signal, "logits": signal["logits"] * by + shift}
        torch.testing.assert_close(
            each(objective, states, table, moved), each(objective, states, table, signal)
        )


def test_zero_where_the_student_is_the_teacher():
    states, table = student()
    assert each(MarginMSE(), states, table, listed(states @ table.T)).abs().max() < 1e-20


def test_only_the_target_needs_a_target():
    assert MarginMSE().needs_target
    assert not MarginMSE(positive="best").needs_target
