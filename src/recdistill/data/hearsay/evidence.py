"""What is seen of leaks, as data and as sentences; and what a catalogue's items are called, by which it is seen."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from recdistill.data.dataset import Dataset
from recdistill.data.hearsay.matching import catalogue_titles
from recdistill.data.hearsay.membership import Membership, words_of
from recdistill.data.hearsay.naming import Namer
from recdistill.data.hearsay.places import Place


@dataclass(frozen=True)
class Finding:
    """What was looked for in one file, and how often it was there.

    Attributes:
        file: where.
        window: what was held out.
        what: what was looked at.
        checked: how many of them are about somebody of whom something is held out.
        named: how many of them name it.
        expected: how many would without a leak, at most.
        leaks: whether that is a leak.
        right: of lists, how many of their items are held out, where several are.
        explained: how many would be without a leak, at most.
        words: of texts, what their words know, by the length of histories.
        places: of lists, where several items are held out for some, how often each is named.
        examples: some that name it.
        unseen: what could not be looked for, and why; empty where everything was.
    """

    file: str
    window: str
    what: str
    checked: int
    named: int
    expected: float
    leaks: bool
    right: int = 0
    explained: float = 0.0
    words: tuple[Membership, ...] = ()
    places: tuple[Place, ...] = ()
    examples: tuple[str, ...] = ()
    unseen: str = ""

    def facts(self) -> dict[str, Any]:
        """As data that JSON can hold."""
        several = ("words", "places", "examples")
        return {**asdict(self), **{name: [*asdict(self)[name]] for name in several}}

    def __str__(self) -> str:
        told = (self._counted(), self._of_words(), self._of_places(), self._of_items())
        parts = filter(None, told)
        return f"{self.file}: {'. '.join(parts)}. {self._verdict()}"

    def _counted(self) -> str:
        if self.unseen:
            return self.unseen
        share = self.named / max(self.checked, 1)
        return (
            f"{self.named:,} of {self.checked:,} {self.what} ({share:.0%}) name what is held out for"
            f" {self.window}; {self.expected:,.1f} would be explained without a leak"
        )

    def _of_words(self) -> str:
        parts = [
            f"{one.known:.0%} ± {one.error:.0%} with histories of {one.histories}"
            for one in self.words
        ]
        way = "on the way from a stranger's item (0 %) to one of the history (100 %)"
        return f"Their words fit it, {way}: {', '.join(parts)}" if parts else ""

    def _of_places(self) -> str:
        parts = [
            f"the {_ordinal(one.number)} item held out for each by {one.named:,} of {one.checked:,}"
            f" ({one.expected:,.1f})"
            for one in self.places
            if one.leaks
        ]
        return f"They name {', '.join(parts)}" if parts else ""

    def _of_items(self) -> str:
        if self.right <= self.explained:
            return ""
        return f"{self.right:,} of their items are held out, where {self.explained:,.1f} would be explained"

    def _verdict(self) -> str:
        if self.leaks:
            return "A LEAK."
        return (
            "No leak seen." if self.words or not self.unseen else "Whether it leaks cannot be seen."
        )


class ItemWords:
    """What a catalogue's items are called, and the words in which they are told; made once for all guards."""

    def __init__(self, dataset: Dataset, title: str | None = None) -> None:
        """`title` is the column of titles; `title` or `name` where not given. Without such a column no names are looked
        for, and findings say so.
        """
        self._dataset, self._title = dataset, title or dataset.items.called_by

    @cached_property
    def namer(self) -> Namer | None:
        """Finds titles in texts; `None` where nothing is called anything.

        Raises:
            DataError: the catalogue has no column of the name given.
        """
        return Namer(catalogue_titles(self._dataset, self._title)) if self._title else None

    @cached_property
    def bags(self) -> list[frozenset[str]]:
        """The words of each item's text."""
        items = self._dataset.items
        texts = items.texts() if items.template else [""] * len(items)
        return [words_of(text) for text in texts]


def _ordinal(number: int) -> str:
    ending = (
        "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    )
    return f"{number}{ending}"
