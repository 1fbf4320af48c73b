"""Finding items by words of their titles, for people who do not know ids by heart."""

from __future__ import annotations

import numpy as np
import polars as pl
from jaxtyping import Bool, Int64

from recdistill.data.columns import EVENTS, ITEM
from recdistill.serving.catalogue import TITLE, Catalogue

_MOST_WORDS = 8


class Search:
    """The titles and ids of a bundle, in small letters."""

    def __init__(self, items: pl.DataFrame) -> None:
        """`items`: row `i` describes dense item `i`."""
        told = [items[name].cast(pl.String) for name in (TITLE, ITEM) if name in items.columns]
        self._ids = items[ITEM].cast(pl.String).str.to_lowercase()
        self._texts = pl.select(pl.concat_str(told, separator=" ", ignore_nulls=True))[
            :, 0
        ].str.to_lowercase()
        counts = items[EVENTS].to_numpy() if EVENTS in items.columns else np.zeros(len(items))
        self._order: Int64[np.ndarray, " items"] = np.argsort(-counts, kind="stable")

    def find(self, text: str, k: int, catalogue: Catalogue) -> list[int]:
        """Up to `k` dense items whose title and id hold all the words: those of that very id first, then what came
        late, then by popularity.
        """
        words = text.lower().split()[:_MOST_WORDS]
        found = self._holding(words)
        found[list(catalogue.hidden)] = False
        exact = np.flatnonzero(found & (self._ids == text.strip().lower()).to_numpy()).tolist()
        own = len(self._texts)
        late = [
            place
            for place, entry in enumerate(catalogue.late, own)
            if _holds(f"{catalogue.title(place) or ''} {entry.item}", words)
        ]
        changed = [
            place
            for place in catalogue.changed
            if place not in catalogue.hidden and _holds(catalogue.title(place) or "", words)
        ]
        popular = self._order[found[self._order]][:k].tolist()
        return list(dict.fromkeys([*exact, *late, *changed, *popular]))[:k]

    def _holding(self, words: list[str]) -> Bool[np.ndarray, " items"]:
        found = np.ones(len(self._texts), dtype=np.bool_)
        for word in words:
            found &= self._texts.str.contains(word, literal=True).to_numpy()
        return found


def _holds(text: str, words: list[str]) -> bool:
    small = text.lower()
    return all(word in small for word in words)
