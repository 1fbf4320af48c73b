"""People to look at, drawn by lot: nobody chose the ones that look good."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int32

from recdistill.data.dataset import Dataset
from recdistill.evaluation.evaluation import Evaluation
from recdistill.evaluation.report.story import Example, Listed


def examples(evaluation: Evaluation, dataset: Dataset, count: int = 6) -> tuple[Example, ...]:
    """One test case each of `count` users, with the first seed's list of every model.

    A plain random sample of users and of their cases, from the evaluation's seed and before any
    result is looked at; hits and misses come as they fall.
    """
    titles = Titles(dataset)
    return tuple(_example(evaluation, dataset, titles, case) for case in draw(evaluation, count))


def draw(evaluation: Evaluation, count: int) -> list[int]:
    """Cases of distinct users."""
    random = np.random.default_rng([evaluation.config.seed, 1])
    users = evaluation.cases.users
    chosen = random.permutation(np.unique(users))[:count]
    return [int(random.choice(np.flatnonzero(users == user))) for user in chosen]


class Titles:
    """How people call items: the dataset's text of an item, or its raw id where it has none."""

    def __init__(self, dataset: Dataset) -> None:
        self._texts = dataset.items.texts()
        self._ids = dataset.vocabulary.ids

    def __call__(self, items: Int32[np.ndarray, " some"]) -> tuple[str, ...]:
        """The titles of dense items."""
        return tuple(self._texts[item] or str(self._ids[int(item)]) for item in items)


def _example(evaluation: Evaluation, dataset: Dataset, titles: Titles, case: int) -> Example:
    cases = evaluation.cases
    targets = set(cases.targets[case].tolist())
    lists = {role: seeds[0].top[case] for role, seeds in evaluation.rankings.items()}
    return Example(
        user=str(dataset.users.ids[int(cases.users[case])]),
        history=titles(cases.histories[case]),
        targets=titles(cases.targets[case]),
        lists={role: _listed(titles, top[top >= 0], targets) for role, top in lists.items()},
    )


def _listed(
    titles: Titles, items: Int32[np.ndarray, " some"], targets: set[int]
) -> tuple[Listed, ...]:
    return tuple(
        Listed(title, int(item) in targets)
        for title, item in zip(titles(items), items, strict=True)
    )
