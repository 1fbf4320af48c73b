"""A smaller student's recipe: what its own ended with, pruned, for as long as was asked."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from recdistill.distill.recipe import Recipe
from recdistill.distill.reductions import Reduction

TAUGHT = Recipe.of(
    {
        "init": {"from": "teacher", "what": "item-vectors"},
        "phases": [
            {"objectives": [{"kind": "next-item"}], "share": 3},
            {
                "objectives": [{"kind": "next-item"}, {"kind": "kl", "weight": 3.0}],
                "dropout": 0.1,
                "anew": True,
                "trains": ["items"],
            },
        ],
    }
)


def made(learned: int, **said) -> Recipe:
    return Reduction.model_validate(said).after(TAUGHT, learned)


def test_it_goes_on_as_the_recipe_ended():
    recipe = made(20, prune={"parameters": 0.5})
    (phase,) = recipe.phases
    assert phase.objectives == TAUGHT.phases[1].objectives
    assert phase.dropout == 0.1
    assert made(20, prune={"parameters": 0.5}, dropout=0.0).phases[0].dropout == 0.0
    assert phase.prune is not None
    assert phase.prune.parameters == 0.5
    assert (phase.anew, phase.trains, phase.share, recipe.init) == (False, (), 1.0, None)


@pytest.mark.parametrize(("given", "learned", "epochs"), [(None, 20, 10), (None, 1, 1), (7, 20, 7)])
def test_half_as_long_unless_said(given, learned, epochs):
    assert made(learned, prune={"parameters": 0.5}, epochs=given).epochs == epochs


def test_a_control_may_go_without_a_teacher():
    recipe = made(4, quantise={"bits": 8}, objectives=[{"kind": "next-item"}])
    assert not recipe.needs
    assert recipe.phases[0].quantise is not None
    assert made(4, quantise={"bits": 8}).needs


def test_one_that_does_nothing_is_refused():
    with pytest.raises(ValidationError, match="say what makes it smaller"):
        Reduction(epochs=3)
