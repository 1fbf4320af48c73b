"""The climb, beside a look at every place."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from recdistill.distill.climbing import best, climb, ranked

SIZE = 7
PLACES = list(itertools.product(range(SIZE), repeat=2))


def stepping(axis: int, by: int):
    """A move along one axis; off the board it stays where it is."""

    def move(place: tuple[int, ...]) -> tuple[int, ...]:
        moved = (*place[:axis], place[axis] + by, *place[axis + 1 :])
        return moved if 0 <= moved[axis] < SIZE else place

    return move


def axes(*strides: int):
    """Both directions of both axes, at each of the strides."""
    return [(stepping(axis, by), stepping(axis, -by)) for by in strides for axis in (0, 1)]


def slope(peak: int, falls: list[float]) -> list[float]:
    """Heights along one axis that only fall, away from the peak."""
    return [
        -sum(falls[peak:at], 0.0) if at >= peak else -sum(falls[SIZE + at : SIZE + peak], 0.0)
        for at in range(SIZE)
    ]


FALLS = st.lists(st.floats(0.01, 5.0), min_size=2 * SIZE, max_size=2 * SIZE)
PLACE = st.tuples(st.integers(0, SIZE - 1), st.integers(0, SIZE - 1))


@given(peak=PLACE, falls=st.tuples(FALLS, FALLS), start=PLACE)
def test_it_finds_what_looking_everywhere_finds(peak, falls, start):
    """On any surface that is a sum of two slopes: no side peaks along an axis."""
    along = [slope(top, fall) for top, fall in zip(peak, falls, strict=True)]

    def height(place: tuple[int, int]) -> float:
        return along[0][place[0]] + along[1][place[1]]

    tried = climb(start, axes(1), len(PLACES), height)
    assert best(tried) == max(PLACES, key=height) == peak


@given(peak=PLACE, falls=st.tuples(FALLS, FALLS), start=PLACE, trials=st.integers(1, 30))
def test_it_keeps_its_budget_and_its_books(peak, falls, start, trials):
    along = [slope(top, fall) for top, fall in zip(peak, falls, strict=True)]
    asked: list[tuple[int, int]] = []

    def height(place: tuple[int, int]) -> float:
        asked.append(place)
        return along[0][place[0]] + along[1][place[1]]

    tried = climb(start, axes(2, 1), trials, height)
    assert asked == list(tried)
    assert len(asked) == len(set(asked)) <= trials
    assert asked[0] == start
    assert all(value == along[0][x] + along[1][y] for (x, y), value in tried.items())
    order = ranked(tried)
    assert order[0] == best(tried)
    assert [tried[one] for one in order] == sorted(tried.values(), reverse=True)


def test_long_strides_first_take_fewer_trials_from_afar():
    def far(place: int) -> float:
        return -float(abs(place - 40))

    def by(*strides: int):
        return [(lambda at, s=s: at + s, lambda at, s=s: at - s) for s in strides]

    short, long = (climb(0, by(*strides), 99, far) for strides in ((1,), (8, 3, 1)))
    assert best(short) == best(long) == 40
    assert (len(short), len(long)) == (42, 11)


def test_of_equals_the_first_tried_is_best():
    tried = climb(3, [(lambda at: at + 1, lambda at: at - 1)], 9, lambda _: 0.5)
    assert list(tried) == [3, 4, 2]
    assert best(tried) == 3
    assert ranked(tried) == [3, 4, 2]
