"""What is wrong on purpose is said in the report."""

from __future__ import annotations

import pytest

from recdistill.config.tree import RunConfig
from recdistill.pipeline.controls import controls

TEXT = {"kind": "text-encoder"}
SIGNALS = [{"kind": "top-k"}]


def config(teacher, **settings) -> RunConfig:
    return RunConfig.model_validate(
        {"dataset": {"source": "x"}, "signals": SIGNALS, "teacher": teacher, **settings}
    )


@pytest.mark.parametrize(
    "wrap",
    [
        lambda one: one,
        lambda one: {"kind": "ensemble", "members": [TEXT, one]},
        lambda one: {"kind": "transfer", "source": {"source": "y"}, "teacher": one},
    ],
    ids=["alone", "member", "transferred"],
)
def test_a_teacher_that_reads_the_wrong_texts_is_told_wherever_it_sits(wrap):
    (told,) = controls(config(wrap({**TEXT, "permuted": True})))
    assert "control: the teacher" in told
    assert controls(config(wrap(TEXT))) == ()


def test_so_is_a_student_that_is_made_of_the_wrong_ones():
    made = {"items": {"kind": "vectors", "features": 8}}
    wrong, right = (
        config(TEXT, student=made, features={"kind": "text", "permuted": permuted})
        for permuted in (True, False)
    )
    (told,) = controls(wrong)
    assert "control: the student" in told
    assert controls(right) == ()
