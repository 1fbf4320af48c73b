"""What is seen of leaks, as data and as sentences; and what a catalogue's items are called, by which it is seen."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from recdistill.data.dataset import Dataset
from recdistill.data.hearsay.membership import Membership, words_of
from recdistill.data.hearsay.naming import Namer


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
        words: of texts, what their words know, by the length of histories.
        examples: some that name it.
    """

    file: str
    window: str
    what: str
    checked: int
    named: int
    expected: float
    leaks: bool
    words: tuple[Membership, ...] = ()
    examples: tuple[str, ...] = ()

    def facts(self) -> dict[str, Any]:
        """As data that JSON can hold."""
        words = [asdict(one) for one in self.words]
        return {**asdict(self), "words": words, "examples": [*self.examples]}

    def __str__(self) -> str:
        share = self.named / max(self.checked, 1)
        told = (
            f"{self.file}: {self.named:,} of {self.checked:,} {self.what} ({share:.0%}) name what is held out for"
            f" {self.window}; {self.expected:,.1f} would be explained without a leak"
        )
        if self.words:
            parts = [
                f"{one.known:.0%} ± {one.error:.0%} with histories of {one.histories}"
                for one in self.words
            ]
            told += (
                ". Their words fit it, on the way from a stranger's item (0 %) to one of the history (100 %):"
                f" {', '.join(parts)}"
            )
        return f"{told}. {'A LEAK' if self.leaks else 'No leak seen'}."


class ItemWords:
    """What a catalogue's items are called, and the words in which they are told; made once for all guards."""

    def __init__(self, dataset: Dataset, title: str = "title") -> None:
        """`title` is the column of titles; without such a column, no names are looked for."""
        self._dataset, self._title = dataset, title

    @cached_property
    def namer(self) -> Namer:
        """Finds titles in texts."""
        items = self._dataset.items
        known = self._title in items.fields
        return Namer([str(one or "") for one in items.frame[self._title]] if known else [])

    @cached_property
    def bags(self) -> list[frozenset[str]]:
        """The words of each item's text."""
        items = self._dataset.items
        texts = items.texts() if items.template else [""] * len(items)
        return [words_of(text) for text in texts]
