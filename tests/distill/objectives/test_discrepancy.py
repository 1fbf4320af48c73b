"""`discrepancy` against loops, with ranks that are exact."""

from __future__ import annotations

import math

import pytest
import torch
from logit_objectives import ITEMS, check_contract, each, listed, student, top_k
from pydantic import ValidationError
from scipy.stats import rankdata

from recdistill.distill.objectives import Discrepancy
from recdistill.errors import ConfigError
from recdistill.signals.kinds import TopK


def reference(ours, items):
    """All under-estimated items in the teacher's order, all over-estimated below; no draws."""
    ranks = rankdata([-score for score in ours])
    gaps = {item: ranks[item] - r for r, item in enumerate(items, start=1)}
    under = [ours[item] for item in items if gaps[item] > 0]
    over = [ours[item] for item in items if gaps[item] < 0]
    total = 0.0
    for r, score in enumerate(under):
        total -= score - math.log(sum(math.exp(s) for s in [*under[r:], *over]))
    return total / max(len(under), 1)


def test_contract():
    check_contract(Discrepancy(under=3, over=4, samples=3), draws=True)


def test_against_loops():
    states, table = student()
    signal, _ = top_k(k=ITEMS)
    found = each(Discrepancy(under=ITEMS, over=ITEMS), states, table, signal)
    ours = states @ table.T
    for row, items in enumerate(signal["items"].tolist()):
        assert found[row].item() == pytest.approx(reference(ours[row].tolist(), items))
    assert (found > 0).all()


def test_nothing_is_left_to_say_where_the_student_ranks_like_the_teacher():
    states, table = student()
    signal = listed(states @ table.T, k=ITEMS)
    assert each(Discrepancy(), states, table, signal).abs().max() == 0


def moved(table, signal, **settings):
    """How each item's score is pushed; below 0 is up."""
    states = torch.ones(1, 1, dtype=torch.float64)
    table = torch.tensor(table, dtype=torch.float64).unsqueeze(1).requires_grad_()
    each(Discrepancy(**settings), states, table, signal, torch.tensor([0])).backward()
    return table.grad[:, 0]


def test_an_item_in_its_place_is_left_alone():
    """The student exchanges the teacher's second and fourth."""
    signal = listed(torch.tensor([[5.0, 4.0, 3.0, 2.0]]).double(), k=4)
    pushed = moved([5.0, 2.0, 3.0, 4.0], signal)
    assert pushed[1] < 0 < pushed[3]
    assert pushed[[0, 2]].tolist() == [0, 0]


def test_an_unlisted_item_goes_down_only_where_it_is_ranked_too_high_for_certain():
    """Items 2 and 3 are unlisted; the student puts 2 first, and 3 last."""
    signal = listed(torch.tensor([[5.0, 4.0, 0.0, 0.0]]).double(), k=2)
    pushed = moved([3.0, 2.0, 9.0, -9.0], signal, samples=50)
    assert pushed[2] > 0
    assert pushed[3] == 0


def test_items_are_drawn_by_their_discrepancy():
    """One item 1 rank too low and one 9 too low: a blunt μ draws the second nearly always."""
    order = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
    signal = {
        "items": torch.tensor([order]),
        "logits": torch.arange(11.0, 0, -1).double().unsqueeze(0),
        "rest": torch.tensor([-torch.inf]).double(),
    }
    ours = [0.0] * ITEMS
    for place, item in enumerate([2, 3, 4, 5, 6, 7, 8, 9, 10, 0, 1][::-1]):
        ours[item] = float(place)
    drawn = set()
    for sharpness in (1e-4, 1e3):
        pushed = moved(ours, signal, under=2, sharpness=sharpness)
        drawn |= {item for item in range(ITEMS) if pushed[item] < 0}
    assert drawn == {0, 1}


def test_more_under_estimated_than_listed_are_refused():
    Discrepancy().check(TopK(k=40))
    with pytest.raises(ConfigError, match=r"`under: 40` .* but the signals list 20"):
        Discrepancy().check(TopK(k=20))


@pytest.mark.parametrize("wrong", [{"under": 0}, {"over": 0}, {"sharpness": 0}, {"samples": 0}])
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(ValidationError):
        Discrepancy.model_validate(wrong)
