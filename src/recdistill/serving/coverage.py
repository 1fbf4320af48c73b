"""Which items were given: a byte an item, shared by the processes that answer from one bundle."""

from __future__ import annotations

import mmap
from collections.abc import Iterable
from pathlib import Path


class Coverage:
    """Counts distinct items of one bundle."""

    def __init__(self, bundle: str, items: int, folder: Path | None = None) -> None:
        """`folder`: where processes meet; without one this process counts alone.

        Args:
            bundle: its digest.
            items: the size of its catalogue.
        """
        self._size = max(items, 1)
        self._given = mmap.mmap(-1, self._size) if folder is None else self._shared(folder, bundle)

    def add(self, items: Iterable[int]) -> None:
        """These dense items were given."""
        given, size = self._given, self._size
        for item in items:
            if item < size:
                given[item] = 1

    def count(self) -> int:
        """How many distinct ones there are."""
        return self._given[:].count(1)

    def _shared(self, folder: Path, bundle: str) -> mmap.mmap:
        with (folder / f"covered_{bundle}.bytes").open("a+b") as file:
            file.truncate(self._size)
            return mmap.mmap(file.fileno(), self._size)
