from __future__ import annotations

import json
import re
import sys
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from recdistill.errors import MissingExtraError, StorageError
from recdistill.evaluation.report import (
    Curve,
    Example,
    Explained,
    Listed,
    Story,
    render,
    save_report,
)

VOID = {"meta", "link", "br", "hr", "img", "input"}
EVIL = (
    '<script>alert("x")</script>',
    "\"'><img src=x onerror=alert(1)>",
    "{{ 7 * 7 }}",
    "שלום עולם ‮reversed",
    "🎬🍿 " * 40,
    "W" * 3000,
    "</title></style></svg>",
)


class Page(HTMLParser):
    """Elements, texts and whether every tag is closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.stack: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.mistakes: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self.stack or self.stack.pop() != tag:
            self.mistakes.append(tag)

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def evil_story() -> Story:
    lists = {"student": tuple(Listed(title, hit=True) for title in EVIL)}
    return Story(
        title=EVIL[0],
        curves=(Curve("student", EVIL[0], ((1, 0.1), (2, 0.2)), loss=True),),
        examples=(Example(EVIL[1], EVIL, EVIL, lists),),
        reasons=tuple(Explained(EVIL, EVIL, EVIL, ((one, one),)) for one in EVIL),
        configuration=EVIL[0],
        environment={EVIL[0]: EVIL[1]},
        warnings=EVIL,
        links={EVIL[0]: EVIL[1]},
    )


def test_the_page_is_well_formed(metrics: dict[str, Any], story: Story) -> None:
    page = Page(render(metrics, story))
    assert page.mistakes == []
    assert page.stack == []
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in page.elements:
        if target := attributes.get("aria-labelledby"):
            assert target in ids


def test_the_page_says_the_verdict_and_has_all_sections(
    metrics: dict[str, Any], story: Story
) -> None:
    html = render(metrics, story)
    text = re.sub(r"\s+", " ", "".join(Page(html).text).replace("\u202f", " "))
    assert "Distillation raised NDCG@10 by 12 % (95 % interval +4.1 % to +20 %" in text
    for heading in (
        "Before you believe the numbers", "Comparison", "For whom it is good", "Learning curves",
        "What was inherited", "Cost", "Examples", "Why, in the teacher’s words", "How it was measured", "Record",
        "Resolved configuration",
    ):  # fmt: skip
        assert heading in text
    assert "<title>RecDistill · made-up: what distillation gave</title>" in html
    assert "<h1><bdi>made-up</bdi>: what distillation gave</h1>" in html
    assert "Harbour Lights" in text
    assert "use a temperature of about 6.5." in text
    assert "kind: ensemble" in text


def test_the_page_asks_nothing_of_the_outside(metrics: dict[str, Any], story: Story) -> None:
    html = render(metrics, story)
    page = Page(html)
    assert len(html.encode()) < 1_500_000
    assert not re.search(r"https?://|url\(|@import", html)
    for _, attributes in page.elements:
        assert "src" not in attributes
        assert not any(name.startswith("on") for name in attributes)
    policy = next(m["content"] for m in page.all("meta") if m.get("http-equiv"))
    assert policy is not None
    assert "default-src 'none'" in policy


def test_the_policy_admits_just_our_script(metrics: dict[str, Any], story: Story) -> None:
    import base64
    import hashlib

    html = render(metrics, story)
    (script,) = re.findall(r"<script>(.*?)</script>", html, re.S)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in html.replace("&#43;", "+").replace("&#39;", "'")


def test_charts_and_tables_are_accessible(metrics: dict[str, Any], story: Story) -> None:
    page = Page(render(metrics, story))
    charts = [svg for svg in page.all("svg") if svg.get("class") == "chart"]
    assert len(charts) == 16  # eight, each for two widths
    assert all(svg["role"] == "img" and svg["aria-label"] for svg in charts)
    assert all(cell.get("scope") in {"row", "col"} for cell in page.all("th"))
    assert len(page.all("h1")) == 1
    assert page.all("html") == [{"lang": "en"}]
    assert all("title" in term and term["tabindex"] == "0" for term in page.all("abbr"))


def test_titles_from_the_data_stay_text(metrics: dict[str, Any]) -> None:
    metrics["models"][f"teacher/{EVIL[0]}"] = {"ndcg@10": 0.1, EVIL[0]: 0.2}
    metrics["dataset"]["name"] = EVIL[1]
    metrics["notes"] = list(EVIL)
    html = render(metrics, evil_story())
    page = Page(html)
    assert page.mistakes == []
    assert page.stack == []
    assert len(page.all("script")) == 1
    assert page.all("img") == []
    text = "".join(page.text)
    for title in EVIL:
        assert title[:90].strip() in text


def test_absent_parts_leave_no_hole() -> None:
    html = render({"models": {"student": {"ndcg@10": 0.1}}}, Story("bare"))
    text = "".join(Page(html).text)
    assert "was not measured" in text
    for heading in (
        "Examples",
        "Learning curves",
        "What was inherited",
        "Cost",
        "Record",
        "Notes",
        "Before you",
    ):
        assert heading not in text
    assert "None" not in text
    assert Page(render({}, Story("empty"))).mistakes == []


@pytest.mark.parametrize("tone", ["better", "worse", "neutral", "unknown"])
def test_the_tone_is_told_by_word_and_sign_not_by_colour_alone(
    metrics: dict[str, Any], tone: str
) -> None:
    bounds = {"better": (0.1, 0.2), "worse": (-0.2, -0.1), "neutral": (-0.1, 0.2)}
    low, high = bounds.get(tone, (None, None))
    metrics["uplift"]["ndcg@10"] = {"mean": 0.1, "low": low, "high": high}
    html = render(metrics, Story("x"))
    chips = {"better": "Better", "worse": "Worse", "neutral": "No difference shown"}
    assert f'class="verdict {tone}"' in html
    assert f"</svg>{chips.get(tone, 'Not measured')}</p>" in html


def test_saving_writes_the_page_and_its_numbers(
    tmp_path: Path, metrics: dict[str, Any], story: Story
) -> None:
    page = save_report(tmp_path / "report", metrics, story)
    assert page == tmp_path / "report" / "report.html"
    assert page.read_text(encoding="utf-8") == render(metrics, story)
    assert json.loads((page.parent / "metrics.json").read_text(encoding="utf-8")) == metrics
    assert sorted(file.name for file in page.parent.iterdir()) == ["metrics.json", "report.html"]


def test_saving_where_nothing_can_be_written(tmp_path: Path, metrics: dict[str, Any]) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    with pytest.raises(StorageError):
        save_report(blocked / "report", metrics, Story("x"))


def test_a_missing_jinja2_names_the_extra_and_writes_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, metrics: dict[str, Any]
) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(MissingExtraError, match=r"recdistill\[report\]"):
        save_report(tmp_path / "report", metrics, Story("x"))
    assert not (tmp_path / "report").exists()


def test_the_same_input_gives_the_same_page(metrics: dict[str, Any], story: Story) -> None:
    assert render(metrics, story) == render(metrics, replace(story))


CHOICE = {
    "sentence": "Auto chose soft labels of weight 3.",
    "start": "At temperature 1 the teacher is flat; 0.5 suits it.",
    "teacher": {"mean": 0.02, "low": -0.01, "high": 0.05},
    "undistilled": 0.1,
    "trials": [{"what": "weight 1", "validation": 0.11}, {"what": "weight 3 <b>", "validation": 0.12}],
    "finals": [
        {"what": "weight 3", "validation": 0.13, "difference": {"mean": 0.03, "low": 0.01, "high": 0.05}}
    ],
}  # fmt: skip


def test_what_was_chosen_is_told(metrics: dict[str, Any], story: Story) -> None:
    page = render(metrics, replace(story, choice=CHOICE))
    assert "What was chosen" in page
    assert "Auto chose soft labels of weight 3." in page
    assert "weight 3 &lt;b&gt;" in page
    assert "0.130" in page
    assert "+0.0300 (+0.0100 … +0.0500)" in page
    assert "What was chosen" not in render(metrics, story)


def test_reasons_stand_beside_both_lists_cleaned_and_cut(metrics: dict[str, Any]) -> None:
    wild = "<b>bold</b>\x1b[2J \u202eback\ud800 " + "so " * 400
    contexts = [Explained((f"film {n}",), ("A", "B"), ("C",), (("A", wild),)) for n in range(6)]
    html = render(metrics, Story(title="x", reasons=tuple(contexts)))
    html.encode("utf-8")
    quotes = re.findall(r"<blockquote dir=.auto.>(.*?)</blockquote>", html, re.S)
    assert len(quotes) == 4
    assert quotes[0].startswith("&lt;b&gt;bold&lt;/b&gt;[2J back so so")
    assert len(unescape(quotes[0])) <= 300
    assert quotes[0].endswith("so…")
    assert "film 0" in html
    assert "film 4" not in html
    assert html.isprintable() or not {"\x1b", "\u202e"} & set(html)
    assert "teacher’s words" not in render(metrics, Story(title="x"))
