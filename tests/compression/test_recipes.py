"""`recipes/compression/`: one contest, each with what it is named for."""

from __future__ import annotations

from pathlib import Path

import pytest
from recipe_files import check_beginning

from recdistill.compression.settings import Quantising, Structure, Weights
from recdistill.config.agreement import load_agreeing
from recdistill.config.tree import load_config

HOME = Path(__file__).parents[2] / "recipes" / "compression"
FILES = sorted(HOME.glob("*.yaml"))


def test_they_differ_in_their_recipe_only_and_prune_as_they_are_named():
    recipes = {name: config.recipe for name, config in load_agreeing(FILES, []).items()}
    last = {name: recipe.course[-1] for name, recipe in recipes.items()}
    for name, phase in last.items():
        assert isinstance(phase.prune, Structure) == name.startswith("half"), name
        assert (phase.quantise is not None) == ("int" in name), name
    assert isinstance(last["zeros"].prune, Weights)
    assert last["half-int4"].quantise == Quantising(bits=4)
    for name in ("half", "half-without-teacher", "half-of-itself"):
        assert last[name].prune == Structure(parameters=0.5)
        assert recipes[name].course[0] == recipes["half"].course[0]
    assert not last["half-without-teacher"].sources
    assert last["half-of-itself"].teacher == "itself"


def test_they_say_what_they_are():
    for path in FILES:
        if path.stem != "base":
            check_beginning(path, "# ")


@pytest.mark.parametrize("name", ["quickstart", "amazon-beauty"])
def test_smaller_students_are_made_alike_but_for_the_teacher(name):
    made = load_config(HOME.parent / "smaller" / f"{name}.yaml", []).compression
    assert made is not None
    half, alone = made.students["half"], made.students["half-alone"]
    assert alone.objectives is not None
    assert alone.model_copy(update={"objectives": None}) == half
    assert not any(term.taught for term in alone.objectives)
