"""How jaxtyping's import hook checks a function: with beartype, where beartype can."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from beartype import beartype
from beartype.roar import BeartypeDecorHintException


def check(function: Callable[..., Any]) -> Callable[..., Any]:
    """Check `function`'s arguments and result on every call.

    It cannot where a method says `Self` (the hook decorates methods one by one, so beartype does not know the
    class) or names a protocol that is not `runtime_checkable`; such functions stay unchecked.
    """
    try:
        return beartype(function)
    except BeartypeDecorHintException:
        return function
