"""Top lists and ranks against sorting everything."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from recdistill.data.sequences import Sequences
from recdistill.data.vocabulary import Vocabulary
from recdistill.models.ranking import ndcg, target_ranks, top_k
from recdistill.models.recommender import Recommender
from recdistill.models.validation import takes_repeat
from recdistill.settings import Settings


class Fixed(Recommender):
    """Scores given outright: row r of a table for the history `[r]`. Whole numbers, so that there are ties."""

    kind = "fixed"
    Config = Settings

    def __init__(self, scores: Tensor) -> None:
        super().__init__(Settings(), Vocabulary(pl.Series(range(scores.shape[1]))))
        self.scores, self.network = scores, nn.Module()

    def fit(self, dataset: object, training: object = None, run: object = None) -> Fixed:
        return self

    def states(self, histories: Sequences) -> Tensor:
        return self.scores[[int(histories[row][-1]) for row in range(len(histories))]]

    def item_table(self) -> Tensor:
        return torch.eye(self.scores.shape[1])


def sorted_items(scores: Tensor, allowed: set[int]) -> list[int]:
    return sorted(allowed, key=lambda item: (-float(scores[item]), item))


worlds = st.tuples(st.integers(1, 6), st.integers(1, 12), st.integers(0, 10_000))


def world(shape: tuple[int, int, int]) -> tuple[Fixed, Sequences, Sequences, np.random.Generator]:
    rows, items, seed = shape
    random = np.random.default_rng(seed)
    model = Fixed(torch.from_numpy(random.integers(-2, 3, (max(rows, items), items))).float())
    histories = Sequences.from_lists([[int(random.integers(items))] for _ in range(rows)])
    seen = Sequences.from_lists(
        [random.integers(items, size=random.integers(0, items)).tolist() for _ in range(rows)]
    )
    return model, histories, seen, random


@settings(max_examples=60, deadline=None)
@given(shape=worlds, k=st.integers(1, 15), narrow=st.booleans(), hide=st.booleans())
def test_top_lists(shape: tuple[int, int, int], k: int, narrow: bool, hide: bool) -> None:
    model, histories, seen, random = world(shape)
    everything = np.arange(len(model.vocabulary))
    chosen = everything[random.random(len(everything)) < 0.6] if narrow else everything
    scores, items = top_k(
        model,
        histories,
        k,
        seen=seen if hide else None,
        candidates=torch.from_numpy(chosen) if narrow else None,
        memory_mb=1e-4,
    )
    for row in range(len(histories)):
        own = model.scores[int(histories[row][0])]
        allowed = set(chosen.tolist()) - (set(seen[row].tolist()) if hide else set())
        expected = sorted_items(own, allowed)[:k]
        shown = items[row][items[row] >= 0].tolist()
        assert shown == expected
        assert scores[row][: len(shown)].tolist() == own[shown].tolist()
        assert (scores[row][len(shown) :] == -torch.inf).all()


@settings(max_examples=60, deadline=None)
@given(shape=worlds, hide=st.booleans(), several=st.booleans())
def test_ranks(shape: tuple[int, int, int], hide: bool, several: bool) -> None:
    model, histories, seen, random = world(shape)
    items = len(model.vocabulary)
    sizes = random.integers(0, 4, len(histories)) if several else np.ones(len(histories), int)
    targets = Sequences.from_lists([random.integers(items, size=size).tolist() for size in sizes])
    ranks = iter(target_ranks(model, histories, targets, seen if hide else None, memory_mb=1e-4))
    for row in range(len(histories)):
        own = model.scores[int(histories[row][0])]
        hidden = set(seen[row].tolist()) if hide else set()
        order = sorted_items(own, set(range(items)) - hidden)
        for target in targets[row].tolist():
            expected = items if target in hidden else order.index(target) + 1
            assert next(ranks) == expected
    assert next(ranks, None) is None


def test_no_rows() -> None:
    nobody = Sequences.from_lists([])
    model = Fixed(torch.zeros(2, 3))
    model.states = lambda histories: torch.zeros(0, 3)  # type: ignore[method-assign]
    assert top_k(model, nobody, 2)[1].shape == (0, 2)
    assert len(target_ranks(model, nobody, nobody)) == 0


def test_ndcg_by_hand() -> None:
    targets = Sequences.from_lists([[4], [1, 2], [7], [0, 1, 2]])
    found = ndcg(np.array([1, 3, 11, 11, 1, 2, 3]), targets)
    second = (1 / math.log2(4)) / (1 + 1 / math.log2(3))
    assert found == pytest.approx([1.0, second, 0.0, 1.0])


def test_ndcg_of_more_targets_than_places() -> None:
    targets = Sequences.from_lists([list(range(5))])
    assert ndcg(np.array([1, 2, 3, 4, 5]), targets, k=3) == pytest.approx([1.0])


@pytest.mark.parametrize(
    ("rows", "expected"), [([[1, 2], [2, 1]], False), ([[1, 2], [3, 4, 3]], True), ([], False)]
)
def test_repeats(rows: list[list[int]], expected: bool) -> None:
    assert takes_repeat(Sequences.from_lists(rows)) is expected
