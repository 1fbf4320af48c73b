"""The page about teachers: whole, silent, well-formed, and true to its numbers."""

from __future__ import annotations

import json
import re

import pytest
from judged import sample_judgement
from pages import Tags, plain

from recdistill.evaluation.report.teachers import render, save_judgement, table
from recdistill.evaluation.report.teachers.calling import called, random_ones
from recdistill.evaluation.report.teachers.figures import judges, quality
from recdistill.evaluation.report.teachers.finding import finding
from recdistill.evaluation.report.teachers.tables import agreement, beside_chance, costs, where
from recdistill.evaluation.report.wording import NONE


@pytest.fixture
def content():
    return sample_judgement()


def test_the_page_is_whole_and_asks_nothing_of_the_outside(content):
    html = render(content)
    page = Tags(html)
    assert page.mistakes == []
    assert page.stack == []
    assert not re.search(r"https?://|url\(|@import", html)
    for heading in ("How good they are", "What judges do with candidates", "Where they know something",
                    "How alike their lists are", "What they cost", "How it was measured", "Record"):  # fmt: skip
        assert heading in page.text


def test_it_names_the_near_random(content):
    assert random_ones(content) == ["teacher/encoder", "further/llm"]
    text = plain(Tags(render(content)).text)
    assert "Near-random: Teacher: encoder, llm." in text
    assert "Judge: near-random" in text
    assert "the judge of llm puts the right item above another in 51 % of all pairs" in text
    assert "the base in 63 %; chance is 50 %" in text
    assert "old is no part of the ensemble" in text
    assert "llm: The judge counts for a third." in text


@pytest.mark.parametrize(
    ("result", "lead", "word", "tone"),
    [
        ("near-random", 0.1, "Near-random", "worse"),
        ("worse than chance", 0.1, "Worse than chance", "worse"),
        ("too few cases to tell", 0.1, "Too few cases to tell", "neutral"),
        ("better than chance", 0.1, "Knows more than popularity", "better"),
        ("better than chance", 0.0, "No better than popularity", "neutral"),
        ("better than chance", -0.1, "Worse than popularity", "worse"),
    ],
)
def test_what_a_teacher_is_called(content, result, lead, word, tone):
    teacher = content["teachers"]["teacher"]
    teacher["chance"]["result"] = result
    teacher["over_popularity"] = {"mean": lead, "low": lead - 0.01, "high": lead + 0.01}
    assert (called(teacher).word, called(teacher).tone) == (word, tone)
    said = finding(content).sentence
    assert said.startswith("The") or said.startswith("There are too few")
    assert "NDCG@10 0.0900, where popularity has 0.0500 and chance gives 0.0031" in said


def test_figures_hold_everybody_and_chance(content):
    one, two = quality(content)
    for name in ("Teacher", "Teacher: encoder", "llm", "Popularity", "Chance"):
        assert name in one.wide
    assert "t-worse" in two.wide
    among, order = judges(content)
    assert "llm: judge" in among.wide
    assert "+0.21" in order.wide
    del content["teachers"]["further/llm"]
    assert judges(content) == ()
    assert "What judges do" not in render(content)


def test_tables_say_what_was_measured(content):
    lines = {line.label: line.values for line in beside_chance(content).lines}
    assert lines["Teacher: encoder"][0] == "Near-random"
    names = [measure.label for measure in beside_chance(content).measures]
    assert [lines[who][names.index("In the catalogue")] for who in ("llm", "Teacher", "Teacher: encoder")] == [
        plain_percent(94), "constrained", NONE,
    ]  # fmt: skip
    paid = {line.label: line.values for line in costs(content).lines}
    assert "300" in paid["llm"]
    alike = agreement(content)
    assert [measure.label for measure in alike.measures] == ["Teacher: encoder", "llm", "Popularity"]  # fmt: skip
    assert alike.lines[1].values == ("", plain_percent(30), plain_percent(30))
    groups = {line.label: line.values for line in where(content).lines}
    assert groups["Popularity: head"] == ("+0.012 ✓",) * 3
    assert groups["History: 1–5 events"] == ("+0.010",) * 3


def plain_percent(value):
    return f"{value}\u202f%"


def test_the_terminal_has_a_line_each(content):
    lines = table(content).splitlines()
    assert len(lines) == 5
    assert lines[0].startswith("teacher")
    assert lines[1].split()[:2] == ["Teacher", "0.0900"]
    assert lines[2].endswith("Near-random")
    for told in ("in catalogue", "order bias", "calls", "money"):
        assert told in lines[0]
    place, stop = lines[0].index("in catalogue"), lines[0].index("order bias")
    cells = [line[place:stop].strip() for line in lines[1:]]
    assert cells == ["constrained", NONE, plain_percent(94), ""]


def test_the_terminal_leaves_out_what_nobody_has(content):
    del content["teachers"]["further/llm"]
    content["teachers"]["teacher"]["account"] = {}
    head = table(content).splitlines()[0]
    assert "ECE" in head
    assert not any(told in head for told in ("in catalogue", "order bias", "calls", "money"))


def test_files(content, tmp_path):
    page = save_judgement(tmp_path, content)
    assert json.loads((tmp_path / "teachers.json").read_text()) == content
    assert page.read_text() == render(content)


def test_several_judges_share_a_sentence_and_biased_ones_are_named(content):
    content["teachers"]["further/other"] = {
        **content["teachers"]["further/llm"],
        "candidates": {
            **content["teachers"]["further/llm"]["candidates"],
            "judge": {
                "result": "better than chance",
                "auc": {"value": 0.7, "low": 0.6, "high": 0.8},
            },
            "order": {"slope": 0.0, "shown": False},
        },
    }
    told = plain(finding(content).standing)
    assert "50 % being chance: llm 51 % (its base 63 %), other 70 % (its base 63 %)." in told
    assert told.count("The order in which candidates are shown") == 1
    assert "part of what llm answers: one place earlier there lifts an item by 0.21 places" in told
