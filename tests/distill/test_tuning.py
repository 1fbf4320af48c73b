"""Tuning without knowing the recipe: what a step changes, what it leaves alone, and that every budget is spent."""

from __future__ import annotations

import math
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recdistill.distill.climbing import best, climb
from recdistill.distill.recipe import Recipe
from recdistill.distill.tuning import Adjustment, Budget, coordinates

NEXT = {"kind": "next-item"}
SOFT = Recipe.of(
    {
        "objectives": [
            NEXT,
            {"kind": "kl", "weight": 0.5, "temperature": {"kind": "linear", "from": 4, "to": 1}},
            {"kind": "align", "weight": {"kind": "cosine", "from": 0.2, "to": 0.0}},
        ],
        "unlabelled": True,
    }
)
TWIN = SOFT.untaught()
ALONE = Recipe.of({"objectives": [{"kind": "kl"}]})


def moved(recipe: Recipe, dropout: float = 0.2) -> set[str]:
    """What the first round of coordinates moves."""
    first = islice(coordinates(recipe, dropout), 4)
    return {name for moves in first for move in moves for name in move(Adjustment()).moved}


def test_a_step_changes_what_the_twin_lacks_and_nothing_else():
    found = (
        Adjustment(weights=1.0, temperature=-1.0)
        .of(SOFT, 0.2)
        .model_dump(mode="json", by_alias=True)
    )
    expected = SOFT.model_dump(mode="json", by_alias=True)
    expected["objectives"][1]["weight"] = 1.5
    expected["objectives"][1]["temperature"] |= {"from": 2.0, "to": 0.5}
    expected["objectives"][2]["weight"] |= {"from": pytest.approx(0.6), "to": 0.0}
    assert found == expected


def test_dropout_is_the_recipes_or_the_students_own():
    own = Recipe.of({"objectives": [NEXT, {"kind": "kl"}], "dropout": 0.1})
    assert Adjustment(dropout=1.0).of(own, 0.5).dropout == pytest.approx(0.17)
    assert Adjustment(dropout=-1.0).of(SOFT, 0.34).dropout == pytest.approx(0.2)
    assert Adjustment(dropout=-1.0).of(TWIN, 0.34).objectives == TWIN.objectives


def test_every_phase_is_adjusted():
    parts = [{"objectives": [NEXT]}, {"objectives": [NEXT, {"kind": "mse"}], "dropout": 0.3}]
    found = Adjustment(weights=1.0, dropout=1.0).of(Recipe.of({"phases": parts}), 0.2)
    assert [phase.dropout for phase in found.phases] == [pytest.approx(0.34), pytest.approx(0.51)]
    assert [[term.weight for term in phase.objectives] for phase in found.phases] == [[1], [1, 3]]


@given(rate=st.floats(-3, 3))
def test_as_written_is_the_very_recipe(rate):
    """So its students are those of a comparison without tuning; and the rate is not in the recipe."""
    for recipe in (SOFT, TWIN, ALONE):
        assert Adjustment(rate=rate).of(recipe, 0.2) == recipe
    assert str(Adjustment()) == "as written"


def test_each_is_tuned_in_what_it_has():
    assert moved(SOFT) == {"weights", "dropout", "temperature", "rate"}
    assert moved(TWIN) == {"dropout", "rate"}
    assert moved(ALONE) == {"dropout", "temperature", "rate"}  # nothing to be louder than
    assert moved(TWIN, dropout=0.0) == {"rate"}
    assert moved(Recipe.of({"objectives": [NEXT, {"kind": "hard-label"}]}), 0.0) == {
        "weights",
        "rate",
    }


def test_people_and_folders_can_tell_neighbours_apart():
    place = Adjustment(weights=1.0, dropout=-0.5, rate=1.0)
    assert str(place) == "weights ×3, dropout ×0.77, learning rate ×2"
    assert place.name == "weights+1_dropout-0.5_rate+1"
    assert Adjustment().name == "as-written"


def test_no_dropout_above_nine_tenths():
    (raises,) = [
        move
        for moves in islice(coordinates(TWIN, 0.6), 2)
        for move in moves
        if move(Adjustment(dropout=-1.0)).dropout == 0.0
    ]
    assert raises(Adjustment()) == Adjustment()  # 1.02


@given(
    trials=st.integers(1, 40),
    recipe=st.sampled_from([SOFT, TWIN, ALONE]),
    dropout=st.sampled_from([0.0, 0.2, 0.6, 0.95]),
    top=st.tuples(*[st.floats(-2.5, 2.5)] * 4),
)
def test_everybody_spends_the_whole_budget(trials, recipe, dropout, top):
    asked: list[Adjustment] = []

    def height(place: Adjustment) -> float:
        asked.append(place)
        steps = (place.weights, place.temperature, place.dropout, place.rate)
        return -sum(abs(step - best) for step, best in zip(steps, top, strict=True))

    tried = climb(Adjustment(), coordinates(recipe, dropout), trials, height)
    assert len(asked) == len(tried) == len({place.name for place in asked}) == trials
    assert asked[0] == Adjustment()


@given(top=st.tuples(*[st.floats(-2.0, 2.0)] * 4))
def test_with_trials_enough_it_closes_in_on_the_best(top):
    """On a surface without side peaks along an axis every quantity ends less than its last stride from the top."""

    def height(place: Adjustment) -> float:
        steps = (place.weights, place.temperature, place.dropout, place.rate)
        return -sum((step - best) ** 2 for step, best in zip(steps, top, strict=True))

    found = best(climb(Adjustment(), coordinates(SOFT, 0.01), 60, height))
    for step, wanted in zip(
        (found.weights, found.temperature, found.dropout, found.rate), top, strict=True
    ):
        assert math.isclose(step, wanted, abs_tol=0.25)


@pytest.mark.parametrize(
    "wrong", [{"trials": 0}, {"trials": 3, "share": 0}, {"trials": 3, "share": 1.5}]
)
def test_a_budget_that_cannot_be_spent_is_refused(wrong):
    with pytest.raises(ValueError, match=r"trials|share"):
        Budget.model_validate(wrong)
