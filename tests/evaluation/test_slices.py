"""Who belongs to which slice."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from recdistill.evaluation.slices import POPULARITY_GROUPS, history_groups, popularity_groups

HEAD, MIDDLE, TAIL, COLD = range(4)


def test_groups_by_hand() -> None:
    # 30 events: item 3 has a third of them, items 0 and 1 the next third, the others the rest.
    popularity = np.array([6, 4, 0, 10, 4, 3, 3, 0])
    assert popularity_groups(popularity).tolist() == [
        MIDDLE, MIDDLE, COLD, HEAD, TAIL, TAIL, TAIL, COLD
    ]  # fmt: skip


@given(hnp.arrays(np.int64, st.integers(1, 40), elements=st.integers(0, 100)))
@settings(max_examples=100, deadline=None)
def test_more_popular_items_are_never_in_a_later_group(popularity: np.ndarray) -> None:
    groups = popularity_groups(popularity)
    order = np.argsort(-popularity, kind="stable")
    assert (np.diff(groups[order].astype(int)) >= 0).all()
    assert ((groups == COLD) == (popularity == 0)).all()
    total = popularity.sum()
    if total:
        most = popularity.max()
        for group in (HEAD, MIDDLE):
            share = popularity[groups <= group].sum() / total
            assert share >= (group + 1) / 3 - 1e-9
            assert share <= (group + 1) / 3 + most / total + 1e-9
    assert len(POPULARITY_GROUPS) == 4


def test_every_length_of_history_has_one_group() -> None:
    lengths = np.arange(120)
    groups = dict(history_groups(lengths))
    assert list(groups) == ["0", "1-5", "6-20", "21-50", "51+"]
    assert (np.sum(list(groups.values()), axis=0) == 1).all()
    assert lengths[groups["6-20"]].tolist() == list(range(6, 21))
    assert groups["0"].sum() == 1
