"""Were texts made from what came later? What their words know of it, between what they know of a stranger's item and of
one of the history.

A text that was made from the history and from nothing else has words that only a later item has (and no item of the
history) little more often than words that only a stranger's item has: a little more, since taste lasts. One that was
made from later items too has such words about as often as words that only one item of the history has. Who shortens
long histories before a model reads them leaks what came later of short ones only, so users are looked at by the length
of their histories."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float64

from recdistill.data.hearsay.titles import words

_SHORTEST: Final = 4
_SHIFTS: Final = 5
_LEAST: Final = 0.02
"""Below this difference between insiders and strangers, words tell nothing."""
_STARTS: Final = (1, 4, 8, 16, 51)
"""Where the groups of history lengths begin."""
_FEW: Final = 20
_TASTE: Final = 0.5
_DEVIATIONS: Final = 3.0


@dataclass(frozen=True)
class Membership:
    """Of which share of items a text has a word that no (other) item of the user's history has.

    Attributes:
        histories: the lengths of the histories of these users, as in `4-7`.
        users: how many they are.
        later: of items that the user took later.
        inside: of items of the history.
        outside: of items that other users took later.
        known: where `later` lies between `outside` (0) and `inside` (1).
        error: the standard error of `known`, over users.
    """

    histories: str
    users: int
    later: float
    inside: float
    outside: float
    known: float
    error: float

    @property
    def much(self) -> bool:
        """Whether that is more than taste and chance."""
        return self.known - _DEVIATIONS * self.error > _TASTE


def membership(
    texts: Sequence[str],
    histories: Sequence[Sequence[int]],
    later: Sequence[Sequence[int]],
    bags: Sequence[frozenset[str]],
) -> list[Membership]:
    """What the words of texts know, by the length of histories.

    Args:
        texts: one a user.
        histories: what the user had taken when the text should have been made, dense items.
        later: what the user took later; not empty.
        bags: the words of each item (`words_of`).

    Returns:
        One for each group of histories of which words tell anything: of twenty users or more, with histories that are
        more like the texts than strangers' items are.
    """
    lengths = np.array([len(history) for history in histories])
    groups = np.searchsorted(_STARTS, lengths, side="right")
    said = [words_of(text) for text in texts]
    rows = [_shares(one, histories[row], later, row, bags) for row, one in enumerate(said)]
    kept = np.array([row is not None for row in rows], dtype=bool)
    shares = np.array([row or (0.0, 0.0, 0.0) for row in rows]).reshape(-1, 3)
    found = [
        _of_group(shares[kept & (groups == group)], _name(group))
        for group in range(1, len(_STARTS) + 1)
    ]
    return [one for one in found if one]


def _of_group(shares: Float64[np.ndarray, "users 3"], name: str) -> Membership | None:
    if len(shares) < _FEW:
        return None
    inside, held, outside = shares.mean(0).tolist()
    if inside - outside < _LEAST:
        return None
    gaps = (shares[:, 1] - shares[:, 2]) / (inside - outside)
    error = float(gaps.std(ddof=1) / np.sqrt(len(shares)))
    return Membership(name, len(shares), held, inside, outside, float(gaps.mean()), error)


def _name(group: int) -> str:
    start = _STARTS[group - 1]
    return f"{start}-{_STARTS[group] - 1}" if group < len(_STARTS) else f"{start}+"


def _shares(
    said: frozenset[str],
    history: Sequence[int],
    later: Sequence[Sequence[int]],
    row: int,
    bags: Sequence[frozenset[str]],
) -> tuple[float, float, float] | None:
    """Of items of the history, of later ones and of strangers': which share has a word of its own in the text."""
    taken, own = {*history}, {*later[row]} - {*history}
    count = len(later)
    strangers = [item for shift in range(1, _SHIFTS + 1) for item in later[(row + shift) % count]]
    strangers = [item for item in strangers if item not in taken and item not in own]
    if not taken or not own or not strangers:
        return None
    often = Counter(word for item in taken for word in bags[item] & said)
    inside = _share(any(often[word] == 1 for word in bags[item] & said) for item in taken)
    held, outside = (
        _share(any(not often[word] for word in bags[item] & said) for item in items)
        for items in (sorted(own), strangers)
    )
    return inside, held, outside


def _share(hits: Iterable[bool]) -> float:
    found = [*hits]
    return sum(found) / len(found)


def words_of(text: str) -> frozenset[str]:
    """The words of a text that are long enough to mean something."""
    return frozenset(word for word in words(text) if len(word) >= _SHORTEST)
