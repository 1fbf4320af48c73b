"""What a bundle is told of the proof: read off the document by hand."""

from __future__ import annotations

from recdistill.evaluation.headline import headline

METRICS = {
    "models": {
        "teacher": {"hit@5": 0.9, "ndcg@20": 0.4},
        "student": {"hit@5": 0.8, "ndcg@20": 0.3},
        "student_without_distillation": {"hit@5": 0.7, "ndcg@20": 0.2},
        "popularity": {"hit@5": 0.1, "ndcg@20": 0.1},
    },
    "uplift": {"ndcg@20": {"mean": 0.1, "low": -0.05, "high": 0.25}},
    "seeds": 3,
    "verdict": {"metric": "ndcg@20"},
}


def test_the_numbers_of_the_verdicts_metric() -> None:
    assert headline(METRICS) == {
        "student/ndcg@20": 0.3,
        "student_without_distillation/ndcg@20": 0.2,
        "teacher/ndcg@20": 0.4,
        "uplift/ndcg@20": 0.1,
        "uplift/ndcg@20/low": -0.05,
        "uplift/ndcg@20/high": 0.25,
        "seeds": 3.0,
    }


def test_what_was_not_measured_is_left_out() -> None:
    unsure = {**METRICS, "uplift": {"ndcg@20": {"mean": 0.1, "low": None, "high": None}}}
    assert "uplift/ndcg@20" in headline(unsure)
    assert not [name for name in headline(unsure) if name.endswith(("low", "high"))]
    assert headline({}) == {}
