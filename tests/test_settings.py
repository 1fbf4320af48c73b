"""Settings are frozen, closed and described."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from recdistill.settings import Settings


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
