"""The page in a real browser: no sideways scroll, no errors, no requests, at both widths and schemes."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from lessened import form, sample_lessening

from recdistill.evaluation.report import Example, Explained, Listed, Story, save_report
from recdistill.evaluation.report.lessening import save_lessening

TOOL = Path(__file__).parents[3] / "tools" / "chromium.py"
SIZES = pytest.mark.parametrize("width", [400, 1400])


def tool() -> ModuleType:
    specification = importlib.util.spec_from_file_location("chromium_tool", TOOL)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    chromium = tool()
    executable = chromium.find()
    if executable is None:
        if os.environ.get("CI") == "true":
            pytest.fail("CI must look at the page: install chromium.")
        pytest.skip("No chromium on the PATH: the page is not looked at.")
    with chromium.browser(executable) as running:
        yield running


@pytest.fixture
def page(tmp_path: Path, metrics: dict[str, Any], story: Story) -> Path:
    long = "Wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww" * 8
    odd = Example(long, (long, "שלום"), (long,), {"student": (Listed(long, True),)})
    why = Explained((long,) * 9, (long,), (long,), ((long, long),))
    metrics["models"][f"teacher/{long}"] = {"ndcg@10": 0.1}
    metrics["dataset"]["name"] = long
    return save_report(
        tmp_path,
        metrics,
        replace(story, title=long, examples=(*story.examples, odd), reasons=(*story.reasons, why)),
    )


@SIZES
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_and_is_silent(browser: Any, page: Path, width: int, scheme: str) -> None:
    browser.open(page, width, scheme)
    assert browser.evaluate("innerWidth") == width
    assert browser.evaluate("document.documentElement.scrollWidth") == width
    assert browser.complaints() == []
    assert browser.requests() == [page.resolve().as_uri()]


@SIZES
def test_one_drawing_of_each_chart_is_visible(browser: Any, page: Path, width: int) -> None:
    browser.open(page, width)
    shown = "[...document.querySelectorAll('svg.chart')].filter(s => s.checkVisibility())"
    assert browser.evaluate(f"{shown}.length") == 8
    assert browser.evaluate(f"{shown}.every(s => s.getBoundingClientRect().right <= {width})")


def test_dark_is_dark(browser: Any, page: Path) -> None:
    paper = "getComputedStyle(document.body).backgroundColor"
    browser.open(page, 400, "light")
    light = browser.evaluate(paper)
    browser.open(page, 400, "dark")
    assert light == "rgb(252, 252, 251)"
    assert browser.evaluate(paper) == "rgb(17, 19, 23)"


@SIZES
def test_explanations_open_by_keyboard_inside_the_window(
    browser: Any, page: Path, width: int
) -> None:
    browser.open(page, width)
    browser.evaluate("document.querySelector('thead abbr').focus()")
    assert browser.evaluate("tip.hidden") is False
    assert "top of the list" in browser.evaluate("tip.textContent")
    box = browser.evaluate("JSON.parse(JSON.stringify(tip.getBoundingClientRect()))")
    assert box["left"] >= 0
    assert box["right"] <= width
    browser.evaluate("scrollBy({top: 40, behavior: 'instant'})")  # it stays with its term
    browser.evaluate("new Promise(requestAnimationFrame)")
    assert browser.evaluate("tip.hidden") is False
    browser.evaluate("document.dispatchEvent(new KeyboardEvent('keydown', {key: 'Escape'}))")
    assert browser.evaluate("tip.hidden") is True


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_contrast(browser: Any, page: Path, scheme: str) -> None:
    """WCAG AA: 4.5 to 1 for text, computed from the colours that the browser resolves."""
    browser.open(page, 1400, scheme)
    pairs = {
        "var(--ink)": "var(--paper)",
        "var(--soft)": "var(--paper)",
        "var(--good)": "var(--good-wash)",
        "var(--bad)": "var(--bad-wash)",
        "var(--calm)": "var(--calm-wash)",
        "var(--warn)": "var(--warn-wash)",
        "var(--student)": "var(--paper)",
    }
    for ink, paper in pairs.items():
        light, dark = sorted((luminance(browser, ink), luminance(browser, paper)), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, (ink, paper)


def luminance(browser: Any, colour: str) -> float:
    script = f"(document.body.style.color = '{colour}', getComputedStyle(document.body).color)"
    channels = [int(part) / 255 for part in browser.evaluate(script)[4:-1].split(",")]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@SIZES
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_so_does_the_page_about_smaller_students(
    browser: Any, tmp_path: Path, width: int, scheme: str
) -> None:
    content = sample_lessening()
    content["dataset"]["name"] = "W" * 300
    content["forms"]["long-" * 12 + "int8"] = form(0.097, 0.01, 90_000, "front")
    browser.open(save_lessening(tmp_path, content), width, scheme)
    assert browser.evaluate("document.documentElement.scrollWidth") == width
    assert browser.complaints() == []
