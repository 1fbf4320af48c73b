"""Charts, read back: pixels against values."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recdistill.evaluation.report.charts.dots import Dot, Group
from recdistill.evaluation.report.charts.intervals import Row
from recdistill.evaluation.report.charts.lines import Line, line_chart
from recdistill.evaluation.report.charts.rows import layout, row_chart
from recdistill.evaluation.report.charts.scale import Scale, spanning, ticks
from recdistill.evaluation.report.charts.svg import drawing, element
from recdistill.evaluation.report.interval import Interval

WIDTHS = pytest.mark.parametrize("width", [540.0, 344.0])
values = st.floats(-1e6, 1e6, allow_subnormal=False)


def axis(svg: ET.Element, which: str = "middle") -> dict[str, float]:
    """Each tick's text and its pixel."""
    place = "x" if which == "middle" else "y"
    return {
        node.text or "": float(node.get(place, "nan"))
        for node in svg.iter("text")
        if node.get("class") == "tick" and node.get("text-anchor") == which
    }


def value_at(svg: ET.Element, pixel: float, which: str = "middle") -> float:
    """What the printed axis says that a pixel means: an independent inverse of the scale."""
    known = sorted((float(text), at) for text, at in axis(svg, which).items() if text != "epoch")
    (low, x0), (high, x1) = known[0], known[-1]
    return low + (pixel - x0) / (x1 - x0) * (high - low)


def styled(svg: ET.Element, style: str) -> ET.Element:
    return next(node for node in svg.iter("g") if node.get("class") == style)


@given(values, values, st.floats(0, 500), st.floats(501, 1000))
def test_a_scale_is_linear_between_its_ends(a: float, b: float, start: float, end: float) -> None:
    low, high = sorted((a, b))
    if high - low < 1e-6:
        return
    scale = Scale(low, high, start, end)
    assert scale(low) == pytest.approx(start)
    assert scale(high) == pytest.approx(end)
    assert scale((low + high) / 2) == pytest.approx((start + end) / 2)


@given(st.lists(values, min_size=1))
def test_a_spanning_scale_holds_every_value_and_zero(some: list[float]) -> None:
    scale = spanning(some, 10, 200, zero=True)
    for value in (*some, 0.0):
        assert 10 - 1e-6 <= scale(value) <= 200 + 1e-6


def test_nothing_stands_below_an_honest_zero() -> None:
    assert spanning([0.1, 0.2], 0, 100, zero=True)(0.0) == 0.0
    assert spanning([], 0, 100)(0.0) == pytest.approx(50)


@given(values, st.floats(1e-3, 1e6), st.integers(2, 8))
def test_ticks_are_few_evenly_spaced_and_inside(low: float, size: float, most: int) -> None:
    found = ticks(low, low + size, most)
    assert len(found) <= most
    assert all(low - size * 1e-6 <= tick <= low + size * (1 + 1e-6) for tick in found)
    gaps = [second - first for first, second in pairwise(found)]
    assert all(gap == pytest.approx(gaps[0], rel=1e-5, abs=1e-9) for gap in gaps)


@pytest.mark.parametrize(
    ("low", "high", "most", "expected"),
    [
        (0.0, 0.11, 4, [0.0, 0.05, 0.1]),
        (-0.03, 0.21, 5, [0.0, 0.05, 0.1, 0.15, 0.2]),
        (1, 36, 6, [10.0, 20.0, 30.0]),
    ],
)
def test_ticks_are_round(low: float, high: float, most: int, expected: list[float]) -> None:
    assert ticks(low, high, most) == pytest.approx(expected)


@WIDTHS
def test_dots_and_ranges_stand_where_the_axis_says(width: float) -> None:
    rows = [
        Row("Teacher", Interval(0.083, 0.072, 0.094), "m-0", "0.0830"),
        Row("Popularity", Interval(0.041), "m-3", "0.0410"),
    ]
    svg = ET.fromstring(row_chart(rows, "Quality", width, lambda value: f"{value:.6g}"))
    first, last = styled(svg, "m-0"), styled(svg, "m-3")
    dot, bar = first.find("circle"), first.find("rect")
    assert dot is not None
    assert bar is not None
    left, extent = float(bar.get("x", "")), float(bar.get("width", ""))
    assert value_at(svg, float(dot.get("cx", ""))) == pytest.approx(0.083, abs=2e-4)
    assert value_at(svg, left) == pytest.approx(0.072, abs=2e-4)
    assert value_at(svg, left + extent) == pytest.approx(0.094, abs=2e-4)
    assert last.find("rect") is None
    assert first.findtext("title") == "Teacher: 0.0830"
    assert svg.get("aria-label") == "Quality"
    assert svg.get("role") == "img"


