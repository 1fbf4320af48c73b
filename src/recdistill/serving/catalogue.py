"""Raw ids and titles beside dense ids, for single lookups: a frame's column takes longer to be asked than a model."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from recdistill.data.columns import ITEM

TITLE = "title"


class Catalogue:
    """What items are called. Ids are compared as text, so that `50` and `"50"` are one item."""

    def __init__(self, items: pl.DataFrame) -> None:
        """`items`: row `i` describes dense item `i`."""
        self.ids: list[str | int] = items[ITEM].to_list()
        self.titles: list[str | None] = (
            items[TITLE].cast(pl.String).to_list()
            if TITLE in items.columns
            else [None] * len(self.ids)
        )
        self._places = {str(one): place for place, one in enumerate(self.ids)}

    def known(self, ids: Iterable[str | int]) -> list[int]:
        """The dense ids of those that are in the catalogue, in their order."""
        places = (self._places.get(str(one)) for one in ids)
        return [place for place in places if place is not None]
