"""The teacher against the twin, slice by slice, on rankings made by hand."""

from __future__ import annotations

import numpy as np
import pytest

from recdistill.data.cases import Cases
from recdistill.data.sequences import Sequences
from recdistill.evaluation.evaluation import Evaluation
from recdistill.evaluation.lessons import by_confidence, contests, leads, taken_over
from recdistill.evaluation.options import EvaluationConfig
from recdistill.evaluation.rankings import Ranking, Ranks
from recdistill.evaluation.roles import STUDENT, TEACHER, TWIN
from recdistill.evaluation.slices import cuts

USERS = 60


def ranking(ranks, top=None):
    ranks = np.asarray(ranks, dtype=np.int32)
    offsets = np.arange(len(ranks) + 1, dtype=np.int64)
    shown = np.full(len(ranks), 40, dtype=np.int32)
    top = np.zeros((len(ranks), 10), dtype=np.int32) if top is None else top
    return Ranking(Ranks(ranks, offsets, shown), top)


def evaluation(teacher, student, twins, tops=None, histories=None):
    cases = Cases(
        np.arange(len(teacher), dtype=np.int32),
        Sequences.from_lists(histories or [[0]] * len(teacher)),
        Sequences.from_lists([[case % 4] for case in range(len(teacher))]),
    )
    tops = tops or {}
    return Evaluation(
        config=EvaluationConfig(metrics=("ndcg@10",), resamples=1000),
        dataset={"name": "made"},
        cases=cases,
        popularity=np.array([6, 5, 4, 3], dtype=np.int64),
        rankings={
            TEACHER: (ranking(teacher, tops.get(TEACHER)),),
            STUDENT: (ranking(student, tops.get(STUDENT)),),
            TWIN: tuple(ranking(one, tops.get(TWIN)) for one in twins),
        },
    )


def test_contests_count_ranks_seed_by_seed():
    found = contests(evaluation([1, 5, 9, 2], [1] * 4, [[2, 5, 1, 1], [2, 6, 10, 1]]))
    assert found == {"worse": (0.5 + 0.25) / 2, "better": (0.25 + 0.75) / 2, "equal": 0.125}


def test_quarters_of_sureness_hold_each_case_once():
    made = evaluation([1] * USERS, [1] * USERS, [[1] * USERS])
    confidence = np.random.default_rng(0).permutation(USERS) / USERS
    parts = by_confidence(made, confidence)
    assert sum(part.targets.astype(int) for part in parts).tolist() == [1] * USERS
    assert [int(part.targets.sum()) for part in parts] == [15] * 4
    assert confidence[parts[0].targets].max() < confidence[parts[1].targets].min()


def test_a_lead_is_found_where_it_was_put():
    """Case c asks for item c % 4: the teacher is first at items 0 and 1, and lost at 3, where the twin is first."""
    items = np.arange(4 * USERS) % 4
    teacher = np.where(items < 2, 1, np.where(items == 3, 30, 5))
    twin = np.where(items < 2, 8, np.where(items == 3, 1, 5))
    made = evaluation(teacher, twin, [twin, twin])
    found = leads(made, made.metrics[0], cuts(made))["popularity"]
    assert found["head"]["mean"] == pytest.approx(1 - 1 / np.log2(9))
    assert found["head"]["low"] > 0
    assert found["tail"]["high"] < 0
    assert found["tail"]["p"] <= found["tail"]["p_holm"] < 0.05


def test_too_few_users_are_not_judged():
    made = evaluation([1] * 12, [2] * 12, [[2] * 12])
    assert leads(made, made.metrics[0], cuts(made)) == {"popularity": {}, "history": {}}


def test_slices_of_equals_show_nothing():
    random = np.random.default_rng(0)
    ranks = random.integers(1, 12, (2, 4 * USERS))
    made = evaluation(ranks[0], ranks[0], [ranks[1]])
    told = leads(made, made.metrics[0], cuts(made))
    assert all(one["p_holm"] > 0.05 for parts in told.values() for one in parts.values())


def test_what_was_taken_over_is_the_difference_of_overlaps():
    rows = np.tile(np.arange(10, dtype=np.int32), (USERS, 1))
    tops = {TEACHER: rows, STUDENT: rows + 2, TWIN: rows + 7}
    found = taken_over(evaluation([1] * USERS, [1] * USERS, [[1] * USERS], tops))
    assert (found.mean, found.low, found.high) == pytest.approx((0.5, 0.5, 0.5))
