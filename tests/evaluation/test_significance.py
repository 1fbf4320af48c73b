"""The bootstrap against a slow one, a closed form, and its own promise."""

from __future__ import annotations

import numpy as np
import pytest

from recdistill.evaluation.significance import Bootstrap, Interval, interval


def many_cases(users: int, seeds: int = 1, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Users with one to five correlated cases each."""
    random = np.random.default_rng(seed)
    who = np.repeat(np.arange(users), random.integers(1, 6, users)).astype(np.int32)
    level = random.normal(size=users)[who]
    return who, level + random.normal(size=(seeds, len(who)))


def naive(users: np.ndarray, values: np.ndarray, resamples: int, seed: int) -> np.ndarray:
    """Draw users one by one, put their cases together, average; then the same for seeds."""
    random = np.random.default_rng(seed)
    distinct = np.unique(users)
    rows = {user: np.flatnonzero(users == user) for user in distinct}
    means = []
    for _ in range(resamples):
        drawn = random.choice(distinct, size=len(distinct))
        cases = np.concatenate([rows[user] for user in drawn])
        seeds = random.integers(0, len(values), len(values))
        means.append(values[seeds][:, cases].mean())
    return np.array(means)


@pytest.mark.parametrize("seeds", [1, 4])
def test_agrees_with_the_slow_bootstrap(seeds: int) -> None:
    users, values = many_cases(80, seeds)
    fast = Bootstrap(4000, seed=1).means(users, {"model": values})["model"]
    slow = naive(users, values, 4000, seed=2)
    assert fast.mean() == pytest.approx(slow.mean(), abs=0.01)
    assert fast.std() == pytest.approx(slow.std(), rel=0.06)
    np.testing.assert_allclose(
        np.quantile(fast, [0.025, 0.975]), np.quantile(slow, [0.025, 0.975]), atol=0.03
    )


def test_one_case_a_user_has_the_variance_of_the_textbook() -> None:
    values = np.random.default_rng(3).exponential(size=(1, 500))
    draws = Bootstrap(20_000).means(np.arange(500, dtype=np.int32), {"model": values})["model"]
    assert draws.std() == pytest.approx(values.std() / np.sqrt(500), rel=0.02)
    assert draws.mean() == pytest.approx(values.mean(), abs=0.002)


def test_seeds_alone_have_the_variance_of_the_textbook() -> None:
    levels = np.array([0.0, 1.0, 5.0])
    values = np.repeat(levels[:, None], 50, axis=1)
    draws = Bootstrap(20_000).means(np.arange(50, dtype=np.int32), {"model": values})["model"]
    assert draws.std() == pytest.approx(levels.std() / np.sqrt(3), rel=0.02)


def test_cases_of_one_user_are_not_taken_for_independent() -> None:
    alone = np.random.default_rng(4).normal(size=(1, 100))
    users = np.arange(100, dtype=np.int32)
    once = Bootstrap(5000).means(users, {"m": alone})["m"].std()
    often = (
        Bootstrap(5000).means(np.repeat(users, 9), {"m": np.repeat(alone, 9, axis=1)})["m"].std()
    )
    assert often == pytest.approx(once, rel=1e-9)


def test_differences_are_paired() -> None:
    users, values = many_cases(100, seeds=3)
    draws = Bootstrap(1000).means(users, {"one": values, "other": values + 0.25})
    np.testing.assert_allclose(draws["other"] - draws["one"], 0.25, atol=1e-12)


def test_a_model_with_other_seeds_keeps_its_place() -> None:
    users, values = many_cases(50, seeds=3)
    together = Bootstrap(1000).means(users, {"a": values[:1], "b": values, "c": values[1:]})
    for name, rows in {"a": values[:1], "b": values, "c": values[1:]}.items():
        np.testing.assert_allclose(together[name], Bootstrap(1000).means(users, {name: rows})[name])


def test_the_same_seed_draws_the_same() -> None:
    users, values = many_cases(30)
    first, again = (Bootstrap(1000, 5).means(users, {"m": values})["m"] for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, Bootstrap(1000, 6).means(users, {"m": values})["m"])


def test_many_users_are_drawn_in_parts() -> None:
    users = np.arange(9000, dtype=np.int32)
    values = np.random.default_rng(0).normal(size=(1, 9000))
    draws = Bootstrap(1000).means(users, {"m": values})["m"]
    assert draws.shape == (1000,)
    assert draws.std() == pytest.approx(values.std() / np.sqrt(9000), rel=0.1)


def test_the_interval_holds_the_truth_as_often_as_promised() -> None:
    trials, users, held = 300, 120, 0
    for trial in range(trials):
        who, values = many_cases(users, seed=1000 + trial)
        draws = Bootstrap(1000, trial).means(who, {"m": values})["m"]
        found = interval(float(values.mean()), draws)
        held += found.low <= 0.0 <= found.high
    # A binomial of 300 at 0.95 stays within 0.91 and 0.98 in 999 of 1,000 runs; seeds are fixed.
    assert 0.91 <= held / trials <= 0.98


@pytest.mark.parametrize(
    ("low", "high", "says"),
    [
        (0.1, 0.3, "better"),
        (-0.3, -0.1, "worse"),
        (-0.1, 0.1, "no difference shown"),
        (0.0, 0.1, "no difference shown"),
    ],
)
def test_an_interval_with_zero_shows_nothing(low: float, high: float, says: str) -> None:
    assert Interval((low + high) / 2, low, high).shows == says


def test_wider_for_more_confidence() -> None:
    draws = np.random.default_rng(0).normal(size=5000)
    ninety, ninety_nine = (interval(0.0, draws, confidence) for confidence in (0.9, 0.99))
    assert ninety_nine.low < ninety.low < 0 < ninety.high < ninety_nine.high
    assert ninety.high == pytest.approx(1.645, abs=0.08)
