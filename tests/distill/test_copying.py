"""Students that begin as a shallower teacher, against the teacher with blocks taken out."""

from __future__ import annotations

import copy

import pytest
import torch
from live import batch_of, model
from torch import nn

from recdistill.distill import Recipe, distill
from recdistill.distill.copying import LayersInit
from recdistill.distill.initialise import TeacherInit
from recdistill.errors import ConfigError
from recdistill.models.sasrec import SASRec
from recdistill.teachers.mixture import Mixture
from recdistill.training.options import TrainingConfig

SAME = {"width": 8, "heads": 2}


def states(of: SASRec) -> torch.Tensor:
    return of.encode(batch_of([[3, 1, 4, 1, 5], [9], [2, 6, 5]]))


@pytest.mark.parametrize(("blocks", "taken"), [(None, [1, 3]), ((0, 2), [0, 2]), ((3, 3), [3, 3])])
def test_the_student_says_what_a_teacher_without_the_other_blocks_says(blocks, taken):
    teacher, student = model(1, blocks=4, history=9), model(2, blocks=2)
    assert LayersInit(blocks=blocks).hand_over(student, teacher) == tuple(taken)
    shallow = copy.deepcopy(teacher)
    shallow.network.blocks = nn.ModuleList(teacher.network.blocks[number] for number in taken)
    torch.testing.assert_close(states(student), states(shallow), rtol=0, atol=0)
    torch.testing.assert_close(student.item_table(), teacher.item_table(), rtol=0, atol=0)


def test_as_deep_a_student_begins_as_its_teacher_and_learns_apart_from_it():
    teacher, student = model(1), model(2)
    LayersInit().hand_over(student, teacher)
    before = states(teacher)
    torch.testing.assert_close(states(student), before, rtol=0, atol=0)
    with torch.no_grad():
        for value in student.network.parameters():
            value.add_(1.0)
    torch.testing.assert_close(states(teacher), before, rtol=0, atol=0)


def test_items_made_from_vectors_become_the_students_own():
    teacher = model(1, items={"kind": "vectors", "features": 5})
    student = model(2)
    LayersInit().hand_over(student, teacher)
    torch.testing.assert_close(states(student), states(teacher), rtol=0, atol=0)


def test_a_member_of_an_ensemble_can_be_copied():
    members = [model(1, width=4), model(3)]
    teacher, student = Mixture(members, [0.5, 0.5]), model(2)
    recipe = Recipe.of({"init": {"what": "layers", "of": {"kind": "member", "number": 1}}})
    assert isinstance(recipe.init, LayersInit)
    recipe.init.hand_over(student, teacher)
    torch.testing.assert_close(states(student), states(members[1]), rtol=0, atol=0)
    with pytest.raises(ConfigError, match="several models"):
        LayersInit().check(student, teacher)


@pytest.mark.parametrize(
    ("own", "other", "blocks", "said"),
    [
        ({"width": 4}, {}, None, "width is 4, the teacher's 8"),
        ({"heads": 1}, {}, None, "heads is 1"),
        ({"positions": "rotary"}, {}, None, "positions is rotary"),
        ({"items": {"kind": "vectors", "features": 3}}, {}, None, "own item vectors"),
        ({}, {"blocks": 3}, (0, 3), r"blocks \[0, 3\], but the student has 2 blocks"),
        ({}, {"blocks": 3}, (0,), "the student has 2 blocks and the teacher 3"),
        ({}, {"history": 4}, None, "sees 4 items of a history"),
    ],
)
def test_what_cannot_be_copied_is_refused(own, other, blocks, said):
    with pytest.raises(ConfigError, match=said):
        LayersInit(blocks=blocks).hand_over(model(2, **own), model(1, **other))


def test_no_teacher_is_refused_before_training(tiny_dataset):
    student = SASRec.for_dataset(tiny_dataset, width=8, history=10)
    with pytest.raises(ConfigError, match="there is no teacher"):
        distill(student, tiny_dataset, recipe={"init": {"what": "layers"}})


def test_what_is_not_said_is_vectors():
    assert isinstance(Recipe.of({"init": {"from": "teacher"}}).init, TeacherInit)
    found = Recipe.of({"init": {"what": "layers", "blocks": [0]}})
    assert Recipe.of(found.model_dump(mode="json", by_alias=True)) == found
    assert found.asks
    assert found.looks_inside
    assert found.needs == frozenset()
    assert found.untaught().init is None


def test_a_training_begins_there(tiny_dataset):
    """After a step so small that nothing moves, the student is still its teacher's beginning."""
    teacher = SASRec.for_dataset(tiny_dataset, seed=1, width=8, blocks=3, history=10)
    student = SASRec.for_dataset(tiny_dataset, seed=2, width=8, blocks=1, history=10)
    training = TrainingConfig.model_validate(
        {"epochs": 1, "batch_size": 64, "optimizer": {"kind": "adamw", "learning_rate": 1e-12}}
    )
    recipe = {"init": {"what": "layers", "blocks": [0]}, "objectives": [{"kind": "next-item"}]}
    distill(student, tiny_dataset, None, recipe, training, teacher=teacher)
    torch.testing.assert_close(student.item_table(), teacher.item_table())
    ours, theirs = student.network.blocks[0], teacher.network.blocks[0]
    torch.testing.assert_close(ours.state_dict(), theirs.state_dict())
