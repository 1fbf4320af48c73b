"""What lists say of candidates, in hand-worked numbers."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from recdistill.data.hearsay.lists import Lists
from recdistill.data.hearsay.report import JoinReport, Names
from recdistill.data.sequences import Sequences
from recdistill.teachers.accounts import Account
from recdistill.teachers.hearsay.judge import ListJudge
from recdistill.teachers.judging import load_judge, save_judge

NAN = math.nan
TOLD = [[4, 5, 6, 7], [8, 9]]
"""Histories with a list."""


def lists(rows, *, scores=None, confidence=None, shown=None, everybody=False) -> Lists:
    return Lists(
        users=np.full(len(rows), -1, dtype=np.int32),
        histories=Sequences.from_lists([[]] if everybody else TOLD[: len(rows)]),
        items=Sequences.from_lists(rows),
        scores=None if scores is None else np.array(scores, dtype=np.float32),
        confidence=None if confidence is None else np.array(confidence, dtype=np.float32),
        shown=None if shown is None else Sequences.from_lists(shown),
        everybody=everybody,
        report=JoinReport("said", "histories"),
    )


def said(dataset, joined, history, candidates, looks=50):
    judge = ListJudge.of(joined, dataset, looks)
    return judge.judge(Sequences.from_lists([history]), np.array([candidates]))[0].tolist()


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        # Rank 1, not named, rank 3.
        ({}, [0, -math.log(4), -math.log(3)]),
        ({"confidence": [0.5]}, [0, -math.log(4) / 2, -math.log(3) / 2]),
        # Passed over where it was shown, unknown where it was not.
        ({"shown": [[0, 1, 2, 3]]}, [0, -math.log(4), -math.log(3)]),
        ({"shown": [[0, 2, 3]]}, [0, NAN, -math.log(3)]),
        # A mean step of 2 behind the last.
        ({"scores": [9, 6, 5]}, [9, 3, 5]),
    ],
)
def test_preferences(tiny_dataset, settings, expected):
    joined = lists([[0, 3, 2]], **settings)
    found = said(tiny_dataset, joined, TOLD[0], [0, 1, 2])
    assert found == pytest.approx(expected, nan_ok=True, rel=1e-6)


def test_one_item_is_preferred_to_all_others(tiny_dataset):
    assert said(tiny_dataset, lists([[3]]), TOLD[0], [1, 3]) == pytest.approx([-math.log(2), 0])
    scored = lists([[3]], scores=[7])
    assert said(tiny_dataset, scored, TOLD[0], [1, 3]) == pytest.approx([6, 7])


def test_nothing_is_said_of_other_contexts_and_of_candidates_that_no_list_names(tiny_dataset):
    joined = lists([[0, 3], [1]])
    for history, candidates in (
        ([4, 5, 6], [0, 3]),
        ([5, 4, 6, 7], [0, 3]),
        ([], [0, 3]),
        (TOLD[0], [1, 2]),
        (TOLD[1], [0, 3]),
    ):
        assert np.isnan(said(tiny_dataset, joined, history, candidates)).all(), history
    assert said(tiny_dataset, joined, TOLD[1], [1, 0])[0] == 0


def test_contexts_are_known_by_their_latest_items(tiny_dataset):
    joined = lists([[0]])
    assert said(tiny_dataset, joined, [1, 6, 7], [0], looks=2) == [0]
    assert np.isnan(said(tiny_dataset, joined, [1, 6, 7], [0], looks=3)).all()


def test_scores_about_everybody_say_nothing_of_items_without_one(tiny_dataset):
    joined = lists([[2, 0]], scores=[5, 3], everybody=True)
    for history in ([1], [4, 5]):
        found = said(tiny_dataset, joined, history, [0, 1, 2])
        assert found == pytest.approx([3, NAN, 5], nan_ok=True)


def test_it_is_kept_whole_and_known_by_all_it_says(tiny_dataset, tmp_path):
    judge = ListJudge.of(lists([[0, 3], [1]]), tiny_dataset, 7)
    save_judge(judge, tmp_path)
    again = load_judge(tmp_path)
    assert again.identity() == judge.identity()
    histories, candidates = Sequences.from_lists([*TOLD, [1]]), np.array([[0, 1, 3]] * 3)
    np.testing.assert_array_equal(
        again.judge(histories, candidates), judge.judge(histories, candidates)
    )
    others = (lists([[0, 2], [1]]), lists([[0, 3]]), lists([[0, 3], [1]], confidence=[1, 0.5]))
    assert judge.identity() not in [ListJudge.of(o, tiny_dataset, 7).identity() for o in others]
    assert ListJudge.of(lists([[0, 3], [1]]), tiny_dataset, 8).identity() != judge.identity()


def test_reasons_are_kept_by_context_and_make_another_judge(tiny_dataset, tmp_path):
    plain = lists([[0, 3], [1]])
    judge = ListJudge.of(replace(plain, why=[["no\x1b zero", ""], ["one"]]), tiny_dataset, 2)
    assert judge.identity() != ListJudge.of(plain, tiny_dataset, 2).identity()
    save_judge(judge, tmp_path)
    keys = tiny_dataset.item_keys
    for one in (judge, load_judge(tmp_path)):
        told = one.why(Sequences.from_lists([]), lambda rows: pytest.fail("needs none"), keys)
        asked = Sequences.from_lists([[1, 2, 6, 7], [8, 9], [9, 8]])
        assert told.said(asked, [0, 0, 1, 2], [0, 3, 1, 1], keys) == ["no zero", None, "one", None]


def test_reasons_to_everybody_are_about_nobody(tiny_dataset):
    joined = replace(lists([[2, 0]], scores=[5, 3], everybody=True), why=[["two", "none"]])
    keys = tiny_dataset.item_keys
    told = ListJudge.of(joined, tiny_dataset, 50).why(
        joined.histories, lambda rows: pytest.fail("needs none"), keys
    )
    asked = Sequences.from_lists([[5, 6], []])
    assert told.said(asked, [0, 1, 1], [2, 0, 1], keys) == ["two", "none", None]


def test_it_counts_what_the_file_names(tiny_dataset, tmp_path):
    joined = lists([[0, 3], [1]])
    joined.report.names = Names({"exact": 5, "near": 2, "ambiguous": 1, "unknown": 2})
    judge = ListJudge.of(joined, tiny_dataset, 7)
    save_judge(judge, tmp_path)
    for one in (judge, load_judge(tmp_path)):
        assert one.account() == Account(named=10, in_catalogue=7)
    silent = ListJudge.of(lists([[0, 3], [1]]), tiny_dataset, 7)
    assert silent.account() == Account()
    assert silent.identity() == judge.identity(), "counting changes nothing of what is said"
    save_judge(silent, tmp_path / "silent")
    assert load_judge(tmp_path / "silent").account() == Account()
