"""Recipes: what is accepted, what is refused, and what the refusal says."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from recdistill.distill.objectives import KL, MSE, Align, HardLabel, NextItem
from recdistill.distill.recipe import Recipe
from recdistill.errors import ConfigError
from recdistill.signals.kinds import ItemVectors, TopK

YAML = {
    "objectives": [
        {"kind": "next-item"},
        {
            "kind": "kl",
            "on": "top-k",
            "weight": {"kind": "cosine", "from": 1.0, "to": 0.3},
            "temperature": 2.0,
        },
        {"kind": "align", "on": "item-vectors", "weight": 0.1},
    ],
    "init": {"from": "teacher", "what": "item-vectors"},
}


def test_plain_data_lists_and_recipes_are_one():
    recipe = Recipe.of(YAML)
    assert [type(term) for term in recipe.objectives] == [NextItem, KL, Align]
    assert Recipe.of(recipe) == recipe
    assert Recipe.of({**recipe.model_dump()}) == recipe
    assert Recipe.of([NextItem(), MSE()]).objectives == (NextItem(), MSE())
    assert Recipe() == Recipe.of([NextItem()])


def test_needs():
    assert Recipe.of([NextItem()]).needs == frozenset()
    assert Recipe.of(YAML).needs == {"top-k", "item-vectors"}
    assert Recipe.of([HardLabel(), Align(on="user-vectors")]).needs == {
        "hard-label",
        "user-vectors",
    }
    assert Recipe.of({"init": {}}).needs == {"item-vectors"}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"objectives": []}, "at least 1"),
        ({"objectives": [{"kind": "klm"}]}, "'next-item', 'hard-label', 'kl', 'mse', "),
        ({"objectives": [{"kind": "kl", "temprature": 1}]}, "temprature"),
        ({"objectives": [{"kind": "kl"}, {"kind": "kl"}]}, "two objectives are called 'kl'"),
        ({"objectives": [{"kind": "align", "on": "top-k"}]}, "item-vectors"),
        ({"init": {"from": "scratch"}}, "teacher"),
        ({"objetives": []}, "objetives"),
    ],
)
def test_malformed_recipes_are_refused(wrong, said):
    with pytest.raises(ValidationError) as caught:
        Recipe.model_validate(wrong)
    assert said in str(caught.value)


def test_names_tell_terms_of_one_kind_apart():
    recipe = Recipe.of([KL(), KL(direction="reverse", name="seek")])
    assert [term.label for term in recipe.objectives] == ["kl", "seek"]


def test_a_signal_that_the_teacher_cannot_say_is_refused_before_training():
    says = {"top-k": TopK()}
    Recipe.of([NextItem(), KL()]).check(says)
    with pytest.raises(ConfigError) as caught:
        Recipe.of([Align()]).check(says, "teacher 'bert'")
    assert "'align' learns from 'item-vectors', which teacher 'bert' does not say" in str(
        caught.value
    )
    assert "Valid: top-k" in caught.value.hint
    with pytest.raises(ConfigError, match="`init` learns from 'item-vectors'"):
        Recipe.of({"init": {}}).check(says)


def test_without_any_signals_the_message_says_so():
    with pytest.raises(ConfigError) as caught:
        Recipe.of([KL()]).check({})
    assert "Valid: none" in caught.value.hint
    Recipe().check({})


def test_objectives_check_the_settings_of_their_signal():
    says = {"top-k": TopK(temperature=3.0), "item-vectors": ItemVectors()}
    with pytest.raises(ConfigError, match="keep it at 3"):
        Recipe.of([NextItem(), KL(rest="bucket")]).check(says)
    Recipe.of([KL(rest="bucket", temperature=3.0), Align()]).check(says)
