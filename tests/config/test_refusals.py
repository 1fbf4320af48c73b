from __future__ import annotations

from typing import Annotated, Literal

import pytest
from pydantic import Field, PositiveInt, ValidationError

from recdistill.config.located import LocatedYaml
from recdistill.config.refusals import refusal
from recdistill.settings import Settings


class Cat(Settings):
    kind: Literal["cat"] = "cat"
    lives: PositiveInt = 9


class Pack(Settings):
    kind: Literal["pack"] = "pack"
    members: list[Animal] = []


Animal = Annotated[Cat | Pack, Field(discriminator="kind")]


class Zoo(Settings):
    name: str
    mood: Literal["calm", "wild"] = "calm"
    animal: Animal = Cat()
    crowd: list[Animal] = []
    spare: Cat | None = None


def complaint(text: str) -> str:
    source = LocatedYaml.parse(text, "zoo.yaml")
    with pytest.raises(ValidationError) as caught:
        Zoo.model_validate(source.data)
    return str(refusal(caught.value, Zoo, source))


def test_an_unknown_key_is_named_with_its_line_and_the_nearest_valid_one():
    text = complaint("name: a\nmod: calm\n")
    assert "zoo.yaml, line 2: unknown key 'mod'. Did you mean 'mood'?" in text


def test_the_nearest_key_is_looked_up_inside_unions_lists_and_recursion():
    text = complaint(
        "name: a\nanimal: {kind: pack, members: [{kind: pack}, {kind: cat, live: 3}]}\n"
    )
    assert (
        "line 2: unknown key 'animal.members.1.live'. Did you mean 'lives'? Valid: kind, lives."
        in text
    )
    text = complaint("name: a\ncrowd:\n  - {kind: cat}\n  - {kind: pack, member: []}\n")
    assert "line 4: unknown key 'crowd.1.member'. Did you mean 'members'?" in text
    text = complaint("name: a\nspare: {lifes: 2}\n")
    assert "unknown key 'spare.lifes'. Did you mean 'lives'?" in text


def test_an_unknown_kind_and_a_missing_kind_are_told_apart():
    assert "'animal' has an unknown kind 'cta'. Did you mean 'cat'? Valid: cat, pack." in complaint(
        "name: a\nanimal: {kind: cta}\n"
    )
    assert "'animal' needs a `kind`" in complaint("name: a\nanimal: {lives: 3}\n")


def test_an_unknown_choice_names_the_nearest():
    assert "'mood' cannot be 'wilt'. Did you mean 'wild'? Valid: calm, wild." in complaint(
        "name: a\nmood: wilt\n"
    )


def test_a_missing_key_and_a_bad_value_are_named():
    text = complaint("crowd: [{kind: cat, lives: 0}]\n")
    assert "'name' is missing" in text
    assert "zoo.yaml, line 1: 'crowd.0.lives': input should be greater than 0 (found 0)." in text
    assert "2 problems" in text
