"""The page about smaller students: whole, silent, well-formed, and true to its numbers."""

from __future__ import annotations

import json
import re

import pytest
from lessened import form, sample_lessening
from pages import Tags, plain

from recdistill.evaluation.report.lessening import render, save_lessening, table
from recdistill.evaluation.report.lessening.figures import fronts, losses
from recdistill.evaluation.report.lessening.finding import finding
from recdistill.evaluation.report.lessening.tables import everything


@pytest.fixture
def content():
    return sample_lessening()


def text_of(content) -> str:
    return plain(Tags(render(content)).text)


def test_the_page_is_whole_and_asks_nothing_of_the_outside(content):
    html = render(content)
    page = Tags(html)
    assert page.mistakes == []
    assert page.stack == []
    assert not re.search(r"https?://|url\(|@import", html)
    for heading in (
        "What is worth having",
        "What each loses",
        "On the test",
        "How it was measured",
    ):
        assert heading in page.text
    assert "odd: it <cannot> leave." in page.text
    assert "it <cannot> leave" not in html


def test_it_says_what_the_knee_saves_and_loses(content):
    text = text_of(content)
    assert (
        "At the knee stands half-int8: 1/7 of the bytes, the same time, and no difference shown in NDCG@10"
        in text
    )
    assert "(-0.5 %, 95 % interval -2.5 % to +1.5 %, 900 validation cases, 300 users)" in text
    assert "Refused, since they lose more than 2 %: tiny-int8." in text
    assert "On the test, half-int8 changes NDCG@10 by -0.9 % (-3 % to +1 %)." in text


@pytest.mark.parametrize(
    ("lost", "words"), [(0.015, "1.5 % less of NDCG@10"), (-0.03, "3 % more of NDCG@10")]
)
def test_a_difference_that_is_shown_is_told(content, lost, words):
    content["forms"]["half-int8"]["loss"] = {"mean": lost, "low": lost - 0.01, "high": lost + 0.01}
    assert f"the same time, and {words}" in text_of(content)


def test_it_says_so_where_nothing_smaller_is_worth_having(content):
    content["forms"] = {
        "whole-float32": form(0.1, 0.0, 10, "knee"),
        "tiny": form(0.01, 0.9, 1, "refused"),
    }
    content["test"] = {}
    judged = finding(content)
    assert (judged.tone, judged.chip) == ("neutral", "Stay")
    text = text_of(content)
    assert "Nothing smaller was found that is worth what it loses" in text
    assert "On the test" not in text


def test_what_is_refused_for_want_of_proof_is_said_so(content):
    content["tolerance"]["proof"] = "interval"
    text = text_of(content)
    assert "Refused, since they may lose more than 2 %" in text
    assert "What has not been shown to lose at most 2 %" in text


def test_one_seed_is_called_one_seed(content):
    content["seeds"] = 1
    assert "Made of one seed only" in text_of(content)


def test_every_form_is_on_every_chart_in_the_colour_of_its_mark(content):
    for figure in (*fronts(content), *losses(content)):
        for name in content["forms"]:
            if name == content["reference"] and figure in losses(content):
                continue
            assert f"{name}: " in figure.wide
            assert f"{name}: " in figure.narrow
        assert figure.wide.count("t-worse") >= 1
        assert figure.wide.count("t-better") == 1


def test_tables_hold_the_numbers(content):
    (line,) = (line for line in everything(content).lines if line.label == "half-int8")
    found = dict(zip([m.key for m in everything(content).measures], line.values, strict=True))
    assert plain(found["bytes"]) == "140 kB"
    assert plain(found["bundle_bytes"]) == "190 kB"
    assert plain(found["loss"]) == "-0.5 %"
    assert found["mark"] == "Knee"
    assert plain(found["latency_p99"]) == "3.0 s".replace("3.0 s", "3 ms") or plain(
        found["latency_p99"]
    )
    lines = table(content).splitlines()
    assert len(lines) == 5
    assert lines[1].startswith("half-int8")
    assert lines[-1].startswith("tiny-int8")


def test_it_is_written_whole(content, tmp_path):
    path = save_lessening(tmp_path, content)
    assert path.read_text(encoding="utf-8") == render(content)
    assert json.loads((tmp_path / "compression.json").read_text()) == content
