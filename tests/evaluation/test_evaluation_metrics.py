"""Metrics by name."""

from __future__ import annotations

import numpy as np
import pytest

from recdistill.errors import ConfigError
from recdistill.evaluation.metrics import DEFAULT_METRICS, Metric, parse, parse_all
from recdistill.evaluation.rankings import Ranking, Ranks


def ranking() -> Ranking:
    ranks = Ranks(np.array([1, 4], np.int32), np.array([0, 1, 2]), np.array([9, 9], np.int32))
    return Ranking(ranks, np.array([[0, 1, 2], [0, 3, -1]], np.int32))


@pytest.mark.parametrize("text", [*DEFAULT_METRICS, "mrr@10", "auc", "f1@1", "map@100"])
def test_a_name_is_read_and_written_alike(text: str) -> None:
    assert str(parse(text)) == text


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("ncdg@10", "ndcg@k"),
        ("ndcg", "ndcg@10"),
        ("coverage", "coverage@10"),
        ("ndcg@0", "ndcg@10"),
        ("ndcg@ten", "ndcg@10"),
        ("auc@10", "'auc'"),
        ("", "Valid"),
    ],
)
def test_a_wrong_name_is_refused_with_what_to_write(text: str, part: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse(text)
    assert part in str(refused.value)
    assert repr(text) in str(refused.value)


def test_each_metric_counts_once() -> None:
    assert parse_all(["mrr", "ndcg@5", "mrr"]) == (Metric("mrr", None), Metric("ndcg", 5))


def test_a_value_is_the_mean_over_cases() -> None:
    assert parse("mrr").value(ranking(), np.ones(9, np.int64)) == pytest.approx((1 + 1 / 4) / 2)


def test_metrics_of_lists_look_at_the_first_k() -> None:
    popularity = np.array([5, 3, 1, 1, 0, 0, 0, 0, 0])
    assert parse("coverage@1").value(ranking(), popularity) == pytest.approx(1 / 9)
    assert parse("coverage@3").value(ranking(), popularity) == pytest.approx(4 / 9)
    found = parse("average_popularity@2").cases(ranking(), popularity)
    np.testing.assert_allclose(found, [4.0, 3.0])


def test_who_can_be_resampled() -> None:
    assert [parse(name).per_case for name in ("ndcg@5", "novelty@5", "gini@5", "coverage@5")] == [
        True,
        True,
        False,
        False,
    ]


def test_no_cases_give_zero() -> None:
    empty = Ranking(
        Ranks(np.empty(0, np.int32), np.zeros(1, np.int64), np.empty(0, np.int32)),
        np.empty((0, 3), np.int32),
    )
    popularity = np.ones(4, np.int64)
    for name in ("ndcg@3", "gini@3", "coverage@3", "novelty@3"):
        assert parse(name).value(empty, popularity) == 0.0
