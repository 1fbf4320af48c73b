"""The base of every configuration class: frozen, typed, closed to unknown keys."""

from __future__ import annotations

from pydantic import BaseModel, BeforeValidator, ConfigDict


class Settings(BaseModel):
    """Configuration as data. Unknown keys are refused; attribute docstrings become the schema's descriptions."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False
    )


UNQUOTED = "x-unquoted"
"""In a field's JSON schema: people paste secrets here by mistake, so no error quotes what was given."""

KindInShort = BeforeValidator(lambda given: {"kind": given} if isinstance(given, str) else given)
"""Marks a union of settings whose `kind` alone may stand for one of them with its defaults."""
