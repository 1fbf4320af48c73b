"""Position bias: judges whose bias is known, and the parts against other libraries and loops."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kendalltau, rankdata

from recdistill.teachers.ordering import one_order, two_orders


def presented(random, rows=150, count=12):
    """Two orders of the same candidates: where each stands."""
    return [np.argsort(random.random((rows, count)), axis=1).astype(np.float64) for _ in range(2)]


def judged(random, merit, places, share):
    """Who answers by merit, but in a share of the questions just repeats the order in which he was asked."""
    lazy = random.random(len(merit)) < share
    return np.where(lazy[:, None], -places, merit)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6])
def test_two_orders_find_the_share_of_questions_in_which_the_order_is_repeated(share):
    """Both times, one of the times, never: 1, 1/2 and 0 with probabilities s², 2 s (1 − s), (1 − s)²: s together."""
    random = np.random.default_rng(5)
    merit = random.normal(size=(150, 12))
    orders = presented(random)
    first, second = (judged(random, merit, places, share) for places in orders)
    found = two_orders(first, second, *orders)
    assert found.low <= share <= found.high
    assert found.high - found.low < 0.2
    assert found.shown == (share > 0)
    assert found.asked == 150


def test_who_repeats_the_order_and_who_does_not_see_it():
    random = np.random.default_rng(6)
    orders = presented(random)
    repeated = two_orders(-orders[0], -orders[1], *orders)
    assert repeated.slope == pytest.approx(1)
    merit = random.normal(size=orders[0].shape)
    blind = two_orders(merit, merit, *orders)
    assert (blind.slope, blind.agreement) == (0, pytest.approx(1))
    backwards = two_orders(orders[0], orders[1], *orders)
    assert backwards.slope == pytest.approx(-1)
    assert backwards.shown


def test_parts_against_loops_and_scipy():
    random = np.random.default_rng(7)
    orders = presented(random, 20, 6)
    first, second = (random.integers(0, 4, (20, 6)).astype(np.float64) for _ in range(2))
    found = two_orders(first, second, *orders)
    taus = [kendalltau(a, b).statistic for a, b in zip(first, second, strict=True)]
    above = below = 0.0
    for row in range(20):
        ranks = [rankdata(-one[row]) for one in (first, second)]
        for item in range(6):
            moved = orders[0][row, item] - orders[1][row, item]
            above += moved * (ranks[0][item] - ranks[1][item])
            below += moved * moved
    assert found.slope == pytest.approx(above / below)
    assert found.agreement == pytest.approx(np.mean(taus))


def test_the_interval_holds_the_truth_about_as_often_as_it_says():
    held = 0
    for seed in range(200):
        random = np.random.default_rng(seed)
        orders = presented(random, 60, 8)
        first, second = random.normal(size=(2, 60, 8))
        found = two_orders(first, second, *orders)
        held += found.low <= 0 <= found.high
    assert 0.9 < held / 200 <= 0.99


def test_one_random_order_is_enough():
    random = np.random.default_rng(8)
    (order, _), merit = presented(random, 400), random.normal(size=(400, 12))
    assert one_order(-order, order).slope == pytest.approx(1)
    found = one_order(merit, order)
    assert found.low < 0 < found.high
    assert found.agreement is None


def test_silence_is_passed_over():
    random = np.random.default_rng(9)
    orders, merit = presented(random, 10), random.normal(size=(10, 12))
    silent = merit.copy()
    silent[:4] = np.nan
    assert two_orders(merit, silent, *orders).asked == 6
    assert two_orders(merit, np.full_like(merit, np.nan), *orders) is None
    assert two_orders(merit, merit, orders[0], orders[0]) is None


def test_candidates_of_which_nothing_was_said_are_as_if_they_had_not_been_there():
    random = np.random.default_rng(10)
    orders, (first, second) = presented(random, 40), random.normal(size=(2, 40, 12))
    partly = second.copy()
    partly[:, 3::4] = np.nan
    kept = [column for column in range(12) if column % 4 != 3]
    alone = [part[:, kept] for part in (first, second, *orders)]
    assert two_orders(first, partly, *orders) == two_orders(*alone)
    assert one_order(partly, orders[0]) == one_order(alone[1], alone[2])
