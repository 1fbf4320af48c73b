"""Every scorer against a plain argsort in doubles: the same items, the same scores, ties to the smaller id."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recdistill.bundle.scoring.base import Scorer
from recdistill.bundle.scoring.exact import Float32Scan, exact
from recdistill.bundle.scoring.int8_scan import Int8Scan, int8_scan
from recdistill.bundle.scoring.shortlist import Scan
from recdistill.data.sequences import Sequences
from recdistill.errors import BundleError

Table = np.ndarray
SCORERS: dict[str, Callable[[Table], Scorer]] = {
    "exact": exact,
    "int8-scan": lambda table: int8_scan(table.__getitem__, len(table)),
}
SCANS: dict[str, Callable[[Table], Scan]] = {
    "exact": Float32Scan,
    "int8-scan": lambda table: Int8Scan(table.__getitem__, len(table)),
}
each_scorer = pytest.mark.parametrize("make", SCORERS.values(), ids=SCORERS)


def plain(
    table: Table, state: np.ndarray, k: int, barred: list[int], allowed: list[int] | None
) -> tuple[list[int], list[float]]:
    """Everything scored in doubles, all of it sorted."""
    scores = (table.astype(np.float64) @ state.astype(np.float64)).astype(np.float32)
    may = sorted((set(range(len(table))) if allowed is None else set(allowed)) - set(barred))
    order = sorted(may, key=lambda item: (-scores[item], item))[:k]
    filled = k - len(order)
    return [*order, *[-1] * filled], [*(float(scores[i]) for i in order), *[-np.inf] * filled]


@st.composite
def questions(draw: st.DrawFn) -> tuple[Table, np.ndarray]:
    """Tables of all scales, with outliers, equal rows and rows of zeros; states near and far from them."""
    items, width = draw(st.integers(1, 3_000)), draw(st.integers(1, 24))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    if draw(st.booleans()):  # small whole numbers: ties everywhere, and doubles are exact
        table = random.integers(-2, 3, (items, width)).astype(np.float32)
        states = random.integers(-2, 3, (2, width)).astype(np.float32)
        return table, states
    table = random.normal(size=(items, width)) * np.exp(2 * random.normal(size=(items, 1)))
    table *= 10.0 ** draw(st.integers(-12, 8))
    table[random.random(items) < draw(st.sampled_from([0.0, 0.2]))] = 0.0
    copied = random.integers(items, size=items // 3)
    table[random.integers(items, size=items // 3)] = table[copied]
    return table.astype(np.float32), random.normal(size=(2, width)).astype(np.float32)


@each_scorer
@settings(max_examples=60, deadline=None)
@given(question=questions(), data=st.data())
def test_the_answer_of_a_plain_argsort(
    make: Callable[[Table], Scorer], question: tuple[Table, np.ndarray], data: st.DataObject
) -> None:
    table, states = question
    dense = st.lists(st.integers(0, len(table) - 1), max_size=60)
    k = data.draw(st.integers(1, 70) | st.just(len(table) + 3))
    barred, allowed = [data.draw(dense), data.draw(dense)], data.draw(st.none() | dense)
    chosen = None if allowed is None else np.unique(np.array(allowed, dtype=np.int64))
    items, scores = make(table).top(states, k, Sequences.from_lists(barred), chosen)
    assert items.dtype == np.int64
    for row, state in enumerate(states):
        listed, values = plain(table, state, k, barred[row], allowed)
        assert items[row].tolist() == listed
        # To the last digit, but where sums in doubles taken in another order round differently.
        np.testing.assert_allclose(scores[row], np.array(values, np.float32), rtol=2e-7)


@pytest.mark.parametrize("make", SCANS.values(), ids=SCANS)
@settings(max_examples=60, deadline=None)
@given(question=questions())
def test_no_score_is_further_off_than_its_bound(
    make: Callable[[Table], Scan], question: tuple[Table, np.ndarray]
) -> None:
    table, states = question
    scan = make(table)
    for values, state in zip(scan.begin(states), states.astype(np.float64), strict=True):
        scanned = scan.told(values, state)
        off = (scanned.values * scanned.scale).ravel()[scan.place] - table.astype(
            np.float64
        ) @ state
        bound = np.broadcast_to(scanned.error, scanned.values.shape).ravel()[scan.place]
        assert (np.abs(off) <= bound).all()
        beyond = np.setdiff1d(np.arange(values.size), scan.place)
        assert (values[beyond] == scan.nothing).all()
        np.testing.assert_array_equal(scan.item[scan.place], np.arange(len(table)))


def test_the_bound_is_no_excuse_to_look_at_everything() -> None:
    """Of vectors without any order, one in two hundred is looked at again."""
    random = np.random.default_rng(0)
    table = random.normal(size=(40_000, 32)).astype(np.float32)
    looked_at: list[int] = []

    def watched(items: np.ndarray) -> np.ndarray:
        looked_at.append(len(items))
        return table[items]

    scorer = int8_scan(watched, len(table))
    looked_at.clear()
    scorer.top(random.normal(size=(20, 32)).astype(np.float32), 20)
    assert len(looked_at) == 20
    assert 20 <= np.mean(looked_at) < 200


@each_scorer
def test_a_whole_catalogue_of_one_score(make: Callable[[Table], Scorer]) -> None:
    table = np.ones((5_000, 3), dtype=np.float32)
    for state in (np.zeros((1, 3), np.float32), np.ones((1, 3), np.float32)):
        items, _ = make(table).top(state, 7, Sequences.from_lists([[0, 2, 2]]))
        assert items.tolist() == [[1, 3, 4, 5, 6, 7, 8]]


@each_scorer
def test_many_candidates_are_as_few(make: Callable[[Table], Scorer]) -> None:
    """More of them than are scored one by one."""
    random = np.random.default_rng(1)
    table = random.normal(size=(9_000, 8)).astype(np.float32)
    states = random.normal(size=(3, 8)).astype(np.float32)
    allowed = np.flatnonzero(random.random(9_000) < 0.8)
    barred = allowed[:50].tolist()
    items, _ = make(table).top(states, 10, Sequences.from_lists([barred] * 3), allowed)
    for row, state in enumerate(states):
        assert items[row].tolist() == plain(table, state, 10, barred, allowed.tolist())[0]


@each_scorer
def test_what_differs_past_float32_is_a_tie(make: Callable[[Table], Scorer]) -> None:
    """The second is larger in doubles by less than float32 can tell: the smaller id wins."""
    table = np.array([[1.0, 0.0], [1.0, 2.0**-40]], dtype=np.float32)
    items, scores = make(table).top(np.ones((1, 2), np.float32), 2)
    assert items.tolist() == [[0, 1]]
    assert scores.tolist() == [[1.0, 1.0]]


@each_scorer
def test_no_one_asks(make: Callable[[Table], Scorer]) -> None:
    items, scores = make(np.ones((4, 2), np.float32)).top(np.empty((0, 2), np.float32), 3)
    assert items.shape == scores.shape == (0, 3)


@each_scorer
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_states_are_finite(make: Callable[[Table], Scorer], value: float) -> None:
    with pytest.raises(BundleError, match="not a finite number"):
        make(np.ones((4, 1), np.float32)).top(np.array([[value]], np.float32), 1)


_FORKED = """
import multiprocessing, numpy as np
from recdistill.bundle.scoring.int8_scan import int8_scan
random = np.random.default_rng(0)
table = random.normal(size=(20_000, 16)).astype(np.float32)
states = random.normal(size=(5, 16)).astype(np.float32)
scorer = int8_scan(table.__getitem__, len(table))
here = scorer.top(states, 10)[0].tolist()
def there(_):
    return scorer.top(states, 10)[0].tolist()
with multiprocessing.get_context("fork").Pool(2) as pool:
    assert pool.map(there, range(4)) == [here] * 4
"""


def test_forked_workers_share_one() -> None:
    subprocess.run([sys.executable, "-c", _FORKED], check=True, timeout=60)
