"""The one place where column names are spelled."""

from __future__ import annotations

from typing import Final

USER: Final = "user_id"
ITEM: Final = "item_id"
TIME: Final = "timestamp"
RATING: Final = "rating"
SCORE: Final = "score"
RANK: Final = "rank"
EVENTS: Final = "train_events"
"""Of a catalogue that has left the building: how many events of training each item has."""
