"""What joining found: as data, and as sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from recdistill.data.hearsay.matching import WAYS, Match

_EXAMPLES = 5


@dataclass
class Names:
    """How the names of items were found.

    Attributes:
        ways: how many mentions, by way.
        distinct: how many different names, by way.
        examples: a few names of each way but the plain ones, most frequent first; with the title found.
    """

    ways: dict[str, int] = field(default_factory=dict[str, int])
    distinct: dict[str, int] = field(default_factory=dict[str, int])
    examples: dict[str, list[str]] = field(default_factory=dict[str, list[str]])

    @classmethod
    def of(cls, names: Sequence[str], matches: Sequence[Match], titles: Sequence[str]) -> Names:
        """What was found of `names`."""
        pairs = Counter(zip(names, matches, strict=True))
        found = cls()
        for way in WAYS:
            of_way = [
                (name, match, count) for (name, match), count in pairs.items() if match.way == way
            ]
            if of_way:
                found.ways[way] = sum(count for *_, count in of_way)
                found.distinct[way] = len(of_way)
                if way not in ("id", "exact"):
                    of_way.sort(key=lambda one: -one[2])
                    found.examples[way] = [
                        _told(name, match, titles) for name, match, _ in of_way[:_EXAMPLES]
                    ]
        return found

    @property
    def total(self) -> int:
        """Mentions."""
        return sum(self.ways.values())

    @property
    def found(self) -> int:
        """Mentions of items of the catalogue."""
        return self.total - self.ways.get("unknown", 0) - self.ways.get("ambiguous", 0)

    def facts(self) -> dict[str, Any]:
        """As data."""
        return {
            "mentions": self.total,
            **self.ways,
            "distinct": self.distinct,
            "examples": self.examples,
        }

    def sentence(self, what: str) -> str:
        """As a sentence."""
        parts = ", ".join(f"{count:,} {way}" for way, count in self.ways.items())
        share = f" ({self.found / self.total:.1%} found)" if self.total else ""
        return f"{self.total:,} {what}: {parts or 'none'}{share}"


def _told(name: str, match: Match, titles: Sequence[str]) -> str:
    return f"{name} → {titles[match.item]}" if match.item >= 0 and titles else name


@dataclass
class JoinReport:
    """Everything that joining a file to a dataset found.

    Attributes:
        file: its name.
        about: what its statements are about.
        counts: what was counted, in the order in which it was; zeros too.
        names: of the items in the lists.
        candidates: of the items that were shown.
        examples: a few of what was left out, by count.
    """

    file: str
    about: str
    counts: dict[str, int] = field(default_factory=dict[str, int])
    names: Names = field(default_factory=Names)
    candidates: Names | None = None
    examples: dict[str, list[str]] = field(default_factory=dict[str, list[str]])

    def count(self, name: str, number: int, examples: Iterable[Any] = ()) -> None:
        """Count something, with examples of it."""
        self.counts[name] = self.counts.get(name, 0) + number
        shown = [*self.examples.get(name, ()), *(str(one)[:120] for one in examples)][:_EXAMPLES]
        if shown:
            self.examples[name] = shown

    def facts(self) -> dict[str, Any]:
        """As data that JSON can hold."""
        facts: dict[str, Any] = {"file": self.file, "about": self.about, **self.counts}
        if self.names.total:
            facts["items"] = self.names.facts()
        if self.candidates:
            facts["candidates"] = self.candidates.facts()
        return {**facts, **({"examples": self.examples} if self.examples else {})}

    def sentences(self) -> Iterator[str]:
        """What readers of a report should know."""
        joined, told = self.counts.get("joined", 0), self.counts.get("records", 0)
        yield f"Of {told:,} records in {self.file}, {joined:,} could be joined to the log."
        if self.names.total:
            yield f"{self.file}: {self.names.sentence('items named')}."

    def lines(self) -> Iterator[str]:
        """As lines for a log."""
        told = [f"{number:,} {_plain(name)}" for name, number in self.counts.items() if number]
        yield f"{self.file}, about {self.about}: {', '.join(told)}."
        for names, what in ((self.names, "items named"), (self.candidates, "candidates shown")):
            if names and names.total:
                yield f"{self.file}: {names.sentence(what)}."
                for way in ("near", "ambiguous", "unknown"):
                    if way in names.examples:
                        yield f"  {way}: {'; '.join(names.examples[way])}"


def _plain(name: str) -> str:
    return name.replace("_", " ")
