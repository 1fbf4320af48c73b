"""Settings are frozen, closed and described."""

from __future__ import annotations

import pytest
from pydantic import Field, ValidationError

from recdistill.settings import Settings, parts


class Example(Settings):
    rate: float = 0.5
    """How fast."""


def test_unknown_keys_are_refused():
    with pytest.raises(ValidationError, match="rat\n"):
        Example(rat=1.0)


def test_settings_are_frozen_and_hashable():
    with pytest.raises(ValidationError, match="frozen"):
        Example().rate = 1.0
    assert hash(Example(rate=0.25)) == hash(Example(rate=0.25))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_are_finite(value):
    with pytest.raises(ValidationError, match="finite"):
        Example(rate=value)


def test_docstrings_describe_the_schema():
    assert Example.model_json_schema()["properties"]["rate"]["description"] == "How fast."


def test_no_error_quotes_what_was_given():
    """It may be a key, and it is the outermost settings that decide what pydantic shows."""

    class Outer(Settings):
        inner: Example

    for given in (
        {"inner": "sk-secret"},
        {"inner": {"rate": "sk-secret"}},
        {"inner": {"sk": "sk-secret"}},
    ):
        with pytest.raises(ValidationError) as caught:
            Outer.model_validate(given)
        assert "sk-secret" not in str(caught.value)


def test_parts_are_found_wherever_they_lie():
    class Other(Settings):
        named: dict[str, Example]
        several: tuple[Example | int, ...]
        odd: Example = Field(alias="as")

    one = Example(rate=0.25)
    whole = Other.model_validate({"named": {"a": one}, "several": (1, one), "as": one})
    assert [path for path, _ in parts(whole, Example)] == [
        ("named", "a"),
        ("several", "1"),
        ("as",),
    ]
    assert all(found is one for _, found in parts(whole, Example))
    assert [*parts(one, Example)] == [((), one)]
