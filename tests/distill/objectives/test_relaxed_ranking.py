"""`relaxed-ranking` against loops over the paper's likelihood."""

from __future__ import annotations

import math

import pytest
import torch
from logit_objectives import ITEMS, K, check_contract, each, student, top_k
from pydantic import ValidationError

from recdistill.distill.objectives import ListMLE, RelaxedRanking, relaxed_ranking
from recdistill.errors import ConfigError
from recdistill.signals.kinds import TopK

FIRST = 1e-3
"""A reach at which the first of a list are drawn for certain."""


def by_loops(ordered, below):
    total = 0.0
    for r, score in enumerate(ordered):
        total -= score - math.log(sum(math.exp(s) for s in [*ordered[r:], *below]))
    return total / len(ordered)


def test_contract():
    check_contract(RelaxedRanking(interesting=3, uninteresting=4), draws=True)


def test_against_loops(monkeypatch):
    states, table = student()
    signal, _ = top_k()
    below = torch.tensor(
        [[i for i in range(ITEMS) if i not in row][:4] for row in signal["items"].tolist()]
    )
    row = iter(range(len(states)))
    monkeypatch.setattr(relaxed_ranking, "outside", lambda *_: below[[next(row)]])
    found = each(RelaxedRanking(interesting=3, reach=FIRST), states, table, signal)
    ours = states @ table.T
    for row, items in enumerate(signal["items"].tolist()):
        wanted = by_loops(ours[row, items[:3]].tolist(), ours[row, below[row]].tolist())
        assert found[row].item() == pytest.approx(wanted)


def test_all_interesting_and_none_below_is_list_mle():
    states, table = student()
    signal, _ = top_k()
    torch.testing.assert_close(
        each(RelaxedRanking(interesting=K, uninteresting=0), states, table, signal),
        each(ListMLE(), states, table, signal),
    )


def test_a_shorter_list_gives_what_it_has():
    states, table = student()
    signal, _ = top_k(k=3)
    torch.testing.assert_close(
        each(RelaxedRanking(interesting=40, uninteresting=0), states, table, signal),
        each(ListMLE(), states, table, signal),
    )


def test_uninteresting_items_go_down_and_their_order_does_not_matter():
    states = torch.ones(1, 1, dtype=torch.float64)
    table = torch.zeros(ITEMS, 1, dtype=torch.float64, requires_grad=True)
    signal = {
        "items": torch.tensor([[2, 5]]),
        "logits": torch.tensor([[1.0, 0.0]]).double(),
        "rest": torch.tensor([0.0]).double(),
    }
    objective = RelaxedRanking(interesting=2, uninteresting=5000)
    each(objective, states, table, signal, torch.tensor([0])).backward()
    pushed = table.grad[:, 0]
    others = [item for item in range(ITEMS) if item not in (2, 5)]
    assert pushed[2] < 0
    assert (pushed[others] > 0).all()
    assert pushed[others].max() < 1.5 * pushed[others].min()


def test_more_interesting_than_listed_are_refused():
    RelaxedRanking().check(TopK(k=40))
    with pytest.raises(ConfigError, match=r"`interesting: 40` .* but the signals list 20"):
        RelaxedRanking().check(TopK(k=20))


@pytest.mark.parametrize("wrong", [{"interesting": 0}, {"uninteresting": -1}, {"reach": 0.0}])
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(ValidationError):
        RelaxedRanking.model_validate(wrong)
