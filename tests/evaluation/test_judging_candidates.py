"""Judges of whom it is known what they know and how they answer, before a base of which the same is known."""

from __future__ import annotations

import numpy as np
import pytest
from evaluation_models import random_cases, random_model

from recdistill.evaluation.judging.candidates import among
from recdistill.evaluation.judging.standings import among_candidates, in_ranking
from recdistill.evaluation.ranker import RankingOptions, rank_cases
from recdistill.teachers.blending import Blend
from recdistill.teachers.reranked import Reranked, RerankedConfig

ITEMS, NUMBER = 30, 8


class Somebody:
    """Judges by `ask(histories, candidates)`, and keeps how often it was asked."""

    kind = "somebody"
    history = 5

    def __init__(self, ask):
        self.ask, self.questions = ask, 0

    def judge(self, histories, candidates):
        self.questions += len(candidates)
        return self.ask(histories, candidates).astype(np.float32)

    def identity(self):
        return "somebody"


def reranked(judge, blend=None, seed=1):
    """A base's eight best, and a judge of them."""
    config = RerankedConfig(number=NUMBER, repeats=True, blend=blend or Blend())
    return Reranked(random_model(ITEMS, seed=seed), judge, config)


@pytest.fixture(scope="module")
def cases():
    return random_cases(300, ITEMS)


def knowing(cases):
    """Knows the answers, by what it sees of a history."""
    seen = [tuple(cases.histories[row][-5:].tolist()) for row in range(len(cases))]
    known = {history: int(cases.targets[row][0]) for row, history in enumerate(seen)}

    def ask(histories, candidates):
        right = np.array([known[tuple(histories[row].tolist())] for row in range(len(histories))])
        return (candidates == right[:, None]) + 1e-3 * np.sin(candidates)

    return Somebody(ask)


def guess(histories, candidates):
    """The same of an item in every order, but nothing about what is right: a hash of history and item."""
    ends = np.array([int(histories[row].sum()) + 7 * len(histories[row]) for row in range(len(histories))])  # fmt: skip
    return np.sin(12.9898 * (candidates + 1) * (ends[:, None] % 17 + 1)) * 43758.5453 % 1


def test_who_knows_is_told_from_who_guesses(cases):
    wise = among(reranked(knowing(cases)), cases).facts()
    blind = among(reranked(Somebody(guess)), cases).facts()
    assert wise["judge"]["result"] == "better than chance"
    assert wise["judge"]["auc"]["value"] > 0.8
    assert wise["base"] == blind["base"]
    assert blind["judge"]["result"] in ("near-random", "too few cases to tell")
    assert blind["judge"]["p"] > 0.05
    assert wise["answered"] == (cases.histories.lengths > 0).mean()
    assert blind["order"]["shown"] is False
    assert blind["order"]["agreement"] == pytest.approx(1)


def test_who_repeats_the_order_is_told(cases):
    judge = Somebody(lambda _, candidates: -np.tile(np.arange(NUMBER), (len(candidates), 1)))
    found = among(reranked(judge), cases)
    assert found.order.slope == pytest.approx(1)
    assert found.order.shown
    assert found.facts()["judge"] == found.facts()["base"]  # the base's order is what it was shown
    talked_to = (cases.histories.lengths > 0).sum()
    assert judge.questions == talked_to + 100


def test_a_judge_that_counts_nothing_is_judged_too(cases):
    found = among(reranked(knowing(cases), Blend(judge=0.0)), cases)
    assert found.facts() == among(reranked(knowing(cases)), cases).facts()


def test_silence_is_counted_and_not_judged(cases):
    def ask(histories, candidates):
        said = guess(histories, candidates)
        said[candidates[:, 0] % 2 == 0] = np.nan
        return said

    found = among(reranked(Somebody(ask)), cases)
    assert 0.2 < found.answered < 0.8
    assert len(found.judge) == len(found.base) < len(cases)
    silent = Somebody(lambda _, candidates: np.full(candidates.shape, np.nan))
    assert among(reranked(silent), cases) is None


def test_models_without_a_judge_have_no_candidates(cases):
    assert among(random_model(ITEMS), cases) is None


def test_standings_against_a_loop(cases):
    random = np.random.default_rng(0)
    candidates = np.stack([random.permutation(ITEMS)[:NUMBER] for _ in range(len(cases))])
    judged = random.integers(0, 4, candidates.shape).astype(np.float32)
    right = np.array([int(cases.targets[row][0]) for row in range(len(cases))])
    found = among_candidates(judged, candidates, right, cases.users.astype(np.int64))
    wanted = [
        ((judged[row] > own).sum(), (judged[row] == own).sum() - 1)
        for row in range(len(cases))
        for own in judged[row][candidates[row] == right[row]]
    ]
    assert list(zip(found.better, found.equal, strict=True)) == wanted
    partly = np.where(candidates % 3 == 0, np.nan, judged)
    fewer = among_candidates(partly, candidates, right, cases.users.astype(np.int64))
    assert not (fewer.answers % 3 == 0).any()
    assert fewer.among.tolist() == [
        (row % 3 != 0).sum()
        for row, answer in zip(candidates, right, strict=True)
        if answer in row and answer % 3
    ]


def test_standings_in_rankings(cases):
    model = random_model(ITEMS, seed=2)
    found = in_ranking(rank_cases(model, cases, RankingOptions(filter_seen=False)), cases)
    scores = model.states(cases.histories) @ model.table.T
    for row in range(20):
        own = scores[row, int(cases.targets[row][0])]
        assert found.better[row] == (scores[row] > own).sum()
    assert set(found.among) == {ITEMS}
    hidden = in_ranking(rank_cases(model, cases, RankingOptions(filter_seen=True)), cases)
    seen = [int(cases.targets[row][0]) in cases.histories[row] for row in range(len(cases))]
    assert len(hidden) == len(cases) - sum(seen)


class Shuffler(Somebody):
    """Shows candidates in two orders of its own, and each time prefers what stands first in three places of ten."""

    def in_orders(self, histories, candidates):
        merit = guess(histories, candidates)
        found = []
        for seed in (1, 2):
            random = np.random.default_rng(seed)
            places = np.argsort(random.random(candidates.shape), axis=1).astype(np.float64)
            lazy = random.random(len(candidates)) < 0.3
            found.append((np.where(lazy[:, None], -places, merit), places))
        return found[: self.orders]


@pytest.mark.parametrize("orders", [1, 2])
def test_who_chooses_the_orders_tells_them_and_is_asked_nothing_more(cases, orders):
    judge = Shuffler(guess)
    judge.orders = orders
    found = among(reranked(judge), cases)
    assert judge.questions == (cases.histories.lengths > 0).sum()
    assert found.order.low < 0.3 < found.order.high
    assert found.order.shown
    assert (found.order.agreement is None) == (orders == 1)
