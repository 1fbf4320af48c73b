"""`info-nce` against the definition, candidate by candidate, and torch's cross-entropy."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from pydantic import ValidationError
from scipy.spatial.distance import cosine
from vector_objectives import bridge_of, loss_of, seeds, turned, vectors

from recdistill.distill.objectives.info_nce import InfoNCE, distinct, info_nce


def slow_loss(student, teacher, temperature, negatives):
    losses = []
    for i, mine in enumerate(student.detach().numpy()):
        scores = [(1 - cosine(mine, theirs)) / temperature for theirs in teacher.detach().numpy()]
        rivals = [s for j, s in enumerate(scores) if j == i or negatives[i][j]]
        losses.append(math.log(sum(map(math.exp, rivals))) - scores[i])
    return losses


@pytest.mark.parametrize("temperature", [0.07, 1.0])
def test_every_candidate(temperature):
    student, teacher = vectors(6, 4), vectors(6, 4, seed=1)
    negatives = distinct(teacher)
    negatives[0, 3] = negatives[3, 0] = False
    found = info_nce(student, teacher, temperature, negatives).tolist()
    assert found == pytest.approx(slow_loss(student, teacher, temperature, negatives), rel=1e-9)


def test_the_objective_compares_after_both_maps():
    student, teacher = vectors(6, 4), vectors(6, 7, seed=1)
    objective = InfoNCE(common=5, temperature=0.2)
    bridge = bridge_of(objective, 4, teacher)
    logits = torch.nn.functional.normalize(bridge.project(student)) @ (
        torch.nn.functional.normalize(bridge.teacher(teacher)).T / 0.2
    )
    wanted = torch.nn.functional.cross_entropy(logits, torch.arange(6), reduction="none")
    torch.testing.assert_close(loss_of(objective, student, teacher, bridge), wanted)
    assert logits.shape == (6, 6)
    assert bridge.project.weight.shape == (5, 4)
    assert bridge.teacher.weight.shape == (5, 7)


def test_gradients_by_finite_differences():
    teacher = vectors(6, 7, seed=1)
    objective = InfoNCE(common=5, temperature=0.5)
    bridge = bridge_of(objective, 4, teacher)
    inputs = (vectors(6, 4).requires_grad_(), *bridge.parameters())
    assert len(inputs) == 1 + 4
    assert torch.autograd.gradcheck(lambda s, *_: loss_of(objective, s, teacher, bridge), inputs)


@given(seeds)
def test_neither_turns_nor_lengths_nor_the_order_of_rows_count(seed):
    student, teacher = vectors(6, 4, seed), vectors(6, 4, seed + 1)
    everything = distinct(teacher)
    wanted = info_nce(student, teacher, 0.1, everything)
    found = info_nce(3 * turned(student, seed), 0.2 * turned(teacher, seed), 0.1, everything)
    torch.testing.assert_close(found, wanted)
    order = torch.randperm(6, generator=torch.Generator().manual_seed(seed))
    torch.testing.assert_close(
        info_nce(student[order], teacher[order], 0.1, everything), wanted[order]
    )


def test_the_least_is_reached_by_vectors_that_are_the_teacher_s():
    """With orthogonal counterparts the student's best is known: log(1 + (n - 1) exp(-1/τ))."""
    teacher = torch.eye(5, dtype=torch.float64)
    loss = info_nce(teacher.clone(), teacher, 0.3, distinct(teacher))
    assert loss.tolist() == pytest.approx([math.log(1 + 4 * math.exp(-1 / 0.3))] * 5)
    assert (info_nce(vectors(5, 5), teacher, 0.3, distinct(teacher)) > loss).all()


def test_rows_with_one_counterpart_are_no_rivals():
    teacher = vectors(4, 3)
    teacher[2] = teacher[0]
    assert distinct(teacher).tolist() == [
        [False, True, False, True],
        [True, False, True, True],
        [False, True, False, True],
        [True, True, True, False],
    ]
    student = vectors(4, 3, seed=1)
    found = info_nce(student, teacher, 0.1, distinct(teacher))
    for row, left in ((0, [0, 1, 3]), (2, [2, 1, 3])):
        alone = info_nce(student[left], teacher[left], 0.1, distinct(teacher[left]))
        assert found[row].item() == pytest.approx(alone[0].item())


def test_where_all_are_one_there_is_nothing_to_tell_apart():
    found = info_nce(vectors(4, 3), torch.ones(4, 3).double(), 0.1, distinct(torch.ones(4, 3)))
    assert found.abs().max() < 1e-12


def test_learning_it_makes_rows_recognisable():
    teacher, student = vectors(30, 6, seed=1), vectors(30, 6).requires_grad_()
    objective = InfoNCE(common=8)
    bridge = bridge_of(objective, 6, teacher)
    optimiser = torch.optim.Adam([student, *bridge.parameters()], lr=0.02)
    first = loss_of(objective, student, teacher, bridge).mean().item()
    for _ in range(200):
        optimiser.zero_grad()
        loss_of(objective, student, teacher, bridge).mean().backward()
        optimiser.step()
    assert loss_of(objective, student, teacher, bridge).mean().item() < 0.05 < 2 < first


def test_a_temperature_at_which_nothing_can_be_told_apart_is_told():
    signal = {"vectors": vectors(5, 3)}
    assert list(InfoNCE().advice(signal)) == []
    moving = InfoNCE.model_validate({"temperature": {"kind": "linear", "from": 0.5, "to": 0.07}})
    (line,) = moving.advice(signal)
    assert line.startswith("at temperature 0.5 a student")
    assert f"gives it only {100 / (1 + 1023 * math.exp(-2)):.1f} %" in line
    told = float(line.split("at most ")[1].rstrip("."))
    assert list(InfoNCE(temperature=told).advice(signal)) == []


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"temperature": 0}, "at least 0.001"),
        ({"temperature": {"kind": "cosine", "from": 0.1, "to": 0}}, "reaches 0"),
        ({"common": 0}, "common"),
        ({"sample": 1}, "sample"),
    ],
)
def test_what_is_refused(wrong, said):
    with pytest.raises(ValidationError, match=said):
        InfoNCE.model_validate(wrong)
