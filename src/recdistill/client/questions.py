"""What can be asked, as data: the same for those who wait and those who do not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypedDict, TypeVar
from urllib.parse import quote

import msgspec

from recdistill.errors import ConfigError
from recdistill.serving.keeping_messages import (
    Acknowledged,
    EventsRequest,
    Forgotten,
    SentEvent,
    UserHistory,
)
from recdistill.serving.messages import (
    BatchRecommendations,
    BatchRequest,
    Health,
    Recommendations,
    RecommendRequest,
    SimilarRequest,
    Version,
)
from recdistill.serving.showing_messages import Found, SearchRequest
from recdistill.serving.stock.messages import ItemsRequest, NewItem, Removed, Stocked

Item = str | int
"""An item's id: text or a number, as in the catalogue."""
Given = TypeVar("Given", bound=msgspec.Struct)


class Options(TypedDict, total=False):
    """What a request for a list may say; see `RecommendRequest`."""

    user: str
    k: int
    filter_seen: bool
    candidates: Sequence[Item]
    exclude: Sequence[Item]
    rules: Sequence[str]
    context: Mapping[str, str]
    explain: bool


@dataclass(frozen=True)
class Question(Generic[Given]):
    """A request. Every one of them may be repeated: what is kept is kept once."""

    method: str
    path: str
    gives: type[Given]
    body: msgspec.Struct | None = None

    def content(self) -> bytes | None:
        """The body as JSON."""
        return None if self.body is None else msgspec.json.encode(self.body)


def request(history: Sequence[Item] | None, options: Options) -> RecommendRequest:
    """A request for a list, ready to be sent alone or among others.

    Raises:
        ConfigError: it says what no request says.
    """
    try:
        return msgspec.convert({"history": history, **options}, RecommendRequest)
    except msgspec.ValidationError as error:
        raise ConfigError(f"No server would take this: {error}.") from None


def recommend(history: Sequence[Item] | None, options: Options) -> Question[Recommendations]:
    """A list."""
    return Question("POST", "/v1/recommend", Recommendations, request(history, options))


def recommend_many(requests: Sequence[RecommendRequest]) -> Question[BatchRecommendations]:
    """Several lists."""
    body = BatchRequest(list(requests))
    return Question("POST", "/v1/recommend/batch", BatchRecommendations, body)


def similar(item: Item, k: int) -> Question[Recommendations]:
    """Neighbours."""
    return Question("POST", "/v1/similar", Recommendations, SimilarRequest(item, k))


def search(text: str, k: int) -> Question[Found]:
    """Items by title."""
    return Question("POST", "/v1/items/search", Found, SearchRequest(text, k))


def remember(events: Sequence[SentEvent]) -> Question[Acknowledged]:
    """What users did."""
    return Question("POST", "/v1/events", Acknowledged, EventsRequest(list(events)))


def user(name: str) -> Question[UserHistory]:
    """What is kept of a user."""
    return Question("GET", f"/v1/users/{quote(name, safe='')}", UserHistory)


def forget(name: str) -> Question[Forgotten]:
    """Forget a user."""
    return Question("DELETE", f"/v1/users/{quote(name, safe='')}", Forgotten)


def add_items(items: Sequence[NewItem]) -> Question[Stocked]:
    """New and changed items."""
    return Question("POST", "/v1/items", Stocked, ItemsRequest(list(items)))


def remove_item(item: Item) -> Question[Removed]:
    """An item that goes."""
    return Question("DELETE", f"/v1/items/{quote(str(item), safe='')}", Removed)


def version() -> Question[Version]:
    """Who answers."""
    return Question("GET", "/version", Version)


def ready() -> Question[Health]:
    """Whether it can answer."""
    return Question("GET", "/readyz", Health)
