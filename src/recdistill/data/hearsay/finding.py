"""Lists of names to lists of items."""

from __future__ import annotations

from collections.abc import Sequence

from recdistill.data.dataset import Dataset
from recdistill.data.hearsay.matching import Matcher, Matching
from recdistill.data.hearsay.report import Names


class Finder:
    """Finds the items that lists name, and counts how."""

    def __init__(self, dataset: Dataset, matching: Matching) -> None:
        self.dataset = dataset
        self._matcher = Matcher(dataset, matching)
        column = matching.title
        fields = dataset.items.fields
        self._titles = [str(one) for one in dataset.items.frame[column]] if column in fields else []

    def find(self, lists: Sequence[Sequence[str]]) -> tuple[list[list[int]], Names]:
        """Dense items, -1 where none was found, in place; and how they were found.

        Raises:
            DataError: items are called by title, and the catalogue has none.
        """
        names = [name for row in lists for name in row]
        by_ids = self._matcher.by_ids(names)
        matches = (self._matcher.ids if by_ids else self._matcher.titles)(names)
        items = iter([match.item for match in matches])
        return [[next(items) for _ in row] for row in lists], Names.of(names, matches, self._titles)
