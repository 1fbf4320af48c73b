"""What a model answered, read as an order of the candidates it was shown; whatever it wrote."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from recdistill.texts import whole

_LONGEST = 20_000
"""Characters of an answer that are read."""
_RATIONALE = 500
"""Characters of a rationale that are kept."""
_TRIED = 32
"""Brackets at which JSON is looked for; who opens more means none of them."""
_THOUGHT = re.compile(
    r"\A(?:(?!<think>).)*</think>|<think>.*?(?:</think>|\Z)", re.DOTALL | re.IGNORECASE
)
"""What a model thinks before it answers; some chat templates open the thought in the prompt."""
RANKING = ("ranking", "order", "ranked", "labels", "items", "candidates")
_NAMED = ("label", "id", "item", "title", "name", "candidate")
_CUT = re.compile(r'"ranking"\s*:\s*\[([^\]]*)')
_QUOTED = re.compile(r'"([^"]{1,200})"')
_LISTED = re.compile(r"\s*(?:\d+\s*[.):]\s*)?[*_\"'(\[]*([A-Z]+)[*_\"')\]]*\s*(?:[.):,;>=–-].*)?")
_CHAIN = re.compile(r"\s*[\"'\[(]*([A-Z]+)[\"'\])]*\s*")


@dataclass(frozen=True)
class Reply:
    """One answer, understood.

    Attributes:
        ranking: places of candidates among those shown, the best first, none twice; not necessarily all.
        rationale: why, in the model's words.
    """

    ranking: tuple[int, ...]
    rationale: str | None = None


@dataclass(frozen=True)
class Understood:
    """What an answer comes to.

    Attributes:
        reply: `None` where it gives no order.
        named: items that it names.
        shown: how many of them it was shown.
    """

    reply: Reply | None
    named: int = 0
    shown: int = 0


def read(text: str, labels: Sequence[str], names: Sequence[str] = ()) -> Reply | None:
    """The order that an answer gives the candidates; `None` where it gives none."""
    return understood(text, labels, names).reply


def understood(text: str, labels: Sequence[str], names: Sequence[str] = ()) -> Understood:
    """The order that an answer gives the candidates, and how many of the items it names it was shown.

    Looked for in this order: a JSON object or list; one that was cut off; labels one to a line, or in a chain.
    Entries are labels, or names of candidates to the letter; whatever else is passed over, and so is what was said
    before.

    Args:
        text: the answer.
        labels: under which candidates were shown.
        names: the texts beside the labels.
    """
    known = _Known(labels, names)
    entries, rationale = _entered(without_thoughts(text[:_LONGEST]), known)
    ranking = known.places(entries)
    reply = Reply(ranking, rationale) if ranking else None
    return Understood(reply, len(entries), known.count(entries))


def _entered(text: str, known: _Known) -> tuple[list[str], str | None]:
    """What an answer enters as its ranking, and why."""
    best, rationale, most = list[str](), None, 0
    for found in _json_in(text):
        entries = _entries(found)
        if entries and (places := len(known.places(entries))) >= most:
            best, rationale, most = entries, _rationale(found), places
    if most:
        return best, rationale
    others = (_cut(text), _lines(text), _chained(text))
    return next((one for one in others if known.places(one)), best), None


def without_thoughts(text: str) -> str:
    """The same text with blanks where a model was thinking."""
    return _THOUGHT.sub(lambda thought: " " * len(thought[0]), text)


class _Known:
    """What an entry of an answer may say."""

    def __init__(self, labels: Sequence[str], names: Sequence[str]) -> None:
        by_name: dict[str, int | None] = {}
        for place, name in enumerate(names):
            plain = _plain(name)
            by_name[plain] = (
                None if plain in by_name else place
            )  # of two equal names nobody knows which is meant
        self._places: Mapping[str, int | None] = by_name | {
            _plain(label): place for place, label in enumerate(labels)
        }

    def places(self, entries: Sequence[str]) -> tuple[int, ...]:
        found = (self._place(entry) for entry in entries)
        return tuple(dict.fromkeys(place for place in found if place is not None))

    def count(self, entries: Sequence[str]) -> int:
        """How many of the entries are candidates, repeated ones too."""
        return sum(self._place(entry) is not None for entry in entries)

    def _place(self, entry: str) -> int | None:
        plain = _plain(entry)
        label, _, name = plain.partition(".")  # "b. heat", as it was shown
        direct = self._places.get(plain)
        if direct is not None or not name:
            return direct
        return self._places.get(label.strip())


def _plain(text: str) -> str:
    return " ".join(text.casefold().split()).strip("\"'()[] .")


def _json_in(text: str) -> Iterator[Any]:
    """Every JSON object or list that stands in a text and in no other one."""
    decoder, place, opening = json.JSONDecoder(), 0, re.compile(r"[{\[]")
    for _ in range(_TRIED):
        match = opening.search(text, place)
        if match is None:
            return
        try:
            value, place = decoder.raw_decode(text, match.start())
        except (
            ValueError,
            RecursionError,
        ):  # not `parse_json`, which would have to know where it ends
            place = match.end()
            continue
        yield value


def _entries(value: Any) -> list[str]:
    """The texts of a list, wherever it lies; a list of objects is read by what names each."""
    if isinstance(value, dict):
        for name in RANKING:
            if isinstance(value.get(name), list):
                return _entries(value[name])
        return []
    if not isinstance(value, list):
        return []
    return [entry for entry in map(_named, value) if entry]


def _named(entry: Any) -> str:
    if isinstance(entry, dict):
        entry = next((entry[name] for name in _NAMED if name in entry), "")
    return entry if isinstance(entry, str) else ""


def _rationale(value: Any) -> str | None:
    """The words that say why, where they are words."""
    said = value.get("rationale") if isinstance(value, dict) else None
    if not isinstance(said, str):
        return None
    return " ".join(whole(said).split())[:_RATIONALE] or None


def _cut(text: str) -> list[str]:
    """The entries of a ranking that ended before it was done."""
    found = _CUT.search(text)
    return _QUOTED.findall(found[1]) if found else []


def _lines(text: str) -> list[str]:
    """Labels that lines begin with; a single one is no list."""
    found = [match[1] for line in text.splitlines() if (match := _LISTED.fullmatch(line))]
    return found if len(found) > 1 else []


def _chained(text: str) -> list[str]:
    """`B > A > C`, or `B, A, C`, in a line that holds nothing else."""
    for line in text.splitlines():
        parts = re.split(r"[>,;]", line)
        found = [match[1] for part in parts if (match := _CHAIN.fullmatch(part))]
        if len(found) == len(parts) > 1:
            return found
    return []
