"""The leaderboard: what its sentence claims, what its table holds, and how it looks."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from typing import Any

import pytest

from recdistill.evaluation.report.leaderboard import render, save_leaderboard
from recdistill.evaluation.report.leaderboard.columns import board
from recdistill.evaluation.report.leaderboard.finding import finding
from recdistill.evaluation.report.leaderboard.markdown import markdown
from recdistill.evaluation.report.leaderboard.method import warnings
from recdistill.evaluation.report.wording import percent

HERE = Path(__file__).parent


def _load(path: Path) -> Any:
    specification = importlib.util.spec_from_file_location(path.stem, path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


sample = _load(HERE / "sample_leaderboard.py")


@pytest.fixture
def content() -> dict[str, Any]:
    return sample.sample_leaderboard()


def judged(*results: tuple[float, float]) -> Any:
    """The finding about techniques of these gains and corrected p-values."""
    content = sample.sample_leaderboard(("a", "b", "c")[: len(results)])
    content["ranking"] = [
        sample.entry(place, name, share, p, 1.0)
        for place, (name, (share, p)) in enumerate(zip("abc", results, strict=False), start=1)
    ]
    return finding(content)


def test_a_shown_best_is_said_to_be_more_than_noise() -> None:
    found = judged((0.11, 0.01), (0.05, 0.2), (-0.01, 1.0))
    assert found.tone == "better"
    assert found.finding.startswith("a is the best of 3 techniques: it raised NDCG@10 by 11")
    assert "more than noise" in found.finding
    assert "corrected p = 0.010, 3 seeds, 766 users" in found.evidence
    assert "1 better." in found.standing


def test_a_best_that_is_not_shown_is_not_praised() -> None:
    found = judged((0.02, 0.3), (0.01, 0.9), (-0.01, 1.0))
    assert found.tone == "neutral"
    assert found.finding.startswith("None of 3 techniques raised NDCG@10 by more than noise")
    assert "none different" in found.standing


def test_a_lower_one_may_be_the_one_that_is_shown() -> None:
    found = judged((0.05, 0.3), (0.04, 0.01))
    assert found.tone == "better"
    assert "may be noise" in found.finding
    assert "that of b" in found.finding


def test_when_all_harm_it_says_so() -> None:
    found = judged((-0.08, 0.01), (-0.1, 0.01))
    assert found.tone == "worse"
    assert "even it lowered NDCG@10 by 8" in found.finding


@pytest.mark.parametrize(
    ("share", "p", "said"),
    [(0.1, 0.01, "the only technique tried: it raised"), (0.01, 0.5, "did not raise NDCG@10")],
)
def test_one_alone_is_not_the_best_of_many(share: float, p: float, said: str) -> None:
    found = judged((share, p))
    assert said in found.sentence
    assert "others" not in found.sentence


def test_the_table_puts_references_where_their_value_puts_them(content: dict[str, Any]) -> None:
    lines = board(content).lines
    assert lines[0].label == "Teacher"
    assert [line.rank for line in lines if line.rank] == [str(place) for place in range(1, 13)]
    values = [float(line.cells[0].value) for line in lines]
    assert values == sorted(values, reverse=True)
    twin = next(line for line in lines if line.label == "Student, not distilled")
    assert [cell.value for cell in twin.cells][1:] == ["–", "–", "–", "–", "1.0×", "reference"]


def test_markdown_is_one_table_with_a_row_each(content: dict[str, Any]) -> None:
    content["ranking"][0]["name"] = "a|b*c"
    lines = [line for line in markdown(content).splitlines() if line.startswith("|")]
    assert len(lines) == 2 + 12 + 2
    bars = {len(re.findall(r"(?<!\\)\|", line)) for line in lines}
    assert bars == {10}
    assert "a\\|b\\*c" in lines[3]


def test_what_is_not_known_is_a_dash(content: dict[str, Any]) -> None:
    one = content["ranking"][0]
    one |= {"tail": None, "gap_closed": None}
    one["training"] = {"seconds": None, "epochs": 1.0, "relative": None}
    cells = next(line for line in board(content).lines if line.rank == "1").cells
    assert [cell.value for cell in cells][3:6] == ["–", "–", "–"]
    assert one["name"] in render(content)


def test_a_twin_that_may_score_nothing_leaves_plain_differences(content: dict[str, Any]) -> None:
    for one in (*content["ranking"], content["references"]["teacher"]):
        one["uplift"] |= {"relative_low": None, "relative_high": None}
    assert "+0.0079" in board(content).lines[1].cells[1].value
    assert "by 0.0079" in finding(content).finding
    assert "+0.0079" in render(content)


def tuned(content: dict[str, Any]) -> dict[str, Any]:
    """The same, everybody tuned with three trials."""
    trials = [
        {"what": what, "validation": value}
        for what, value in (("as written", 0.07), ("weights ×3", 0.0712), ("weights ×9", 0.0705))
    ]
    for one in (*content["ranking"], content["references"]["student_without_distillation"]):
        finals = [trials[1] | {"validation": 0.0801}, trials[0] | {"validation": 0.0793}]
        one["tuning"] = {"chosen": "weights ×3", "trials": trials, "finals": finals}
    return content | {"budget": {"trials": 3, "share": 0.25}}


def test_it_says_what_everybody_could_tune_and_chose(content: dict[str, Any]) -> None:
    content = tuned(content)
    found = board(content)
    (at,) = (at for at, column in enumerate(found.columns) if column.title == "Tuned")
    for line in found.lines:
        cell = line.cells[at]
        expected = ("–", "") if line.label == "Teacher" else ("weights ×3", "3 trials")
        assert (cell.value, cell.detail) == expected
    page, text = render(content), markdown(content)
    for told in (page, text):
        assert "had 3 trials on validation" in told
        assert f"over {percent(0.25)} of the epochs" in told
        assert "and what tuning made of it" in told
    assert "as written (0.0700), weights ×3 (0.0712), weights ×9 (0.0705); in full: " in page
    assert "in full: weights ×3 (0.0801), as written (0.0793)." in page


def test_without_a_budget_it_does_not_speak_of_tuning(content: dict[str, Any]) -> None:
    for told in (render(content), markdown(content)):
        assert "Equal tuning" not in told
        assert "Tuned" not in told
        assert "Only the recipe differs." in told


def test_it_warns_when_no_p_value_could_be_small_enough(content: dict[str, Any]) -> None:
    assert warnings(content) == ()
    content["bootstrap"]["resamples"] = 100
    (told,) = warnings(content)
    assert "no corrected p-value can be below 0.24" in told
    assert "evaluation.resamples" in told


def test_names_cannot_leave_their_place(content: dict[str, Any]) -> None:
    content["ranking"][0]["name"] = evil = "<script>alert(1)</script>"
    assert evil not in render(content)


def test_it_stands_alone_beside_its_numbers(content: dict[str, Any], tmp_path: Path) -> None:
    page = save_leaderboard(tmp_path, content).read_text()
    assert not re.search(r"(src|href)=\"(?!#|data:)", page)
    assert json.loads((tmp_path / "leaderboard.json").read_text()) == content
    assert (tmp_path / "leaderboard.md").is_file()


@pytest.mark.parametrize("width", [400, 1400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_and_is_silent(tmp_path: Path, width: int, scheme: str) -> None:
    tool = _load(HERE.parents[2] / "tools" / "chromium.py")
    if (executable := tool.find()) is None:
        pytest.skip("No chromium on the PATH: the page is not looked at.")
    names = (*sample.NAMES, *(f"one-more-technique-{at}" for at in range(25)), "W" * 200)
    page = save_leaderboard(tmp_path, tuned(sample.sample_leaderboard(names)))
    with tool.browser(executable) as browser:
        browser.open(page, width, scheme)
        assert browser.evaluate("document.documentElement.scrollWidth") == width
        assert browser.complaints() == []
        assert browser.requests() == [page.resolve().as_uri()]
        shown = "[...document.querySelectorAll('svg.chart')].filter(s => s.checkVisibility())"
        assert browser.evaluate(f"{shown}.length") == 2
        overlapping = (
            f"{shown}.flatMap(s => {{ const b = [...s.querySelectorAll('.label')]"
            ".map(t => t.getBoundingClientRect()); return b.flatMap((p, i) => b.slice(0, i).filter(q =>"
            " p.left < q.right - 1 && q.left < p.right - 1 && p.top < q.bottom - 3 && q.top < p.bottom - 3))"
            "}).length"
        )
        assert browser.evaluate(overlapping) == 0
