"""`dist` against scipy's correlation."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from logit_objectives import Sparse, check_contract, each, listed, student, top_k
from scipy.special import softmax
from scipy.stats import pearsonr

from recdistill.distill.objectives import MSE, Dist
from recdistill.distill.objectives.contract import Places
from recdistill.distill.objectives.dist import correlation_distance


def test_contract():
    check_contract(Dist(temperature=2.0))


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
def test_against_scipy(temperature):
    states, table = student()
    signal, _ = top_k()
    found = each(Dist(temperature=temperature), states, table, signal)
    # Over the catalogue, then cut to the list: the normaliser makes no difference.
    q = softmax((states @ table.T).numpy() / temperature, axis=1)
    for row, items in enumerate(signal["items"].numpy()):
        p = softmax(signal["logits"][row].numpy() / temperature)
        wanted = temperature**2 * (1 - pearsonr(p, q[row][items]).statistic)
        assert found[row].item() == pytest.approx(wanted, abs=1e-9)


@given(st.floats(0.01, 100), st.floats(-10, 10))
def test_blind_to_scale_and_shift(factor, shift):
    generator = torch.Generator().manual_seed(0)
    one, other = torch.randn(2, 5, 6, generator=generator, dtype=torch.float64)
    torch.testing.assert_close(
        correlation_distance(one, other),
        correlation_distance(one, other * factor + shift),
        atol=1e-6,
        rtol=1e-6,
    )
    torch.testing.assert_close(
        correlation_distance(one, -one), torch.full((5,), 2.0, dtype=torch.float64)
    )


def test_zero_where_the_student_is_the_teacher():
    states, table = student()
    found = each(Dist(), states, table, listed(states @ table.T))
    assert found.abs().max() < 1e-9


def test_at_a_high_temperature_the_logits_are_what_is_correlated():
    """And then it is half of `mse` with standardised logits."""
    states, table = student()
    signal, _ = top_k()
    hot = each(Dist(temperature=1e3), states, table, signal) / 1e6
    torch.testing.assert_close(hot, each(MSE(), states, table, signal) / 2, rtol=1e-2, atol=1e-3)


def test_flat_probabilities_do_not_drown_in_single_precision():
    """100 probabilities of about 1 % each differ by 0.1 %: squared, that is what is rounded off."""
    generator = torch.Generator().manual_seed(0)
    ours, theirs = 2 * torch.randn(2, 3, 100, generator=generator, dtype=torch.float64)
    items = torch.arange(100).expand(3, -1)
    found = []
    for dtype in (torch.float32, torch.float64):
        signal = {"items": items, "logits": theirs.to(dtype)}
        places = Places(torch.zeros(3, dtype=torch.int64), torch.ones(100), torch.arange(3))
        knobs = {"weight": 1.0, "temperature": 20.0}
        found.append(Dist()(Sparse(ours.to(dtype)), places, signal, knobs).double())
    torch.testing.assert_close(found[0], found[1], rtol=1e-3, atol=0)
