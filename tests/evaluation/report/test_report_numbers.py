"""What the sections with numbers say: tiles, comparison, slices, costs, agreement, effort."""

from __future__ import annotations

from typing import Any

import pytest

from recdistill.evaluation.report.comparison import comparison, metric_names
from recdistill.evaluation.report.costs import costs
from recdistill.evaluation.report.effort import effort
from recdistill.evaluation.report.glossary import metric_meaning, metric_title, term
from recdistill.evaluation.report.inheritance import inheritance
from recdistill.evaluation.report.reading import (
    confidence,
    model_label,
    model_style,
    number,
    ordered_models,
    part,
    primary_metric,
)
from recdistill.evaluation.report.slices import slices
from recdistill.evaluation.report.tiles import tiles


def plain(text: str) -> str:
    return text.replace("\u202f", " ").replace("−", "-")


def test_tiles_in_order_of_importance(metrics: dict[str, Any]) -> None:
    found = {
        tile.label: (plain(tile.value), plain(tile.detail)) for tile in tiles(metrics, "ndcg@10")
    }
    assert found == {
        "Uplift in NDCG@10": ("+12 %", "95 %: +4.1 % to +20 %"),
        "Gap closed": ("78 %", "from its twin to the teacher"),
        "Retention": ("97 %", "of the teacher’s quality"),
        "Size": ("856 kB", "teacher 95.6 MB"),
        "Latency, median": ("610 µs", "teacher 11.3 ms"),
        "Evidence": ("3 seeds", "166 test users"),
    }
    assert tiles(metrics, "ndcg@10")[0].tone == "better"


def test_a_gap_that_does_not_exist_says_why(metrics: dict[str, Any]) -> None:
    metrics["gap_closed"]["ndcg@10"] = None
    metrics["reasons"] = {"gap_closed": {"ndcg@10": "there is no gap"}}
    gap = tiles(metrics, "ndcg@10")[1]
    assert (gap.label, gap.value, gap.detail) == ("Gap closed", "–", "there is no gap")
    del metrics["reasons"]
    assert "does not beat" in tiles(metrics, "ndcg@10")[1].detail


def test_tiles_without_their_figures_are_left_out() -> None:
    assert tiles({}, "ndcg@10") == []
    only = {"uplift": {"mrr": {"mean": 0.012}}, "costs": {"student": {"bytes": 10}}, "seeds": 1}
    found = [(tile.label, plain(tile.value), tile.detail) for tile in tiles(only, "mrr")]
    assert found == [
        ("Uplift in MRR", "+0.012", "no interval"),
        ("Size", "10 B", ""),
        ("Evidence", "1 seed", ""),
    ]


def test_the_table_has_every_model_and_metric(metrics: dict[str, Any]) -> None:
    table = comparison(metrics, "ndcg@10")
    assert [line.label for line in table.lines] == [
        "Teacher", "Teacher: sasrec", "Teacher: text-encoder", "Student", "Student, not distilled",
        "Popularity",
    ]  # fmt: skip
    assert [column.title for column in table.columns][:2] == ["NDCG@10", "Hit rate@10"]
    student = table.lines[3]
    assert student.cells[0].value == "0.0806"
    assert plain(student.cells[0].interval) == "0.0701 to 0.0911"
    assert len(table.figures) == 2


def test_the_best_of_a_column_follows_its_direction(metrics: dict[str, Any]) -> None:
    table = comparison(metrics, "ndcg@10")
    titles = [column.title for column in table.columns]
    best = {
        title: [line.label for line in table.lines if line.cells[place].best]
        for place, title in enumerate(titles)
    }
    assert best["NDCG@10"] == ["Teacher"]
    assert best["Gini@10"] == ["Teacher: text-encoder"]  # the lowest
    assert best["Novelty@10"] == []  # neither direction is good


