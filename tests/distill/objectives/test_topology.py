"""`topology` against the paper's formulas, relation by relation."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from pydantic import ValidationError
from scipy.spatial.distance import cosine
from vector_objectives import bridge_of, loss_of, seeds, turned, vectors

from recdistill.distill.objectives.topology import Topology, full_topology, hierarchical_topology

GROUPS = torch.tensor([2, 0, 2, 7, 0, 2])
"""Three of the groups there might be: one of three rows, one of two, one of a single row."""


def similar(a, b):
    return 1 - cosine(a.numpy(), b.numpy())


def slow_full(student, teacher):
    n = len(student)
    return [
        sum(
            (similar(student[i], student[j]) - similar(teacher[i], teacher[j])) ** 2
            for j in range(n)
            if j != i
        )
        / (n - 1)
        for i in range(n)
    ]


def slow_hierarchical(student, teacher, groups):
    losses = []
    for i in range(len(student)):
        each = [
            similar(student[i], student[j]) - similar(teacher[i], teacher[j])
            for j in range(len(student))
            if j != i and groups[j] == groups[i]
        ]
        for group in set(groups.tolist()):
            mine, theirs = (side[groups == group].mean(0) for side in (student, teacher))
            each.append(similar(student[i], mine) - similar(teacher[i], theirs))
        losses.append(sum(value**2 for value in each) / len(each))
    return losses


def test_full_topology_pair_by_pair():
    student, teacher = vectors(6, 4), vectors(6, 7, seed=1)
    assert loss_of(Topology(), student, teacher).tolist() == pytest.approx(
        slow_full(student, teacher), rel=1e-9
    )


def test_hierarchical_topology_relation_by_relation():
    student, teacher = vectors(6, 4), vectors(6, 7, seed=1)
    assert hierarchical_topology(student, teacher, GROUPS).tolist() == pytest.approx(
        slow_hierarchical(student, teacher, GROUPS), rel=1e-9
    )


def test_by_hand():
    student = torch.tensor([[1.0, 0.0], [0.0, 2.0]])
    teacher = torch.tensor([[1.0, 0.0, 0.0], [3.0, 4.0, 0.0]])
    assert full_topology(student, teacher).tolist() == pytest.approx([0.36, 0.36])


def test_the_objective_adds_what_the_gate_learns_by():
    student, teacher = vectors(6, 4), vectors(6, 7, seed=1)
    objective = Topology(structure="hierarchical", groups=3, assignment=0.5)
    bridge = bridge_of(objective, 4, teacher)
    groups = bridge.gate(bridge.target(teacher)).argmax(-1)
    torch.manual_seed(0)
    wanted = 0.5 * bridge(student, teacher, 0.1)
    wanted = wanted + torch.tensor(slow_hierarchical(student, teacher, groups))
    torch.testing.assert_close(loss_of(objective, student, teacher, bridge), wanted)
    torch.testing.assert_close(
        loss_of(objective.model_copy(update={"assignment": 0.0}), student, teacher, bridge),
        hierarchical_topology(student, teacher, groups),
    )


def test_the_gate_learns_from_the_reconstruction_alone():
    student, teacher = vectors(6, 4), vectors(6, 7, seed=1)
    for assignment in (0.0, 1.0):
        objective = Topology(structure="hierarchical", groups=3, assignment=assignment)
        bridge = bridge_of(objective, 4, teacher)
        loss_of(objective, student.requires_grad_(), teacher, bridge).sum().backward()
        assert bool(bridge.gate.weight.grad.any()) is bool(assignment)


def test_gradients_by_finite_differences():
    teacher = vectors(6, 7, seed=1)
    student = vectors(6, 4).requires_grad_()
    assert torch.autograd.gradcheck(lambda s: full_topology(s, teacher), student)
    assert torch.autograd.gradcheck(lambda s: hierarchical_topology(s, teacher, GROUPS), student)


@given(seeds)
def test_a_student_that_is_its_teacher_turned_and_scaled_has_nothing_to_learn(seed):
    teacher = vectors(6, 4, seed)
    for topology in (full_topology, lambda s, t: hierarchical_topology(s, t, GROUPS)):
        student = (3 * turned(teacher, seed)).requires_grad_()
        loss = topology(student, teacher)
        loss.sum().backward()
        assert loss.abs().max() < 1e-12
        assert student.grad.abs().max() < 1e-9


@given(seeds)
def test_length_counts_for_the_centres_only_and_position_always(seed):
    student, teacher = vectors(6, 4, seed), vectors(6, 3, seed + 1)
    lengths = vectors(6, 1, seed + 2).abs() + 0.1
    wanted = full_topology(student, teacher)
    torch.testing.assert_close(full_topology(lengths * student, turned(teacher)), wanted)
    assert not torch.allclose(full_topology(student + 5, teacher), wanted)


@given(seeds)
def test_neither_the_order_of_the_rows_nor_the_names_of_groups_count(seed):
    student, teacher = vectors(6, 4, seed), vectors(6, 3, seed + 1)
    order = torch.randperm(6, generator=torch.Generator().manual_seed(seed))
    wanted = hierarchical_topology(student, teacher, GROUPS)[order]
    found = hierarchical_topology(student[order], teacher[order], 9 - GROUPS[order])
    torch.testing.assert_close(found, wanted)


def test_one_group_of_all_is_the_full_topology_and_the_one_centre():
    student, teacher = vectors(6, 4), vectors(6, 7, seed=1)
    found = hierarchical_topology(student, teacher, torch.zeros(6, dtype=torch.int64))
    centre = [
        (similar(s, student.mean(0)) - similar(t, teacher.mean(0))) ** 2
        for s, t in zip(student, teacher, strict=True)
    ]
    wanted = (5 * full_topology(student, teacher) + torch.tensor(centre)) / 6
    torch.testing.assert_close(found, wanted)


def test_a_teacher_that_points_one_way_is_told():
    assert list(Topology().advice({"vectors": vectors(50, 8)})) == []
    (line,) = Topology().advice({"vectors": (vectors(50, 8) + 10).half()})
    assert "point the same way (mean cosine 0.99)" in line
    assert list(Topology().advice({"vectors": vectors(1, 8)})) == []


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"groups": 1}, "groups"),
        ({"structure": "flat"}, "hierarchical"),
        ({"assignment": -0.5}, "assignment"),
        ({"temperature": 0}, "at least 0.001"),
        ({"sample": 1}, "sample"),
        ({"groups": 12}, "`groups` is about groups; it needs `structure: hierarchical`"),
        ({"structure": "full", "temperature": 0.5}, "`temperature` is about groups"),
    ],
)
def test_what_is_refused(wrong, said):
    with pytest.raises(ValidationError, match=said):
        Topology.model_validate(wrong)


def test_what_is_written_out_in_full_is_accepted_again():
    for objective in (Topology(), Topology(structure="hierarchical", groups=12)):
        assert Topology.model_validate(objective.model_dump(mode="json")) == objective
