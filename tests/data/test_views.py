"""Views of batches, row by row against what a person would say of them."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from recdistill.data.batches import Batch, TrainingBatches
from recdistill.data.sequences import Sequences
from recdistill.data.views import Crop, Mask, Reorder, Substitute

histories = st.lists(st.lists(st.integers(0, 50), min_size=2, max_size=12), min_size=1, max_size=8)
shares = st.floats(0.05, 1)
seeds = st.integers(0, 1000)


def plain(rows: list[list[int]]) -> Batch:
    return TrainingBatches(Sequences.from_lists(rows), 20, 1000, 0).batch(0, 0)


def by_row(batch: Batch) -> list[list[tuple[int, int, int, int]]]:
    """`(item, place, target, event)` of every position, history by history."""
    columns = (batch.items, batch.places, batch.targets, batch.events)
    found = list(zip(*(column.tolist() for column in columns), strict=True))
    lengths = [length for _, rows, length in batch.runs for _ in range(rows)]
    stops = np.cumsum(lengths)
    return [found[stop - length : stop] for stop, length in zip(stops, lengths, strict=True)]


def origin(rows: list[list[tuple[int, int, int, int]]]) -> dict[int, list[tuple[int, ...]]]:
    """Histories by the event of their first position, which no two share."""
    return {row[0][3]: row for row in rows}


def check_packing(batch: Batch) -> None:
    lengths = [length for _, _, length in batch.runs]
    assert lengths == sorted(set(lengths))
    assert sum(rows * length for _, rows, length in batch.runs) == len(batch)
    assert batch.runs[0][0] == 0
    for row in by_row(batch):
        assert [place for _, place, _, _ in row] == list(range(len(row)))


@given(histories, shares, seeds)
def test_a_crop_is_a_stretch_of_its_history(rows, keep, seed):
    before = by_row(plain(rows))
    batch = Crop(keep=keep)(plain(rows), np.random.default_rng(seed))
    check_packing(batch)
    after = by_row(batch)
    assert len(after) == len(before)
    whole = {position[3]: position for row in before for position in row}
    for row in after:
        events = [event for *_, event in row]
        assert events == list(range(events[0], events[0] + len(row)))
        for item, _, target, event in row:
            assert (item, target) == (whole[event][0], whole[event][2])
    sizes = sorted(max(1, round(keep * len(row))) for row in before)
    assert [len(row) for row in after] == sizes


@given(histories, st.floats(0, 0.95), seeds)
def test_a_mask_leaves_out_items_and_keeps_the_last(rows, rate, seed):
    before = by_row(plain(rows))
    batch = Mask(rate=rate)(plain(rows), np.random.default_rng(seed))
    check_packing(batch)
    left = {position[3]: position for row in by_row(batch) for position in row}
    for row in before:
        assert row[-1][3] in left
        for item, _, target, event in row:
            assert event not in left or (left[event][0], left[event][2]) == (item, target)
    if rate == 0:
        assert by_row(batch) == before


def test_a_mask_leaves_out_the_share_it_says():
    batch = plain([list(range(20))] * 400)
    left = len(Mask(rate=0.3)(batch, np.random.default_rng(0)))
    inner = len(batch) - 400
    assert (len(batch) - left) / inner == pytest.approx(0.3, abs=0.02)


@given(histories, shares, seeds)
def test_reordering_gives_no_answer_away(rows, share, seed):
    """Whoever keeps a question has seen exactly what it had seen before."""
    before = by_row(plain(rows))
    batch = Reorder(share=share)(plain(rows), np.random.default_rng(seed))
    check_packing(batch)
    for old, new in zip(before, by_row(batch), strict=True):
        assert Counter(position[0] for position in old) == Counter(p[0] for p in new)
        silent = 0
        for end, (position, was) in enumerate(zip(new, old, strict=True), start=1):
            if position[2] == -1:
                assert position[3] == -1
                silent += 1
                continue
            assert position[2:] == was[2:]
            assert Counter(p[0] for p in old[:end]) == Counter(p[0] for p in new[:end])
        assert silent == max(1, round(share * len(old))) - 1


def test_reordering_does_reorder():
    batch = plain([list(range(20))] * 50)
    found = Reorder(share=0.5)(batch, np.random.default_rng(0))
    moved = [[o[0] != n[0] for o, n in zip(old, new, strict=True)]
             for old, new in zip(by_row(batch), by_row(found), strict=True)]  # fmt: skip
    assert sum(any(row) for row in moved) == 50
    assert all(sum(row) <= 10 for row in moved)
    assert len({tuple(row) for row in moved}) > 20


@given(histories, st.floats(0, 1), seeds)
def test_substitution_changes_items_and_nothing_else(rows, rate, seed):
    batch = plain(rows)
    found = Substitute(rate=rate)(batch, np.random.default_rng(seed))
    assert found.runs == batch.runs
    for name in ("places", "targets", "events"):
        np.testing.assert_array_equal(getattr(found, name), getattr(batch, name))
    assert set(found.items) <= set(batch.items)
    if rate == 0:
        np.testing.assert_array_equal(found.items, batch.items)


def test_substitution_hits_the_share_it_says():
    batch = plain([list(range(1000 * row, 1000 * row + 20)) for row in range(400)])
    found = Substitute(rate=0.2)(batch, np.random.default_rng(0))
    assert (found.items != batch.items).mean() == pytest.approx(0.2, abs=0.02)


def test_a_view_is_the_same_whenever_a_step_is_asked_for():
    rows = Sequences.from_lists([list(range(start, start + 9)) for start in range(30)])
    views = (Mask(rate=0.5), Substitute(rate=0.5))
    one, other = (TrainingBatches(rows, 9, 10, 4, views=views) for _ in range(2))
    list(one.epoch(0))
    np.testing.assert_array_equal(one.batch(1, 2).items, other.batch(1, 2).items)
    plainly = TrainingBatches(rows, 9, 10, 4).batch(1, 2)
    by_hand = np.random.default_rng([4, 1, 2])
    for view in views:
        plainly = view(plainly, by_hand)
    np.testing.assert_array_equal(one.batch(1, 2).items, plainly.items)
    assert len(one.batch(2, 2)) != len(one.batch(1, 2)) or not np.array_equal(
        one.batch(2, 2).items, one.batch(1, 2).items
    )


@pytest.mark.parametrize(
    ("view", "settings"), [(Crop, {"keep": 0}), (Mask, {"rate": 1}), (Reorder, {"share": 1.1})]
)
def test_rates_out_of_range_are_refused(view, settings):
    with pytest.raises(ValidationError):
        view(**settings)
