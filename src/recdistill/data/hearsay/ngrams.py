"""Which of many short names is written most alike: cosines of TF-IDF vectors over letter trigrams."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64


class Trigrams:
    """Names as vectors; each trigram counts by the logarithm of how rare it is.

    Letters, not a language model: names that mean alike are other items, and names that are written alike are mostly
    misspellings. Nothing is learned and nothing is downloaded.
    """

    def __init__(self, names: Sequence[str]) -> None:
        """`names` are normalised."""
        bags = [_bag(name) for name in names]
        present = Counter(gram for bag in bags for gram in bag)
        self._rarity = {
            gram: np.log((1 + len(names)) / (1 + count)) + 1 for gram, count in present.items()
        }
        self._size = len(names)
        rows: dict[str, list[int]] = {gram: [] for gram in present}
        weights: dict[str, list[float]] = {gram: [] for gram in present}
        for row, bag in enumerate(bags):
            length = self._length(bag)
            for gram, count in bag.items():
                rows[gram].append(row)
                weights[gram].append(count * self._rarity[gram] / length)
        self._postings = {gram: (np.array(rows[gram]), np.array(weights[gram])) for gram in present}

    def alike(self, name: str) -> Float64[np.ndarray, " names"]:
        """The cosine of `name` with each."""
        bag, found = _bag(name), np.zeros(self._size)
        length = self._length(bag)
        for gram, count in bag.items():
            if gram in self._postings:
                rows, weights = self._postings[gram]
                found[rows] += weights * (count * self._rarity[gram] / length)
        return found

    def _length(self, bag: Counter[str]) -> float:
        """Of a vector; a trigram that no name has is as rare as can be."""
        rarest = float(np.log(1 + self._size)) + 1
        return (
            float(
                np.sqrt(
                    sum(
                        (count * self._rarity.get(gram, rarest)) ** 2 for gram, count in bag.items()
                    )
                )
            )
            or 1.0
        )


def _bag(name: str) -> Counter[str]:
    padded = f"  {name} "
    return Counter(padded[start : start + 3] for start in range(len(padded) - 2))
