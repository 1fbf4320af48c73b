"""What the sections with words say: cautions, protocol, facts, curves, examples."""

from __future__ import annotations

from typing import Any

from recdistill.evaluation.report.cautions import cautions
from recdistill.evaluation.report.examples import SHOWN_EXAMPLES, examples
from recdistill.evaluation.report.facts import facts
from recdistill.evaluation.report.learning import learning
from recdistill.evaluation.report.protocol import protocol
from recdistill.evaluation.report.story import Curve, Example, Listed, Story


def plain(text: str) -> str:
    return text.replace("\u202f", " ")


def said(metrics: dict[str, Any], *told: str) -> str:
    return "\n".join(cautions(metrics, told, "ndcg@10"))


def test_a_sound_run_is_not_warned_about(metrics: dict[str, Any]) -> None:
    metrics["dataset"]["test_users"] = 5000
    assert said(metrics) == ""


def test_what_the_run_says_comes_first_and_once(metrics: dict[str, Any]) -> None:
    metrics["dataset"]["test_users"] = 5000
    assert cautions(metrics, ("a", "b", "a"), "ndcg@10") == ("a", "b")


def test_few_users_and_seeds(metrics: dict[str, Any]) -> None:
    assert "Only 166 users" in said(metrics)
    metrics["seeds"] = 2
    assert "Only 2 seeds" in said(metrics)
    metrics["seeds"] = 3
    assert "seeds:" not in said(metrics)


def test_a_leaking_split_is_named(metrics: dict[str, Any]) -> None:
    assert "leaks" not in said(metrics)
    metrics["dataset"]["split"] = {"kind": "leave-one-out"}
    assert "The leave-one-out split leaks the future" in said(metrics)
    metrics["dataset"]["split"] = "leave-one-out"
    assert "The leave-one-out split leaks the future" in said(metrics)
    metrics["dataset"]["split"] = {"kind": "last-fraction", "leaks": True}
    assert "The last-fraction split leaks the future" in said(metrics)


def test_a_teacher_or_a_student_that_is_not_worth_it(metrics: dict[str, Any]) -> None:
    metrics["models"]["teacher"]["ndcg@10"] = 0.05
    assert "The teacher does not beat the undistilled student in NDCG@10" in said(metrics)
    metrics["models"]["popularity"]["ndcg@10"] = 0.2
    assert "The student does not beat plain popularity" in said(metrics)
    assert said({}) == ""


def test_the_protocol_in_words(metrics: dict[str, Any]) -> None:
    steps = {step.name: plain(step.text) for step in protocol(metrics)}
    assert steps["Split"].startswith("Global-time. Everything before one moment")
    assert steps["Ranking"] == (
        "Each model ranks all 1 682 items, not a sample; items that the person already took are "
        "left out."
    )
    assert "166 test users are drawn anew with replacement 2 000 times" in steps["Interval"]
    assert "middle 95 %" in steps["Interval"]
    assert "Seeds are drawn anew as well" in steps["Interval"]
    assert steps["Seeds"].startswith("3 trainings")
    assert "NDCG@10 differs by ±0.0011 (student) and ±0.0011 (twin)" in steps["Seeds"]
    assert "NDCG@10" in steps["Verdict"]


def test_the_protocol_does_not_claim_what_was_not_recorded() -> None:
    steps = {step.name: step.text for step in protocol({"dataset": {"filter_seen": False}})}
    assert "Split" not in steps
    assert "Seeds" not in steps
    assert steps["Ranking"] == "Each model ranks the whole catalogue, not a sample."
    assert "Seeds are" not in steps["Interval"]
    seeded = {step.name: step.text for step in protocol({"seeds": 1})}
    assert seeded["Seeds"].endswith("metrics are means over them.")
    odd = protocol({"dataset": {"split": {"kind": "by-moon"}}})
    assert odd[0].text == "By-moon."


