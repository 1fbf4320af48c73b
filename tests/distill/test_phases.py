"""Phases against the same trainings called one by one."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from recdistill.distill import Recipe, course, distill
from recdistill.distill.objectives import KL, Align, NextItem
from recdistill.distill.phases import Phase, epochs_of
from recdistill.errors import ConfigError
from recdistill.models.sasrec import SASRec
from recdistill.signals import ItemVectors, TopK
from recdistill.teachers import RecommenderTeacher, label
from recdistill.training.options import RunOptions, TrainingConfig
from recdistill.training.trainer import Trainer

TRAINING = TrainingConfig(epochs=4, batch_size=16, patience=None)
HALF = TRAINING.model_copy(update={"epochs": 2})
OWN, TAUGHT = (NextItem(),), (NextItem(weight=0.5), KL(temperature=2.0))


def new_student(dataset, seed=0):
    return SASRec.for_dataset(dataset, seed=seed, width=8, blocks=2, history=10, dropout=0.1)


def same(one, other):
    mine, theirs = one.network.state_dict(), other.network.state_dict()
    return all(torch.equal(value, theirs[name]) for name, value in mine.items())


@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=6), st.integers(1, 200))
def test_epochs_are_shared_out_whole(shares, epochs):
    found = epochs_of([Phase(share=share) for share in shares], epochs)
    assert min(found) >= 1
    assert sum(found) == max(epochs, len(shares)) or sum(found) <= epochs + len(shares)
    if epochs >= 100 * len(shares) and min(shares) * epochs >= sum(shares):
        assert sum(found) == epochs
        for share, own in zip(shares, found, strict=True):
            assert abs(own - epochs * share / sum(shares)) <= 1


def test_a_recipe_of_one_phase_is_its_terms(tiny_dataset, signals):
    plain, phased = new_student(tiny_dataset), new_student(tiny_dataset)
    distill(plain, tiny_dataset, signals, list(TAUGHT), HALF)
    distill(phased, tiny_dataset, signals, {"phases": [Phase(objectives=TAUGHT)]}, HALF)
    assert same(plain, phased)


def test_a_phase_goes_on_from_the_one_before(tiny_dataset, signals):
    phased, by_hand = new_student(tiny_dataset), new_student(tiny_dataset)
    recipe = Recipe(phases=(Phase(objectives=OWN), Phase(objectives=TAUGHT)))
    log = distill(phased, tiny_dataset, signals, recipe, TRAINING)
    first = distill(by_hand, tiny_dataset, None, list(OWN), HALF)
    second = distill(by_hand, tiny_dataset, signals, list(TAUGHT), HALF)
    assert same(phased, by_hand)
    assert [epoch.losses for epoch in log.epochs] == [
        epoch.losses for epoch in (*first.epochs, *second.epochs)
    ]
    assert log.best_epoch == 2 + second.best_epoch
    assert log.best == second.best
    assert log.steps == first.steps + second.steps


@pytest.mark.parametrize("anew", [False, True])
def test_a_student_teaches_itself(tiny_dataset, tmp_path, anew):
    """Born again when it begins anew; both by hand: train, label with the student, train on that."""
    phased, by_hand = new_student(tiny_dataset), new_student(tiny_dataset)
    terms = (*TAUGHT, Align(weight=0.1))
    recipe = Recipe(phases=(Phase(), Phase(objectives=terms, teacher="itself", anew=anew)))
    assert recipe.needs == frozenset()
    distill(phased, tiny_dataset, None, recipe, TRAINING)
    distill(by_hand, tiny_dataset, None, None, HALF)
    teacher = RecommenderTeacher.around(by_hand)
    said = label(teacher, tiny_dataset, tmp_path / "said", [TopK(), ItemVectors()])
    pupil = new_student(tiny_dataset) if anew else by_hand
    distill(pupil, tiny_dataset, said, list(terms), HALF)
    assert same(phased, pupil)


def test_only_the_named_parts_learn(tiny_dataset, signals):
    student = new_student(tiny_dataset)
    before = {name: value.clone() for name, value in student.network.named_parameters()}
    recipe = Recipe(phases=(Phase(objectives=TAUGHT, trains=("blocks.1", "norm")),))
    distill(student, tiny_dataset, signals, recipe, HALF)
    for name, value in student.network.named_parameters():
        moved = not torch.equal(value, before[name])
        assert moved == name.startswith(("blocks.1.", "norm.")), name
        assert value.requires_grad


def test_an_unknown_part_is_refused_with_the_nearest(tiny_dataset):
    recipe = Recipe(phases=(Phase(trains=("block.0",)),))
    with pytest.raises(ConfigError, match=r"no part 'block\.0'.*") as refused:
        distill(new_student(tiny_dataset), tiny_dataset, None, recipe, HALF)
    assert "blocks.0" in str(refused.value)


def test_an_interrupted_course_goes_on_in_its_phase(tiny_dataset, signals, tmp_path, monkeypatch):
    recipe = Recipe(
        phases=(Phase(objectives=TAUGHT), Phase(objectives=TAUGHT, teacher="itself", anew=True))
    )
    whole = new_student(tiny_dataset)
    distill(whole, tiny_dataset, signals, recipe, TRAINING)

    fit, calls = Trainer.fit, []

    def stops_in_the_second(self, *arguments, **keywords):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return fit(self, *arguments, **keywords)

    monkeypatch.setattr(Trainer, "fit", stops_in_the_second)
    run = RunOptions(folder=tmp_path, trackers=())
    with pytest.raises(KeyboardInterrupt):
        distill(new_student(tiny_dataset), tiny_dataset, signals, recipe, TRAINING, run)
    assert (tmp_path / "phase-2" / course.OWN_SIGNALS).is_dir()
    again = new_student(tiny_dataset)
    distill(again, tiny_dataset, signals, recipe, TRAINING, run)
    assert same(whole, again)


def test_terms_stand_in_the_phases_or_beside_none():
    with pytest.raises(ValidationError, match="belong into the `phases`"):
        Recipe(objectives=(NextItem(weight=2.0),), phases=(Phase(),))
    recipe = Recipe(phases=(Phase(share=2),))
    assert Recipe.model_validate(recipe.model_dump(mode="json")) == recipe


def test_what_a_recipe_needs_is_what_the_given_teacher_must_say():
    recipe = Recipe(
        phases=(Phase(objectives=TAUGHT), Phase(objectives=(Align(),), teacher="itself"))
    )
    assert recipe.needs == {"top-k"}
    recipe.check({"top-k": TopK()})
    with pytest.raises(ConfigError, match="'kl' learns from 'top-k'"):
        recipe.check({})


def test_what_a_student_says_to_itself_is_checked_too():
    """A bucket needs the temperature at which the signal is stored, whoever speaks."""
    terms = (KL(rest="bucket", temperature=3.0),)
    recipe = Recipe(phases=(Phase(), Phase(objectives=terms, teacher="itself")))
    with pytest.raises(ConfigError, match="temperature 3"):
        recipe.check({})
    recipe.check({"top-k": TopK(temperature=3.0)})


def test_the_twin_of_phases_has_the_terms_of_the_first_without_a_teacher():
    recipe = Recipe(phases=(Phase(objectives=TAUGHT), Phase(objectives=(KL(),))))
    assert recipe.untaught() == Recipe(objectives=(NextItem(weight=0.5),))
    assert Recipe(phases=(Phase(objectives=(KL(),)),)).untaught() == Recipe()


def test_a_student_may_see_its_histories_differently(tiny_dataset, signals):
    """Noisy student: the teacher's words about the histories as they are, the student's view changed."""
    views = [{"kind": "substitute", "rate": 0.3}, {"kind": "mask"}, {"kind": "reorder"}]
    recipe = {"objectives": [{"kind": "next-item"}, {"kind": "kl"}], "views": views}
    plain, *seen = (new_student(tiny_dataset) for _ in range(3))
    distill(plain, tiny_dataset, signals, {"objectives": recipe["objectives"]}, HALF)
    logs = [distill(student, tiny_dataset, signals, recipe, HALF) for student in seen]
    assert same(*seen)
    assert not same(plain, seen[0])
    assert logs[0].positions < logs[0].steps * 16 * 10
    assert logs[0].epochs[1].losses["next-item"] < logs[0].epochs[0].losses["next-item"]


def test_a_recipes_dropout_is_that_of_a_student_made_so(tiny_dataset):
    """And afterwards the student has its own again."""
    other, own = (
        SASRec.for_dataset(tiny_dataset, width=8, blocks=1, history=10, dropout=rate)
        for rate in (0.5, 0.2)
    )
    distill(own, tiny_dataset, None, Recipe(), TRAINING)
    distill(other, tiny_dataset, None, Recipe(dropout=0.2), TRAINING)
    assert same(own, other)
    assert other.network.drop.rate == 0.5


def test_the_twin_keeps_its_own_dropout_and_what_is_labelled():
    recipe = Recipe.of({"objectives": [{"kind": "kl"}], "dropout": 0.1, "unlabelled": True})
    assert recipe.untaught() == Recipe()


def test_a_recipes_epochs_are_those_of_a_training_made_so(tiny_dataset):
    own, other = new_student(tiny_dataset), new_student(tiny_dataset)
    distill(own, tiny_dataset, None, Recipe(), HALF)
    log = distill(other, tiny_dataset, None, Recipe(epochs=2), TRAINING)
    assert len(log.epochs) == 2
    assert same(own, other)
    assert Recipe(epochs=2).untaught() == Recipe()
    assert "epochs" not in Recipe().model_dump()
