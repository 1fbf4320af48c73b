"""What goes over the wire about users and what they did."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from recdistill.serving.messages import MOST_EVENTS, Asked, ItemId, UserId


class SentEvent(Asked, frozen=True):
    """That a user did something with an item."""

    id: Annotated[str, Meta(min_length=1, max_length=256)]
    """Yours, the same when you send the event again."""
    user: UserId
    item: ItemId
    at: Annotated[float, Meta(ge=0, le=4e9)] | None = None
    """Seconds since 1970; by default when it comes in."""


class EventsRequest(Asked, frozen=True):
    """Events, in any order; all of them are kept, or none."""

    events: Annotated[list[SentEvent], Meta(min_length=1, max_length=MOST_EVENTS)]


class Acknowledged(msgspec.Struct, frozen=True):
    """They are on the disk."""

    acknowledged: int
    new: int
    """Of them, those that were not known before."""


class KeptEvent(msgspec.Struct, frozen=True):
    """What is kept of an event."""

    item: str
    at: float
    """Seconds since 1970."""


class UserHistory(msgspec.Struct, frozen=True):
    """All that is kept of a user, oldest first."""

    events: list[KeptEvent]


class Forgotten(msgspec.Struct, frozen=True):
    """The user is gone."""

    events: int
    """How many were kept."""
