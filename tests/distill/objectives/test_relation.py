"""`relation` against the paper's formulas, pair by pair and triplet by triplet."""

from __future__ import annotations

import math
from itertools import permutations

import pytest
import torch
from hypothesis import given
from pydantic import ValidationError
from vector_objectives import loss_of, seeds, turned, vectors

from recdistill.distill.objectives.relation import Relation, angles, squared_distances


def huber(difference):
    return 0.5 * difference**2 if abs(difference) <= 1 else abs(difference) - 0.5


def slow_distances(rows):
    """Entry (i, j): the distance over the mean distance of all pairs."""
    found = {(i, j): math.dist(rows[i], rows[j]) for i, j in permutations(range(len(rows)), 2)}
    mean = sum(found.values()) / len(found)
    return {pair: distance / mean for pair, distance in found.items()}


def slow_angles(rows):
    """Entry (i, j, k): the cosine of the angle at i between j and k."""

    def cosine(i, j, k):
        a = [x - y for x, y in zip(rows[j], rows[i], strict=True)]
        b = [x - y for x, y in zip(rows[k], rows[i], strict=True)]
        dot = sum(x * y for x, y in zip(a, b, strict=True))
        return dot / (math.hypot(*a) * math.hypot(*b))

    return {place: cosine(*place) for place in permutations(range(len(rows)), 3)}


def slow_loss(potential, student, teacher):
    """The mean Huber loss of a potential over everything whose first member is each row."""
    mine, theirs = potential(student.tolist()), potential(teacher.tolist())
    losses = [[] for _ in student]
    for place in mine:
        losses[place[0]].append(huber(mine[place] - theirs[place]))
    return [sum(each) / len(each) for each in losses]


@pytest.mark.parametrize(("distance", "angle"), [(1, 0), (0, 1), (1, 2)])
def test_every_pair_and_triplet(distance, angle):
    student, teacher = vectors(6, 4), vectors(6, 7, seed=1)
    student[0] *= 8  # far enough for the linear part of the Huber loss
    found = loss_of(Relation(distance=distance, angle=angle), student, teacher).tolist()
    pairs = slow_loss(slow_distances, student, teacher)
    triplets = slow_loss(slow_angles, student, teacher)
    wanted = [distance * d + angle * a for d, a in zip(pairs, triplets, strict=True)]
    assert found == pytest.approx(wanted, rel=1e-9)


def test_by_hand():
    """A right triangle of sides 3, 4, 5 against three points on a line, one apart."""
    student = torch.tensor([[0.0, 0.0], [3.0, 0.0], [0.0, 4.0]], dtype=torch.float64)
    teacher = torch.tensor([[0.0], [1.0], [2.0]], dtype=torch.float64)
    # Over their means: 3/4, 1, 5/4 and 3/4, 3/2, 3/4, for the pairs (0,1), (0,2), (1,2).
    found = loss_of(Relation(angle=0), student, teacher).tolist()
    assert found == pytest.approx([(0 + 0.125) / 2, (0 + 0.125) / 2, (0.125 + 0.125) / 2])
    # Cosines at each corner: 0, 3/5, 4/5 and 1, -1, 1.
    found = loss_of(Relation(distance=0, angle=1), student, teacher).tolist()
    assert found == pytest.approx([0.5, 1.6 - 0.5, 0.2**2 / 2])


def test_gradients_by_finite_differences():
    teacher = vectors(6, 7, seed=1)
    student = vectors(6, 4).requires_grad_()
    assert torch.autograd.gradcheck(lambda s: loss_of(Relation(), s, teacher), student)


@given(seeds)
def test_a_student_that_is_its_teacher_turned_moved_and_scaled_has_nothing_to_learn(seed):
    teacher = vectors(7, 4, seed)
    student = (5 * turned(teacher, seed) + vectors(1, 4, seed + 1)).requires_grad_()
    loss = loss_of(Relation(), student, teacher)
    loss.sum().backward()
    assert loss.abs().max() < 1e-12
    assert student.grad.abs().max() < 1e-9


@given(seeds)
def test_neither_side_s_position_size_or_orientation_counts(seed):
    student, teacher = vectors(6, 4, seed), vectors(6, 3, seed + 1)
    wanted = loss_of(Relation(), student, teacher)
    moved = loss_of(Relation(), 0.01 * turned(student) - 3, 100 * turned(teacher) + 7)
    torch.testing.assert_close(moved, wanted)


@given(seeds)
def test_the_order_of_the_rows_does_not_count(seed):
    student, teacher = vectors(6, 4, seed), vectors(6, 3, seed + 1)
    order = torch.randperm(6, generator=torch.Generator().manual_seed(seed))
    found = loss_of(Relation(), student[order], teacher[order])
    torch.testing.assert_close(found, loss_of(Relation(), student, teacher)[order])


def test_learning_it_makes_the_shapes_alike():
    teacher = vectors(8, 3, seed=1)
    student = vectors(8, 5).requires_grad_()
    optimiser = torch.optim.Adam([student], lr=0.05)
    for _ in range(400):
        optimiser.zero_grad()
        loss_of(Relation(), student, teacher).mean().backward()
        optimiser.step()
    mine, theirs = slow_distances(student.tolist()), slow_distances(teacher.tolist())
    assert max(abs(mine[pair] - theirs[pair]) for pair in mine) < 0.02


def test_two_rows_in_one_place_have_no_angle_and_single_precision_sees_it():
    """150 is far for float32: equal rows differ by rounding there, and must still count as equal."""
    rows = vectors(5, 40).float() + 150
    rows[3] = rows[1]
    squares = squared_distances(rows)
    assert squares[1, 3] == squares[3, 1] == 0
    assert (squares == 0).sum() == 5 + 2
    assert not angles(squares)[1, 3].any()
    assert angles(squares).abs().max() < 1 + 1e-4


def test_fewer_than_three_rows_have_no_angles_and_one_has_no_distance():
    only_angles = Relation(distance=0, angle=1)
    assert loss_of(only_angles, vectors(2, 4), vectors(2, 3)).tolist() == [0, 0]
    # Two points are always one mean distance apart.
    assert loss_of(Relation(), vectors(2, 4), vectors(2, 3)).abs().max() < 1e-12
    assert loss_of(Relation(), vectors(1, 4), vectors(1, 3)).tolist() == [0]


def test_many_equal_vectors_are_told():
    different = {"vectors": vectors(20, 3)}
    assert list(Relation().advice(different)) == []
    (line,) = Relation().advice({"vectors": vectors(5, 3).repeat(4, 1)})
    assert line.startswith("75 % of the teacher's vectors equal another")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"distance": 0, "angle": 0}, "nothing would be compared"),
        ({"angle": -1}, "angle"),
        ({"distance": float("inf")}, "distance"),
        ({"sample": 2}, "sample"),
        ({"sample": 100_000}, "sample"),
        ({"on": "top-k"}, "item-vectors"),
    ],
)
def test_what_is_refused(wrong, said):
    with pytest.raises(ValidationError, match=said):
        Relation.model_validate(wrong)
