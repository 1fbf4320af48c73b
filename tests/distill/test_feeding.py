"""The teacher's vectors as inputs: learned with, resumed with, and folded into the student's own afterwards."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from spoken import oracle, speak

from recdistill.distill import Recipe, distill
from recdistill.distill.course import Course
from recdistill.distill.feeding import fed
from recdistill.distill.initialise import TeacherInit
from recdistill.distill.loss import DistillationLoss
from recdistill.errors import ConfigError
from recdistill.models.item_encoders import IdItems, OffsetItems
from recdistill.models.sasrec import SASRec
from recdistill.training.options import AdamW, RunOptions, TrainingConfig

INPUT = {"init": {"as": "input", "share": 0.3}}
TRAINING = TrainingConfig(
    epochs=3, batch_size=32, patience=None, optimizer=AdamW(learning_rate=0.02)
)


@pytest.fixture(scope="module")
def signals(tiny_dataset, tmp_path_factory):
    return speak(tmp_path_factory.mktemp("signals"), tiny_dataset, k=20)


def new_student(dataset, **config):
    return SASRec.for_dataset(dataset, width=16, blocks=1, history=10, dropout=0.1, **config)


def scores(student, dataset):
    student.network.eval()
    with torch.no_grad():
        return student.states(dataset.valid.histories) @ student.item_table().T


@pytest.fixture
def trained(tiny_dataset, signals, monkeypatch):
    """A student that was fed, and its items and scores as they were at the end of its training."""
    last, take = {}, Course.take

    def watched(course, phases):
        items = course.student.network.items
        assert isinstance(items, OffsetItems)
        last["start"] = items.offset.vectors.detach().clone(), items.project.weight.detach().clone()
        log = take(course, phases)
        last["own"], last["map"] = (
            items.offset.vectors.detach().clone(),
            items.project.weight.detach(),
        )
        last["features"], last["scores"] = items.features, scores(course.student, tiny_dataset)
        return log

    monkeypatch.setattr(Course, "take", watched)
    student = new_student(tiny_dataset)
    last["log"] = distill(student, tiny_dataset, signals, INPUT, TRAINING)
    return student, last


def test_the_sums_take_the_place_of_the_vectors_and_nothing_that_is_said_changes(
    trained, tiny_dataset
):
    student, last = trained
    vectors = oracle(tiny_dataset)[1]
    centred = vectors - vectors.mean(0)
    wanted = centred / np.sqrt((centred**2).mean())
    np.testing.assert_allclose(last["features"], wanted, rtol=1e-4, atol=1e-6)
    table = last["own"].double() + 0.3 * torch.from_numpy(wanted).double() @ last["map"].double().T
    torch.testing.assert_close(student.item_table().double(), table, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(scores(student, tiny_dataset), last["scores"], rtol=0, atol=0)
    for part, start in zip(("own", "map"), last["start"], strict=True):
        assert (last[part] != start).any(), "both were learned"


def test_afterwards_the_student_is_made_like_its_twin(trained, tiny_dataset, tmp_path):
    student, _ = trained
    twin = new_student(tiny_dataset)
    assert isinstance(student.network.items, IdItems)
    named, own = (one.network.state_dict() for one in (student, twin))
    assert {name: value.shape for name, value in named.items()} == {
        name: value.shape for name, value in own.items()
    }
    assert student.get_config() == twin.get_config()
    student.save(tmp_path / "model")
    loaded = SASRec.load(tmp_path / "model")
    assert torch.equal(loaded.item_table(), student.item_table())
    assert all(value.requires_grad for value in student.network.parameters())


def test_validation_during_training_is_of_what_is_served(trained, tiny_dataset):
    from recdistill.models.validation import validation

    student, last = trained
    assert validation(student, tiny_dataset)() == pytest.approx(last["log"].best, abs=1e-6)


def test_inside_the_block_items_are_sums_and_afterwards_vectors(tiny_dataset):
    student, other = new_student(tiny_dataset), new_student(tiny_dataset)
    before = student.item_table().detach().clone()
    with fed(student, 12, 0.5, seed=3) as items:
        torch.testing.assert_close(student.item_table(), before)
        items.features[5:].normal_()
        wanted = before + 0.5 * items.features @ items.project.weight.T
        torch.testing.assert_close(student.item_table(), wanted)
    torch.testing.assert_close(student.item_table(), wanted)
    assert torch.equal(student.item_table()[:5], before[:5]), "of which the teacher knows nothing"
    with fed(other, 12, 0.5, seed=3) as again, fed(student, 12, 0.5, seed=4) as third:
        assert torch.equal(again.project.weight, items.project.weight)
        assert not torch.equal(third.project.weight, items.project.weight)


class StoppedError(Exception):
    """The power is gone."""


PHASES = {
    **INPUT,
    "phases": [
        {"objectives": [{"kind": "next-item"}, {"kind": "kl", "of": "average"}]},
        {"objectives": [{"kind": "kl"}], "teacher": "itself", "anew": True, "trains": ["items"]},
    ],
}


@pytest.mark.parametrize(
    ("recipe", "stops"), [(INPUT, (7,)), (PHASES, (2, 9))], ids=["one phase", "two phases"]
)
def test_a_training_that_resumes_ends_the_same(
    tiny_dataset, signals, tmp_path, monkeypatch, recipe, stops
):
    forward, calls = DistillationLoss.forward, 0

    def counted(self, batch, moment):
        nonlocal calls
        calls += 1
        if calls in stops:
            raise StoppedError
        return forward(self, batch, moment)

    def learned(folder):
        run = RunOptions(seed=0, folder=folder, checkpoint_seconds=0.0, trackers=())
        student = new_student(tiny_dataset)
        try:
            log = distill(student, tiny_dataset, signals, recipe, TRAINING, run)
        except StoppedError:
            assert isinstance(student.network.items, IdItems), "whatever ends the training"
            return None
        return student.network.state_dict(), [epoch.losses for epoch in log.epochs]

    monkeypatch.setattr(DistillationLoss, "forward", counted)
    planned, stops = stops, ()
    whole = learned(tmp_path / "whole")
    steps, calls, stops = calls, 0, planned
    for _ in stops:
        assert learned(tmp_path / "stopped") is None
    found = learned(tmp_path / "stopped")
    assert found is not None
    assert calls == steps + len(stops), "it went on where it was stopped"
    assert found[1] == whole[1]
    assert all(torch.equal(value, whole[0][name]) for name, value in found[0].items())


def test_refusals(tiny_dataset, signals):
    made = {"kind": "offset", "features": 12}
    for items in (made, {**made, "kind": "vectors"}):
        student = new_student(tiny_dataset, items=items)
        with pytest.raises(ConfigError, match="from vectors that are given") as refused:
            distill(student, tiny_dataset, signals, INPUT, TRAINING)
        assert "kind: ids" in refused.value.hint
    for wrong, what in (
        ({"share": 0.3}, "add `as: input`"),
        ({"as": "input", "share": 0.0}, "greater than 0"),
        ({"as": "output"}, "'start' or 'input'"),
    ):
        with pytest.raises(ValidationError, match=what):
            TeacherInit.model_validate(wrong)
    trains = {**INPUT, "phases": [{"trains": ["items.vectors"]}]}
    with pytest.raises(ConfigError, match=r"no part 'items\.vectors'") as refused:
        distill(new_student(tiny_dataset), tiny_dataset, signals, trains, TRAINING)
    assert "items.offset" in refused.value.hint


def test_recipes_written_before_are_written_the_same():
    plain = Recipe.model_validate({"init": {"from": "teacher", "what": "item-vectors"}})
    assert plain.init.model_dump(by_alias=True) == {"from": "teacher", "what": "item-vectors"}
    fed_so = Recipe.model_validate({"init": {"as": "input"}})
    assert fed_so.init.model_dump()["as"] == "input"
    assert Recipe.model_validate(fed_so.model_dump(mode="json", by_alias=True)) == fed_so
    assert fed_so.needs == {"item-vectors"}
    assert fed_so.untaught() == Recipe()


def test_items_made_of_the_teacher_s_vectors_alone(tiny_dataset, signals, caplog):
    """`items: vectors`: the teacher's outputs are the student's only input."""
    student = new_student(tiny_dataset, items={"kind": "vectors", "features": 12, "inner": None})
    with caplog.at_level(logging.WARNING):
        distill(student, tiny_dataset, signals, {"init": {}}, TRAINING)
    assert "cannot tell one item from another" not in caplog.text
    features, adapter = student.network.items.features, student.network.items.adapter[0]
    vectors = oracle(tiny_dataset)[1]
    centred = vectors - vectors.mean(0)
    np.testing.assert_allclose(
        features, centred / np.sqrt((centred**2).mean()), rtol=1e-4, atol=1e-6
    )
    torch.testing.assert_close(student.item_table(), features @ adapter.weight.T + adapter.bias)
    blind = new_student(tiny_dataset, items={"kind": "vectors", "features": 12})
    training = TRAINING.model_copy(update={"epochs": 1})
    with caplog.at_level(logging.WARNING):
        distill(blind, tiny_dataset, training=training)
    assert "cannot tell one item from another" in caplog.text
