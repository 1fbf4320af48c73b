"""Asking a server that was started with `recdistill serve`."""

from __future__ import annotations

from recdistill.errors import MissingExtraError

try:
    import msgspec as _msgspec  # noqa: F401  # pyright: ignore[reportUnusedImport]
except ImportError:
    raise MissingExtraError("The client", "client") from None

from recdistill.client.asynchronous import AsyncClient
from recdistill.client.questions import Item, Options
from recdistill.client.synchronous import Client
from recdistill.serving.keeping_messages import Acknowledged, Forgotten, SentEvent, UserHistory
from recdistill.serving.messages import (
    Reason,
    Recommendations,
    Recommended,
    RecommendRequest,
    Version,
)
from recdistill.serving.stock.messages import NewItem, Removed, Stocked

__all__ = [
    "Acknowledged",
    "AsyncClient",
    "Client",
    "Forgotten",
    "Item",
    "NewItem",
    "Options",
    "Reason",
    "RecommendRequest",
    "Recommendations",
    "Recommended",
    "Removed",
    "SentEvent",
    "Stocked",
    "UserHistory",
    "Version",
]
