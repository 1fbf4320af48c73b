"""What lists look like, against slow definitions."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from recdistill.evaluation import beyond

ITEMS = 12
lists = hnp.arrays(
    np.int32, st.tuples(st.integers(1, 9), st.just(4)), elements=st.integers(-1, ITEMS - 1)
)
popularities = hnp.arrays(np.int64, ITEMS, elements=st.integers(0, 50))


def slow_gini(exposures: np.ndarray) -> float:
    """Half the relative mean absolute difference, the definition."""
    if exposures.sum() == 0:
        return 0.0
    differences = np.abs(exposures[:, None] - exposures[None, :]).mean()
    return float(differences / (2 * exposures.mean()))


@given(lists, popularities)
@settings(max_examples=60, deadline=None)
def test_gini_is_half_the_relative_mean_difference(
    shown: np.ndarray, popularity: np.ndarray
) -> None:
    exposures = np.array([(shown == item).sum() for item in range(ITEMS)], dtype=float)
    np.testing.assert_allclose(beyond.gini(shown, popularity), slow_gini(exposures), atol=1e-12)


@given(lists, popularities)
@settings(max_examples=60, deadline=None)
def test_coverage_counts_distinct_items(shown: np.ndarray, popularity: np.ndarray) -> None:
    expected = len({int(item) for item in shown.ravel()} - {-1}) / ITEMS
    np.testing.assert_allclose(beyond.coverage(shown, popularity), expected)


@given(lists, popularities)
@settings(max_examples=60, deadline=None)
def test_novelty_and_popularity_are_means_over_each_list(
    shown: np.ndarray, popularity: np.ndarray
) -> None:
    total = popularity.sum() + ITEMS
    for row, novelty, popular in zip(
        shown,
        beyond.novelty(shown, popularity),
        beyond.average_popularity(shown, popularity),
        strict=True,
    ):
        real = [int(item) for item in row if item >= 0]
        bits = [-np.log2((popularity[item] + 1) / total) for item in real]
        np.testing.assert_allclose(novelty, np.mean(bits) if real else 0.0)
        np.testing.assert_allclose(popular, np.mean(popularity[real]) if real else 0.0)


def test_equal_exposure_has_no_concentration_and_one_item_has_nearly_all() -> None:
    popularity = np.ones(10, np.int64)
    assert beyond.gini(np.arange(10, dtype=np.int32)[:, None], popularity) == 0.0
    np.testing.assert_allclose(beyond.gini(np.zeros((10, 1), np.int32), popularity), 0.9)
