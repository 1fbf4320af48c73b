"""Rules, each by the least change of the numbers that must set it off, and by what must keep it silent."""

from __future__ import annotations

from typing import Any

import pytest
from explained import CLOSE, difference, sample_explanation

from recdistill.evaluation.advice import Advice, advise
from recdistill.evaluation.report.explanation.finding import finding

WIDE = 0.02
"""A reach with which no difference here is shown."""


def topics(content: dict[str, Any]) -> list[str]:
    return [one.topic for one in advise(content)]


def only(content: dict[str, Any]) -> Advice:
    (one,) = advise(content)
    return one


def plain(text: str) -> str:
    return text.replace("\u202f", " ").replace("−", "-")


def test_where_all_is_well_there_is_no_advice():
    content = sample_explanation()
    assert advise(content) == []
    judged = finding(content)
    assert judged.tone == "better"
    assert plain(judged.sentence) == (
        "Distillation helped: it raised NDCG@10 on validation by 10 % (95 % interval +7.5 % to +12 %, 3 seeds, 300 "
        "users). The teacher is 12 % better than the undistilled student, and the student follows it: 61 % of its "
        "ten best instead of 44 %."
    )


@pytest.mark.parametrize(
    ("lead", "said"),
    [(-0.03, "is worse than"), (0.0, "is not shown to be better than")],
)
def test_a_teacher_without_a_lead_teaches_nothing(lead, said):
    content = sample_explanation(lead=lead, gain=-0.004)
    assert topics(content) == ["teacher"]
    one = only(content)
    assert said in one.finding
    assert "against 0.0800" in plain(one.finding)
    assert "Strengthen the teacher" in one.change
    assert (one.seen, one.threshold) == (pytest.approx(lead), 0.0)
    judged = finding(content)
    assert judged.tone == "worse"
    assert "The teacher teaches nothing" in judged.standing
    assert "Distillation hurt" in judged.finding


def test_a_gain_without_a_better_teacher_is_called_what_it_is():
    judged = finding(sample_explanation(lead=0.0))
    assert "not that it knows better" in judged.standing


def test_a_lead_within_noise_is_no_lead():
    content = sample_explanation()
    content["differences"]["teacher"] = difference(0.01, WIDE)
    assert topics(content) == ["teacher"]
    assert "-12 % to +38 %" in plain(only(content).finding)


@pytest.mark.parametrize(
    ("cut", "name", "change"),
    [
        ("popularity", "tail", "inverse-propensity"),
        ("popularity", "cold", "teacher-right"),
        ("history", "1-5", "teacher-right"),
        ("confidence", "least sure", "confident, above: 0.12"),
    ],
)
def test_where_the_teacher_is_worse_it_is_heard_less(cut, name, change):
    content = sample_explanation()
    measured = content["slices"][cut][name]
    measured["lead"] = {**difference(-0.01), "p": 0.001, "p_holm": 0.01}
    one = only(content)
    assert one.topic == f"slice/{cut}/{name}"
    assert change in one.change
    assert "'kl'" in one.change
    assert "corrected p = 0.010, below 0.05" in one.finding
    measured["lead"]["p_holm"] = 0.06
    assert advise(content) == []


def test_a_teacher_that_is_worse_everywhere_is_not_told_so_slice_by_slice():
    content = sample_explanation(lead=-0.03)
    content["slices"]["popularity"]["tail"]["lead"].update(difference(-0.05), p_holm=0.001)
    assert topics(content) == ["teacher"]


@pytest.mark.parametrize(
    ("surplus", "fitting", "heat", "change"),
    [(0.1, 3.0, 2.0, "Raise `temperature` of 'kl'"), (-0.1, 0.5, 2.0, "Lower `temperature`"),
     (0.1, 1.6, 2.0, None), (0.1, 1.1, 1.0, None), (-0.1, 0.5, 0.4, None)],
)  # fmt: skip
def test_a_teacher_that_misjudges_itself(surplus, fitting, heat, change):
    """Nothing is said where the recipe's temperature makes up for it already, or where it is within noise."""
    content = sample_explanation()
    content["surplus_confidence"] = difference(surplus, 0.01)
    content["temperature"] = fitting
    content["terms"][1]["temperature"] = [heat, heat]
    if change is None:
        assert advise(content) == []
        return
    assert change in only(content).change
    assert only(content).seen == fitting
    content["surplus_confidence"] = difference(surplus, 0.2)
    assert advise(content) == []


def test_hints_of_training_are_passed_on():
    content = sample_explanation()
    content["sharpness"][0]["advised"] = 6.5
    content["hints"] = ["Objective 'kl': at temperature 2 the teacher is all but one-hot; use 6.5."]
    one = only(content)
    assert one.finding == "Objective 'kl': at temperature 2 the teacher is all but one-hot."
    assert (one.change, one.seen, one.threshold) == ("Use 6.5.", 2.0, 6.5)