def test_the_uplift_row_is_toned_by_its_interval(metrics: dict[str, Any]) -> None:
    cells = dict(zip(metric_names(metrics["models"]), comparison(metrics, "x").uplift, strict=True))
    assert (plain(cells["ndcg@10"].value), cells["ndcg@10"].tone) == ("+12 %", "better")
    assert cells["hit@10"].tone == "neutral"
    assert cells["gini@10"].tone == ""  # lower is better: a sign must not be coloured as if not


def test_an_uplift_without_an_interval_is_drawn_hollow(metrics: dict[str, Any]) -> None:
    assert "Hollow" not in comparison(metrics, "ndcg@10").figures[1].note
    metrics["uplift"]["coverage@10"] |= {"low": None, "high": None}
    drawn = comparison(metrics, "ndcg@10").figures[1]
    assert "Hollow" in drawn.note
    assert 'class="t-unknown"' in drawn.wide


def test_the_comparison_of_what_is_there() -> None:
    empty = comparison({}, "ndcg@10")
    assert (empty.figures, empty.columns, empty.lines, empty.uplift) == ((), (), (), ())
    lone = comparison({"models": {"student": {"mrr": 0.5}, "teacher": {"map@5": 0.1}}}, "mrr")
    assert [[cell.value for cell in line.cells] for line in lone.lines] == [
        ["–", "0.100"],
        ["0.500", "–"],
    ]
    assert not any(cell.best for line in lone.lines for cell in line.cells)
    assert len(lone.figures) == 1


def test_an_uplift_without_a_base_is_absolute() -> None:
    metrics = {
        "models": {"student": {"mrr": 0.5, "hit@1": 0.1}},
        "uplift": {"mrr": {"mean": -0.25, "low": -0.5, "high": 0.0}},
    }
    assert [plain(cell.value) for cell in comparison(metrics, "mrr").uplift] == ["-0.25", "–"]


def test_slices_by_group(metrics: dict[str, Any]) -> None:
    popularity, history = slices(metrics, "ndcg@10")
    assert popularity.title == "By popularity of the item to be found"
    assert "164 cases" in popularity.wide
    assert "uplift +12 % (interval" in plain(popularity.wide)
    assert "6–20 events" in history.narrow
    assert [key.label for key in history.legend] == [
        "Teacher", "Student", "Student, not distilled", "Popularity",
    ]  # fmt: skip


def test_slices_without_the_metric_are_left_out(metrics: dict[str, Any]) -> None:
    assert slices(metrics, "mrr") == ()
    assert slices({}, "ndcg@10") == ()
    odd = {"slices": {"by_country": {"1": {"models": {"student": {"mrr": 1}}}}}}
    (figure,) = slices(odd, "mrr")
    assert figure.title == "By by country"
    assert "1 event" in figure.wide


def test_costs_and_their_ratios(metrics: dict[str, Any]) -> None:
    table = costs(metrics)
    assert [plain(value) for value in table.lines[1].values] == [
        "214 k", "856 kB", "8.70 MFLOP", "610 µs", "1.18 ms",
    ]  # fmt: skip
    assert table.ratios == ("1/112", "1/112", "1/151", "1/19", "1/16")


def test_costs_that_are_not_known() -> None:
    assert costs({}).lines == ()
    table = costs(
        {"costs": {"student": {"bytes": 5, "flops": None}, "popularity": {"device": "cpu"}}}
    )
    assert [measure.label for measure in table.measures] == ["Size"]
    assert [line.label for line in table.lines] == ["Student"]
    assert table.ratios == ("–",)
    partly = costs({"costs": {"student": {"bytes": 5}, "teacher": {"bytes": 5, "parameters": 1}}})
    assert partly.lines[1].values == ("–", "5\u202fB")
    assert partly.ratios == ("–", "the same as")


