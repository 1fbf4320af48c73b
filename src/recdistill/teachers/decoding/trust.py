"""Whose code may run: what the caller's configuration says, and never what a saved teacher says of itself."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from contextvars import ContextVar

from recdistill.errors import ConfigError

_TRUSTED: ContextVar[frozenset[str]] = ContextVar("trusted", default=frozenset())


@contextmanager
def trusting(models: Iterable[str]) -> Generator[None]:
    """Inside, teachers that are read back may run the code that comes with these models (ids or folders), if they
    did when they were made."""
    before = _TRUSTED.set(frozenset(models))
    try:
        yield
    finally:
        _TRUSTED.reset(before)


def require_trust(model: str) -> None:
    """Refuse a model that runs code of its own, where the caller has not said that it may.

    Raises:
        ConfigError: nobody trusts it.
    """
    if model not in _TRUSTED.get():
        raise ConfigError(
            f"The saved teacher asks to run code that comes with the language model '{model}'.",
            "That it was allowed when the teacher was made is no permission here. If you trust the code, hand on a"
            " configuration that says so: `load_teacher(folder, dataset, trusting=config)`.",
        )
