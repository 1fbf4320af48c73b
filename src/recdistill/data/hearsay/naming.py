"""Which items of a catalogue a running text names, and where."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from recdistill.data.hearsay.titles import placed_words, read_title

_LONGEST: Final = 12
_OPENING, _CLOSING = "*_\"“‘«'", "*_\"”’»'"
_YEAR_BEHIND: Final = re.compile(r"[*_\"”’»']*\s*\((\d{4})")
_MARKS: Final = f"[{re.escape(_OPENING + _CLOSING)}]*"


class Named(NamedTuple):
    """Attributes:
    items: those of that name, dense; several where titles are shared.
    start: where the name begins in the text.
    stop: where it ends.
    """

    items: tuple[int, ...]
    start: int
    stop: int


class Namer:
    """Finds titles in texts: the longest that fits at each place.

    A title of one word counts only where it is set off (*Heat*, "Heat", Heat (1995)), one of several, or with an
    article, only where it begins and ends with a capital or a number; words that happen to be a title are many.
    """

    def __init__(self, titles: Sequence[str]) -> None:
        """`titles` are of dense items, in order; empty where an item has none."""
        self._years = [read_title(title).year for title in titles]
        self._items: dict[tuple[str, ...], list[int]] = {}
        for item, title in enumerate(titles):
            for name in read_title(title).names[:1]:
                self._items.setdefault(tuple(name.split()), []).append(item)

    def names(self, text: str) -> list[Named]:
        """The names in a text, in order; none overlaps another."""
        return [*self._walk(text)]

    def items(self, text: str) -> set[int]:
        """The items that a text names."""
        return {item for named in self.names(text) for item in named.items}

    def _walk(self, text: str) -> Iterator[Named]:
        placed = placed_words(text)
        spelled = tuple(word for word, _ in placed)
        at = 0
        while at < len(placed):
            length = min(_LONGEST, len(placed) - at)
            while length and not self._at(
                text, placed[at : at + length], spelled[at : at + length]
            ):
                length -= 1
            if length:
                start, stop = placed[at][1][0], placed[at + length - 1][1][1]
                name = _without_article(spelled[at : at + length])
                yield Named(self._meant(text, name, stop), start, stop)
            at += max(length, 1)

    def _at(
        self, text: str, placed: Sequence[tuple[str, tuple[int, int]]], name: tuple[str, ...]
    ) -> bool:
        if _without_article(name) not in self._items:
            return False
        start, stop = placed[0][1][0], placed[-1][1][1]
        if len(name) == 1:
            return _set_off(text, start, stop)
        return not (text[start].islower() or text[placed[-1][1][0]].islower())

    def _meant(self, text: str, name: tuple[str, ...], stop: int) -> tuple[int, ...]:
        items = self._items[name]
        year = _YEAR_BEHIND.match(text, stop)
        close = [
            item for item in items if year and abs((self._years[item] or 0) - int(year[1])) <= 1
        ]
        return tuple(close or items)


def without(text: str, spans: Sequence[tuple[int, int]]) -> str:
    """The text with spans, and the marks that set them off, made into an ellipsis."""
    for start, stop in sorted(spans, reverse=True):
        before = re.sub(_MARKS + "$", "", text[:start])
        text = f"{before}…{re.sub('^' + _MARKS, '', text[stop:])}"
    return text


def _without_article(name: tuple[str, ...]) -> tuple[str, ...]:
    return name[1:] if len(name) > 1 and name[0] in ("the", "a", "an") else name


def _set_off(text: str, start: int, stop: int) -> bool:
    marked = text[start - 1 : start] in (*_OPENING,) and text[stop : stop + 1] in (*_CLOSING,)
    return not text[start].islower() and (marked or _YEAR_BEHIND.match(text, stop) is not None)
