"""A teacher for each head: tutors against the same trainings called one by one, and what recipes of them refuse."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from pydantic import ValidationError

from recdistill.distill import Recipe, distill
from recdistill.distill.course import Course
from recdistill.distill.distiller import _identity
from recdistill.distill.lookup import lookups
from recdistill.distill.objectives import KL, NextItem, Outcome
from recdistill.distill.phases import Phase, Tutor
from recdistill.errors import ConfigError, DataError
from recdistill.models.recommender import Recommender
from recdistill.models.sasrec import SASRec
from recdistill.training.options import RunOptions, TrainingConfig
from recdistill.training.trainer import Trainer

TRAINING = TrainingConfig(epochs=2, batch_size=16, patience=None)
HEADS = ["rating", "like"]
OWN = [NextItem(), *(Outcome(head=head, name=head) for head in HEADS)]


def new_student(dataset, **settings):
    given = {"width": 8, "blocks": 1, "history": 10, "dropout": 0.1, "outcomes": HEADS}
    return SASRec.for_dataset(dataset, seed=0, **{**given, **settings})


def tutor(name="critic", head="rating", **settings):
    model = {"width": 12, "blocks": 1, "history": 10, "dropout": 0.1, "outcomes": [head]}
    return {
        "name": name,
        "model": model,
        "objectives": [{"kind": "outcome", "head": head}],
        **settings,
    }


def hearing(name="critic", head="rating", **settings):
    of = {"kind": "tutor", "name": name}
    return {"kind": "outcome", "name": f"taught-{head}", "head": head, "of": of, **settings}


TWO = Recipe.of(
    {
        "objectives": [
            *OWN,
            KL(),
            hearing(draws=3),
            hearing("fan", "like", draws=3, temperature=2.0),
        ],
        "tutors": [tutor(), tutor("fan", "like")],
    }
)


def same(one, other):
    mine, theirs = one.network.state_dict(), other.network.state_dict()
    return all(torch.equal(value, theirs[name]) for name, value in mine.items())


def test_tutors_are_trained_first_and_then_heard(tiny_dataset, signals):
    """The same by hand: each tutor distilled by its own terms, then given to the student's step."""
    student, by_hand = new_student(tiny_dataset), new_student(tiny_dataset)
    log = distill(student, tiny_dataset, signals, TWO, TRAINING)
    tutors = {}
    for one in TWO.tutors:
        made = SASRec.for_dataset(tiny_dataset, seed=0, **one.model.model_dump())
        judged = TRAINING.model_copy(update={"metric": one.objectives[0].head})
        distill(made, tiny_dataset, None, list(one.objectives), judged)
        tutors[one.name] = made
    heard = lookups(signals, tiny_dataset, TWO.needs)
    further = _identity(by_hand, tiny_dataset, signals, TWO)
    course = Course(by_hand, tiny_dataset, heard, TRAINING, RunOptions(), further, None, tutors)
    course.take(TWO.course)
    assert same(student, by_hand)
    assert {"kl", "rating", "like", "taught-rating", "taught-like"} <= set(log.epochs[0].losses)


def test_a_tutor_changes_what_it_teaches(tiny_dataset):
    """Another tutor, another student: its words arrive."""
    heads = []
    for width in (12, 16):
        described = tutor()
        described["model"]["width"] = width
        recipe = {"objectives": [*OWN, hearing(draws=3)], "tutors": [described]}
        student = new_student(tiny_dataset)
        distill(student, tiny_dataset, None, recipe, TRAINING)
        heads.append(student.network.outcomes["rating"].pair)
    assert not torch.equal(*heads)


def test_the_twin_keeps_what_was_observed():
    assert TWO.untaught() == Recipe(objectives=tuple(OWN))
    assert TWO.needs == {"top-k"}
    assert TWO.looks_inside
    assert not TWO.asks


def test_a_tutor_may_hear_the_given_teacher():
    named = Recipe.of(
        {
            "objectives": [NextItem(), hearing()],
            "tutors": [tutor(objectives=[{"kind": "outcome", "head": "rating"}, {"kind": "kl"}])],
        }
    )
    assert named.needs == {"top-k"}
    with pytest.raises(ConfigError, match="'kl' learns from 'top-k'"):
        named.check({})
    asking = [{"kind": "outcome", "head": "rating"}, {"kind": "kl", "of": "teacher"}]
    assert Recipe.of({"objectives": [hearing()], "tutors": [tutor(objectives=asking)]}).asks


def test_recipes_without_tutors_are_written_as_before():
    assert "tutors" not in Recipe().model_dump(mode="json")
    assert Recipe.model_validate(TWO.model_dump(mode="json", by_alias=True)) == TWO
    assert hash(TWO)


def test_a_tutor_is_validated_by_what_it_teaches():
    only = Tutor.model_validate(tutor())
    assert only.trained(TRAINING).metric == "rating"
    both = Tutor.model_validate(
        tutor(objectives=[{"kind": "outcome", "head": "rating"}, {"kind": "next-item"}])
    )
    assert both.trained(TRAINING).metric == "ndcg@10"
    asked = TRAINING.model_copy(update={"metric": "rating"})
    assert both.model_copy(update={"training": asked}).trained(TRAINING) == asked


