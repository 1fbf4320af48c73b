"""Against chance: values by hand, and how often somebody who knows nothing is taken for somebody who does."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recdistill.teachers.chance import Standing, against_chance, clustered_error


def standing(better, equal=None, among=20, users=None, answers=None):
    better = np.asarray(better, dtype=np.float64)
    count = len(better)
    return Standing(
        better,
        np.zeros(count) if equal is None else np.asarray(equal, dtype=np.float64),
        np.full(count, float(among)),
        np.arange(count) if users is None else np.asarray(users),
        np.arange(count) if answers is None else np.asarray(answers),
    )


def gain(rank):
    return 1 / np.log2(rank + 1) if rank <= 10 else 0.0


def test_by_hand():
    found = standing([0, 2, 19], [0, 1, 0])
    assert found.ndcg.tolist() == pytest.approx([1, (gain(3) + gain(4)) / 2, 0])
    assert found.auc.tolist() == pytest.approx([1, 1 - 2.5 / 19, 0])


@given(st.integers(2, 30), st.data())
def test_ties_and_chance_are_means_over_all_orders(among, data):
    better = data.draw(st.integers(0, among - 1))
    equal = data.draw(st.integers(0, among - 1 - better))
    found = standing([better], [equal], among)
    places = range(better + 1, better + equal + 2)
    assert found.ndcg[0] == pytest.approx(np.mean([gain(rank) for rank in places]))
    assert found.auc[0] == pytest.approx(np.mean([(among - rank) / (among - 1) for rank in places]))
    by_chance = np.mean([gain(rank) for rank in range(1, among + 1)])
    assert found.ndcg_by_chance[0] == pytest.approx(by_chance)


def test_two_way_clusters_against_the_sum_over_pairs():
    """V = Σ over pairs of cases that share a user or an answer of the product of their residuals, / n²."""
    random = np.random.default_rng(0)
    left = random.normal(size=40)
    users, answers = random.integers(0, 9, 40), random.integers(0, 12, 40)
    pairs = itertools.product(range(40), repeat=2)
    shared = [(a, b) for a, b in pairs if users[a] == users[b] or answers[a] == answers[b]]
    wanted = sum(left[a] * left[b] for a, b in shared) / 40**2
    assert clustered_error(left, users, answers) ** 2 == pytest.approx(wanted)


def test_the_p_value_is_that_of_random_orders():
    """Beside 20,000 drawn orders of the same candidates, every case by itself."""
    random = np.random.default_rng(1)
    better = (20 * random.random(200) ** 1.25).astype(int)
    found = against_chance(standing(better))
    drawn = random.integers(0, 20, (20_000, 200)).astype(np.float64)
    auc = (1 - drawn / 19).mean(axis=1)
    far = np.abs(auc - 0.5) >= abs(found.auc.value - 0.5)
    assert 0.001 < found.auc.p < 0.05
    assert found.auc.p == pytest.approx(far.mean(), rel=0.35)
    assert found.result == "better than chance"


_POPULAR = (1 / np.arange(1, 101)) / (1 / np.arange(1, 101)).sum()


def worlds(number):
    """Cases of few users, a few popular answers among them."""
    for seed in range(number):
        random = np.random.default_rng(seed)
        users = random.integers(0, 60, 400)
        answers = random.choice(100, 400, p=_POPULAR)
        yield random, users, answers


@pytest.mark.parametrize("who", ["another order every time", "the same order for everybody"])
def test_who_knows_nothing_is_seldom_taken_for_better(who):
    wrong = 0
    for random, users, answers in worlds(200):
        another = who.startswith("another")
        better = random.integers(0, 100, 400) if another else random.permutation(100)[answers]
        found = against_chance(standing(better, None, 100, users, answers))
        wrong += found.result in ("better than chance", "worse than chance")
    assert wrong / 200 < 0.08


def test_cases_taken_for_independent_would_be_fooled():
    """The reason for clusters: somebody who orders all alike looks wise or foolish in most worlds."""
    fooled = 0
    for random, _, answers in worlds(100):
        better = random.permutation(100)[answers]
        alone = standing(better, None, 100, np.arange(400), np.arange(400))
        fooled += against_chance(alone).p < 0.05
    assert fooled > 50


def test_who_knows_something_is_told_and_so_is_who_is_mistaken():
    random = np.random.default_rng(2)
    better = np.minimum(random.integers(0, 20, 300), random.integers(0, 20, 300))
    assert against_chance(standing(better)).result == "better than chance"
    assert against_chance(standing(19 - better)).result == "worse than chance"


def test_few_cases_tell_nothing():
    random = np.random.default_rng(3)
    assert against_chance(standing([0] * 15)).result == "too few cases to tell"
    assert against_chance(standing(random.integers(0, 20, 24))).result == "too few cases to tell"
    assert against_chance(standing(random.integers(0, 20, 400))).result == "near-random"


def test_no_cases():
    with pytest.raises(ValueError, match="no cases"):
        against_chance(standing([]))
