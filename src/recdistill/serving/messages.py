"""What goes over the wire. The same types check requests, write answers and make the OpenAPI document."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

LARGEST_K, LONGEST_HISTORY, MOST_CANDIDATES, MOST_REQUESTS, MOST_EVENTS = (
    1000,
    2000,
    10_000,
    64,
    500,
)

ItemId = Annotated[str, Meta(min_length=1, max_length=256)] | Annotated[int, Meta(ge=0)]
"""Text or a number, as in the catalogue; `"50"` and `50` name the same item."""
UserId = Annotated[str, Meta(min_length=1, max_length=256)]
LARGEST_EXPLAINED_K = 50
RuleName = Annotated[str, Meta(min_length=1, max_length=64)]
Word = Annotated[str, Meta(max_length=256)]
Cause = Literal["history", "unknown-history", "deadline", "model"]
K = Annotated[int, Meta(ge=1, le=LARGEST_K)]


# Closed to unknown fields: the unexpected is refused where it begins, so nothing nests deeper than these types do.
class Asked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a client sends."""


class RecommendRequest(Asked, frozen=True):
    """Whom to recommend to, and what may be given. Either `history` or `user`."""

    history: Annotated[list[ItemId], Meta(max_length=LONGEST_HISTORY)] | None = None
    """Item ids, oldest first. Unknown ones are passed over; an empty history is somebody new."""
    user: UserId | None = None
    """Somebody whose events were sent to `/v1/events`."""
    k: K = 10
    """How many items; the list is shorter where fewer may be given."""
    filter_seen: bool = True
    """Leave out the items of the history."""
    candidates: Annotated[list[ItemId], Meta(max_length=MOST_CANDIDATES)] | None = None
    """The only items to give; absent for all."""
    exclude: Annotated[list[ItemId], Meta(max_length=LONGEST_HISTORY)] = []
    """Items not to give; unknown ones are passed over."""
    rules: Annotated[list[RuleName], Meta(max_length=32)] = []
    """Rules of this server that the list must keep (`/version` names them)."""
    context: Annotated[dict[RuleName, Word], Meta(max_length=32)] = {}
    """What rules may depend on (`/version` names the keys), such as `{"device": "tv"}`."""
    explain: bool = False
    """Say of each item which events of the history raise its score. One request at a time, `k` up to 50."""


class BatchRequest(Asked, frozen=True):
    """Several requests at once, answered in their order, all by the same bundle."""

    requests: Annotated[list[RecommendRequest], Meta(min_length=1, max_length=MOST_REQUESTS)]


class SimilarRequest(Asked, frozen=True):
    """Which item's neighbours."""

    item: ItemId
    k: K = 10


class Reason(msgspec.Struct, frozen=True):
    """An event of the history, and what it does for an item's score."""

    item: str | int
    gain: float
    """How much the score would fall without this event."""
    title: str | None = None


class Recommended(msgspec.Struct, frozen=True):
    """An item of a list, the best first."""

    item: str | int
    score: float
    title: str | None = None
    because: list[Reason] | None = None
    """Where it was asked for: the events that raise its score, the most important first."""
    said: str | None = None
    """Where it was asked for: why, in the words of the teacher, if the bundle holds them."""


class Recommendations(msgspec.Struct, frozen=True):
    """A list of items."""

    items: list[Recommended]
    bundle: str
    """The digest of the bundle that answered."""
    unknown: int = 0
    """Items of the history that the bundle does not know."""
    degraded: bool = False
    """A fallback: not what the model says of this history."""
    cause: Cause | None = None
    """Why it is a fallback. `history`: the user's could not be read, so this is what the model says to somebody new.
    Of the others the list is what is popular. `unknown-history`: the bundle knows none of its items; `deadline`,
    `model`: the model gave no answer in time, or failed."""


class BatchRecommendations(msgspec.Struct, frozen=True):
    """A list of items for each request."""

    answers: list[Recommendations]


class Health(msgspec.Struct, frozen=True):
    """Whether the server is well."""

    status: Literal["ok"] = "ok"


class Version(msgspec.Struct, frozen=True):
    """Which program and which bundle answer."""

    recdistill: str
    bundle: str
    """The bundle's digest."""
    model: str
    """Which kind of model."""
    dataset: str
    items: int
    """How many may be given."""
    width: int = 0
    """Of an item's vector."""
    rules: list[str] = []
    """That requests may name."""
    context: list[str] = []
    """Keys that a request's context may have."""