def test_facts_are_flat_and_readable() -> None:
    tree = {
        "users": 1200, "share": 0.25, "total_seconds": 61.0, "size_bytes": 2e6, "ok": True, "no": False,
        "packages": {"torch": "2.13"}, "kinds": ["a", "b"], "none": None, "empty": "", "nothing": [],
        "deep": {"er": {"value": 3}},
    }  # fmt: skip
    assert {fact.name: plain(fact.value) for fact in facts(tree)} == {
        "Users": "1 200", "Share": "0.250", "Total seconds": "1.0 min", "Size bytes": "2.00 MB",
        "Ok": "yes", "No": "no", "Packages · torch": "2.13", "Kinds": "a, b", "Deep · er · value": "3",
    }  # fmt: skip


def test_curves_of_validation_and_of_loss(story: Story) -> None:
    validation, loss, contributions, schedules = learning(story.curves)
    assert validation.title == "NDCG@10 on validation, by epoch"
    assert [key.label for key in validation.legend] == ["Student", "Student, not distilled"]
    assert validation.wide.count("<polyline") == 6
    assert "Student, seed 2: " in validation.wide
    assert [key.label for key in loss.legend] == ["next-item", "kl", "align"]
    assert loss.narrow.count("<polyline") == 3  # no gradient norm: it is no term
    assert [key.label for key in contributions.legend] == ["next-item", "kl", "align", "sum"]
    assert [key.label for key in schedules.legend] == ["kl weight"]  # the others do not change


def test_the_students_line_is_drawn_on_top(story: Story) -> None:
    drawn = learning(tuple(reversed(story.curves)))[0].wide
    assert drawn.rindex('class="m-1"') > drawn.rindex('class="m-2"')


def test_curves_that_say_nothing_are_left_out() -> None:
    assert learning(()) == ()
    twin_loss = Curve("student_without_distillation", "kl", ((1, 0.5),), loss=True)
    assert learning((twin_loss, Curve("student", "ndcg@10", ()))) == ()
    (plain_loss,) = learning((Curve("student", "kl", ((1, 0.5),), loss=True),))
    assert [key.label for key in plain_loss.legend] == ["kl"]
    (alone,) = learning((Curve("student", "ndcg@10", ((1, 0.5), (2, 0.6))),))
    assert "seed" not in alone.wide


def person(history: int = 3, targets: int = 1, **lists: tuple[Listed, ...]) -> Example:
    return Example(
        "u",
        tuple(f"h{place}" for place in range(history)),
        tuple(f"t{place}" for place in range(targets)),
        lists,
    )


def test_examples_are_cut_to_what_fits() -> None:
    long = tuple(Listed(f"i{place}", hit=place in (0, 7)) for place in range(20))
    (view,) = examples([person(30, 9, student=long)])
    assert view.history == tuple(f"h{place}" for place in range(22, 30))
    assert view.earlier == "22 earlier"
    assert view.targets == ("t0", "t1", "t2", "t3", "t4")
    assert view.further == "4 more"
    assert [item.title for item in view.lists[0].items] == ["i0", "i1", "i2", "i3", "i4"]
    assert view.lists[0].hits == "1 hit"
    assert len(examples([person()] * 50)) == SHOWN_EXAMPLES
    (view,) = examples([Example("u", ("x" * 200, "y" * 90), (), {})])
    assert view.history == ("x" * 90 + "…", "y" * 90)


def test_examples_show_teacher_student_and_twin_in_this_order() -> None:
    one = (Listed("i"),)
    lists = dict.fromkeys(
        ("popularity", "student_without_distillation", "student", "teacher/x", "teacher"), one
    )
    (view,) = examples([person(**lists)])
    assert [shown.label for shown in view.lists] == ["Teacher", "Student", "Student, not distilled"]
    (view,) = examples([person(popularity=one)])
    assert [shown.label for shown in view.lists] == ["Popularity"]
    assert (view.earlier, view.further, view.lists[0].hits) == ("", "", "0 hits")
