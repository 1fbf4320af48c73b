"""The page of an explanation: whole, silent, well-formed, and true to its numbers."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path

import pytest
from explained import difference, sample_explanation
from pages import Tags, plain

from recdistill.evaluation.report.explanation import render, save_explanation
from recdistill.evaluation.report.explanation.figures import leads, quality
from recdistill.evaluation.report.explanation.tables import pairs, sharpness, terms

TOOL = Path(__file__).parents[3] / "tools" / "chromium.py"


@pytest.fixture
def content():
    made = sample_explanation(gain=0.004)
    advice = {"topic": "left", "finding": "Found <b>0.4</b>.", "change": "Set `weight: 2` <now>."}
    return {**made, "advice": [{**advice, "seen": 0.4, "threshold": 0.7}]}


def test_the_page_is_whole_and_asks_nothing_of_the_outside(content):
    html = render(content)
    page = Tags(html)
    assert page.mistakes == []
    assert page.stack == []
    assert not re.search(r"https?://|url\(|@import", html)
    for heading in ("What to change", "Teacher, student and twin", "Where the teacher has something",
                    "What was inherited", "Term by term", "How it was measured", "Record"):  # fmt: skip
        assert heading in page.text


def test_advice_is_text_and_what_people_type_is_code(content):
    html = render(content)
    assert "<code>weight: 2</code>" in html
    assert "&lt;b&gt;0.4" in html
    assert "<now>" not in html


def test_without_advice_it_says_so(content):
    text = plain(Tags(render({**content, "advice": []})).text)
    assert "Nothing that was measured asks for a change." in text
    assert "above the undistilled student in 52 % of the cases, and below it in 41 %." in text


def test_what_was_not_measured_leaves_no_table(content):
    html = render({**content, "tension": None, "sharpness": []})
    assert "Term by term" not in html
    assert "0 batches" in plain(html)


def test_differences_are_shares_of_the_twin(content):
    (_, apart) = quality(content)
    assert "Teacher’s lead +12 %" in plain(apart.wide)
    content["models"]["student_without_distillation"]["ndcg@10"] = 0.0
    assert len(quality(content)) == 1


def test_a_lead_is_coloured_only_where_it_is_shown(content):
    figures = leads(content)
    assert [figure.title for figure in figures][:2] == [
        "The teacher’s lead by popularity of the item",
        "By popularity of the item to be found",
    ]
    drawn = figures[0].wide
    assert "t-better" in drawn  # head: corrected p = 0.001
    assert "t-neutral" in drawn  # tail: 0.4
    assert "t-worse" not in drawn
    content["slices"]["popularity"]["tail"]["lead"] = {**difference(-0.01), "p": 0, "p_holm": 0.01}
    assert "t-worse" in leads(content)[0].wide
    for name in ("head", "tail"):
        content["slices"]["popularity"][name]["lead"] = None
    assert leads(content)[0].title == "The teacher’s lead by length of the history"


def test_tables_of_terms(content):
    content["sharpness"][0].update(temperature=[1.0, 4.0], advised=6.5)
    (line,) = sharpness(content).lines
    assert [plain(value) for value in line.values] == [
        "1 to 4",
        "2.10",
        "8.2 of 100",
        "62 %",
        "6.5",
    ]
    first, second = terms(content).lines
    assert [plain(value) for value in first.values] == ["1.0", "100 %", "+0.070 ± 0.01"]
    assert [plain(value) for value in second.values] == ["0.30", "33 %", "+0.030 ± 0.01"]
    (pair,) = pairs(content).lines
    assert pair.label == "next-item and kl"
    assert [plain(value) for value in pair.values] == ["+0.12 ± 0.03", "10 %", "+0.10", "–"]
    content["tension"]["pairs"][0].update(cosine=None)
    content["tension"]["terms"][0]["held_out"]["error"] = None
    assert pairs(content).lines[0].values[0] == "–"
    assert terms(content).lines[0].values[2] == "+0.070"


def test_it_is_saved_beside_its_numbers(content, tmp_path):
    page = save_explanation(tmp_path, content)
    assert page == tmp_path / "explanation.html"
    assert json.loads((tmp_path / "explanation.json").read_text()) == content


@pytest.fixture(scope="module")
def browser():
    specification = importlib.util.spec_from_file_location("chromium_tool", TOOL)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    executable = module.find()
    if executable is None:
        pytest.skip("No chromium on the PATH: the page is not looked at.")
    with module.browser(executable) as running:
        yield running


@pytest.mark.parametrize("width", [400, 1400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_and_is_silent(browser, content, tmp_path, width, scheme):
    content["dataset"]["name"] = "W" * 300
    content["advice"][0]["change"] = "`" + "w" * 300 + "`"
    page = save_explanation(tmp_path, content)
    browser.open(page, width, scheme)
    assert browser.evaluate("document.documentElement.scrollWidth") == width
    assert browser.complaints() == []
    assert browser.requests() == [page.resolve().as_uri()]