def test_an_interrupted_course_goes_on_wherever_it_was(
    tiny_dataset, signals, tmp_path, monkeypatch
):
    """Trainings in order: two tutors, their student."""
    whole = new_student(tiny_dataset)
    distill(whole, tiny_dataset, signals, TWO, TRAINING)
    run, fit, steps = RunOptions(folder=tmp_path, trackers=()), Trainer.fit, []
    for stop in (2, 3):
        calls = []

        def stops(self, *arguments, stop=stop, calls=calls, **keywords):
            calls.append(1)
            if len(calls) == stop:
                raise KeyboardInterrupt
            log = fit(self, *arguments, **keywords)
            steps.append(log.seconds)
            return log

        with monkeypatch.context() as patch:
            patch.setattr(Trainer, "fit", stops)
            with pytest.raises(KeyboardInterrupt):
                distill(new_student(tiny_dataset), tiny_dataset, signals, TWO, TRAINING, run)
    assert steps[0] == steps[1], "the first tutor was not trained again"
    again = new_student(tiny_dataset)
    distill(again, tiny_dataset, signals, TWO, TRAINING, run)
    assert same(whole, again)
    kept = Recommender.load(tmp_path / "tutors" / "fan" / "model")
    assert kept.config == TWO.tutors[1].model


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        (
            {"objectives": [hearing("critik")], "tutors": [tutor()]},
            "no tutor is called 'critik'.*critic",
        ),
        ({"objectives": [hearing()]}, "no tutor is called 'critic'"),
        ({"objectives": [NextItem()], "tutors": [tutor()]}, "no term hears tutor 'critic'"),
        ({"objectives": [hearing()], "tutors": [tutor(), tutor()]}, "two tutors have one name"),
        (
            {
                "objectives": [hearing(), hearing("fan", "like")],
                "tutors": [tutor(objectives=[hearing("fan")]), tutor("fan", "like")],
            },
            "a tutor hears no other tutor",
        ),
        ({"objectives": [hearing("../up")], "tutors": [tutor("../up")]}, "pattern"),
        ({"auto": {}, "tutors": [tutor()]}, "`tutors`"),
    ],
)
def test_recipes_that_make_no_sense_are_refused(recipe, said):
    with pytest.raises(ValidationError, match=said):
        Recipe.of(recipe)


@pytest.mark.parametrize("wherever", ["phase", "assistant"])
def test_tutors_may_be_heard_in_any_phase(wherever):
    model = tutor()["model"]
    teacher = {"kind": "assistant", "model": model, "objectives": [hearing()]}
    phase = {"objectives": [hearing()]} if wherever == "phase" else {"teacher": teacher}
    assert Recipe.of({"phases": [Phase(), phase], "tutors": [tutor()]}).tutors


@pytest.mark.parametrize(
    ("model", "objective", "said"),
    [
        ({"outcomes": []}, {"kind": "next-item"}, "'taught-rating' needs a head for 'rating'"),
        ({"history": 5}, {"kind": "next-item"}, "sees 5 items"),
        ({}, {"kind": "outcome", "head": "like"}, "head for 'like', which the student lacks"),
    ],
)
def test_tutors_that_cannot_teach_are_refused_before_training(
    tiny_dataset, monkeypatch, model, objective, said
):
    monkeypatch.setattr(Trainer, "fit", lambda *given: pytest.fail("trained"))
    described = tutor(objectives=[objective])
    described["model"] |= model
    recipe = {"objectives": [NextItem(), hearing()], "tutors": [described]}
    student = new_student(tiny_dataset)
    with pytest.raises(ConfigError, match=said):
        distill(student, tiny_dataset, None, recipe, TRAINING)


@pytest.mark.parametrize("who", ["student", "tutor"])
def test_a_log_without_ratings_is_refused_before_training(tiny_dataset, monkeypatch, who):
    monkeypatch.setattr(Trainer, "fit", lambda *given: pytest.fail("trained"))
    silent = replace(tiny_dataset, train=replace(tiny_dataset.train, ratings=None))
    if who == "student":
        student, recipe = new_student(silent), OWN
    else:
        kl = {"kind": "kl", "of": {"kind": "tutor", "name": "critic"}}
        student, recipe = (
            new_student(silent, outcomes=[]),
            {"objectives": [kl], "tutors": [tutor()]},
        )
    with pytest.raises(DataError, match="has no ratings"):
        distill(student, silent, None, recipe, TRAINING)


def test_a_tutor_may_teach_what_any_companion_can(tiny_dataset):
    """Its ranking, for one: `of` is the same everywhere."""
    kl = {"kind": "kl", "of": {"kind": "tutor", "name": "critic", "k": 5}}
    recipe = {"objectives": [{"kind": "next-item"}, kl], "tutors": [tutor()]}
    log = distill(new_student(tiny_dataset), tiny_dataset, None, recipe, TRAINING)
    assert log.epochs[0].losses["kl"] > 0
