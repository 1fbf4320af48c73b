"""`align`: the bridge is learned and the student never holds it."""

from __future__ import annotations

import pytest
import torch
from vector_objectives import loss_of, vectors

from recdistill.distill.objectives.align import Align


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
    first = loss = objective(student, teacher, bridge, {}).mean()
    for _ in range(300):
        optimiser.zero_grad()
        loss = objective(student, teacher, bridge, {}).mean()
        loss.backward()
        optimiser.step()
    assert loss < 0.02 * first


@pytest.mark.parametrize(("distance", "blind"), [("cosine", True), ("mse", False)])
def test_the_cosine_is_blind_to_length_and_squares_are_not(distance, blind):
    objective, student, teacher = Align(distance=distance), vectors(9, 5), vectors(9, 5, seed=1)
    bridge = objective.bridge(5, teacher).double()
    torch.nn.init.zeros_(bridge.project.bias)
    once, thrice = (objective(f * student, teacher, bridge, {}) for f in (1, 3))
    assert torch.allclose(once, thrice) is blind


@pytest.mark.parametrize("distance", ["cosine", "mse", "whitened"])
def test_gradients_by_finite_differences(distance):
    teacher = vectors(9, 7, seed=1)
    assert torch.autograd.gradcheck(
        lambda student: loss_of(Align(distance=distance), student, teacher),
        vectors(9, 5).requires_grad_(),
    )


def test_source():
    assert Align().source == "item-vectors"
    assert Align(on="user-vectors").source == "user-vectors"
