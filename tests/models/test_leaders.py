"""Leaders against sorting whole rows, whatever the blocks and however bad the order of the scores."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from recdistill.models.ranking import leaders as module
from recdistill.models.ranking.leaders import PATIENCE, Leaders


def by_sorting(scores: Tensor, k: int) -> tuple[list[list[float]], list[list[int]]]:
    """The first `k` of each row by score, then by id; filled up where there are not as many."""
    values, names = [], []
    for row in scores.double().numpy():
        order = [int(i) for i in np.lexsort((np.arange(len(row)), -row)) if row[i] > -np.inf][:k]
        missing = k - len(order)
        values.append([float(row[i]) for i in order] + [-np.inf] * missing)
        names.append(order + [-1] * missing)
    return values, names


def offered(scores: Tensor, k: int, block: int) -> tuple[list[list[float]], list[list[int]]]:
    leaders = Leaders(len(scores), k)
    for start in range(0, scores.shape[1], block):
        leaders.offer(start, scores[:, start : start + block].clone())
    values, items = leaders.lists()
    return values.double().tolist(), items.tolist()


@settings(max_examples=150, deadline=None)
@given(
    rows=st.integers(1, 5),
    items=st.integers(1, 400),
    k=st.integers(1, 30),
    block=st.integers(1, 400),
    variety=st.sampled_from([1, 3, 50, 10_000]),
    hidden=st.sampled_from([0.0, 0.3, 0.97, 1.0]),
    seed=st.integers(0, 10_000),
)
def test_as_if_sorted(
    rows: int, items: int, k: int, block: int, variety: int, hidden: float, seed: int
) -> None:
    random = np.random.default_rng(seed)
    scores = torch.from_numpy(random.integers(0, variety, (rows, items))).float()
    scores[torch.from_numpy(random.random((rows, items)) < hidden)] = -torch.inf
    assert offered(scores, k, block) == by_sorting(scores, k)


@pytest.mark.parametrize("ascending", [True, False])
@pytest.mark.parametrize("block", [7, 64, 640])
def test_scores_in_order(ascending: bool, block: int) -> None:
    """Every item challenges the leaders, or none after the first block."""
    line = torch.arange(1300.0)
    scores = torch.stack([line if ascending else -line, torch.zeros(1300)])
    assert offered(scores, 10, block) == by_sorting(scores, 10)


def test_few_challengers_wait_and_many_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits stays few, and choosing is rare where scores come in random order."""
    widths: list[int] = []
    best = module.best

    def watched(scores: Tensor, k: int) -> tuple[Tensor, Tensor]:
        widths.append(scores.shape[1])
        return best(scores, k)

    monkeypatch.setattr(module, "best", watched)
    k, block, items = 5, 200, 20_000
    random = torch.rand(50, items, generator=torch.Generator().manual_seed(0))
    assert offered(random, k, block) == by_sorting(random, k)
    assert len(widths) < items / block / 5
    assert max(widths) <= k + PATIENCE * k + block
    widths.clear()
    rising = torch.arange(float(items)).expand(3, -1)
    assert offered(rising, k, block) == by_sorting(rising, k)
    assert max(widths) <= k + PATIENCE * k + block


def test_asking_twice_changes_nothing_and_more_may_come() -> None:
    leaders = Leaders(1, 2)
    assert leaders.lists()[1].tolist() == [[-1, -1]]
    leaders.offer(0, torch.tensor([[1.0, 3.0]]))
    assert leaders.lists()[1].tolist() == leaders.lists()[1].tolist() == [[1, 0]]
    leaders.offer(2, torch.tensor([[3.0, 2.0, -torch.inf]]))
    values, items = leaders.lists()
    assert items.tolist() == [[1, 2]]
    assert values.tolist() == [[3.0, 3.0]]


def test_the_smallest_float_is_still_a_score() -> None:
    lowest = torch.finfo(torch.float32).min
    scores = torch.full((1, 40), lowest)
    scores[0, 3] = -torch.inf
    assert offered(scores, 5, 40)[1] == [[0, 1, 2, 4, 5]]