def conflicting() -> dict[str, Any]:
    content = sample_explanation()
    content["tension"]["pairs"][0].update(cosine=-0.4, error=0.05, opposed=0.9)
    content["tension"]["terms"][1]["held_out"] = {"cosine": -0.2, "error": 0.02}
    return content


def test_terms_that_pull_apart():
    one = only(conflicting())
    assert "-0.40 ± 0.05" in plain(one.finding)
    assert "90 %" in plain(one.finding)
    assert "Lower the weight of 'kl' (now 0.30)" in one.change
    assert (one.seen, one.threshold) == (-0.4, -0.1)


@pytest.mark.parametrize(
    ("place", "found"),
    [
        ("pairs", {"cosine": -0.4, "error": 0.3}),
        ("pairs", {"cosine": -0.05, "error": 0.001}),
        ("pairs", {"cosine": None, "error": None}),
        ("held_out", {"cosine": 0.1, "error": 0.01}),
        ("held_out", {"cosine": -0.01, "error": 0.02}),
    ],
)
def test_pulling_apart_alone_is_no_harm(place, found):
    """At the end of a training terms balance each other; only what also leaves held-out answers is blamed."""
    content, tension = (made := conflicting()), made["tension"]
    (tension["pairs"][0] if place == "pairs" else tension["terms"][1]["held_out"]).update(found)
    assert advise(content) == []


def test_labels_are_not_blamed():
    content = conflicting()
    content["terms"][1]["taught"] = False
    assert "conflict" not in topics(content)


@pytest.mark.parametrize(
    ("pull", "word"), [(0.3 / 21, "raise"), (0.3 * 21, "lower"), (0.3 / 19, None), (0.3 * 19, None)]
)
def test_terms_that_hardly_pull_or_drown_the_labels(pull, word):
    content = sample_explanation()
    content["tension"]["terms"][1]["pull"] = pull
    if word is None:
        assert advise(content) == []
        return
    assert f"{word} its weight (now 0.30)" in only(content).change
    content["recipe"]["weighting"]["kind"] = "gradient-norm"
    assert advise(content) == []


def test_a_term_that_has_faded_out_is_no_weak_term():
    content = sample_explanation()
    content["tension"]["terms"][1].update(pull=0.0, weight=0.0)
    assert advise(content) == []


def test_nothing_inherited():
    content = sample_explanation(gain=0.0)
    content["taken_over"] = difference(0.0)
    assert topics(content) == ["not inherited", "noise"]
    one = advise(content)[0]
    assert "61 %" in plain(one.finding)
    assert "raise the weight of 'kl' (now 0.3 to 1)" in one.change
    assert "does not follow it" in finding(content).standing
    content["terms"] = content["terms"][:1]
    assert "the weight of a term that hears it" in advise(content)[0].change


def test_followed_in_vain_and_within_noise():
    content = sample_explanation(gain=0.001)
    assert topics(content) == ["in vain", "noise"]
    noise = advise(content)[1]
    assert "a difference below 2.5 % cannot be seen" in plain(noise.finding)
    assert noise.threshold == pytest.approx(CLOSE)
    judged = finding(content)
    assert judged.tone == "neutral"
    assert "changed nothing that can be shown" in judged.finding


def test_a_student_that_learns_by_heart():
    content = sample_explanation(gain=-0.01)
    content["generalisation"]["difference"] = difference(0.02)
    assert topics(content) == ["in vain", "generalisation"]
    assert "training.optimizer.weight_decay" in advise(content)[1].change
    better = sample_explanation()
    better["generalisation"]["difference"] = difference(0.02)
    assert advise(better) == []


def test_what_is_left_of_the_lead():
    content = sample_explanation(gain=0.004)
    one = only(content)
    assert one.topic == "left"
    assert "40 % of the teacher’s lead (less than 70 %)" in plain(one.finding)
    assert one.seen == pytest.approx(0.4)
    above = only(sample_explanation(gain=0.02))
    assert "better than its teacher" in above.finding
    assert "stronger teacher" in above.change


def test_where_the_twin_scores_nothing_differences_are_plain():
    content = sample_explanation(gain=0.004)
    content["models"]["student_without_distillation"]["ndcg@10"] = 0.0
    assert "+0.0060" in only(content).finding


def test_every_piece_of_advice_names_number_and_change():
    content = conflicting()
    content["differences"]["student"] = difference(0.0)
    content["tension"]["terms"][0]["pull"] = 0.001
    for one in advise(content):
        assert any(letter.isdigit() for letter in one.finding)
        assert one.change.endswith(".")