@WIDTHS
def test_negative_uplifts_stand_left_of_zero(width: float) -> None:
    rows = [
        Row("A", Interval(-0.1, -0.2, 0.0), "t-neutral", ""),
        Row("B", Interval(0.1, 0.05, 0.3), "b", ""),
    ]
    svg = ET.fromstring(row_chart(rows, "Uplift", width, lambda value: f"{value:.6g}"))
    zeros = {float(node.get("x1", "")) for node in svg.iter("line") if node.get("class") == "zero"}
    assert len(zeros) == 1
    places = [float(node.get("cx", "")) for node in svg.iter("circle")]
    assert places[0] < zeros.pop() < places[1]
    assert value_at(svg, places[0]) == pytest.approx(-0.1, abs=2e-3)


@WIDTHS
def test_everything_stays_within_the_drawing(width: float) -> None:
    rows = [
        Row("A name that goes on and on " * 5, Interval(5e5, 1e5, 9e5), "m-0", "500 000"),
        Row("b", Interval(0.0, 0.0, 0.0), "m-1", "0"),
    ]
    svg = ET.fromstring(row_chart(rows, "x", width, lambda value: f"{value:.6g}"))
    height = float(svg.get("height", ""))
    for node in svg.iter():
        for name in ("x", "cx", "x1", "x2"):
            assert -0.01 <= float(node.get(name, "0")) <= width
        for name in ("y", "cy", "y1", "y2"):
            assert -0.01 <= float(node.get(name, "0")) <= height
    names = [node.text or "" for node in svg.iter("text") if node.get("class") == "name"]
    assert names[0].endswith("…")
    assert len(names[0]) < 40
    assert rows[0].label in (styled(svg, "m-0").findtext("title") or "")


def test_names_stand_above_the_marks_only_where_there_is_no_room() -> None:
    wide, narrow = layout(540.0, ["Teacher"]), layout(344.0, ["Teacher"])
    assert wide.caption == wide.marks
    assert narrow.caption < narrow.marks
    assert wide.left > 60
    assert layout(540.0, []).left == 60
    assert layout(540.0, ["x" * 99]).left == 196


@WIDTHS
def test_lines_pass_through_their_points_and_mark_the_best(width: float) -> None:
    points = [(1.0, 0.02), (11.0, 0.09), (21.0, 0.05)]
    svg = ET.fromstring(
        line_chart([Line("Student", points, "m-1", mark_best=True)], "Curve", width, str)
    )
    drawn = styled(svg, "m-1").find("polyline")
    assert drawn is not None
    pixels = [tuple(map(float, pair.split(","))) for pair in drawn.get("points", "").split()]
    for (x, y), (epoch, value) in zip(pixels, points, strict=True):
        assert value_at(svg, x) == pytest.approx(epoch, abs=0.05)
        assert value_at(svg, y, "end") == pytest.approx(value, abs=3e-4)
    dot = styled(svg, "m-1").find("circle")
    assert dot is not None
    assert (float(dot.get("cx", "")), float(dot.get("cy", ""))) == pytest.approx(pixels[1])


def test_a_single_epoch_is_a_dot_and_an_empty_line_nothing() -> None:
    lines = [Line("One", [(1.0, 0.5)], "one"), Line("None", [], "none")]
    svg = ET.fromstring(line_chart(lines, "x", 540.0, str))
    assert styled(svg, "one").find("circle") is not None
    assert not [node for node in svg.iter("g") if node.get("class") == "none"]
    plain = ET.fromstring(line_chart([Line("A", [(1, 1), (2, 2)], "a")], "x", 540.0, str))
    assert styled(plain, "a").find("circle") is None


@WIDTHS
def test_groups_have_a_dot_a_model_where_the_axis_says(width: float) -> None:
    groups = [
        Group(
            "Head",
            "164 cases",
            [Dot("Teacher", 0.1, "m-0", "0.100"), Dot("Student", 0.07, "m-1", "0.0700")],
            "uplift +3 %",
        ),
        Group("Cold", "no case", []),
    ]
    svg = ET.fromstring(row_chart(groups, "Slices", width, lambda value: f"{value:.6g}"))
    for style, value in (("m-0", 0.1), ("m-1", 0.07)):
        dot = styled(svg, style).find("circle")
        assert dot is not None
        assert value_at(svg, float(dot.get("cx", ""))) == pytest.approx(value, abs=3e-4)
    titles = [node.text for node in svg.iter("title")]
    assert titles == ["Head uplift +3 %", "Head, Student: 0.0700", "Head, Teacher: 0.100", "Cold"]
    assert len(list(svg.iter("circle"))) == 2


def test_text_from_the_data_cannot_leave_its_element() -> None:
    evil = '</text><script>alert("1")</script>'
    text = drawing(10.0, 10, evil, [element("text", evil, data_name=evil, x=1.23456, hidden=None)])
    svg = ET.fromstring(text)
    assert "<script" not in text
    assert svg.get("aria-label") == evil
    child = svg[0]
    assert (child.text, child.get("data-name"), child.get("x")) == (evil, evil, "1.23")
    assert "hidden" not in child.attrib
