"""Ranks and lists against sorting the whole catalogue in double precision."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from evaluation_models import FixedModel, Unfactorised, random_cases, random_model

from recdistill.data.dataset import Cases
from recdistill.data.sequences import Sequences
from recdistill.errors import RecDistillError
from recdistill.evaluation.ranker import RankingOptions, rank_cases
from recdistill.evaluation.rankings import UNRANKED, Ranking

KINDS = (FixedModel, Unfactorised)


def by_sorting(model: FixedModel, cases: Cases, filter_seen: bool, depth: int) -> tuple[Any, ...]:
    """Everything the slow way: sort the catalogue by score, then by item id."""
    scores = (model.states(cases.histories).double() @ model.table.double().T).numpy()
    ranks, shown, top = [], [], []
    for case in range(len(cases)):
        row = scores[case].copy()
        if filter_seen:
            row[cases.histories[case]] = -np.inf
        order = [item for item in np.lexsort((np.arange(len(row)), -row)) if row[item] > -np.inf]
        place = {item: rank for rank, item in enumerate(order, start=1)}
        ranks += [place.get(target, UNRANKED) for target in cases.targets[case]]
        shown.append(len(order))
        top.append((order + [-1] * depth)[:depth])
    return np.array(ranks), np.array(shown), np.array(top)


def assert_as_sorted(
    model: FixedModel, cases: Cases, found: Ranking, options: RankingOptions
) -> None:
    ranks, shown, top = by_sorting(model, cases, options.filter_seen, options.depth)
    np.testing.assert_array_equal(found.ranks.ranks, ranks)
    np.testing.assert_array_equal(found.ranks.shown, shown)
    np.testing.assert_array_equal(found.top, top)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("targets", [1, 5])
@pytest.mark.parametrize("filter_seen", [True, False])
@pytest.mark.parametrize("memory_mb", [0.002, 0.05, 64.0])
def test_as_if_sorted(kind: Any, targets: int, filter_seen: bool, memory_mb: float) -> None:
    model = random_model(211, seed=targets, kind=kind)
    cases = random_cases(150, 211, seed=7, targets=targets)
    options = RankingOptions(10, filter_seen, memory_mb)
    assert_as_sorted(model, cases, rank_cases(model, cases, options), options)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("width", [1, 8, 64])
def test_ties_go_to_the_smaller_id_in_every_block(kind: Any, width: int) -> None:
    model = random_model(300, width, seed=width, kind=kind)
    model.table[50:100] = model.table[:50]
    model.table[250:] = model.table[:50]
    cases = random_cases(400, 300, seed=1, targets=3)
    options = RankingOptions(12, memory_mb=0.02)
    assert_as_sorted(model, cases, rank_cases(model, cases, options), options)


@pytest.mark.parametrize("memory_mb", [0.5, 64.0])
def test_long_lists_from_groups_of_columns_are_exact_with_ties(memory_mb: float) -> None:
    model = random_model(2003, 16, seed=5)
    model.table[1000:1400] = model.table[:400]
    cases = random_cases(120, 2003, seed=6)
    options = RankingOptions(10, memory_mb=memory_mb)
    assert_as_sorted(model, cases, rank_cases(model, cases, options), options)


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_that_says_the_same_of_all_items_ranks_them_by_id(kind: Any) -> None:
    model = kind(torch.zeros(101, 4), torch.ones(100, 4))
    cases = random_cases(60, 100, seed=3)
    options = RankingOptions(5, filter_seen=False, memory_mb=0.01)
    found = rank_cases(model, cases, options)
    np.testing.assert_array_equal(found.ranks.ranks, cases.targets.values + 1)
    np.testing.assert_array_equal(found.top, np.tile(np.arange(5), (60, 1)))


def test_memory_changes_nothing() -> None:
    model, cases = random_model(500), random_cases(300, 500, targets=2)
    small, large = (
        rank_cases(model, cases, RankingOptions(memory_mb=memory)) for memory in (0.01, 100.0)
    )
    np.testing.assert_array_equal(small.ranks.ranks, large.ranks.ranks)
    np.testing.assert_array_equal(small.top, large.top)


def test_lists_shorter_than_asked_for_end_in_nothing() -> None:
    model = random_model(6)
    cases = Cases(
        np.zeros(1, np.int32), Sequences.from_lists([[0, 1, 2, 3]]), Sequences.from_lists([[5]])
    )
    found = rank_cases(model, cases, RankingOptions(depth=4))
    assert set(found.top[0, :2].tolist()) == {4, 5}
    assert found.top[0, 2:].tolist() == [-1, -1]
    assert found.ranks.shown.tolist() == [2]


def test_a_target_that_is_filtered_cannot_be_ranked() -> None:
    cases = Cases(
        np.zeros(1, np.int32), Sequences.from_lists([[3]]), Sequences.from_lists([[3, 4]])
    )
    assert rank_cases(random_model(9), cases, RankingOptions()).ranks.ranks[0] == UNRANKED
    seen = RankingOptions(filter_seen=False)
    assert rank_cases(random_model(9), cases, seen).ranks.ranks.max() <= 9


def test_no_lists_are_kept_when_none_are_asked_for() -> None:
    found = rank_cases(random_model(30), random_cases(20, 30), RankingOptions(depth=0))
    assert found.top.shape == (20, 0)
    assert len(found) == 20


def test_progress_adds_up() -> None:
    told: list[int] = []
    rank_cases(random_model(30), random_cases(700, 30), RankingOptions(), told.append)
    assert sum(told) == 700
    assert len(told) > 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("where", ["by_last", "table"])
def test_a_diverged_model_is_refused_and_not_ranked_first(kind: Any, where: str) -> None:
    model = random_model(30, kind=kind)
    getattr(model, where)[:] = torch.nan
    with pytest.raises(RecDistillError, match="not finite"):
        rank_cases(model, random_cases(5, 30), RankingOptions())


def test_scores_of_minus_infinity_stand_last_but_are_shown() -> None:
    class Strict(Unfactorised):
        def score(self, states: torch.Tensor, items: torch.Tensor | None = None) -> torch.Tensor:
            scores = super().score(states, items)
            scores[:, 5:] = -torch.inf
            return scores

    cases = Cases(
        np.zeros(1, np.int32), Sequences.from_lists([[0]]), Sequences.from_lists([[5, 8]])
    )
    found = rank_cases(random_model(9, kind=Strict), cases, RankingOptions())
    assert found.ranks.ranks.tolist() == [5, 8]
    assert found.ranks.shown.tolist() == [8]


def test_no_cases_give_an_empty_ranking() -> None:
    none = Cases(np.empty(0, np.int32), Sequences.from_lists([]), Sequences.from_lists([]))
    assert len(rank_cases(random_model(9), none, RankingOptions())) == 0
