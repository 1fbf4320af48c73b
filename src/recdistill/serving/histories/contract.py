"""What every store of histories promises."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol


class Event(NamedTuple):
    """That somebody did something with an item. Nobody is named: user and id are pseudonyms (`pseudonyms`)."""

    id: bytes
    user: bytes
    item: str
    at: float
    """Seconds since 1970."""


class EventConflictError(Exception):
    """An event's id is known, but as another event's: another user's, or of another item."""

    def __init__(self, place: int) -> None:
        super().__init__(place)
        self.place = place
        """Which of the events that were given."""


def only(kept: Sequence[int | EventConflictError]) -> int:
    """The outcome of the one request that there was.

    Raises:
        EventConflictError: nothing of it was kept.
    """
    (outcome,) = kept
    if isinstance(outcome, EventConflictError):
        raise outcome
    return outcome


class Histories(Protocol):
    """A durable store. Safe to share between threads.

    Every verb raises `StorageError` where the store cannot be reached or refuses; then nothing of the call happened
    that a repetition would do twice.
    """

    def append(self, events: Sequence[Event]) -> int:
        """Keep events: all of them, or none. When this returns they survive a crash; each id is kept once.

        Returns:
            how many were not known before.

        Raises:
            EventConflictError: an id names another event; nothing was kept.
        """
        ...

    def append_many(self, requests: Sequence[Sequence[Event]]) -> list[int | EventConflictError]:
        """`append` of each, one after the other, in one flush of the disk: how many were new, or why none was kept."""
        ...

    def latest(self, user: bytes, number: int) -> list[str]:
        """The user's latest items, oldest first; of one moment, in the order in which they came."""
        ...

    def export(self, user: bytes) -> list[Event]:
        """All that is kept of a user, oldest first."""
        ...

    def forget(self, user: bytes) -> int:
        """Remove a user from the store and its files; returns how many events that were."""
        ...

    def close(self) -> None:
        """Let go of the store."""
        ...
