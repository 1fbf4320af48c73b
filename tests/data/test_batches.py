"""Batches against a plain-Python reading of what they promise."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recdistill.data.batches import Batch, TrainingBatches, pack
from recdistill.data.dataset import Dataset
from recdistill.data.interactions import Interactions
from recdistill.data.sequences import Sequences

ROWS = st.lists(st.lists(st.integers(0, 30), max_size=12), min_size=1, max_size=10)


def _check_runs(batch: Batch) -> None:
    """Runs tile the batch, lengths do not fall, and places count up within each history."""
    position, before = 0, 0
    for first, rows, length in batch.runs:
        assert first == position
        assert length > before
        assert batch.places[first : first + rows * length].tolist() == list(range(length)) * rows
        position, before = first + rows * length, length
    assert position == len(batch)


@given(ROWS, st.integers(1, 5), st.integers(1, 4), st.integers(0, 3))
@settings(deadline=None)
def test_every_event_with_a_predecessor_is_a_target_once(
    rows: list[list[int]], history: int, size: int, epoch: int
) -> None:
    histories = Sequences.from_lists(rows)
    batches = TrainingBatches(histories, history, size, seed=1)
    seen: Counter[int] = Counter()
    for batch in batches.epoch(epoch):
        _check_runs(batch)
        assert max(length for _, _, length in batch.runs) <= history
        assert batch.items.tolist() == histories.values[batch.events].tolist()
        assert batch.targets.tolist() == histories.values[batch.events + 1].tolist()
        seen.update((batch.events + 1).tolist())
    starts = set(histories.starts.tolist())
    expected = {event for event in range(len(histories.values)) if event not in starts}
    assert seen == Counter(expected)


@given(ROWS, st.integers(1, 5), st.integers(1, 4))
@settings(deadline=None)
def test_with_what_is_unlabelled_every_event_is_an_input_once(
    rows: list[list[int]], history: int, size: int
) -> None:
    """The last of a history has no target; all others have the one that they have anyway."""
    histories = Sequences.from_lists(rows)
    answers = {
        event: histories.values[event + 1] if event + 1 < stop else -1
        for start, stop in zip(histories.starts, histories.stops, strict=True)
        for event in range(start, stop)
    }
    found: list[tuple[int, int]] = []
    for batch in TrainingBatches(histories, history, size, seed=1, unlabelled=True).epoch(0):
        _check_runs(batch)
        found += zip(batch.events.tolist(), batch.targets.tolist(), strict=True)
    assert sorted(found) == sorted(answers.items())


@given(ROWS, st.integers(1, 5))
@settings(deadline=None)
def test_last_windows_end_each_history(rows: list[list[int]], history: int) -> None:
    batches = TrainingBatches(Sequences.from_lists(rows), history, 100, 0, windows="last")
    expected = sorted(tuple(row[:-1][-history:]) for row in rows if len(row) > 1)
    inputs = batches.inputs
    assert sorted(tuple(inputs[row].tolist()) for row in range(len(inputs))) == expected


def test_windows_are_cut_from_the_end() -> None:
    inputs = TrainingBatches(Sequences.from_lists([[0, 1, 2, 3, 4, 5]]), 2, 8, 0).inputs
    assert sorted(inputs[row].tolist() for row in range(3)) == [[0], [1, 2], [3, 4]]


def test_a_step_is_a_pure_function_of_seed_epoch_and_step(tiny_dataset: Dataset) -> None:
    histories = tiny_dataset.train.histories
    one, two = (TrainingBatches(histories, 10, 16, seed=5) for _ in range(2))
    list(one.epoch(0))
    for epoch, step in ((3, 2), (0, 1), (3, 0)):
        left, right = one.batch(epoch, step), two.batch(epoch, step)
        assert np.array_equal(left.events, right.events)
        assert left.runs == right.runs
    other = TrainingBatches(histories, 10, 16, seed=6)
    assert not np.array_equal(one.batch(0, 0).events, other.batch(0, 0).events)
    assert not np.array_equal(one.batch(0, 0).events, one.batch(1, 0).events)


def test_there_is_no_step_beyond_the_last() -> None:
    batches = TrainingBatches(Sequences.from_lists([[1, 2], [3, 4], [5, 6]]), 4, 2, 0)
    assert batches.steps == 2
    assert [len(batch) for batch in batches.epoch(0)] == [2, 1]
    for step in (-1, 2):
        with pytest.raises(IndexError, match="of 2"):
            batches.batch(0, step)


def test_ends_are_the_last_positions() -> None:
    batch, order = pack(Sequences.from_lists([[1, 2, 3], [4], [5, 6]]))
    assert order.tolist() == [1, 2, 0]
    assert batch.items.tolist() == [4, 5, 6, 1, 2, 3]
    assert batch.ends.tolist() == [0, 2, 5]
    assert batch.items[batch.ends].tolist() == [4, 6, 3]
    assert set(batch.targets.tolist()) == {-1}
    assert set(batch.events.tolist()) == {-1}


@given(ROWS)
@settings(deadline=None)
def test_packing_loses_nothing(rows: list[list[int]]) -> None:
    rows = [row for row in rows if row] or [[1]]
    batch, order = pack(Sequences.from_lists(rows))
    _check_runs(batch)
    found, position = [], 0
    for first, count, length in batch.runs:
        block = batch.items[first : first + count * length].reshape(count, length)
        found += block.tolist()
        position += count
    assert found == [rows[row] for row in order]
    assert position == len(rows)


def test_events_are_rows_of_the_contexts(tiny_dataset: Dataset) -> None:
    """`Batch.events` names the context that ends at the position, whole history included."""
    contexts = tiny_dataset.contexts()
    batch = TrainingBatches(tiny_dataset.train.histories, 50, 8, 0).batch(0, 0)
    for position in range(0, len(batch), 7):
        history = contexts.histories[int(batch.events[position])]
        assert history[-1] == batch.items[position]
        assert len(history) >= batch.places[position] + 1


def test_the_rating_of_every_target_is_found_by_its_event(tiny_dataset: Dataset) -> None:
    train = tiny_dataset.train
    given = [
        dict(enumerate(train.ratings[start:stop].tolist()))
        for start, stop in zip(train.offsets[:-1], train.offsets[1:], strict=True)
    ]
    expected = [rows.get(place + 1, np.nan) for rows in given for place in rows]
    np.testing.assert_array_equal(train.next_ratings, np.array(expected, dtype=np.float32))
    silent = replace(train, ratings=None)
    assert np.isnan(silent.next_ratings).all()
    # Users without events, at the ends and in between, and none at all.
    sparse = Interactions(
        np.array([0, 0, 2, 2, 3, 3]), train.items[:3], train.times[:3], train.ratings[:3]
    )
    np.testing.assert_array_equal(sparse.next_ratings, [train.ratings[1], np.nan, np.nan])
    none = Interactions(
        np.array([0]), *(part[:0] for part in (train.items, train.times, train.ratings))
    )
    assert len(none.next_ratings) == 0
    batch = TrainingBatches(train.histories, 10, 16, 0).batch(0, 0)
    assert np.array_equal(np.isnan(train.next_ratings[batch.events]), batch.targets < 0)


def test_no_windows_no_steps() -> None:
    batches = TrainingBatches(Sequences.from_lists([[1], []]), 4, 2, 0)
    assert batches.steps == 0
    assert list(batches.epoch(0)) == []
