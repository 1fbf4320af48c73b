"""`list-mle` against loops over the likelihood of an order."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from logit_objectives import ITEMS, K, check_contract, each, student, top_k
from pydantic import ValidationError
from sklearn.metrics import dcg_score

from recdistill.distill.objectives import ListMLE
from recdistill.distill.objectives.list_mle import rank_weights
from recdistill.errors import ConfigError
from recdistill.signals.kinds import TopK


def by_loops(ordered, below, weights):
    total = 0.0
    for r, score in enumerate(ordered):
        left = [*ordered[r:], *below]
        total -= weights[r] * (score - math.log(sum(math.exp(s) for s in left)))
    return total / sum(weights)


@pytest.mark.parametrize("rest", ["ignore", "below"])
@pytest.mark.parametrize("top", [None, 3])
def test_contract(rest, top):
    check_contract(ListMLE(rest=rest, top=top, discount="logarithmic"))
    assert ListMLE(rest=rest).dense == (rest == "below")


@pytest.mark.parametrize("rest", ["ignore", "below"])
@pytest.mark.parametrize("discount", ["none", "logarithmic"])
@pytest.mark.parametrize("top", [None, 1, 3, K])
def test_against_loops(rest, discount, top):
    states, table = student()
    signal, _ = top_k()
    found = each(ListMLE(rest=rest, discount=discount, top=top), states, table, signal)
    ours, head = states @ table.T, top or K
    weights = [1.0 if discount == "none" else 1 / math.log2(2 + r) for r in range(head)]
    for row, items in enumerate(signal["items"].tolist()):
        below = items[head:]
        if rest == "below":
            below = below + [item for item in range(ITEMS) if item not in items]
        wanted = by_loops(ours[row, items[:head]].tolist(), ours[row, below].tolist(), weights)
        assert found[row].item() == pytest.approx(wanted)


def test_the_discount_is_that_of_ndcg():
    weights = rank_weights(torch.zeros(1, 6, dtype=torch.float64), "logarithmic").numpy()
    gains = [dcg_score([np.eye(6)[r]], [np.arange(6, 0, -1)]) for r in range(6)]
    np.testing.assert_allclose(weights, np.array(gains) / np.sum(gains))


@given(st.permutations(range(K)))
def test_an_order_is_the_more_likely_the_more_of_it_is_right(order):
    """Scores far apart in the teacher's order cost next to nothing, any other order costs."""
    table = torch.zeros(ITEMS, 1, dtype=torch.float64)
    table[:K, 0] = -20.0 * torch.tensor(order, dtype=torch.float64)
    states = torch.ones(1, 1, dtype=torch.float64)
    signal = {"items": torch.arange(K).unsqueeze(0), "logits": torch.zeros(1, K).double()}
    found = each(ListMLE(), states, table, signal, torch.tensor([0])).item()
    right = list(order) == sorted(order)
    assert found < 1e-6 if right else found > 20 / K - 1e-6


@pytest.mark.parametrize("rest", ["ignore", "below"])
def test_only_the_teachers_order_counts(rest):
    states, table = student()
    signal, _ = top_k()
    other = {**signal, "logits": signal["logits"].exp()}
    objective = ListMLE(rest=rest)
    assert each(objective, states, table, other).equal(each(objective, states, table, signal))


def test_a_head_longer_than_the_list_is_refused():
    ListMLE().check(TopK(k=5))
    with pytest.raises(ConfigError, match=r"`top: 10` .* but the signals list 5"):
        ListMLE(top=10).check(TopK(k=5))


@pytest.mark.parametrize("wrong", [{"top": 0}, {"discount": "exponential"}, {"rest": "bucket"}])
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(ValidationError):
        ListMLE.model_validate(wrong)
