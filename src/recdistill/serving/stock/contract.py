"""What is kept of an item that came, changed or went."""

from __future__ import annotations

import msgspec


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was last said of an item. At most one of `text`, `vector` and `like` says what it is like."""

    item: str
    weights: str
    """Which model answered then (`ModelEntry.weights`): vectors are of its space, and of no other's."""
    title: str | None = None
    attributes: dict[str, str] = {}
    text: str | None = None
    vector: list[float] | None = None
    like: list[str] | None = None
    gone: bool = False
    """Never to be recommended, whatever bundle has it."""
