"""How vectors lie to one another, against scikit-learn and by hand; nothing is infinite where
nothing is defined."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from sklearn.metrics.pairwise import cosine_similarity, paired_cosine_distances
from vector_objectives import seeds, turned, vectors

from recdistill.models.geometry import (
    cosine_distance,
    cosines,
    inverse,
    mean_over,
    others,
    root,
    squared_distance,
    unit,
)


def test_cosine_distance_against_scikit_learn():
    student, teacher = vectors(9, 5), vectors(9, 5, seed=1)
    wanted = paired_cosine_distances(student.numpy(), teacher.numpy())
    np.testing.assert_allclose(cosine_distance(student, teacher), wanted, rtol=1e-9)
    assert cosine_distance(student, 7 * student).abs().max() < 1e-12
    np.testing.assert_allclose(cosine_distance(student, -student), 2.0)


def test_squared_distance_by_hand():
    student, teacher = torch.tensor([[1.0, 2.0], [0, 0]]), torch.tensor([[3.0, 2.0], [1, 1]])
    assert squared_distance(student, teacher).tolist() == [2.0, 1.0]


def test_cosines_against_scikit_learn():
    left, right = vectors(5, 3), vectors(4, 3, seed=1)
    left[2] = 0
    np.testing.assert_allclose(cosines(left, right), cosine_similarity(left, right), atol=1e-12)


@given(seeds)
def test_cosines_do_not_see_turns_and_lengths(seed):
    left, right = vectors(5, 3, seed), vectors(4, 3, seed + 1)
    wanted = cosines(left, right)
    torch.testing.assert_close(cosines(turned(left, seed), turned(right, seed)), wanted)
    torch.testing.assert_close(cosines(1e-9 * left, 1e9 * right), wanted)


@pytest.mark.parametrize("distance", [cosine_distance, squared_distance, cosines])
def test_gradients_by_finite_differences(distance):
    teacher = vectors(6, 4, seed=1)
    student = vectors(6, 4).requires_grad_()
    assert torch.autograd.gradcheck(lambda s: distance(s, teacher), student)


@pytest.mark.parametrize("function", [root, inverse, unit])
def test_nothing_is_undefined_at_zero(function):
    values = torch.zeros(3, 2, requires_grad=True)
    found = function(values)
    found.sum().backward()
    assert not found.any()
    assert not values.grad.any()


def test_root_and_inverse_are_themselves_elsewhere():
    assert root(torch.tensor([4.0, 9.0, -1e-9])).tolist() == [2.0, 3.0, 0.0]
    assert inverse(torch.tensor([4.0, -2.0, 0.0])).tolist() == [0.25, -0.5, 0.0]


def test_others_are_all_pairs_but_a_row_with_itself():
    assert others(vectors(3)).tolist() == [
        [False, True, True],
        [True, False, True],
        [True, True, False],
    ]


def test_means_are_over_what_counts():
    values = torch.tensor([[1.0, 5.0, torch.inf], [torch.nan, 2.0, 4.0], [1.0, 1.0, 1.0]])
    counted = torch.tensor([[True, True, False], [False, True, False], [False] * 3])
    assert mean_over(values, counted).tolist() == [3.0, 2.0, 0.0]
