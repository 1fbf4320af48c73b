"""What adaptive schedules aim at, and trainings that follow them."""

from __future__ import annotations

import pytest
import torch

from recdistill.distill import Recipe, distill
from recdistill.distill.aims import aimed, aimless
from recdistill.distill.loss import DistillationLoss
from recdistill.distill.objectives import KL, NextItem
from recdistill.distill.phases import Phase
from recdistill.distill.schedules import Adaptive
from recdistill.errors import ConfigError
from recdistill.models.popularity import Popularity
from recdistill.models.sasrec import SASRec
from recdistill.models.validation import validation
from recdistill.training.options import RunOptions, TrainingConfig

FADING = Adaptive.model_validate({"from": 1.0, "to": 0.5})
AIMED = FADING.model_copy(update={"target": 0.3})
TRAINING = TrainingConfig(epochs=4, batch_size=16, patience=None)


def new_student(dataset):
    return SASRec.for_dataset(dataset, seed=0, width=8, blocks=1, history=10, dropout=0.1)


@pytest.fixture(scope="module")
def teacher(tiny_dataset):
    return Popularity.for_dataset(tiny_dataset).fit(tiny_dataset)


def test_only_what_waits_for_an_aim_is_given_one():
    phase = Phase(objectives=(NextItem(weight=AIMED), KL(weight=FADING, temperature=FADING)))
    asked = []
    found = aimed(phase, lambda: asked.append(1) or 0.7)
    assert found.objectives[0] is phase.objectives[0]
    assert found.objectives[1].weight.target == found.objectives[1].temperature.target == 0.7
    assert (aimless(phase), aimless(found)) == (True, False)
    assert len(asked) == 2


def test_what_waits_for_nothing_is_itself():
    phase = Phase(objectives=(NextItem(weight=AIMED), KL()))
    assert aimed(phase, lambda: pytest.fail("nobody asked")) is phase


def test_a_recipe_asks_for_a_teacher_to_be_measured():
    assert Recipe(objectives=(NextItem(), KL(weight=FADING))).asks
    assert not Recipe(objectives=(NextItem(), KL(weight=AIMED))).asks


def test_a_weight_follows_the_student_up_to_its_teacher(tiny_dataset, signals, teacher):
    log = distill(
        new_student(tiny_dataset),
        tiny_dataset,
        signals,
        [NextItem(), KL(weight=FADING)],
        TRAINING,
        teacher=teacher,
    )
    goal = validation(teacher, tiny_dataset)()
    reached = [0.0, *(min(epoch.validation / goal, 1.0) for epoch in log.epochs[:-1])]
    wanted = [1.0 - 0.5 * share for share in reached]
    found = [epoch.losses["kl/weight"] for epoch in log.epochs]
    assert found == pytest.approx(wanted, rel=1e-5)
    assert len({round(value, 6) for value in found}) > 1


def test_without_a_teacher_there_is_no_aim(tiny_dataset, signals):
    terms = [NextItem(), KL(weight=FADING)]
    with pytest.raises(ConfigError, match="no teacher to measure") as refused:
        distill(new_student(tiny_dataset), tiny_dataset, signals, terms, TRAINING)
    assert "`target:`" in refused.value.hint


def test_an_interrupted_adaptive_training_resumes_bit_by_bit(
    tiny_dataset, signals, teacher, tmp_path, monkeypatch
):
    """Stopped in the middle of an epoch, where the last validation is known from the checkpoint only."""

    def trained(run=None):
        student = new_student(tiny_dataset)
        terms = [NextItem(), KL(weight=FADING, temperature=FADING)]
        distill(student, tiny_dataset, signals, terms, TRAINING, run, teacher)
        return student.network.state_dict()

    whole = trained()
    forward, calls = DistillationLoss.forward, []

    def stops(self, batch, moment):
        calls.append(moment.step)
        if moment.epoch == 2 and moment.feedback and len(calls) % 2:
            raise KeyboardInterrupt
        return forward(self, batch, moment)

    run = RunOptions(folder=tmp_path, trackers=(), checkpoint_seconds=0.0)
    with monkeypatch.context() as patch:
        patch.setattr(DistillationLoss, "forward", stops)
        with pytest.raises(KeyboardInterrupt):
            trained(run)
    again = trained(run)
    assert all(torch.equal(value, again[name]) for name, value in whole.items())
