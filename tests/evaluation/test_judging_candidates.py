"""Judges of whom it is known what they know and how they answer, before a base of which the same is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from evaluation_models import FixedModel, random_cases, random_model

from recdistill.evaluation.judging.candidates import HasJudge, among
from recdistill.evaluation.judging.standings import among_candidates, in_ranking
from recdistill.evaluation.ranker import RankingOptions, rank_cases

ITEMS, NUMBER = 30, 8


@dataclass
class Said:
    candidates: torch.Tensor
    log_p: torch.Tensor
    judged: torch.Tensor


class Judged(FixedModel):
    """A base's eight best, and a judge of them; a state is the base's."""

    def __init__(self, base: FixedModel, judge) -> None:
        super().__init__(base.by_last, base.table)
        self.judge = judge

    def states(self, histories):
        self.asked = histories
        return super().states(histories)

    def said(self, states) -> Said:
        log_p, candidates = (states @ self.table.T).log_softmax(1).topk(NUMBER)
        judged = self.judge.judge(self.asked.tail(self.judge.history), candidates.numpy())
        return Said(candidates, log_p, torch.from_numpy(judged))


class Somebody:
    """Judges by `ask(histories, candidates)`, and keeps how often it was asked."""

    history = 5

    def __init__(self, ask):
        self.ask, self.questions = ask, 0

    def judge(self, histories, candidates):
        self.questions += len(candidates)
        return self.ask(histories, candidates).astype(np.float32)


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
    base = random_model(ITEMS, seed=1)
    wise = among(Judged(base, knowing(cases)), cases).facts()
    blind = among(Judged(base, Somebody(guess)), cases).facts()
    assert wise["judge"]["result"] == "better than chance"
    assert wise["judge"]["auc"]["value"] > 0.8
    assert wise["base"] == blind["base"]
    assert blind["judge"]["result"] in ("near-random", "too few cases to tell")
    assert blind["judge"]["p"] > 0.05
    assert wise["answered"] == 1
    assert blind["order"]["shown"] is False
    assert blind["order"]["agreement"] == pytest.approx(1)


def test_who_repeats_the_order_is_told(cases):
    judge = Somebody(lambda _, candidates: -np.tile(np.arange(NUMBER), (len(candidates), 1)))
    found = among(Judged(random_model(ITEMS, seed=1), judge), cases)
    assert found.order.slope == pytest.approx(1)
    assert found.order.shown
    assert found.facts()["judge"] == found.facts()["base"]  # the base's order is what it was shown
    assert judge.questions == len(cases) + 100


def test_silence_is_counted_and_not_judged(cases):
    def ask(histories, candidates):
        said = guess(histories, candidates)
        said[candidates[:, 0] % 2 == 0] = np.nan
        return said

    found = among(Judged(random_model(ITEMS, seed=1), Somebody(ask)), cases)
    assert 0.2 < found.answered < 0.8
    assert len(found.judge) == len(found.base) < len(cases)
    silent = Somebody(lambda _, candidates: np.full(candidates.shape, np.nan))
    assert among(Judged(random_model(ITEMS), silent), cases) is None


def test_models_without_a_judge_have_no_candidates(cases):
    assert not isinstance(random_model(ITEMS), HasJudge)
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
