"""One pass for ranks and lists together: products and whole rows, candidates, chunks, broken models."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
import torch
from torch import Tensor, nn

from recdistill.data.sequences import Sequences
from recdistill.data.vocabulary import Vocabulary
from recdistill.errors import RecDistillError
from recdistill.models.ranking import Questions, rank, target_ranks, top_k
from recdistill.models.recommender import Recommender
from recdistill.settings import Settings

ITEMS, WIDTH = 150, 4


class Vectors(Recommender):
    """A vector of small whole numbers for every item: exact sums, many ties."""

    kind = "vectors"
    Config = Settings

    def __init__(self, seed: int = 0) -> None:
        super().__init__(Settings(), Vocabulary(pl.Series(range(ITEMS))))
        random = torch.Generator().manual_seed(seed)
        self.table = torch.randint(-3, 4, (ITEMS, WIDTH), generator=random).float()
        self.network = nn.Module()
        self.asked: list[int] = []

    def fit(self, dataset: object, training: object = None, run: object = None) -> Vectors:
        return self

    def states(self, histories: Sequences) -> Tensor:
        self.asked.append(len(histories))
        rows = range(len(histories))
        return torch.stack([self.table[histories[row].tolist()].sum(0) for row in rows])

    def item_table(self) -> Tensor:
        return self.table


class WholeRows(Vectors):
    """The same, said to be no product."""

    def score(self, states: Tensor, items: Tensor | None = None) -> Tensor:
        return super().score(states, items)


def random_rows(count: int, most: int, seed: int) -> Sequences:
    random = np.random.default_rng(seed)
    sizes = random.integers(0, most + 1, count)
    return Sequences.from_lists([random.integers(0, ITEMS, size).tolist() for size in sizes])


def order_of(model: Vectors, history: list[int], allowed: set[int]) -> list[int]:
    scores: list[float] = (model.table[history].sum(0) @ model.table.T).tolist()
    return sorted(allowed, key=lambda item: (-scores[item], item))


@pytest.mark.parametrize("kind", [Vectors, WholeRows])
@pytest.mark.parametrize("memory_mb", [1e-4, 0.01, 16.0])
def test_ranks_and_lists_of_one_pass(kind: type[Vectors], memory_mb: float) -> None:
    model = kind()
    histories, targets, seen = (random_rows(60, most, most) for most in (5, 3, 9))
    told: list[int] = []
    found = rank(
        model,
        Questions(histories, targets, seen),
        depth=7,
        memory_mb=memory_mb,
        advance=told.append,
    )
    assert sum(told) == 60
    at = 0
    for row in range(60):
        hidden = set(seen[row].tolist())
        order = order_of(model, histories[row].tolist(), set(range(ITEMS)) - hidden)
        assert found.items[row].tolist() == order[:7]
        for target in targets[row].tolist():
            assert found.hidden[at] == (target in hidden)
            assert found.hidden[at] or found.ranks[at] == order.index(target) + 1
            at += 1
    assert at == len(found.ranks) == len(found.hidden)


@pytest.mark.parametrize("kind", [Vectors, WholeRows])
@pytest.mark.parametrize("k", [1, 10, 40])
def test_candidates_are_all_that_lists_show(kind: type[Vectors], k: int) -> None:
    model = kind(seed=1)
    histories, seen = random_rows(40, 4, 1), random_rows(40, 60, 2)
    allowed = np.flatnonzero(np.random.default_rng(3).random(ITEMS) < 0.3)
    scores, items = top_k(model, histories, k, seen=seen, candidates=torch.from_numpy(allowed))
    for row in range(40):
        left = set(allowed.tolist()) - set(seen[row].tolist())
        order = order_of(model, histories[row].tolist(), left)[:k]
        assert items[row].tolist() == order + [-1] * (min(k, len(allowed)) - len(order))
        own = model.table[histories[row].tolist()].sum(0) @ model.table[order].T
        assert scores[row, : len(order)].tolist() == own.tolist()
        assert (scores[row, len(order) :] == -torch.inf).all()


def test_lists_as_long_as_the_catalogue() -> None:
    model, histories = Vectors(), random_rows(20, 4, 5)
    items = top_k(model, histories, 10 * ITEMS)[1]
    everything = set(range(ITEMS))
    expected = [order_of(model, histories[row].tolist(), everything) for row in range(20)]
    assert items.tolist() == expected


def test_no_candidates_give_empty_lists() -> None:
    nothing = torch.empty(0, dtype=torch.int64)
    scores, items = top_k(Vectors(), random_rows(3, 4, 5), 5, candidates=nothing)
    assert scores.shape == items.shape == (3, 0)
    assert items.dtype == torch.int64


def test_states_are_made_for_many_rows_at_once_and_scores_for_few() -> None:
    model = Vectors()
    top_k(model, random_rows(5000, 2, 6), 1, memory_mb=0.01)
    assert sum(model.asked) == 5000
    assert len(model.asked) == 2


@pytest.mark.parametrize("kind", [Vectors, WholeRows])
@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_a_diverged_model_has_no_ranks(kind: type[Vectors], value: float) -> None:
    model, histories = kind(), Sequences.from_lists([[1], [2]])
    model.table[1] = value
    with pytest.raises(RecDistillError, match="not finite"):
        target_ranks(model, histories, histories)
    with pytest.raises(RecDistillError, match="not finite"):
        top_k(model, histories, 3)
