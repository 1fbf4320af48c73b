"""Filters, order, cuts and cases against slow, plain readings of their definitions."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recdistill.data.cases import ask, count_cases, sample
from recdistill.data.cutting import TEST, TRAIN, VALID, cut
from recdistill.data.events import Events
from recdistill.data.filters import core, distinct, one_of_each
from recdistill.data.splits import (
    GlobalTime,
    LastFraction,
    LeaveOneOut,
    SplitConfig,
    SplitManifest,
)
from recdistill.errors import DataError

Row = tuple[int, int, int]
ROWS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 6), st.integers(0, 9)), max_size=40)


def events_of(rows: list[Row]) -> Events:
    columns = np.array(rows, dtype=np.int64).reshape(-1, 3)
    return Events(
        columns[:, 0].astype(np.int32),
        columns[:, 1].astype(np.int32),
        columns[:, 2].copy(),
        np.arange(len(rows), dtype=np.float32),  # the row in the log, to follow an event around
    )


def rows_of(events: Events) -> list[Row]:
    return list(
        zip(events.users.tolist(), events.items.tolist(), events.times.tolist(), strict=True)
    )


@given(ROWS)
def test_grouping_is_the_stable_sort_by_user_and_time(rows: list[Row]) -> None:
    grouped = events_of(rows).grouped()
    expected = sorted(range(len(rows)), key=lambda row: (rows[row][0], rows[row][2]))
    assert grouped.ratings is not None
    assert grouped.ratings.astype(int).tolist() == expected
    ties = [
        a[0] == b[0] and a[2] == b[2]
        for a, b in zip(rows_of(grouped), rows_of(grouped)[1:], strict=False)
    ]
    assert int(grouped.follows_tie().sum()) == sum(ties)


def test_grouping_survives_times_too_far_apart_for_one_number() -> None:
    rows = [(1, 0, 2**61), (0, 1, 5), (1, 2, 5), (0, 3, 2**61), (1, 4, 5)]
    assert [row[1] for row in rows_of(events_of(rows * 1).grouped())] == [1, 3, 2, 4, 0]
    far = [(3, 0, 2**62), (3, 1, 0), (0, 2, 1)]
    assert [row[1] for row in rows_of(events_of(far).grouped())] == [2, 1, 0]


@given(ROWS)
def test_exact_duplicates_keep_their_first(rows: list[Row]) -> None:
    grouped = events_of(rows).grouped()
    kept = rows_of(grouped.take(distinct(grouped)))
    assert kept == list(dict.fromkeys(rows_of(grouped)))


@given(ROWS, st.sampled_from(["first", "last"]))
def test_one_event_of_each_pair(rows: list[Row], which: Literal["first", "last"]) -> None:
    grouped = events_of(rows).grouped()
    kept = rows_of(grouped.take(one_of_each(grouped, which)))
    chosen: dict[tuple[int, int], Row] = {}
    for row in rows_of(grouped):
        if which == "last" or (row[0], row[1]) not in chosen:
            chosen[row[0], row[1]] = row
    assert Counter(kept) == Counter(chosen.values())


@given(ROWS, st.integers(1, 4), st.integers(0, 4))
def test_the_core_is_what_one_by_one_removal_leaves(
    rows: list[Row], users: int, items: int
) -> None:
    left = list(enumerate(rows))
    while True:
        by_user = Counter(row[0] for _, row in left)
        by_item = Counter(row[1] for _, row in left)
        bad = [e for e in left if by_user[e[1][0]] < users or by_item[e[1][1]] < items]
        if not bad:
            break
        left.remove(bad[0])
    events = events_of(rows)
    kept = core(events.users, events.items, users, items)
    assert np.flatnonzero(kept).tolist() == [row for row, _ in left]


def _parts(rows: list[Row], split: SplitConfig) -> tuple[Events, list[int]]:
    events = events_of(rows).grouped()
    users = max(row[0] for row in rows) + 1
    return events, cut(events, users, split, has_time=True).parts.tolist()


@given(st.lists(st.integers(0, 50), min_size=20, max_size=60))
@settings(deadline=None)
def test_global_time_cuts_everyone_at_the_same_moment(times: list[int]) -> None:
    rows = [(i % 4, i % 3, time) for i, time in enumerate(times)]
    events = events_of(rows).grouped()
    try:
        found = cut(events, 4, GlobalTime(valid=0.2, test=0.2), has_time=True)
    except DataError:
        ordered = sorted(times)
        first, second = ordered[int(len(times) * 0.6)], ordered[int(len(times) * 0.8)]
        assert first == second or first == ordered[0]  # ties leave a part without events
        return
    assert found.times is not None
    for time, part in zip(events.times.tolist(), found.parts.tolist(), strict=True):
        later = TEST if time >= found.times.test else VALID
        assert part == (later if time >= found.times.valid else TRAIN)
    ordered = sorted(times)
    assert found.times.valid == ordered[int(len(times) * 0.6 + 1e-9)]
    assert found.times.test == ordered[int(len(times) * 0.8 + 1e-9)]


def test_events_of_the_second_of_a_cut_come_after_it() -> None:
    rows = [(i % 2, i, time) for i, time in enumerate([0, 1, 2, 3, 4, 5, 5, 5, 8, 8])]
    _, parts = _parts(rows, GlobalTime(valid=0.3, test=0.2))
    assert Counter(parts) == {TRAIN: 5, VALID: 3, TEST: 2}


def test_leave_one_out_takes_the_last_two_and_keeps_training() -> None:
    rows = [(0, i, i) for i in range(4)] + [(1, i, i) for i in range(2)] + [(2, 9, 0)]
    _, parts = _parts(rows, LeaveOneOut())
    assert parts == [TRAIN, TRAIN, VALID, TEST, TRAIN, TEST, TRAIN]


@given(st.lists(st.integers(1, 30), min_size=3, max_size=8))
def test_last_fraction_counts_from_the_end_of_each_user(lengths: list[int]) -> None:
    rows = [(user, 0, time) for user, length in enumerate([*lengths, 20]) for time in range(length)]
    events, parts = _parts(rows, LastFraction(valid=0.1, test=0.2))
    by_user = defaultdict(list)
    for user, part in zip(events.users.tolist(), parts, strict=True):
        by_user[user].append(part)
    for user, length in enumerate([*lengths, 20]):
        test, both = length * 20 // 100, length * 30 // 100
        assert by_user[user] == [TRAIN] * (length - both) + [VALID] * (both - test) + [TEST] * test


@pytest.mark.parametrize(
    ("rows", "split", "has_time", "message"),
    [
        ([(0, 0, 0), (1, 1, 1)], GlobalTime(), False, "no times"),
        ([(0, 0, 0), (1, 1, 1)], GlobalTime(valid=0.6, test=0.5), True, "nothing to train on"),
        ([(0, i, 7) for i in range(10)], GlobalTime(), True, "no training events"),
        ([(0, i, i) for i in range(2)], LeaveOneOut(), True, "no validation events"),
        ([(0, i, i) for i in range(4)], LastFraction(), True, "no test events"),
        ([(0, 0, 0)], LeaveOneOut(), True, "no validation events"),
    ],
)
def test_what_cannot_be_split_is_refused(
    rows: list[Row], split: SplitConfig, has_time: bool, message: str
) -> None:
    with pytest.raises(DataError, match=message) as caught:
        cut(events_of(rows).grouped(), 2, split, has_time=has_time)
    assert caught.value.hint


@given(ROWS, ROWS, st.sampled_from(["successive", "last"]), st.integers(1, 3))
@settings(deadline=None)
def test_cases_ask_for_each_event_after_all_before(
    earlier: list[Row], window: list[Row], target: Literal["successive", "last"], least: int
) -> None:
    known, asked = events_of(earlier).grouped(), events_of(window).grouped()
    expected, left_out = [], 0
    for user in range(6):
        history = [item for who, item, _ in rows_of(known) if who == user]
        there = np.flatnonzero(asked.users == user)
        chosen, given = asked.items[there].tolist(), asked.ratings[there].tolist()
        for place, item in enumerate(chosen):
            if target == "last" and place + 1 < len(chosen):
                continue
            if len(history) + place < least:
                left_out += 1
                continue
            expected.append((user, history + chosen[:place], [item], given[place]))
    cases, dropped = ask(known, asked, target, least)
    found = [
        (user, cases.histories[c].tolist(), cases.targets[c].tolist(), rating)
        for c, (user, rating) in enumerate(zip(cases.users, cases.ratings, strict=True))
    ]
    assert found == expected
    assert dropped == left_out
    assert count_cases(known, asked, target, least) == (len(expected), left_out)


def test_histories_of_successive_cases_share_one_array() -> None:
    earlier = events_of([(0, 1, 1), (0, 2, 2), (1, 9, 1)]).grouped()
    window = events_of([(0, 3, 3), (0, 4, 4)]).grouped()
    cases, _ = ask(earlier, window, "successive")
    assert cases.histories.values is cases.targets.values
    assert cases.histories.values.tolist() == [1, 2, 3, 4]  # user 1 asks nothing and is not here
    assert np.shares_memory(cases.histories[0], cases.histories[1])


def _mixed(value: int) -> int:
    """splitmix64's finaliser, with Python's integers."""
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    value = (value ^ (value >> 27)) * 0x94D049BB133111EB % 2**64
    return value ^ (value >> 31)


def test_the_sample_is_fixed_and_in_order() -> None:
    window = events_of([(0, i % 5, i) for i in range(101)]).grouped()
    cases, _ = ask(events_of([]), window, "successive")
    rows = sample(cases, 10)
    assert rows.tolist() == sorted(sorted(range(100), key=_mixed)[:10])
    assert np.array_equal(rows, sample(cases, 10))
    assert np.all(np.diff(rows) > 0)
    assert len(cases.take(rows)) == 10
    assert sample(cases, 100).tolist() == list(range(100))


def test_the_split_manifest_says_whether_it_leaks() -> None:
    numbers = dict.fromkeys(
        ["train_events", "valid_events", "test_events", "valid_cases", "test_cases"], 1
    ) | {"valid_without_history": 0, "test_without_history": 0}
    by_time = SplitManifest(settings=GlobalTime(), **numbers)
    by_user = SplitManifest(settings=LeaveOneOut(), **numbers)
    fractions = SplitManifest(settings=LastFraction(), **numbers)
    assert [split.leaks for split in (by_time, by_user, fractions)] == [False, True, True]
    assert "literature" in by_user.why
    assert by_time.why != fractions.why
    assert len({by_time.hash, by_user.hash, fractions.hash}) == 3
    again = SplitManifest.model_validate(by_time.model_dump(mode="json"))
    assert again.hash == by_time.hash
