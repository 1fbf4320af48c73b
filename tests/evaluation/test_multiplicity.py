"""Holm's correction: by hand, by a slow definition, and by what it promises."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recdistill.evaluation.multiplicity import holm
from recdistill.evaluation.significance import p_value

families = st.lists(st.floats(0, 1), min_size=1, max_size=30).map(
    lambda values: {f"h{place}": value for place, value in enumerate(values)}
)


def test_by_hand() -> None:
    """m = 4: 4·.01, 3·.015, 2·.03, 1·.04; the last is held up by the one before."""
    found = holm({"d": 0.04, "a": 0.01, "c": 0.03, "b": 0.015})
    assert list(found) == ["d", "a", "c", "b"]
    assert found == pytest.approx({"a": 0.04, "b": 0.045, "c": 0.06, "d": 0.06})


def test_at_most_one_and_nothing_for_nothing() -> None:
    assert holm({"a": 0.4, "b": 0.7, "c": 0.9}) == {"a": 1.0, "b": 1.0, "c": 1.0}
    assert holm({"alone": 0.03}) == {"alone": 0.03}
    assert holm({}) == {}


@given(families)
def test_it_never_flatters_and_keeps_the_order(family: dict[str, float]) -> None:
    found = holm(family)
    assert all(family[name] <= found[name] <= 1 for name in family)
    ordered = sorted(family, key=lambda name: family[name])
    corrected = [found[name] for name in ordered]
    assert corrected == sorted(corrected)


@given(families, st.integers(0, 1000))
def test_the_order_of_asking_does_not_matter(family: dict[str, float], seed: int) -> None:
    names = list(family)
    random.Random(seed).shuffle(names)
    assert holm({name: family[name] for name in names}) == holm(family)


@given(families)
def test_between_the_raw_values_and_bonferroni(family: dict[str, float]) -> None:
    found = holm(family)
    assert all(found[name] <= min(1.0, len(family) * family[name]) for name in family)
    least = min(family, key=lambda name: family[name])
    assert found[least] == min(1.0, len(family) * family[least])


@given(families, st.floats(0.001, 0.5))
def test_it_rejects_what_the_step_down_procedure_rejects(
    family: dict[str, float], alpha: float
) -> None:
    """Holm's own wording: go up while p(j) ≤ α / (m − j + 1), stop at the first that is not."""
    rejected, left = set(), len(family)
    for name in sorted(family, key=lambda name: family[name]):
        if left * family[name] > alpha:
            break
        rejected.add(name)
        left -= 1
    assert {name for name, value in holm(family).items() if value <= alpha} == rejected


def test_a_p_value_counts_the_rarer_side() -> None:
    draws = np.array([-1.0] * 4 + [0.0] + [1.0] * 994)
    assert p_value(draws) == pytest.approx(2 * (1 + 5) / 1000)
    assert p_value(-draws) == p_value(draws)


def test_a_p_value_is_neither_zero_nor_above_one() -> None:
    assert p_value(np.ones(999)) == pytest.approx(0.002)
    assert p_value(np.zeros(999)) == 1.0
    assert p_value(np.array([-1.0, 1.0])) == 1.0


def test_p_values_of_nothing_are_even() -> None:
    """Where there is no difference, one in ten tests comes out below one in ten."""
    generator = np.random.default_rng(0)
    found = [p_value(generator.normal(generator.normal(), 1.0, 999)) for _ in range(2000)]
    assert np.mean(np.array(found) < 0.1) == pytest.approx(0.1, abs=0.02)
