"""From what an item is called to the item: by id, by title exactly, by title normalised, by likeness of letters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

import numpy as np
from pydantic import Field

from recdistill.data.dataset import Dataset
from recdistill.data.hearsay.ngrams import Trigrams
from recdistill.data.hearsay.titles import Title, misspelt, read_title
from recdistill.errors import DataError, nearest
from recdistill.settings import Settings

Way = Literal["id", "exact", "normalised", "near", "ambiguous", "unknown"]
WAYS: Final[tuple[Way, ...]] = ("id", "exact", "normalised", "near", "ambiguous", "unknown")
_ROOM: Final = 0.03
"""How much more alike the best must be than the next."""
_YEARS_APART: Final = 1
"""Sources differ by a year on when something came out; more is another work of that name."""


class Matching(Settings):
    """How what a file calls items is found in the catalogue."""

    by: Literal["auto", "ids", "titles"] = "auto"
    """Whether items are called by id or by title; `auto` takes ids where at least half of the names are ids of the
    catalogue."""
    title: str = "title"
    """The column of the catalogue that holds titles."""
    near: float | None = Field(default=0.75, gt=0, le=1)
    """How alike (cosine of letter trigrams) a title must be to count where none agrees; `null` for not at all. It must
    have the same words in any case, but for the spelling of some, and the same numbers."""
    ambiguous: Literal["leave-out", "popular"] = "leave-out"
    """What to do with a title that several items have: nothing, or take the one with the most training events."""


class Match(NamedTuple):
    """Attributes:
    item: dense; -1 where none was found.
    way: how.
    """

    item: int
    way: Way


@dataclass(frozen=True)
class _Catalogue:
    """What items are called. A name in brackets counts where no item has it as its first."""

    exact: dict[str, list[int]]
    names: dict[str, list[int]]
    years: list[int | None]


class Matcher:
    """Finds items; every name is looked up once."""

    def __init__(self, dataset: Dataset, matching: Matching) -> None:
        """Raises DataError where titles are needed and the catalogue has none: only when one is looked up."""
        self.matching = matching
        self._dataset = dataset
        self._events = np.bincount(dataset.train.items, minlength=dataset.num_items)
        self._found: dict[str, Match] = {}
        self._titles: _Catalogue | None = None
        self._letters: tuple[Trigrams, list[str]] | None = None

    def by_ids(self, names: Sequence[str]) -> bool:
        """Whether these are ids: as the settings say, or as at least half of them are."""
        if self.matching.by != "auto":
            return self.matching.by == "ids"
        distinct = list(dict.fromkeys(names))
        known = self._dataset.vocabulary.encode(distinct) >= 0 if distinct else np.zeros(0)
        return 2 * int(known.sum()) >= len(distinct)

    def ids(self, names: Sequence[str]) -> list[Match]:
        """Items called by id."""
        items = self._dataset.vocabulary.encode(list(names)) if names else []
        return [Match(int(item), "id" if item >= 0 else "unknown") for item in items]

    def titles(self, names: Sequence[str]) -> list[Match]:
        """Items called by title.

        Raises:
            DataError: the catalogue has no titles.
        """
        for name in dict.fromkeys(names):
            if name not in self._found:
                self._found[name] = self._look_up(name)
        return [self._found[name] for name in names]

    def _look_up(self, name: str) -> Match:
        catalogue = self._catalogue
        if name in catalogue.exact:
            return self._one(catalogue.exact[name], "exact")
        title = read_title(name)
        same = self._of_year(catalogue.names.get(title.names[0], ()) if title.names else (), title)
        return self._one(same, "normalised") if same else self._near(title)

    def _of_year(self, items: Iterable[int], title: Title) -> list[int]:
        """Those that are not of another year than the title says; of the very year where there are such."""
        years = self._catalogue.years
        if title.year is None:
            return list(items)
        apart = {item: abs((years[item] or title.year) - title.year) for item in items}
        close = [item for item, years in apart.items() if years <= _YEARS_APART]
        return [item for item in close if apart[item] == min(apart[one] for one in close)]

    def _one(self, items: Sequence[int], way: Way) -> Match:
        if len(items) == 1:
            return Match(items[0], way)
        if self.matching.ambiguous == "popular":
            return Match(max(items, key=lambda item: (self._events[item], -item)), way)
        return Match(-1, "ambiguous")

    def _near(self, title: Title) -> Match:
        threshold = self.matching.near
        if threshold is None or not title.names:
            return Match(-1, "unknown")
        letters, names = self._lettered
        alike = letters.alike(title.names[0])
        order = np.argsort(-alike, kind="stable")[:5]
        close = [
            (float(alike[place]), items)
            for place in order
            if alike[place] >= threshold
            and misspelt(title.names[0], names[place])
            and (items := self._of_year(self._catalogue.names[names[place]], title))
        ]
        if not close:
            return Match(-1, "unknown")
        best = [items for how, items in close if how > close[0][0] - _ROOM]
        return self._one(sorted({item for items in best for item in items}), "near")

    @property
    def _lettered(self) -> tuple[Trigrams, list[str]]:
        if self._letters is None:
            names = sorted(self._catalogue.names)
            self._letters = Trigrams(names), names
        return self._letters

    @property
    def _catalogue(self) -> _Catalogue:
        if self._titles is None:
            self._titles = _read(catalogue_titles(self._dataset, self.matching.title))
        return self._titles


def catalogue_titles(dataset: Dataset, column: str) -> list[str]:
    """The title of each item; empty where it has none.

    Raises:
        DataError: the catalogue has no such column.
    """
    if column not in dataset.items.fields:
        raise DataError(
            f"Items are called by title, but the catalogue has no '{column}'.",
            "Say which column holds titles (`matching: {title: …}`), or give dataset.items with titles. "
            + nearest(column, dataset.items.fields),
        )
    return [str(title or "").strip() for title in dataset.items.frame[column]]


def _read(titles: Sequence[str]) -> _Catalogue:
    read = [read_title(title) for title in titles]
    found = _Catalogue({}, {}, [one.year for one in read])
    others: dict[str, list[int]] = {}
    for item, (title, one) in enumerate(zip(titles, read, strict=True)):
        if title:
            found.exact.setdefault(title, []).append(item)
        for place, name in enumerate(one.names):
            (others if place else found.names).setdefault(name, []).append(item)
    found.names.update({name: items for name, items in others.items() if name not in found.names})
    return found
