"""Teachers of a phase's own, and assistants, against the same trainings called one by one."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError

from recdistill.distill import Recipe, distill
from recdistill.distill.objectives import KL, ListMLE, NextItem
from recdistill.distill.phases import Assistant, Phase
from recdistill.errors import ConfigError
from recdistill.models.item_encoders import fill
from recdistill.models.sasrec import SASRec, SASRecConfig
from recdistill.signals import TopK
from recdistill.teachers import RecommenderTeacher, RecommenderTeacherConfig, label
from recdistill.training.options import RunOptions, TrainingConfig
from recdistill.training.trainer import Trainer

TRAINING = TrainingConfig(epochs=4, batch_size=16, patience=None)
HALF = TRAINING.model_copy(update={"epochs": 2})
TAUGHT = (NextItem(weight=0.5), KL(temperature=2.0))
MIDDLE = SASRecConfig(width=12, blocks=1, history=10, dropout=0.1)
BIG = {"kind": "sasrec", "width": 16, "blocks": 1, "history": 10}


def new_student(dataset):
    return SASRec.for_dataset(dataset, seed=0, width=8, blocks=1, history=10, dropout=0.1)


def own(epochs):
    """A teacher as a phase may have one of its own."""
    training = TrainingConfig(epochs=epochs, batch_size=16, patience=None)
    return RecommenderTeacherConfig(model=BIG, training=training)


def same(one, other):
    mine, theirs = one.network.state_dict(), other.network.state_dict()
    return all(torch.equal(value, theirs[name]) for name, value in mine.items())


def test_a_trajectory_is_teachers_one_after_another(tiny_dataset, tmp_path):
    terms = (NextItem(), ListMLE())
    phases = tuple(Phase(objectives=terms, teacher=own(epochs)) for epochs in (1, 3))
    student, by_hand = new_student(tiny_dataset), new_student(tiny_dataset)
    recipe = Recipe(phases=phases)
    assert recipe.needs == frozenset()
    distill(student, tiny_dataset, None, recipe, TRAINING)
    for phase in phases:
        teacher = RecommenderTeacher(phase.teacher).fit(tiny_dataset, RunOptions())
        said = label(teacher, tiny_dataset, tmp_path / f"{phase.teacher.training.epochs}", [TopK()])
        distill(by_hand, tiny_dataset, said, list(terms), HALF)
    assert same(student, by_hand)


@pytest.mark.parametrize("training", [None, HALF.model_copy(update={"epochs": 1})])
def test_an_assistant_learns_and_then_teaches(tiny_dataset, signals, tmp_path, training):
    assistant = Assistant(model=MIDDLE, objectives=TAUGHT, training=training)
    student, by_hand = new_student(tiny_dataset), new_student(tiny_dataset)
    recipe = Recipe(phases=(Phase(objectives=(KL(),), teacher=assistant),))
    assert recipe.needs == {"top-k"}
    distill(student, tiny_dataset, signals, recipe, HALF)

    between = SASRec.for_dataset(tiny_dataset, seed=0, **MIDDLE.model_dump())
    distill(between, tiny_dataset, signals, list(TAUGHT), training or HALF)
    kind = signals["top-k"].manifest.kind
    said = label(RecommenderTeacher.around(between), tiny_dataset, tmp_path / "said", [kind])
    distill(by_hand, tiny_dataset, said, [KL()], HALF)
    assert same(student, by_hand)


def test_an_assistant_makes_its_items_of_what_its_student_does(tiny_dataset, signals, tmp_path):
    """A student that knows items by their content has an assistant that does, with the very same vectors."""
    made = {"kind": "vectors", "features": 5, "inner": None}
    features = torch.randn(tiny_dataset.num_items, 5, generator=torch.Generator().manual_seed(3))
    middle = SASRecConfig.model_validate({**dict(MIDDLE), "items": made})

    def student(**settings):
        model = SASRec.for_dataset(tiny_dataset, width=8, blocks=1, history=10, **settings)
        fill(model.network.items, features)
        return model

    recipe = Recipe(phases=(Phase(objectives=(KL(),), teacher=Assistant(model=middle)),))
    taught, by_hand = student(items=made), student(items=made)
    distill(taught, tiny_dataset, signals, recipe, HALF)
    between = SASRec.for_dataset(tiny_dataset, seed=0, **middle.model_dump())
    fill(between.network.items, features)
    distill(between, tiny_dataset, None, [NextItem()], HALF)
    said = label(RecommenderTeacher.around(between), tiny_dataset, tmp_path / "said", [TopK()])
    distill(by_hand, tiny_dataset, said, [KL()], HALF)
    assert same(taught, by_hand)
    ids = SASRec.for_dataset(tiny_dataset, width=8, blocks=1, history=10)
    with pytest.raises(ConfigError, match="The assistant makes its items from features of width 5"):
        distill(ids, tiny_dataset, signals, recipe, HALF)


def test_an_interrupted_course_goes_on_wherever_it_was(
    tiny_dataset, signals, tmp_path, monkeypatch
):
    """Trainings in order: the assistant, its student, the phase's own teacher, its student."""
    recipe = Recipe(
        phases=(
            Phase(objectives=TAUGHT, teacher=Assistant(model=MIDDLE, objectives=TAUGHT)),
            Phase(objectives=TAUGHT, teacher=own(1)),
        )
    )
    whole, run = new_student(tiny_dataset), RunOptions(folder=tmp_path, trackers=())
    distill(whole, tiny_dataset, signals, recipe, HALF)
    fit = Trainer.fit
    for stop in (2, 3, 4):
        calls = []

        def stops(self, *arguments, stop=stop, calls=calls, **keywords):
            calls.append(1)
            if len(calls) == stop:
                raise KeyboardInterrupt
            return fit(self, *arguments, **keywords)

        with monkeypatch.context() as patch:
            patch.setattr(Trainer, "fit", stops)
            with pytest.raises(KeyboardInterrupt):
                distill(new_student(tiny_dataset), tiny_dataset, signals, recipe, HALF, run)
    again = new_student(tiny_dataset)
    distill(again, tiny_dataset, signals, recipe, HALF, run)
    assert same(whole, again)
    assert (tmp_path / "phase-1" / "assistant" / "checkpoints").is_dir()
    assert (tmp_path / "phase-2" / "recommender").is_dir()


def test_an_assistant_cannot_hear_what_its_teacher_does_not_say():
    assistant = Assistant(model=MIDDLE, objectives=(ListMLE(),))
    recipe = Recipe(phases=(Phase(objectives=(KL(),), teacher=assistant),))
    recipe.check({"top-k": TopK()})
    with pytest.raises(ConfigError, match="'list-mle' learns from 'top-k'"):
        recipe.check({})


def test_an_assistant_may_ask_the_given_teacher_itself():
    assistant = Assistant(model=MIDDLE, objectives=(KL(of="teacher"),))
    assert Recipe(phases=(Phase(objectives=(KL(),), teacher=assistant),)).asks


def test_whom_a_phase_hears_survives_being_written_out():
    recipe = Recipe(
        phases=(
            Phase(teacher=Assistant(model=MIDDLE)),
            Phase(teacher=own(2)),
            Phase(teacher="itself"),
        )
    )
    assert Recipe.model_validate(recipe.model_dump(mode="json", by_alias=True)) == recipe


@pytest.mark.parametrize("teacher", ["another", {"kind": "assistent"}, {"kind": "assistant"}])
def test_nobody_else_teaches(teacher):
    with pytest.raises(ValidationError):
        Phase(teacher=teacher)
