"""Temperatures learned against the student."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from recdistill.distill import distill
from recdistill.distill.lookup import lookups
from recdistill.distill.loss import DistillationLoss
from recdistill.distill.objectives import DKD, KL, NextItem
from recdistill.distill.rivals import Rivals, strength
from recdistill.distill.schedules import Adversarial, extremes, value
from recdistill.errors import ConfigError
from recdistill.models.sasrec import SASRec
from recdistill.signals import TopK
from recdistill.training.options import RunOptions, TrainingConfig
from recdistill.training.step import Moment

RIVAL = Adversarial.model_validate({"from": 2.0, "low": 1.0, "high": 5.0, "ramp": 0.5})
START, LATE = (Moment(step=step, steps=11, epoch=0, feedback={}) for step in (0, 10))


def make(student, dataset, signals, *objectives):
    counts = np.bincount(dataset.train.items, minlength=dataset.num_items)
    found = lookups(signals, dataset, ["top-k"])
    return DistillationLoss(student, objectives, found, torch.from_numpy(counts).float())


def test_strength_is_half_a_cosine_and_then_one():
    found = [strength(progress, 0.5) for progress in (0.0, 0.125, 0.25, 0.5, 1.0)]
    wanted = [0.0, (1 - math.cos(math.pi / 4)) / 2, 0.5, 1.0, 1.0]
    assert found == pytest.approx(wanted)


def test_a_rival_begins_where_it_is_told_and_stays_within_its_bounds():
    term = KL(temperature=RIVAL)
    rivals = Rivals([NextItem(), term])
    (bare,) = rivals.parameters()
    knobs = rivals.among(term.knobs(0.0, {}), term, 0.0)
    assert knobs["weight"] == 1.0
    assert knobs["temperature"].item() == pytest.approx(2.0)
    for far, wanted in ((-50.0, 1.0), (50.0, 5.0)):
        with torch.no_grad():
            bare.fill_(far)
        assert rivals.among({}, term, 0.0)["temperature"].item() == pytest.approx(wanted)


@pytest.mark.parametrize("beside", [(), (NextItem(),)])
def test_the_gradient_is_the_slope_turned_round(student, tiny_dataset, signals, batch, beside):
    """With and without a dense term beside: both ways of the chunked loss."""
    loss = make(student, tiny_dataset, signals, *beside, KL(temperature=RIVAL))
    (bare,) = loss.parameters()
    loss(batch, LATE).total.backward()
    with torch.no_grad():
        bare += 0.02
        above = loss(batch, LATE).total.item()
        bare -= 0.04
        below = loss(batch, LATE).total.item()
    assert bare.grad.item() == pytest.approx(-(above - below) / 0.04, rel=1e-2)


def test_at_the_start_it_only_watches(student, tiny_dataset, signals, batch):
    loss = make(student, tiny_dataset, signals, NextItem(), KL(temperature=RIVAL))
    found = loss(batch, START)
    found.total.backward()
    (bare,) = loss.parameters()
    assert bare.grad.item() == 0.0
    plain = make(student, tiny_dataset, signals, NextItem(), KL(temperature=2.0))
    torch.testing.assert_close(found.total, plain(batch, START).total)
    assert found.terms["kl/temperature"].item() == pytest.approx(2.0)
    assert not found.terms["kl/temperature"].requires_grad


def test_it_raises_what_the_student_lowers(student, tiny_dataset, signals, batch):
    loss = make(student, tiny_dataset, signals, KL(temperature=RIVAL))
    before = loss(batch, LATE).total.item()
    loss(batch, LATE).total.backward()
    torch.optim.SGD(loss.parameters(), 0.1).step()
    assert loss(batch, LATE).total.item() > before
    torch.optim.SGD(student.network.parameters(), 0.1).step()
    raised = loss(batch, LATE).total.item()
    for _ in range(5):
        student.network.zero_grad()
        loss(batch, LATE).total.backward()
        torch.optim.SGD(student.network.parameters(), 0.1).step()
    assert loss(batch, LATE).total.item() < raised


def test_a_training_with_a_rival_resumes_bit_by_bit(tiny_dataset, signals, tmp_path, monkeypatch):
    training = TrainingConfig(epochs=3, batch_size=16, patience=None)

    def trained(run=None):
        student = SASRec.for_dataset(tiny_dataset, seed=0, width=8, blocks=1, history=10)
        terms = [NextItem(), KL(temperature=RIVAL)]
        log = distill(student, tiny_dataset, signals, terms, training, run)
        return student.network.state_dict(), [one.losses["kl/temperature"] for one in log.epochs]

    whole, heats = trained()
    assert len(set(heats)) == 3
    forward = DistillationLoss.forward

    def stops(self, batch, moment):
        if moment.progress > 0.6:
            raise KeyboardInterrupt
        return forward(self, batch, moment)

    run = RunOptions(folder=tmp_path, trackers=(), checkpoint_seconds=0.0)
    with monkeypatch.context() as patch:
        patch.setattr(DistillationLoss, "forward", stops)
        with pytest.raises(KeyboardInterrupt):
            trained(run)
    again, same_heats = trained(run)
    assert heats == same_heats
    assert all(torch.equal(tensor, again[name]) for name, tensor in whole.items())


def test_as_a_schedule_it_is_its_beginning_and_its_bounds():
    assert value(RIVAL, 0.7, {}) == 2.0
    assert extremes(RIVAL) == (1.0, 5.0)
    written = RIVAL.model_dump(mode="json", by_alias=True)
    assert KL.model_validate({"temperature": written}).temperature == RIVAL


@pytest.mark.parametrize("wrong", [{"from": 1.0}, {"from": 6.0}, {"low": -1.0}, {"ramp": 0.0}])
def test_it_refuses_what_cannot_be(wrong):
    with pytest.raises(ValidationError):
        KL.model_validate({"temperature": {**RIVAL.model_dump(by_alias=True), **wrong}})


@pytest.mark.parametrize(("term", "field"), [(DKD, "temperature"), (KL, "weight")])
def test_only_the_temperature_of_kl_can_be_learned(term, field):
    with pytest.raises(ValidationError, match="cannot be learned"):
        term.model_validate({field: RIVAL.model_dump(by_alias=True)})


def test_a_bucket_has_one_temperature():
    with pytest.raises(ConfigError, match="as a bucket"):
        KL(temperature=RIVAL, rest="bucket").check(TopK(temperature=2.0))
