"""What is made of a bundle once, and stays while items come and go."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import polars as pl
from jaxtyping import Float32, Int64, UInt64

from recdistill.bundle.bundle import Bundle
from recdistill.bundle.runtime import Runtime
from recdistill.data.encoding import id_keys
from recdistill.data.sequences import Sequences
from recdistill.serving.catalogue import Catalogue, Names
from recdistill.serving.popular import Ranked
from recdistill.serving.rules import Rules, as_text
from recdistill.serving.searching import Search
from recdistill.serving.stock.layers import LongerScorer, LongerTable
from recdistill.serving.stock.overlay import Overlay

_TINY = float(np.finfo(np.float32).tiny)
_EXPLAINED = 200
"""The latest events that are looked at where the model looks at all."""


class Opened:
    """A bundle, and what is looked up in it again and again. Safe to share between threads."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle, self.names = bundle, Names(bundle.items)
        self.sight = min(bundle.info.model.history or _EXPLAINED, _EXPLAINED)
        """How many of the latest events explanations are about."""

    def runtime(self, over: Overlay) -> Runtime:
        """The model over the items of the bundle and of an overlay."""
        if not over.late and not over.hidden:
            return self._bundle.runtime
        own, table = self._bundle.runtime, self._bundle.table
        longer = LongerTable(table.values, table.scales, over.vectors)
        hidden = np.array(sorted(over.hidden), dtype=np.int64)
        return own.over(longer, LongerScorer.over(own.scorer, longer, hidden))

    def neighbours(self, item: int, k: int, over: Overlay) -> Ranked:
        """The nearest other items by cosine."""
        own, parts = len(self.names.ids), (self._bundle.vectors, over.vectors)
        asked = parts[0][item] if item < own else parts[1][item - own]
        way = asked / max(float(np.linalg.norm(asked)), _TINY)
        near = np.concatenate((parts[0] @ way / self._lengths, parts[1] @ way / _lengths(parts[1])))
        near[[item, *over.hidden]] = -np.inf
        order = np.argsort(-near, kind="stable")[:k]
        given = order[near[order] > -np.inf]
        return Ranked(given.tolist(), near[given].tolist())

    def said(self, history: list[int], items: Sequence[int]) -> list[str | None]:
        """What the teacher said why each item suits a history; `None` where it said nothing."""
        told, own = self._bundle.reasons, len(self.names.ids)
        if not len(told) or any(item >= own for item in history):
            return [None] * len(items)
        there = [item for item in items if item < own]
        rows = Sequences.from_lists([history])
        found = dict(
            zip(there, told.said(rows, [0] * len(there), there, self._item_keys), strict=True)
        )
        return [found.get(item) for item in items]

    def let_through(
        self, rules: Rules, names: frozenset[str], catalogue: Catalogue
    ) -> Int64[np.ndarray, " items"]:
        """The items that some rules let through, ascending."""
        columns = {
            column: self._column(column, catalogue) for column in sorted(rules.columns(names))
        }
        return np.flatnonzero(rules.let_through(names, columns))

    def _column(self, name: str, catalogue: Catalogue) -> pl.Series:
        """What the bundle says of its items, and what was said since."""
        column = as_text(self._bundle.items[name])
        if catalogue.changed:
            said = {
                item: entry.attributes[name]
                for item, entry in catalogue.changed.items()
                if name in entry.attributes
            }
            column = column.scatter(list(said), list(said.values())) if said else column
        late = [entry.attributes.get(name, self._own(name, entry.item)) for entry in catalogue.late]
        return column.append(pl.Series(name, late, dtype=pl.String)) if late else column

    def _own(self, name: str, item: str) -> str | None:
        place = self.names.places.get(item)
        return None if place is None else as_text(self._bundle.items[name][place : place + 1])[0]

    @cached_property
    def search(self) -> Search:
        """Its titles."""
        return Search(self._bundle.items)

    @cached_property
    def _lengths(self) -> Float32[np.ndarray, " items"]:
        return _lengths(self._bundle.vectors)

    @cached_property
    def _item_keys(self) -> UInt64[np.ndarray, " items"]:
        return id_keys(self._bundle.vocabulary.ids)


def _lengths(vectors: Float32[np.ndarray, "items width"]) -> Float32[np.ndarray, " items"]:
    return np.maximum(np.linalg.norm(vectors, axis=1), np.float32(_TINY))
