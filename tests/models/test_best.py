from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recdistill.models.best import best


@settings(max_examples=80, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    columns=st.integers(1, 30),
    levels=st.sampled_from([1, 3, 1000]),
    data=st.data(),
)
def test_the_best_are_those_of_a_full_sort_by_score_and_column(seed, columns, levels, data):
    k = data.draw(st.integers(1, columns))
    scores = np.random.default_rng(seed).integers(0, levels, (6, columns)).astype(np.float32)
    values, places = best(torch.from_numpy(scores), k)
    expected = np.lexsort((np.broadcast_to(np.arange(columns), scores.shape), -scores))[:, :k]
    np.testing.assert_array_equal(places.numpy(), expected)
    np.testing.assert_array_equal(values.numpy(), np.take_along_axis(scores, expected, 1))


@pytest.mark.parametrize("k", [1, 2, 4])
def test_minus_infinity_comes_last_and_ties_like_any_other(k):
    scores = torch.tensor([[-torch.inf, 1.0, -torch.inf, 0.0]])
    assert best(scores, k)[1].tolist() == [[1, 3, 0, 2][:k]]
