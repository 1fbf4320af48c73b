"""`align` against scikit-learn and numpy; the bridge is learned and the student never holds it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.metrics.pairwise import paired_cosine_distances

from recdistill.distill.objectives.align import Align, Whitening, cosine_distance, squared_distance


def pairs(rows=9, width=5, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return (torch.randn(rows, width, generator=generator, dtype=torch.float64) for _ in range(2))


def test_cosine_against_scikit_learn():
    student, teacher = pairs()
    wanted = paired_cosine_distances(student.numpy(), teacher.numpy())
    np.testing.assert_allclose(cosine_distance(student, teacher), wanted, rtol=1e-9)
    assert cosine_distance(student, 7 * student).abs().max() < 1e-12
    np.testing.assert_allclose(cosine_distance(student, -student), 2.0)


def test_squared_distance_by_hand():
    student, teacher = torch.tensor([[1.0, 2.0], [0, 0]]), torch.tensor([[3.0, 2.0], [1, 1]])
    assert squared_distance(student, teacher).tolist() == [2.0, 1.0]


@pytest.mark.parametrize("distance", [cosine_distance, squared_distance])
def test_gradients_by_finite_differences(distance):
    student, teacher = pairs()
    assert torch.autograd.gradcheck(lambda s: distance(s, teacher), student.requires_grad_())


def test_whitening_is_scikit_learns_up_to_sign():
    generator = torch.Generator().manual_seed(0)
    vectors = torch.randn(60, 6, generator=generator) @ torch.randn(6, 6, generator=generator) + 4
    found = Whitening(vectors, 4)(vectors)
    wanted = PCA(4, whiten=True, svd_solver="full").fit_transform(vectors.numpy())
    np.testing.assert_allclose(found.abs(), np.abs(wanted), atol=1e-4)
    torch.testing.assert_close(found.T.cov(), torch.eye(4), atol=1e-4, rtol=0)


def test_whitening_leaves_out_directions_without_meaning():
    flat = torch.zeros(20, 6)
    flat[:, :2] = torch.randn(20, 2, generator=torch.Generator().manual_seed(0))
    assert Whitening(flat, 5)(flat).shape == (20, 2)


@pytest.mark.parametrize(("distance", "common"), [("cosine", 7), ("mse", 7), ("whitened", 3)])
def test_the_bridge_brings_both_sides_to_one_width(distance, common):
    generator = torch.Generator().manual_seed(0)
    teacher = torch.randn(40, 7, generator=generator)
    bridge = Align(distance=distance).bridge(3, teacher)
    left, right = bridge(torch.randn(10, 3, generator=generator), teacher[:10])
    assert left.shape == right.shape == (10, common)
    assert {name for name, _ in bridge.named_parameters()} == {"project.weight", "project.bias"}
    if distance != "whitened":
        torch.testing.assert_close(right, teacher[:10])


@pytest.mark.parametrize("distance", ["cosine", "mse", "whitened"])
def test_learning_brings_vectors_that_are_a_linear_map_apart_together(distance):
    generator = torch.Generator().manual_seed(0)
    student = torch.randn(50, 6, generator=generator)
    teacher = student @ torch.randn(6, 6, generator=generator) + 0.5
    objective = Align(distance=distance)
    bridge = objective.bridge(6, teacher)
    optimiser = torch.optim.Adam(bridge.parameters(), lr=0.05)
    first = loss = objective(*bridge(student, teacher), {}).mean()
    for _ in range(300):
        optimiser.zero_grad()
        loss = objective(*bridge(student, teacher), {}).mean()
        loss.backward()
        optimiser.step()
    assert loss < 0.02 * first


def test_cosine_ignores_length_and_squares_do_not():
    student, teacher = pairs()
    for name, equal in (("cosine", True), ("mse", False), ("whitened", False)):
        objective = Align(distance=name)
        same = torch.allclose(objective(3 * student, teacher, {}), objective(student, teacher, {}))
        assert same is equal


def test_source():
    assert Align().source == "item-vectors"
    assert Align(on="user-vectors").source == "user-vectors"
