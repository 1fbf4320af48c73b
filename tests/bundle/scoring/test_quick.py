"""The scorer that may miss some: what it gives is scored exactly, and what it finds is nearly all."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from recdistill.bundle.scoring.base import Scorer
from recdistill.bundle.scoring.codes import Codes
from recdistill.bundle.scoring.exact import exact
from recdistill.bundle.scoring.quick import QuickScorer
from recdistill.data.sequences import Sequences
from recdistill.errors import BundleError

random = np.random.default_rng(5)
CENTRES = random.normal(size=(40, 16))
TABLE = (CENTRES[random.integers(40, size=20_000)] + 0.5 * random.normal(size=(20_000, 16))).astype(
    np.float32
)
STATES = (CENTRES[random.integers(40, size=50)] + 0.3 * random.normal(size=(50, 16))).astype(
    np.float32
)
SCORES = (STATES.astype(np.float64) @ TABLE.astype(np.float64).T).astype(np.float32)


class Refusing:
    """An exact scorer that must not be asked."""

    def top(self, *_: object) -> None:
        raise AssertionError("asked")


@pytest.fixture(scope="module")
def codes() -> Codes:
    return Codes.of(TABLE, 1)


def quick(codes: Codes, depth: int = 400, behind: object = None) -> Scorer:
    return QuickScorer(codes, depth, TABLE.__getitem__, behind or exact(TABLE))


def test_nearly_all_of_the_best_with_exact_scores(codes: Codes) -> None:
    items, scores = quick(codes, behind=Refusing()).top(STATES, 20)
    wanted = np.argsort(-SCORES, axis=1, kind="stable")[:, :20]
    shared = [len(set(one) & set(other)) for one, other in zip(items, wanted, strict=True)]
    assert np.mean(shared) / 20 > 0.98
    np.testing.assert_allclose(scores, np.take_along_axis(SCORES, items, axis=1), rtol=2e-7)
    assert (np.diff(scores, axis=1) <= 0).all()


def test_what_is_barred_costs_nobody_a_place(codes: Codes) -> None:
    """Without the three hundred best of each row, the next twenty come."""
    order = np.argsort(-SCORES, axis=1, kind="stable")
    barred = Sequences.from_lists([[*row[:300].tolist(), int(row[0])] for row in order])
    items, _ = quick(codes, behind=Refusing()).top(STATES, 20, barred)
    shared = [
        len(set(one) & set(row[300:320].tolist()))
        for one, row in zip(items.tolist(), order, strict=True)
    ]
    assert np.mean(shared) / 20 > 0.98
    for row in range(len(STATES)):
        assert len(set(items[row].tolist())) == 20
        assert not set(items[row].tolist()) & set(barred[row].tolist())


@pytest.mark.parametrize("depth", [100, 5_000])
def test_candidates_and_long_lists_are_answered_exactly(codes: Codes, depth: int) -> None:
    plain, allowed = exact(TABLE), np.arange(0, 20_000, 3)
    for k, barred, some in (
        (20, None, allowed),
        (300, None, None),
        (20, Sequences.from_lists([list(range(19_990))] * 50), None),
    ):
        for one, other in zip(
            quick(codes, depth).top(STATES, k, barred, some),
            plain.top(STATES, k, barred, some),
            strict=True,
        ):
            np.testing.assert_array_equal(one, other)


def test_one_and_many_are_answered_alike(codes: Codes) -> None:
    scorer = quick(codes)
    together = scorer.top(STATES, 7)[0]
    alone = [scorer.top(STATES[row : row + 1], 7)[0][0] for row in range(len(STATES))]
    np.testing.assert_array_equal(together, alone)
    assert scorer.top(STATES[:0], 3)[0].shape == (0, 3)


def test_states_are_finite(codes: Codes) -> None:
    with pytest.raises(BundleError, match="not a finite number"):
        quick(codes).top(np.full((1, 16), np.nan, np.float32), 3)


_FORKED = """
import multiprocessing, threading, numpy as np
from recdistill.bundle.scoring.codes import Codes
from recdistill.bundle.scoring.quick import QuickScorer
random = np.random.default_rng(0)
table = random.normal(size=(20_000, 8)).astype(np.float32)
states = random.normal(size=(5, 8)).astype(np.float32)
scorer = QuickScorer(Codes.of(table, 1), 100, table.__getitem__, None)
here = scorer.top(states, 10)[0].tolist()
def there(_):
    told = []
    thread = threading.Thread(target=lambda: told.append(scorer.top(states, 10)[0].tolist()))
    thread.start()
    thread.join(30)
    return told[0]
with multiprocessing.get_context("fork").Pool(2) as pool:
    assert pool.map(there, range(4)) == [here] * 4
"""


def test_threads_of_forked_workers_share_one() -> None:
    subprocess.run([sys.executable, "-c", _FORKED], check=True, timeout=60)
