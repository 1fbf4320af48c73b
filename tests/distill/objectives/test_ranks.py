"""Ranks against sorting the whole catalogue."""

from __future__ import annotations

import pytest
import torch
from logit_objectives import ITEMS, Sparse, student, top_k
from pydantic import TypeAdapter, ValidationError
from scipy.stats import rankdata

from recdistill.distill.objectives.ranks import (
    Reach,
    log_interest,
    stratified_ranks,
    student_ranks,
)


def logits():
    states, table = student()
    return states @ table.T


def test_interest_falls_by_a_factor_e_over_a_reach():
    found = log_interest(torch.zeros(2, 7, dtype=torch.float64), 3.0).exp()
    torch.testing.assert_close(found[0] / found[3], torch.tensor(torch.e, dtype=torch.float64))


def test_ranks_count_what_each_stands_for():
    scores = torch.tensor([[1.0, 5.0, 3.0, 4.0], [2.0, 2.0, 9.0, -1.0]])
    stands_for = torch.tensor([1.0, 1.0, 10.0, 10.0])
    found = stratified_ranks(scores, stands_for)
    assert found.tolist() == [[22, 1, 12, 2], [11, 12, 1, 13]]


def test_with_the_whole_catalogue_listed_ranks_are_exact():
    signal, _ = top_k(k=ITEMS)
    every, ranks = student_ranks(
        Sparse(logits()), signal["items"], logits().gather(1, signal["items"]), 9
    )
    wanted = torch.from_numpy(rankdata(-logits(), axis=1)).gather(1, every)
    torch.testing.assert_close(ranks, wanted)


@pytest.mark.parametrize("samples", [1, 4])
def test_ranks_of_listed_items_are_right_on_average(samples):
    torch.manual_seed(0)
    signal, _ = top_k(k=4)
    items, repeats = signal["items"], 3000
    full = logits().repeat(repeats, 1)
    many = items.repeat(repeats, 1)
    every, ranks = student_ranks(Sparse(full), many, full.gather(1, many), samples)
    mean = ranks[:, :4].view(repeats, *items.shape).mean(0)
    wanted = torch.from_numpy(rankdata(-logits(), axis=1)).gather(1, items)
    torch.testing.assert_close(mean, wanted, atol=0.25, rtol=0)
    assert every.shape == (len(many), 4 + samples)


@pytest.mark.parametrize("wrong", [0.0, -1.0, {"kind": "linear", "from": 5, "to": 0}])
def test_a_reach_of_nothing_is_refused(wrong):
    with pytest.raises(ValidationError, match="greater than 0"):
        TypeAdapter(Reach).validate_python(wrong)