def test_inheritance_is_a_table(metrics: dict[str, Any]) -> None:
    table = inheritance(metrics["agreement"], metrics["inheritance"], "ndcg@10")
    assert [measure.label for measure in table.measures] == [
        "Common items, top 10",
        "Same order, top 10",
        "CKA, items",
        "CKA, states",
        "Calibration error",
        "Log-likelihood",
        "Ahead on training, NDCG@10",
    ]
    assert [[plain(value) for value in line.values] for line in table.lines] == [
        ["–", "–", "–", "–", "4.1 %", "-6.10", "+0.0410"],
        ["61 %", "0.38", "0.62", "0.55", "2.2 %", "-6.24", "+0.0230"],
        ["44 %", "0.070", "0.31", "0.36", "2.9 %", "-6.30", "+0.0280"],
    ]


def test_inheritance_of_earlier_documents_is_agreement(metrics: dict[str, Any]) -> None:
    table = inheritance(metrics["agreement"], {}, "ndcg@10")
    assert [[plain(value) for value in line.values] for line in table.lines] == [
        ["61 %", "0.38"],
        ["44 %", "0.070"],
    ]
    assert inheritance({}, {}, "ndcg@10").lines == ()
    odd = inheritance({"student": {"same_first": 0.5, "unknown": None}, "note": "text"}, {}, "mrr")
    assert [measure.label for measure in odd.measures] == ["Same first"]
    assert [(line.label, line.values) for line in odd.lines] == [("Student", ("0.50",))]


def test_effort_by_stage(metrics: dict[str, Any]) -> None:
    metrics["labelling"]["cost"] = 1.5
    found = {fact.name: plain(fact.value) for fact in effort(metrics)}
    assert found == {
        "Teacher": "2.9 min",
        "Student": "1.6 min",
        "Evaluation": "4.1 s",
        "Teacher speaking": "13 s",
        "Contexts it spoke about": "88 213",
        "Contexts a second": "6 838",
        "Signals on disk": "71.4 MB",
        "Cost of labelling": "1.5",
    }
    assert effort({}) == ()
    seeds = {
        "timing": {f"student-without-distillation/seed-{seed}_seconds": 1.5 for seed in (0, 1)}
    }
    (fact,) = effort(seeds)
    assert (fact.name, plain(fact.value)) == ("Student without distillation, 2 seeds", "3.0 s")


def test_models_have_names_places_and_colours() -> None:
    mixed = {"popularity": 1, "mine": 1, "student": 1, "teacher/b": 1, "teacher/a": 1, "teacher": 1}
    assert ordered_models(mixed) == [
        "teacher", "teacher/a", "teacher/b", "student", "mine", "popularity",
    ]  # fmt: skip
    assert model_label("item_knn") == "item knn"
    styles = {model_style(model) for model in mixed}
    assert styles == {"m-0", "m-1", "m-3", "m-member", "m-other"}


@pytest.mark.parametrize("value", ["text", None, True, float("nan"), float("inf"), [1]])
def test_what_is_no_number_is_absent(value: Any) -> None:
    assert number({"a": {"b": value}}, "a", "b") is None


def test_reading_through_what_is_no_mapping() -> None:
    assert part({"a": 5}, "a", "b") == {}
    assert part({"a": {"b": 5}}, "a", "b") == {}
    assert number({"a": {"b": 5}}, "a", "b") == 5.0


def test_the_primary_metric() -> None:
    assert primary_metric({}) == "ndcg@10"
    assert primary_metric({"verdict": {"metric": None}}) == "ndcg@10"
    assert primary_metric({"uplift": {"mrr": {}, "hit@5": {}}}) == "mrr"
    assert primary_metric({"models": {"student": {"hit@5": 1}}}) == "hit@5"
    assert plain(confidence({"bootstrap": {"confidence": 0.9}})) == "90 %"


def test_every_metric_of_the_evaluation_is_explained() -> None:
    from recdistill.evaluation.metrics import DEFAULT_METRICS

    for name in (*DEFAULT_METRICS, "f1@5", "map@10", "auc", "precision@1", "accuracy"):
        assert term(name).meaning
    assert metric_title("average_popularity@10") == "Mean popularity@10"
    assert metric_meaning("hit@10").endswith("Lists of 10.")
    assert (metric_title("odd_one@3"), metric_meaning("odd")) == ("Odd one@3", "")
