"""The search for a way to hear a teacher, on surfaces whose top is known."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from recdistill.distill import KL, NextItem, Recipe, distill
from recdistill.distill.auto import Auto, Point, best, search
from recdistill.errors import ConfigError
from recdistill.models.sasrec import SASRec

START = Point(1.0, 1.0, inherit=True)


def hill(weight: float, temperature: float, inherit: bool, gated: bool = False, ends: bool = True):
    """A surface that falls with the distance from one point, in every coordinate."""

    def height(point: Point) -> float:
        away = abs(math.log(point.weight / weight)) + abs(math.log(point.temperature / temperature))
        apart = (point.inherit != inherit) + (point.gated != gated) + (point.unlabelled != ends)
        return -away - 0.3 * apart

    return height


def test_the_search_climbs_every_coordinate():
    tried = search(START, 100, hill(9.0, 0.5, inherit=False, gated=True), inherits=True)
    assert best(tried) == Point(9.0, 0.5, inherit=False, unlabelled=True, gated=True)
    assert next(iter(tried)) == START


@given(exponent=st.integers(-3, 3))
def test_where_the_weight_begins_does_not_matter(exponent):
    """Three decades of it lead to within one step of the same weight."""
    start = replace(START, weight=3.0**exponent)
    found = best(search(start, 100, hill(1.0, 1.0, inherit=True), inherits=True))
    assert found.weight == pytest.approx(1.0)


@given(trials=st.integers(1, 12))
def test_never_more_trials_than_allowed_and_none_twice(trials):
    asked: list[Point] = []
    surface = hill(81.0, 4.0, inherit=False)

    def measure(point: Point) -> float:
        asked.append(point)
        return surface(point)

    tried = search(START, trials, measure, inherits=True)
    assert len(asked) == len(set(asked)) == len(tried) <= trials
    assert max(tried.values()) == surface(best(tried)) >= surface(START)


def test_a_student_that_cannot_inherit_never_tries_to():
    start = replace(START, inherit=False)
    tried = search(start, 100, hill(1.0, 1.0, inherit=True), inherits=False)
    assert not any(point.inherit for point in tried)


def test_a_point_becomes_a_recipe_that_leaves_nothing_open():
    asked = Recipe.of({"objectives": [{"kind": "next-item"}], "auto": {"trials": 2}})
    found = asked.heard(Point(4.0, 2.0, inherit=True, unlabelled=True, gated=True), dropout=0.5)
    assert found.auto is None
    own, soft = found.objectives
    assert own == NextItem()
    assert isinstance(soft, KL)
    assert (soft.weight, soft.temperature, [one.kind for one in soft.filters]) == (
        4.0,
        2.0,
        ["teacher-right"],
    )
    assert (found.dropout, found.unlabelled) == (0.25, True)
    assert found.init is not None
    assert found.needs == {"top-k", "item-vectors"}
    assert found.untaught() == asked.untaught() == Recipe()


@given(weight=st.floats(0.01, 1.0))
def test_a_soft_teacher_leaves_the_dropout_alone(weight):
    assert Point(weight, 1.0, inherit=True).dropout(0.5) == 0.5


def test_in_short():
    assert Recipe.model_validate("auto").auto == Auto()


def test_what_auto_chooses_cannot_be_given_too():
    with pytest.raises(ValidationError, match="`auto` chooses what the student hears"):
        Recipe.of({"objectives": [{"kind": "kl"}], "auto": {}})


def test_one_training_cannot_choose(tiny_dataset):
    student = SASRec.for_dataset(tiny_dataset, width=8)
    with pytest.raises(ConfigError, match="chosen by a run"):
        distill(student, tiny_dataset, recipe=Recipe.model_validate("auto"))
