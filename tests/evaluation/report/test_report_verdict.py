from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recdistill.evaluation.report.interval import (
    Interval,
    model_value,
    relative_uplift,
    uplift,
)
from recdistill.evaluation.report.verdict import verdict

TWIN = 0.05


def judged(low: float | None, mean: float, high: float | None, **more: Any) -> dict[str, Any]:
    return {
        "models": {
            "teacher": {"ndcg@10": 0.06},
            "student": {"ndcg@10": TWIN + mean},
            "student_without_distillation": {"ndcg@10": TWIN},
        },
        "uplift": {"ndcg@10": {"mean": mean, "low": low, "high": high}},
        "seeds": 3,
        "dataset": {"test_users": 166},
        "costs": {"student": {"bytes": 10}, "teacher": {"bytes": 90}},
        **more,
    }


def plain(text: str) -> str:
    return text.replace("\u202f", " ").replace("−", "-")


def test_the_sentence_of_a_gain() -> None:
    found = verdict(judged(0.002, 0.006, 0.010))
    assert (found.tone, found.chip) == ("better", "Better")
    assert plain(found.sentence) == (
        "Distillation raised NDCG@10 by 12 % (95 % interval +4 % to +20 %, 3 seeds, 166 users). "
        "The student keeps 93 % of the teacher’s quality at 1/9 of its size."
    )


def test_the_sentence_of_a_loss_names_the_loss_without_a_sign() -> None:
    found = verdict(judged(-0.02, -0.01, -0.005))
    assert (found.tone, found.chip) == ("worse", "Worse")
    assert plain(found.finding) == "Distillation lowered NDCG@10 by 20 %"
    assert plain(found.evidence).startswith("(95 % interval -40 % to -10 %")


def test_an_interval_with_zero_claims_nothing() -> None:
    found = verdict(judged(-0.001, 0.006, 0.010))
    assert (found.tone, found.chip) == ("neutral", "No difference shown")
    assert plain(found.finding) == "No difference could be shown: NDCG@10 moved by +12 %"
    assert "raised" not in found.sentence


@given(st.floats(-0.04, 0.04), st.floats(0.0, 0.03), st.floats(0.0, 0.03))
def test_better_and_worse_are_said_only_beyond_zero(mean: float, down: float, up: float) -> None:
    found = verdict(judged(mean - down, mean, mean + up))
    assert (found.tone == "better") == (mean - down > 0)
    assert (found.tone == "worse") == (mean + up < 0)


def test_without_an_interval_nothing_is_claimed() -> None:
    for metrics in (judged(None, 0.006, None), {"models": {}}, {}):
        found = verdict(metrics)
        assert found.tone == "unknown"
        assert found.finding == "Whether distillation changed NDCG@10 was not measured"
        assert found.evidence == ""


def test_a_student_above_its_teacher() -> None:
    metrics = judged(0.005, 0.019, 0.03)
    assert "scores 15 % above its teacher" in plain(verdict(metrics).standing)


def test_a_twin_that_scores_nothing_gives_absolute_numbers() -> None:
    metrics = judged(0.002, 0.006, 0.010)
    metrics["models"]["student_without_distillation"]["ndcg@10"] = 0.0
    sentence = plain(verdict(metrics).sentence)
    assert "raised NDCG@10 by 0.0060 (95 % interval +0.0020 to +0.010" in sentence


def test_the_metric_and_the_confidence_are_those_of_the_evaluation() -> None:
    metrics = judged(0.1, 0.2, 0.3, verdict={"metric": "recall@20"})
    metrics["bootstrap"] = {"confidence": 0.99}
    metrics["uplift"]["recall@20"] = {"mean": 0.01, "low": 0.005, "high": 0.02}
    for values in metrics["models"].values():
        values["recall@20"] = 0.1
    found = verdict(metrics)
    assert found.metric == "recall@20"
    assert plain(found.sentence).startswith("Distillation raised Recall@20 by 10 % (99 % interval")


def test_unknown_sizes_samples_and_teachers_are_left_out() -> None:
    metrics = judged(0.002, 0.006, 0.010)
    for key in ("costs", "seeds", "dataset"):
        del metrics[key]
    assert plain(verdict(metrics).sentence).endswith("+20 %). The student keeps 93 % of the "
                                                     "teacher’s quality.")  # fmt: skip
    del metrics["models"]["teacher"]
    assert verdict(metrics).standing == ""


def test_the_shares_own_interval_is_preferred() -> None:
    metrics = judged(0.002, 0.006, 0.010)
    plain_share = relative_uplift(metrics, "ndcg@10")
    assert plain_share is not None
    assert (plain_share.mean, *plain_share.bounds) == pytest.approx((0.12, 0.04, 0.2))
    metrics["uplift"]["ndcg@10"] |= {"relative_low": 0.03, "relative_high": 0.23}
    own_share = relative_uplift(metrics, "ndcg@10")
    assert own_share is not None
    assert (own_share.mean, *own_share.bounds) == pytest.approx((0.12, 0.03, 0.23))
    assert uplift(metrics, "ndcg@10") == Interval(0.006, 0.002, 0.010)


def test_absent_values() -> None:
    assert uplift({}, "mrr") is None
    assert relative_uplift({}, "mrr") is None
    assert model_value({}, "student", "mrr") is None
    assert Interval(1.0).said() == ""
    assert Interval(1.0).over(2.0) == Interval(0.5)
    assert Interval(1.0, 0.5).tone == "unknown"
