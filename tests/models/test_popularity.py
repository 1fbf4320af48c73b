"""Popularity and item neighbours against counting by hand."""

from __future__ import annotations

import math
from collections import Counter
from itertools import combinations
from typing import Any

import numpy as np
import pytest
import torch

from recdistill.data.dataset import Dataset
from recdistill.data.sequences import Sequences
from recdistill.models import item_knn
from recdistill.models.item_knn import ItemKNN
from recdistill.models.popularity import Popularity


def test_counts(tiny_dataset: Dataset) -> None:
    model = Popularity.for_dataset(tiny_dataset).fit(tiny_dataset)
    counts = Counter(tiny_dataset.train.items.tolist())
    expected = [math.log1p(counts[item]) for item in range(tiny_dataset.num_items)]
    assert model.item_table()[:, 0].tolist() == pytest.approx(expected)
    assert torch.equal(model.states(Sequences.from_lists([[1], [], [2, 3]])), torch.ones(3, 1))


@pytest.mark.parametrize("config", [{"half_life_days": 5.0}, {"window_days": 20.0}])
def test_age(tiny_dataset: Dataset, config: dict[str, Any]) -> None:
    train = tiny_dataset.train
    expected = np.zeros(tiny_dataset.num_items)
    for item, time in zip(train.items.tolist(), train.times.tolist(), strict=True):
        days = (int(train.times.max()) - time) / 86_400
        half_life, window = config.get("half_life_days"), config.get("window_days", 1e9)
        expected[item] += (0.5 ** (days / half_life) if half_life else 1.0) * (days <= window)
    model = Popularity.for_dataset(tiny_dataset, **config).fit(tiny_dataset)
    assert model.item_table()[:, 0].numpy() == pytest.approx(np.log1p(expected), abs=1e-5)


def cosines(dataset: Dataset, shrinkage: float) -> np.ndarray:
    """Every pair of items that a user took, one by one."""
    users, both = Counter[int](), Counter[tuple[int, int]]()
    for row in range(len(dataset.train.histories)):
        taken = sorted(set(dataset.train.histories[row].tolist()))
        users.update(taken)
        both.update(combinations(taken, 2))
    found = np.zeros((dataset.num_items, dataset.num_items))
    for (one, other), count in both.items():
        cosine = count / (math.sqrt(users[one] * users[other]) + shrinkage)
        found[one, other] = found[other, one] = cosine
    return found


@pytest.fixture
def neighbours(tiny_dataset: Dataset) -> ItemKNN:
    return ItemKNN.for_dataset(tiny_dataset, neighbours=1000, shrinkage=2.0).fit(tiny_dataset)


def test_similarities(tiny_dataset: Dataset, neighbours: ItemKNN) -> None:
    table = neighbours.item_table().to_dense().numpy()
    assert table == pytest.approx(cosines(tiny_dataset, 2.0), abs=1e-6)


@pytest.mark.parametrize("cells", [1, 50, 1000])
def test_pieces_change_nothing(
    tiny_dataset: Dataset, neighbours: ItemKNN, monkeypatch: pytest.MonkeyPatch, cells: int
) -> None:
    monkeypatch.setattr(item_knn, "_CELLS", cells)
    again = ItemKNN.for_dataset(tiny_dataset, neighbours=1000, shrinkage=2.0).fit(tiny_dataset)
    torch.testing.assert_close(again.item_table().to_dense(), neighbours.item_table().to_dense())


def test_scores_are_sums_over_the_history(tiny_dataset: Dataset, neighbours: ItemKNN) -> None:
    rows = [[3, 5, 8], [], [5]]
    found = neighbours.score(neighbours.states(Sequences.from_lists(rows)))
    similarity = cosines(tiny_dataset, 2.0)
    for scores, history in zip(found.numpy(), rows, strict=True):
        assert scores == pytest.approx(similarity[history].sum(0), abs=1e-5)
    some = torch.tensor([4, 1])
    states = neighbours.states(Sequences.from_lists(rows))
    torch.testing.assert_close(neighbours.score(states, some), found[:, some])
    assert not neighbours.factorised


def test_only_the_nearest_are_kept(tiny_dataset: Dataset, neighbours: ItemKNN) -> None:
    few = ItemKNN.for_dataset(tiny_dataset, neighbours=3, shrinkage=2.0).fit(tiny_dataset)
    table, every = few.item_table().to_dense(), neighbours.item_table().to_dense()
    assert ((table > 0).sum(1) <= 3).all()
    torch.testing.assert_close(table.sum(1), every.topk(3, dim=1).values.sum(1))


def test_whom_it_knows_nothing_of_it_gives_what_is_popular(
    tiny_dataset: Dataset, neighbours: ItemKNN
) -> None:
    popular = Popularity.for_dataset(tiny_dataset).fit(tiny_dataset)
    shown = neighbours.recommend([[]], k=1)["item_id"].to_list()
    taken = np.zeros(tiny_dataset.num_items)
    for row in range(len(tiny_dataset.train.histories)):
        taken[np.unique(tiny_dataset.train.histories[row])] += 1
    assert shown == tiny_dataset.vocabulary.decode(np.array([taken.argmax()], np.int32)).to_list()
    assert popular.recommend([[]], k=1).height == 1


def test_similar_items_are_its_neighbours(tiny_dataset: Dataset, neighbours: ItemKNN) -> None:
    similarity = cosines(tiny_dataset, 2.0)
    frame = neighbours.similar_items(["i0003"], k=4)
    asked = int(tiny_dataset.vocabulary.require(["i0003"])[0])
    best = sorted(range(len(similarity)), key=lambda item: -similarity[asked, item])[:4]
    assert frame["score"].to_numpy() == pytest.approx(similarity[asked, best], abs=1e-5)
