"""The base of every configuration class: frozen, typed, closed to unknown keys."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict

from recdistill.errors import ConfigError


class Settings(BaseModel):
    """Configuration as data. Unknown keys are refused; attribute docstrings become the schema's descriptions."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
        allow_inf_nan=False,
        hide_input_in_errors=True,  # of the outermost settings it counts, and somewhere inside may be a secret
    )


UNQUOTED = "x-unquoted"
"""In a field's JSON schema: people paste secrets here by mistake, so no error quotes what was given."""

KindInShort = BeforeValidator(lambda given: {"kind": given} if isinstance(given, str) else given)
"""Marks a union of settings whose `kind` alone may stand for one of them with its defaults."""


@contextmanager
def validated() -> Generator[None]:
    """Around what refuses by a `ConfigError`, in a validator: of a `ValueError` pydantic tells the place."""
    try:
        yield
    except ConfigError as error:
        raise ValueError(f"{error.message} {error.hint}") from error


S = TypeVar("S", bound=BaseModel)
Keys = tuple[str, ...]
"""The keys, and places in lists, that lead to a part of some settings."""


def parts(whole: Any, kind: type[S], keys: Keys = ()) -> Iterator[tuple[Keys, S]]:
    """The settings of one kind within others, however deep, and what leads to each."""
    if isinstance(whole, kind):
        yield keys, whole
    for name, part in _below(whole):
        yield from parts(part, kind, (*keys, name))


def _below(whole: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(whole, BaseModel):
        for name, field in type(whole).model_fields.items():
            yield field.alias or name, getattr(whole, name)
    elif isinstance(whole, Mapping):
        yield from ((str(name), part) for name, part in whole.items())
    elif isinstance(whole, list | tuple):
        yield from ((str(place), part) for place, part in enumerate(whole))
