from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from recdistill.data.sequences import Sequences
from recdistill.teachers.combining.gate import Gate, facts
from recdistill.teachers.combining.gate_fitting import (
    Evidence,
    cross_fitted,
    error,
    fitted,
    likelihood,
)

BASE = torch.tensor([0.6, 0.4], dtype=torch.float64)


def evidence(cases: int = 400, seed: int = 0, users: int = 40) -> Evidence:
    """Member 0 knows the answers where the first feature is low, member 1 where it is high."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(cases, 2)) * [2.0, 0.1] + [5.0, -1.0]
    low = features[:, 0] < 5
    known = np.stack([low, ~low]) ^ (rng.random((2, cases)) < 0.1)
    answers = np.where(known, np.log(0.5), np.log(1e-3))
    return Evidence(
        torch.from_numpy(answers),
        torch.from_numpy(features),
        torch.from_numpy(rng.integers(users, size=cases)),
    )


# What it gives


def test_without_slopes_all_contexts_get_the_same_weights():
    gate = Gate.constant([0.7, 0.3])
    assert not gate.looks
    expected = torch.tensor([[0.7] * 3, [0.3] * 3], dtype=torch.float64)
    torch.testing.assert_close(gate(torch.empty(3, 0)).exp(), expected)


def test_weights_by_hand():
    """x̂ = (3 − 1) / 2 = 1: member 0 has log 0.6 + 0.5 + 2, member 1 log 0.4."""
    slopes = torch.tensor([[0.5, 2.0], [0.0, 0.0]])
    gate = Gate(BASE, torch.tensor([1.0]), torch.tensor([2.0]), slopes)
    found = gate(torch.tensor([[3.0]])).exp()
    first = 0.6 * np.exp(2.5)
    assert found[0, 0].item() == pytest.approx(first / (first + 0.4))
    assert found.sum().item() == pytest.approx(1)


def test_contexts_beyond_all_that_was_seen_are_bounded():
    gate = Gate(BASE, torch.zeros(1), torch.ones(1), torch.tensor([[0.0, 1.0], [0.0, 0.0]]))
    far, farther = gate(torch.tensor([[3.0], [1e6]])).T
    torch.testing.assert_close(far, farther)


# What it sees


def seen(histories, popularity, recent, window):
    """By definition, row by row."""
    rows = []
    for history in histories:
        if window is not None:
            history = history[-(window - max(window // 4, 1) + 1) :]
        latest = [np.log1p(popularity[item]) for item in history[-recent:]]
        rows.append([np.log1p(len(history)), np.mean(latest) if latest else 0.0])
    return np.array(rows)


@given(
    rows=st.lists(st.lists(st.integers(0, 9), max_size=30), min_size=1, max_size=6),
    recent=st.integers(1, 8),
    window=st.none() | st.integers(1, 12),
)
def test_facts_are_those_of_the_definition(rows, recent, window):
    popularity = np.arange(10, dtype=np.float64) ** 2
    found = facts(Sequences.from_lists(rows), popularity, recent, window)
    np.testing.assert_allclose(found.numpy(), seen(rows, popularity, recent, window))


@given(
    lengths=st.lists(st.integers(0, 60), min_size=1, max_size=6),
    recent=st.integers(1, 20),
    window=st.integers(1, 20),
)
def test_a_trimmed_history_has_the_same_facts(lengths, recent, window):
    """Labelling trims, evaluation does not."""
    rng = np.random.default_rng(0)
    histories = Sequences.from_lists([rng.integers(0, 10, size=n).tolist() for n in lengths])
    popularity = np.arange(10, dtype=np.float64)
    whole, trimmed = (
        facts(each, popularity, recent, window) for each in (histories, histories.snapped(window))
    )
    torch.testing.assert_close(whole, trimmed, atol=0, rtol=0)


# How it is fitted


@pytest.mark.parametrize("prior", [1.0, 30.0])
def test_the_fit_is_the_minimum_that_scipy_finds(prior):
    known = evidence(cases=150)
    gate = fitted(known, BASE, prior)
    x = known.features.numpy()
    x = np.clip((x - x.mean(0)) / x.std(0), -3, 3)
    inputs = np.hstack([np.ones((len(x), 1)), x])
    answers = known.answers.numpy()

    def loss(flat):
        slopes = flat.reshape(2, 3)
        logits = np.log(BASE.numpy())[:, None] + slopes @ inputs.T
        weights = np.exp(logits) / np.exp(logits).sum(0)
        return -np.log((weights * np.exp(answers)).sum(0)).sum() + prior / 2 * (flat**2).sum()

    found = minimize(loss, np.zeros(6), method="BFGS", options={"gtol": 1e-6})
    assert loss(gate.slopes.numpy().ravel()) == pytest.approx(found.fun, rel=1e-6)
    np.testing.assert_allclose(gate.slopes.numpy().ravel(), found.x, atol=5e-3)


def test_it_routes_to_the_member_who_knows():
    gate = fitted(evidence(), BASE, 1.0)
    low, high = gate(torch.tensor([[1.0, -1.0], [9.0, -1.0]], dtype=torch.float64)).exp().T
    assert low[0] > 0.9
    assert high[1] > 0.9


def test_the_tighter_the_prior_the_nearer_the_weights_for_all():
    known = evidence()
    sizes = [fitted(known, BASE, prior).slopes.norm().item() for prior in (1.0, 100.0, 1e4, 1e8)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] < 1e-4


def test_few_cases_move_it_less_than_many():
    many = evidence(cases=1000)
    few = many.take(torch.arange(1000) < 10)
    assert fitted(few, BASE, 10.0).slopes.norm() < fitted(many, BASE, 10.0).slopes.norm() / 3


def test_members_who_are_always_alike_leave_it_where_it_was():
    known = evidence()
    alike = Evidence(known.answers[:1].expand(2, -1), known.features, known.users)
    assert fitted(alike, BASE, 1.0).slopes.abs().max() == 0


def test_a_feature_that_never_varies_does_no_harm():
    known = evidence()
    features = torch.cat([known.features, torch.full((400, 1), 7.0)], dim=1)
    gate = fitted(Evidence(known.answers, features, known.users), BASE, 1.0)
    assert gate.slopes.isfinite().all()
    assert gate.slopes[:, 3].abs().max() == 0


def test_the_likelihood_is_that_of_the_mixture():
    known = evidence(cases=5)
    log_weights = BASE.log()[:, None].expand(-1, 5)
    expected = np.log((BASE.numpy()[:, None] * np.exp(known.answers.numpy())).sum(0))
    np.testing.assert_allclose(likelihood(log_weights, known), expected)


def test_cross_fitted_weights_come_from_the_cases_of_other_users():
    """Changing what is known of one user's cases changes everybody's weights in other folds, not his own."""
    known = evidence(users=10)
    changed = known.answers.clone()
    his = known.users == 3
    changed[:, his] = changed[:, his].flip(0)
    one, other = (
        cross_fitted(Evidence(answers, known.features, known.users), BASE, 1.0, 5)
        for answers in (known.answers, changed)
    )
    torch.testing.assert_close(one[:, his], other[:, his])
    assert (one[:, known.users == 4] != other[:, known.users == 4]).any()


# How sure one may be


def test_the_error_is_that_of_a_mean_where_each_user_has_one_case():
    rng = np.random.default_rng(0)
    values = rng.normal(size=50)
    found = error(torch.from_numpy(values), torch.arange(50))
    assert found == pytest.approx(values.std(ddof=1) / np.sqrt(50))


def test_saying_the_same_twice_makes_nobody_surer():
    values, users = torch.randn(20, dtype=torch.float64), torch.arange(20)
    once, twice = error(values, users), error(values.repeat(2), users.repeat(2))
    assert once == pytest.approx(twice)
