"""Why something was recommended, in a teacher's words, known by the context that they are about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Bool, UInt64

from recdistill.data.contexts import history_keys
from recdistill.data.sequences import Sequences
from recdistill.files import content_hash
from recdistill.texts import line

LONGEST: Final = 300
"""Characters of a reason; a longer one is cut."""
_READ: Final = 20_000


def plain(text: str, at_most: int = LONGEST) -> str:
    """One line of `text` (see `texts.line`), of `at_most` characters: what a language model answers may hold whatever
    it read. The rest is left to whoever shows it to escape."""
    text = line(text[:_READ])
    if len(text) <= at_most:
        return text
    return f"{text[: at_most - 1].rsplit(' ', 1)[0].rstrip(' ,;:.')[: at_most - 1]}…"


class Place(NamedTuple):
    """What a reason is about.

    Attributes:
        context: the key of the history (`data.contexts`).
        latest: how many of the latest items of a history make up that key; 0 for what was said to everybody.
        item: that was recommended, dense.
    """

    context: int
    latest: int
    item: int


_SCHEMA: Final = {
    "context": pl.UInt64,
    "latest": pl.Int32,
    "item": pl.Int32,
    "why": pl.String,
}


@dataclass(frozen=True)
class Reasons:
    """Reasons, and what each is about. One is given for the very context about which it was said and no other: it
    may tell what somebody took.

    Attributes:
        texts: by place; `plain`, none empty.
    """

    texts: Mapping[Place, str]

    @classmethod
    def of(cls, told: Iterable[tuple[Place, str]]) -> Reasons:
        """Of several about one place the first; cleaned and cut."""
        found: dict[Place, str] = {}
        for place, text in told:
            if place not in found and (words := plain(text)):
                found[place] = words
        return cls(found)

    def __len__(self) -> int:
        return len(self.texts)

    def and_those_of(self, others: Reasons) -> Reasons:
        """Both; where both say something, the first."""
        return Reasons({**others.texts, **self.texts})

    @property
    def identity(self) -> str:
        """A hash of all of them."""
        return content_hash([[*place, text] for place, text in sorted(self.texts.items())])

    def some(self, at_most: int) -> Reasons:
        """No more than so many, the same ones each time: those of the smallest context keys, which are drawn by lot."""
        return Reasons({place: self.texts[place] for place in sorted(self.texts)[:at_most]})

    def said(
        self,
        histories: Sequences,
        rows: Sequence[int],
        items: Sequence[int],
        item_keys: UInt64[np.ndarray, " items"],
    ) -> list[str | None]:
        """Why each of `items` suits the history in its row; `None` where nobody said. What was said of more of the
        history comes first, what was said to everybody last.

        Args:
            histories: whole, or at least as much of them as reasons are about.
            rows: one for each item.
            items: dense ids.
            item_keys: a 64-bit hash of each item's raw id.
        """
        keys = self._keys(histories, item_keys)
        return [
            next(
                (
                    text
                    for latest, of_row in keys.items()
                    if (text := self.texts.get(Place(of_row[row], latest, item)))
                ),
                None,
            )
            for row, item in zip(rows, items, strict=True)
        ]

    def known(
        self, histories: Sequences, item_keys: UInt64[np.ndarray, " items"]
    ) -> Bool[np.ndarray, " rows"]:
        """About which of `histories` there is any reason."""
        found = np.zeros(len(histories), dtype=np.bool_)
        for latest, keys in self._keys(histories, item_keys).items():
            found |= np.array([key in self._contexts[latest] for key in keys], dtype=np.bool_)
        return found

    def _keys(
        self, histories: Sequences, item_keys: UInt64[np.ndarray, " items"]
    ) -> dict[int, list[int]]:
        return {
            latest: context_keys(histories, latest, item_keys)
            for latest in sorted(self._contexts, reverse=True)
        }

    @cached_property
    def _contexts(self) -> dict[int, set[int]]:
        """The contexts, by how many of the latest items make up their keys."""
        found: dict[int, set[int]] = {}
        for place in self.texts:
            found.setdefault(place.latest, set()).add(place.context)
        return found

    def frame(self) -> pl.DataFrame:
        """As a table `context, latest, item, why` in the order of places."""
        rows = [(*place, self.texts[place]) for place in sorted(self.texts)]
        return pl.DataFrame(rows, schema=_SCHEMA, orient="row")

    @classmethod
    def from_frame(cls, frame: pl.DataFrame) -> Reasons:
        """What `frame` gave; cleaned again, whoever wrote it.

        Raises:
            ValueError: it is another table.
        """
        if dict(frame.schema) != _SCHEMA or any(frame.null_count().row(0)):
            raise ValueError(f"it has not exactly the columns {', '.join(_SCHEMA)}, all filled")
        return cls.of((Place(*row[:3]), row[3]) for row in frame.iter_rows())


def context_keys(
    histories: Sequences, latest: int, item_keys: UInt64[np.ndarray, " items"]
) -> list[int]:
    """The keys under which reasons about the `latest` items of `histories` are kept."""
    return history_keys(histories.tail(latest).packed(), item_keys).tolist()
