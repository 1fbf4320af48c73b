"""The scatter chart, read back: dots against values, names against each other."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recdistill.evaluation.report.charts.labels import LONGEST, Box, Labels
from recdistill.evaluation.report.charts.scatter import Axis, Level, Point, scatter_chart

SIZES = pytest.mark.parametrize("width", [540.0, 344.0])
HEIGHT, RADIUS = 380.0, 6.0
places = st.tuples(st.floats(60, 480), st.floats(20, 320))
names = st.text("abcdefgh-", min_size=1, max_size=LONGEST)


def drawn(points: list[Point], levels: list[Level], width: float = 540.0) -> ET.Element:
    axis = Axis("quantity", lambda value: f"{value:.6g}")
    return ET.fromstring(scatter_chart(points, levels, "Scatter", width, axis, axis, HEIGHT))


def labels(svg: ET.Element) -> list[ET.Element]:
    return [node for node in svg.iter("text") if node.get("class") == "label"]


def box(node: ET.Element) -> Box:
    """Where a label's letters are, at half the width that the chart reserves: fonts are narrower."""
    x, y = float(node.get("x", "")), float(node.get("y", ""))
    half = 3.3 * len(node.text or "")
    return Box(x - half, y - 7, x + half, y + 7)


def ticks(svg: ET.Element, anchor: str, place: str) -> list[tuple[float, float]]:
    found = [
        node
        for node in svg.iter("text")
        if node.get("class") == "tick" and node.get("text-anchor") == anchor
    ]
    numbers = [node for node in found if (node.text or "").replace(".", "").isdigit()]
    return sorted((float(node.text or ""), float(node.get(place, ""))) for node in numbers)


@SIZES
def test_dots_and_levels_stand_where_the_axes_say(width: float) -> None:
    points = [Point("a", 1.0, 0.08, "t-better", "x"), Point("b", 3.0, 0.02, "t-worse", "y")]
    svg = drawn(points, [Level("Teacher", 0.1, "m-0")], width)
    (x0, px0), *_, (x1, px1) = ticks(svg, "middle", "x")
    (y0, py0), *_, (y1, py1) = ticks(svg, "end", "y")
    dots = {
        group.findtext("title"): group.find("circle")
        for group in svg.iter("g")
        if group.find("circle") is not None
    }
    for point in points:
        circle = dots[f"{point.label}: {point.written}"]
        assert circle is not None
        x = x0 + (float(circle.get("cx", "")) - px0) / (px1 - px0) * (x1 - x0)
        y = y0 + (float(circle.get("cy", "")) - py0) / (py1 - py0) * (y1 - y0)
        assert (x, y) == pytest.approx((point.x, point.y), abs=0.01)
    level = next(node for node in svg.iter("line") if node.get("class") == "level")
    height = y0 + (float(level.get("y1", "")) - py0) / (py1 - py0) * (y1 - y0)
    assert height == pytest.approx(0.1, abs=1e-3)
    assert level.get("y1") == level.get("y2")


@given(st.lists(st.tuples(places, names), min_size=1, max_size=25))
def test_names_never_meet_and_never_leave(crowd: list[tuple[tuple[float, float], str]]) -> None:
    area, dots = Box(50, 0, 500, 340), [dot for dot, _ in crowd]
    board = Labels(area, dots, RADIUS)
    found = [board.beside(dot, (name, "7")) for dot, name in crowd]
    boxes = [box(node) for node in found if node is not None]
    assert not any(one.meets(other) for i, one in enumerate(boxes) for other in boxes[:i])
    assert all(area.holds(one) for one in boxes)
    around = [Box(x - RADIUS, y - RADIUS, x + RADIUS, y + RADIUS) for x, y in dots]
    assert not any(one.meets(dot) for one in boxes for dot in around)


def test_a_name_without_room_gives_way_to_the_next_and_then_to_nothing() -> None:
    board = Labels(Box(0, 0, 200, 40), [(100, 20)], RADIUS)
    assert getattr(board.beside((100, 20), ("x" * (LONGEST + 1), "12")), "text", "") == "12"
    tight = Labels(Box(90, 10, 110, 30), [(100, 20)], RADIUS)
    assert tight.beside((100, 20), ("name", "12")) is None


def test_a_level_is_named_where_it_covers_nothing() -> None:
    area = Box(0, 0, 300, 100)
    free = Labels(area, [], RADIUS).along("Teacher", 50)
    assert (box(free).right, box(free).bottom) == pytest.approx((300, 47), abs=1.5)
    above = [(280.0, 40.0)]
    assert box(Labels(area, above, RADIUS).along("Teacher", 50)).top > 50
    crowded = [(280.0, 40.0), (280.0, 60.0)]
    assert box(Labels(area, crowded, RADIUS).along("Teacher", 50)).left < 20


@SIZES
def test_a_crowd_stays_within_the_drawing(width: float) -> None:
    points = [
        Point(
            f"p{at}", 1 + 0.01 * at, 0.05 + 0.0001 * at, "t-neutral", "x", (f"name-{at}", f"{at}")
        )
        for at in range(30)
    ]
    svg = drawn(points, [Level("Student, not distilled", 0.05, "m-2")], width)
    assert len(list(svg.iter("circle"))) == 30
    shown = [box(node) for node in labels(svg)]
    assert 3 < len(shown) <= 31
    assert all(one.left >= 0 and one.right <= width for one in shown)


def test_dots_of_references_go_without_a_name() -> None:
    assert labels(drawn([Point("twin", 1.0, 0.1, "m-2", "x")], [])) == []
