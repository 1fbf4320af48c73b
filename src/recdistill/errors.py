"""What can go wrong, said so that a person can act on it.

Every error that RecDistill raises on purpose is a `RecDistillError`: a sentence that tells what was
wrong and where, and a hint that tells what to do. The command line prints both and exits with the
class's code; it never shows a traceback for one of these.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import ClassVar


class RecDistillError(Exception):
    """Something that a user can put right."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  {self.hint}" if self.hint else self.message


class ConfigError(RecDistillError):
    """The configuration or the command line asks for something that does not exist."""

    exit_code = 2


class DataError(RecDistillError):
    """The interactions or the items cannot be read, or not used as asked."""

    exit_code = 3


class SourceUnavailableError(DataError):
    """A named data source is neither on disk nor reachable."""


class SignalError(RecDistillError):
    """Stored signals are missing, damaged, or belong to another dataset or teacher."""

    exit_code = 4


class CheckpointError(RecDistillError):
    """A checkpoint or a saved model is damaged or belongs to another run."""

    exit_code = 5


class DivergenceError(RecDistillError):
    """Training left the finite numbers."""

    exit_code = 9


class BundleError(RecDistillError):
    """A bundle is damaged, incomplete, or does not agree with the model it was made from."""

    exit_code = 6


class StorageError(RecDistillError):
    """The disk refused a write (full, read-only, no permission)."""

    exit_code = 7


class EndpointError(RecDistillError):
    """An endpoint that answers questions is not reachable, or turns all of them away."""

    exit_code = 10


class RequestError(RecDistillError):
    """A server refused a request: what was asked for cannot be had, or not with this key."""

    exit_code = 11

    def __init__(
        self, message: str, hint: str = "", *, status: int, kind: str = "", field: str = ""
    ) -> None:
        super().__init__(message, hint)
        self.status = status
        """Of HTTP."""
        self.kind = kind
        """Which problem, for programs, such as `unknown-item`."""
        self.field = field
        """Where in the request it lies, such as `$.k`."""


class MissingExtraError(RecDistillError):
    """A feature needs an optional dependency that is not installed."""

    exit_code = 8

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(
            f"{feature} needs packages that are not installed.",
            f"Install them with: pip install 'recdistill[{extra}]'",
        )


def nearest(name: str, options: Iterable[str]) -> str:
    """Name the valid options for a mistyped `name`, the closest first.

    >>> nearest("global-tine", ["global-time", "leave-one-out"])
    "Did you mean 'global-time'? Valid: global-time, leave-one-out."
    """
    valid = list(options)
    close = difflib.get_close_matches(name, valid, n=1, cutoff=0.5)
    guess = f"Did you mean '{close[0]}'? " if close else ""
    return f"{guess}Valid: {', '.join(valid) or 'none'}."
