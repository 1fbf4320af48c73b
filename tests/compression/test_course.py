"""Distil, prune, distil again: one recipe, against the same steps taken by hand."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError
from spoken import speak

from recdistill.compression.cutting import cut
from recdistill.compression.importance import magnitude
from recdistill.compression.plans import plan
from recdistill.compression.quantising import quantised
from recdistill.compression.settings import Structure
from recdistill.compression.sizing import parameters, target
from recdistill.distill import Recipe, distill
from recdistill.errors import ConfigError
from recdistill.models.decoder import Decoder
from recdistill.models.sasrec import SASRec
from recdistill.training.options import RunOptions, TrainingConfig
from recdistill.training.trainer import Trainer

TRAINING = TrainingConfig(epochs=2, batch_size=16, patience=None)
TAUGHT = [{"kind": "next-item", "weight": 0.5}, {"kind": "kl", "temperature": 2.0}]
HALF = {"parameters": 0.5, "by": "magnitude"}


@pytest.fixture(scope="module")
def signals(tiny_dataset, tmp_path_factory):
    return speak(tmp_path_factory.mktemp("signals"), tiny_dataset)


def new_student(dataset, seed=0, **config):
    settings = {"width": 8, "blocks": 2, "heads": 2, "history": 10, "dropout": 0.1, **config}
    return SASRec.for_dataset(dataset, seed=seed, **settings)


def same(one, other):
    mine, theirs = one.network.state_dict(), other.network.state_dict()
    return mine.keys() == theirs.keys() and all(torch.equal(mine[n], theirs[n]) for n in mine)


def recipe_of(*phases) -> Recipe:
    return Recipe.of({"phases": [{"objectives": TAUGHT, **phase} for phase in phases]})


def test_distil_prune_distil_is_the_three_steps_by_hand(tiny_dataset, signals):
    student, by_hand = new_student(tiny_dataset), new_student(tiny_dataset)
    distill(student, tiny_dataset, signals, recipe_of({}, {"prune": HALF}), TRAINING)
    one = TRAINING.model_copy(update={"epochs": 1})
    distill(by_hand, tiny_dataset, signals, {"objectives": TAUGHT}, one)
    wanted = target(by_hand.config, by_hand.vocabulary, Structure.model_validate(HALF))
    small = cut(by_hand, plan(magnitude(by_hand), wanted.shape))
    distill(small, tiny_dataset, signals, {"objectives": TAUGHT}, one)
    assert same(student, small)
    whole = parameters(by_hand.config, by_hand.vocabulary)
    assert sum(value.numel() for value in student.network.state_dict().values()) <= whole / 2
    assert student.get_config() == small.get_config()


@pytest.mark.parametrize("by", ["taylor", "activations"])
def test_interrupted_it_goes_on_in_the_pruned_student(
    tiny_dataset, signals, tmp_path, monkeypatch, by
):
    recipe = recipe_of({}, {"prune": {**HALF, "by": by}, "quantise": {"bits": 8}})
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
    resumed = new_student(tiny_dataset)
    distill(resumed, tiny_dataset, signals, recipe, TRAINING, run)
    assert same(whole, resumed)
    table = resumed.item_table().detach()
    torch.testing.assert_close(quantised(table).table, table, rtol=1e-6, atol=0)


def test_a_student_that_teaches_itself_speaks_as_it_was_before(tiny_dataset, signals):
    """And the terms over vectors are bridged from the width that is left."""
    student = new_student(tiny_dataset)
    terms = [*TAUGHT, {"kind": "align", "weight": 0.1}]
    last = {"objectives": terms, "teacher": "itself", "prune": HALF}
    log = distill(student, tiny_dataset, signals, recipe_of({}, last), TRAINING)
    assert student.item_table().shape[1] < 8
    assert "align" in log.epochs[-1].losses


def test_zeros_of_a_phase_are_there_at_its_end(tiny_dataset, signals):
    student = new_student(tiny_dataset)
    phases = ({}, {"prune": {"kind": "weights", "keep": 0.25, "by": "taylor", "batches": 2}})
    distill(student, tiny_dataset, signals, recipe_of(*phases), TRAINING)
    numbers = torch.cat(
        [v.flatten() for v in student.network.state_dict().values() if v.dim() == 2]
    )
    assert (numbers == 0).float().mean().item() == pytest.approx(0.75, abs=0.01)


def test_what_cannot_be_pruned_is_refused_before_training(tiny_dataset, signals, monkeypatch):
    monkeypatch.setattr(Trainer, "fit", lambda *_: pytest.fail("trained"))
    recipe = recipe_of({}, {"prune": {"parameters": 0.01}})
    with pytest.raises(ConfigError, match=r"cannot get this student to 0\.01 of its parameters"):
        distill(new_student(tiny_dataset), tiny_dataset, signals, recipe, TRAINING)
    features = new_student(tiny_dataset, items={"kind": "offset", "features": 3})
    with pytest.raises(ConfigError, match=r"(?s)made of features.*parts: \[units, heads\]"):
        distill(features, tiny_dataset, signals, recipe_of({}, {"prune": HALF}), TRAINING)
    units = recipe_of({}, {"prune": {"parameters": 0.8, "parts": ["units", "heads", "blocks"]}})
    monkeypatch.undo()
    distill(features, tiny_dataset, signals, units, TRAINING)
    assert features.item_table().shape[1] == 8


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"phases": [{"prune": HALF}, {"anew": True}]}, "cannot begin `anew`"),
        ({"init": {"from": "teacher", "as": "input"}, "phases": [{"prune": HALF}]}, "as: input"),
    ],
)
def test_recipes_that_contradict_themselves_are_refused(given, said):
    with pytest.raises(ValidationError, match=said):
        Recipe.of(given)


def test_what_a_recipe_does_not_prune_has_the_key_it_always_had():
    """New fields are absent from the plain data that stages are known by."""
    assert {"prune", "quantise"}.isdisjoint(recipe_of({}).model_dump(mode="json")["phases"][0])
    assert "pruned" not in SASRec.Config().model_dump(mode="json")


def test_only_sasrec_has_parts_to_prune():
    assert Decoder.kind == "decoder"
    from recdistill.compression.pruning import goal

    other = Decoder.__new__(Decoder)
    with pytest.raises(ConfigError, match="this student is a decoder"):
        goal(other, Structure(parameters=0.5))
