"""`popularity-groups` against every pair, weighted by its chance."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from logit_objectives import ITEMS, POPULARITY, check_contract, each, student, top_k
from pydantic import ValidationError

from recdistill.distill.objectives import PopularityGroups
from recdistill.distill.objectives.popularity_groups import group_of, pairs_within


def chances(groups, reach):
    """The chance of every ordered pair (first drawn, then drawn) of columns."""
    ranks = [sum(groups[j] == g for j in range(i + 1)) for i, g in enumerate(groups)]
    weights = [math.exp(-rank / reach) for rank in ranks]
    paired = [g for g in set(groups) if groups.count(g) > 1]
    found = {}
    for group in paired:
        members = [i for i, g in enumerate(groups) if g == group]
        total = sum(weights[i] for i in members)
        for i in members:
            for j in members:
                if i != j:
                    first = weights[i] / total / len(paired)
                    found[i, j] = first * weights[j] / (total - weights[i])
    return found


def test_contract():
    check_contract(PopularityGroups(groups=2, pairs=5), draws=True)


def test_against_the_expectation_over_pairs():
    states, table = student()
    signal, _ = top_k(k=7)
    found = each(PopularityGroups(groups=3, reach=2.0, pairs=40_000), states, table, signal)
    groups, ours = group_of(POPULARITY, 3), states @ table.T
    for row, items in enumerate(signal["items"].tolist()):
        wanted = 0.0
        for (i, j), chance in chances(groups[items].tolist(), 2.0).items():
            margin = (ours[row, items[min(i, j)]] - ours[row, items[max(i, j)]]).item()
            wanted += chance * math.log(1 + math.exp(-margin))
        assert found[row].item() == pytest.approx(wanted, rel=0.05, abs=0.02)


def test_groups_hold_equal_shares_of_events():
    """40 of 100 events are the first item's, 20 and 15 the next two's: 3 groups of a third."""
    assert POPULARITY.sum() == 100
    assert group_of(POPULARITY, 1).tolist() == [0] * ITEMS
    assert group_of(POPULARITY, 2).tolist() == [0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]
    assert group_of(POPULARITY, 3).tolist() == [0, 2, 2, 2, 1, 2, 2, 2, 2, 2, 2]
    even = group_of(torch.ones(12), 4)
    assert even.tolist() == [0] * 3 + [1] * 3 + [2] * 3 + [3] * 3


@given(st.lists(st.integers(0, 50), min_size=1, max_size=30), st.integers(1, 6))
def test_less_popular_items_are_never_in_a_more_popular_group(counts, groups):
    popularity = torch.tensor(counts, dtype=torch.float32)
    found = group_of(popularity, groups)
    assert found.min() >= 0
    assert found.max() < groups
    order = popularity.argsort(descending=True, stable=True)
    assert found[order].tolist() == sorted(found.tolist())


@given(st.lists(st.integers(0, 3), min_size=1, max_size=8))
def test_pairs_are_of_one_group_in_the_teachers_order(groups):
    high, low = pairs_within(torch.tensor([groups]), 2.0, 20)
    for i, j in zip(high[0].tolist(), low[0].tolist(), strict=True):
        assert i <= j
        assert groups[i] == groups[j]
        assert i < j or len(set(groups)) == len(groups)


def test_a_list_without_two_of_a_group_says_nothing():
    states, table = student()
    signal, _ = top_k()
    popularity = {
        "items": torch.tensor([[0, 4, 8]]).expand(7, -1),
        "logits": signal["logits"][:, :3],
    }
    assert group_of(POPULARITY, 3)[[0, 4, 8]].tolist() == [0, 1, 2]
    found = each(PopularityGroups(groups=3), states, table, popularity)
    assert (found == 0).all()


def test_far_down_a_long_list_weights_do_not_vanish():
    high, low = pairs_within(torch.zeros(2, 300, dtype=torch.int64), 0.01, 50)
    assert (high == 0).all()
    assert (low > 0).all()


@pytest.mark.parametrize("wrong", [{"groups": 0}, {"pairs": 0}, {"reach": -1.0}])
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(ValidationError):
        PopularityGroups.model_validate(wrong)
