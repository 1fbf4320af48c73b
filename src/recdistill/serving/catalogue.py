"""Raw ids and titles beside dense ids, for single lookups: a frame's column takes longer to be asked than a model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import polars as pl

from recdistill.data.columns import ITEM
from recdistill.serving.stock.contract import Entry

TITLE = "title"


class Names:
    """What a bundle calls its items. Ids are compared as text, so that `50` and `"50"` are one item."""

    def __init__(self, items: pl.DataFrame) -> None:
        """`items`: row `i` describes dense item `i`."""
        self.ids: list[str | int] = items[ITEM].to_list()
        self.titles: list[str | None] = (
            items[TITLE].cast(pl.String).to_list()
            if TITLE in items.columns
            else [None] * len(self.ids)
        )
        self.places = {str(one): place for place, one in enumerate(self.ids)}
        self._numbers = items[ITEM].dtype.is_integer()

    def raw(self, text: str) -> str | int:
        """An id in the catalogue's own type."""
        return int(text) if self._numbers and text.isdecimal() else text


@dataclass(frozen=True)
class Catalogue:
    """What items are called: a bundle's, and after them those that came later.

    Attributes:
        late: items that have vectors of their own; their dense ids follow those of the bundle.
        hidden: items of the bundle that are not given any more, removed or taken over by one of `late`.
        changed: of items of the bundle that keep their vectors, what else was said of them.
    """

    names: Names
    late: tuple[Entry, ...] = ()
    hidden: frozenset[int] = frozenset()
    changed: Mapping[int, Entry] = field(default_factory=dict[int, Entry])

    def __len__(self) -> int:
        return len(self.names.ids) + len(self.late)

    @property
    def givable(self) -> int:
        """How many items may be given."""
        return len(self) - len(self.hidden)

    def place(self, one: str | int) -> int | None:
        """The dense id of an item; of one that was removed, too, since it may stand in histories."""
        text = str(one)
        return self._late.get(text, self.names.places.get(text))

    def known(self, ids: Iterable[str | int]) -> list[int]:
        """The dense ids of those that are in the catalogue, in their order."""
        places = (self.place(one) for one in ids)
        return [place for place in places if place is not None]

    def raw(self, item: int) -> str | int:
        """The id of a dense item."""
        own = len(self.names.ids)
        return self.names.ids[item] if item < own else self.names.raw(self.late[item - own].item)

    def title(self, item: int) -> str | None:
        """What a dense item is called."""
        said = self.said(item)
        if said and said.title:
            return said.title
        place = item if said is None else self.names.places.get(said.item)
        return None if place is None else self.names.titles[place]

    def said(self, item: int) -> Entry | None:
        """What was said of a dense item since the bundle was made."""
        own = len(self.names.ids)
        return self.changed.get(item) if item < own else self.late[item - own]

    @cached_property
    def _late(self) -> dict[str, int]:
        return {entry.item: place for place, entry in enumerate(self.late, len(self.names.ids))}
