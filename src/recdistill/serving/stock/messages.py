"""What goes over the wire about items that come, change and go."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from recdistill.serving.messages import Asked, ItemId

MOST_ITEMS, MOST_ALIKE, WIDEST = 100, 50, 4096
Column = Annotated[str, Meta(min_length=1, max_length=64)]
Value = Annotated[str, Meta(max_length=1000)]


class NewItem(Asked, frozen=True):
    """An item that is new, or of which something new is said. One of `text`, `vector` and `like` says what it is
    like; of an item that the bundle knows none is needed. It takes the place of all that was said of the item before.
    """

    item: ItemId
    title: Annotated[str, Meta(max_length=500)] | None = None
    """What people call it."""
    attributes: Annotated[dict[Column, Value], Meta(max_length=32)] = {}  # noqa: RUF012 (msgspec copies it)
    """What rules look at, by column of the catalogue."""
    text: Annotated[str, Meta(min_length=1, max_length=10_000)] | None = None
    """What it is, in words: for bundles that hold a text encoder."""
    vector: Annotated[list[float], Meta(min_length=1, max_length=WIDEST)] | None = None
    """A vector in the space of this bundle's item table (`/version` tells its width)."""
    like: Annotated[list[ItemId], Meta(min_length=1, max_length=MOST_ALIKE)] | None = None
    """Items that it resembles: it lies at the mean of their vectors, in whatever bundle comes next."""


class ItemsRequest(Asked, frozen=True):
    """Items; all of them are kept, or none."""

    items: Annotated[list[NewItem], Meta(min_length=1, max_length=MOST_ITEMS)]


class Stocked(msgspec.Struct, frozen=True):
    """They are on the disk, and can be recommended from now on."""

    accepted: int
    bundle: str
    """The digest of the bundle that they were added to."""


class Removed(msgspec.Struct, frozen=True):
    """The item is recommended no more, by this bundle or a later one, until it is added again."""

    item: str
    status: Literal["removed"] = "removed"
