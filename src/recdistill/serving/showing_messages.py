"""What goes over the wire for people who look."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from recdistill.serving.messages import Asked, K


class SearchRequest(Asked, frozen=True):
    """Words of titles."""

    text: Annotated[str, Meta(min_length=1, max_length=200)]
    """Words that title or id must hold, in any order; small and capital letters are alike."""
    k: K = 10


class Named(msgspec.Struct, frozen=True):
    """An item."""

    item: str | int
    title: str | None = None


class Found(msgspec.Struct, frozen=True):
    """Items, those of that very id first, then the popular ones."""

    items: list[Named]


class Example(msgspec.Struct, frozen=True):
    """A history to begin with."""

    history: list[Named]
    """Oldest first."""


class Examples(msgspec.Struct, frozen=True):
    """What there is to begin with."""

    examples: list[Example]
    teacher: str | None = None
    """The name of the teacher whose lists are kept; absent where none are."""


class Chosen(msgspec.Struct, frozen=True):
    """An item of a teacher's list."""

    item: str | int
    score: float
    """The probability that the teacher gave it."""
    title: str | None = None
    said: str | None = None
    """Why, in the words of the teacher, if the bundle holds them."""


class TeacherList(msgspec.Struct, frozen=True):
    """What the teacher said while the student was being made."""

    items: list[Chosen]
    asked: bool
    """Whether it was asked about this history: about no other does it say anything."""
