"""Every accuracy metric against trec_eval, case by case, and against its definition by hand."""

from __future__ import annotations

import numpy as np
import pytest
import pytrec_eval
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score, roc_auc_score

from recdistill.evaluation import accuracy
from recdistill.evaluation.metrics import parse
from recdistill.evaluation.rankings import UNRANKED, Ranks


def ranks_of(lists: list[list[int]], shown: int = 40) -> Ranks:
    offsets = np.concatenate([[0], np.cumsum([len(row) for row in lists])]).astype(np.int64)
    flat = np.array([rank for row in lists for rank in row], dtype=np.int32)
    return Ranks(flat, offsets, np.full(len(lists), shown, dtype=np.int32))


@st.composite
def several_targets(draw: st.DrawFn) -> list[list[int]]:
    """Cases with one to six targets at distinct ranks of a list of 40."""
    row = st.lists(st.integers(1, 40), min_size=1, max_size=6, unique=True)
    return draw(st.lists(row, min_size=1, max_size=8))


def trec(lists: list[list[int]], measure: str, shown: int = 40) -> list[float]:
    """The same cases through trec_eval: item `r` of a run stands at rank `r`."""
    relevant = {str(case): {f"i{rank}": 1 for rank in row} for case, row in enumerate(lists)}
    run = {
        str(case): {f"i{rank}": float(shown - rank) for rank in range(1, shown + 1)}
        for case in range(len(lists))
    }
    found = pytrec_eval.RelevanceEvaluator(relevant, {measure}).evaluate(run)
    name = measure.replace(".", "_")
    return [found[str(case)][name] for case in range(len(lists))]


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("ndcg@1", "ndcg_cut.1"),
        ("ndcg@5", "ndcg_cut.5"),
        ("ndcg@10", "ndcg_cut.10"),
        ("recall@5", "recall.5"),
        ("recall@20", "recall.20"),
        ("precision@5", "P.5"),
        ("precision@10", "P.10"),
        ("hit@1", "success.1"),
        ("hit@10", "success.10"),
        ("map@5", "map_cut.5"),
        ("map@30", "map_cut.30"),
        ("mrr", "recip_rank"),
    ],
)
@given(lists=several_targets())
@settings(max_examples=30, deadline=None)
def test_agrees_with_trec_eval_on_every_case(
    ours: str, theirs: str, lists: list[list[int]]
) -> None:
    found = parse(ours).of_ranks(ranks_of(lists))
    np.testing.assert_allclose(found, trec(lists, theirs), rtol=0, atol=1e-9)


@pytest.mark.parametrize("k", [1, 7, 100])
def test_precision_divides_by_k_although_the_list_is_shorter(k: int) -> None:
    lists = [[1, 3], [2]]
    ranks = ranks_of(lists, shown=4)
    np.testing.assert_allclose(
        accuracy.precision(ranks, k), trec(lists, f"P.{k}", shown=4), rtol=0, atol=1e-9
    )


@given(lists=several_targets())
@settings(max_examples=30, deadline=None)
def test_ndcg_agrees_with_scikit_learn(lists: list[list[int]]) -> None:
    relevance = np.zeros((len(lists), 40))
    for case, row in enumerate(lists):
        relevance[case, np.array(row) - 1] = 1
    scores = np.tile(-np.arange(40.0), (len(lists), 1))
    expected = [ndcg_score(relevance[[c]], scores[[c]], k=10) for c in range(len(lists))]
    np.testing.assert_allclose(accuracy.ndcg(ranks_of(lists), 10), expected, rtol=0, atol=1e-9)


@given(lists=several_targets())
@settings(max_examples=30, deadline=None)
def test_auc_agrees_with_scikit_learn(lists: list[list[int]]) -> None:
    scores = -np.arange(40.0)
    expected: list[float] = []
    for row in lists:
        labels = np.zeros(40)
        labels[np.array(row) - 1] = 1
        expected.append(roc_auc_score(labels, scores))
    np.testing.assert_allclose(accuracy.auc(ranks_of(lists)), expected, rtol=0, atol=1e-9)


@given(lists=several_targets(), k=st.integers(1, 45))
@settings(max_examples=30, deadline=None)
def test_f1_is_the_harmonic_mean(lists: list[list[int]], k: int) -> None:
    ranks = ranks_of(lists)
    precision, recall = accuracy.precision(ranks, k), accuracy.recall(ranks, k)
    total = precision + recall
    expected = np.divide(2 * precision * recall, total, out=np.zeros_like(total), where=total > 0)
    np.testing.assert_allclose(accuracy.f1(ranks, k), expected, rtol=0, atol=1e-12)


def test_one_target_by_hand() -> None:
    ranks = ranks_of([[1], [3], [11]])
    np.testing.assert_allclose(accuracy.ndcg(ranks, 10), [1.0, 0.5, 0.0])
    np.testing.assert_allclose(accuracy.reciprocal_rank(ranks), [1.0, 1 / 3, 1 / 11])
    np.testing.assert_allclose(accuracy.reciprocal_rank(ranks, 10), [1.0, 1 / 3, 0.0])
    np.testing.assert_allclose(accuracy.auc(ranks), [1.0, 37 / 39, 29 / 39])


def test_average_precision_by_hand() -> None:
    found = accuracy.average_precision(ranks_of([[2, 1, 9]]), 5)
    np.testing.assert_allclose(found, [(1 / 1 + 2 / 2) / 3])


@given(lists=several_targets())
@settings(max_examples=20, deadline=None)
def test_the_order_of_the_targets_does_not_matter(lists: list[list[int]]) -> None:
    backwards = [row[::-1] for row in lists]
    for name in ("ndcg@10", "map@10", "mrr", "recall@5", "auc"):
        metric = parse(name).of_ranks
        np.testing.assert_array_equal(metric(ranks_of(lists)), metric(ranks_of(backwards)))


def test_a_filtered_target_is_a_miss_and_never_a_number_too_large() -> None:
    ranks = ranks_of([[UNRANKED], [UNRANKED, 1]], shown=30)
    for name, expected in {
        "ndcg@10": [0, 1 / (1 + 1 / np.log2(3))],
        "recall@10": [0, 0.5],
        "map@10": [0, 0.5],
        "mrr": [0, 1],
        "auc": [0, 0.5],
    }.items():
        np.testing.assert_allclose(parse(name).of_ranks(ranks), expected, err_msg=name)


def test_a_case_without_targets_counts_nothing() -> None:
    ranks = ranks_of([[], [1]])
    for name in ("ndcg@10", "recall@10", "map@10", "hit@10", "mrr", "f1@10", "auc"):
        np.testing.assert_allclose(parse(name).of_ranks(ranks)[0], 0.0, err_msg=name)
        assert parse(name).of_ranks(ranks)[1] > 0


def test_auc_of_a_list_with_nothing_but_targets_is_undecided() -> None:
    np.testing.assert_allclose(accuracy.auc(ranks_of([[1, 2]], shown=2)), [0.5])


def test_ranks_restricted_to_some_targets_keep_their_places() -> None:
    ranks = ranks_of([[4, 2], [7], [1, 9]])
    part, kept = ranks.of(np.array([False, True, False, True, True]))
    assert kept.tolist() == [0, 2]
    assert part.ranks.tolist() == [2, 1, 9]
    assert part.offsets.tolist() == [0, 1, 3]
    np.testing.assert_allclose(accuracy.reciprocal_rank(part), [0.5, 1.0])
