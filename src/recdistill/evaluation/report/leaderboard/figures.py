"""The charts of the leaderboard: what each technique gained, and what it cost to get there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from recdistill.evaluation.report import wording
from recdistill.evaluation.report.charts.intervals import Row
from recdistill.evaluation.report.charts.rows import row_chart
from recdistill.evaluation.report.charts.scatter import Axis, Level, Point, scatter_chart
from recdistill.evaluation.report.figure import Figure, Key, figure
from recdistill.evaluation.report.glossary import metric_title
from recdistill.evaluation.report.interval import Interval
from recdistill.evaluation.report.leaderboard.columns import everyone, times
from recdistill.evaluation.report.leaderboard.standing import Standing, references
from recdistill.evaluation.report.reading import confidence

_LEGEND = (
    Key("Better than the undistilled student", "t-better"),
    Key("No difference shown", "t-neutral"),
    Key("Worse", "t-worse"),
)


def figures(content: Mapping[str, Any]) -> tuple[Figure, ...]:
    """The charts that the content has numbers for."""
    return tuple(_figures(content))


def _figures(content: Mapping[str, Any]) -> Iterator[Figure]:
    title = metric_title(str(content["metric"]))
    known = [one for one in everyone(content) if one.gain and one.gain.bounds]
    relative = all(one.share for one in known)
    rows = [_row(one, relative) for one in known]
    if rows:
        tick = _percent if relative else _plain
        yield figure(
            f"{title} against the undistilled student",
            f"Dot: measured. Bar: {confidence(content)} interval of this one difference. Coloured only "
            "where the corrected p-value leaves no room for chance.",
            lambda width: row_chart(rows, _spoken(title, rows), width, tick),
            _LEGEND,
        )
    points = [_point(one) for one in everyone(content) if one.cost is not None]
    if points:
        levels = [Level(one.name, one.value, one.style) for one in references(content)]
        spoken = f"{title} and training time: " + "; ".join(
            f"{one.label} {one.written}" for one in points
        )
        yield figure(
            "Quality against training cost",
            "Higher is better, further left is cheaper. Numbers are the ranks of techniques whose names have no room.",
            lambda width: scatter_chart(
                points, levels, spoken, width, Axis("training time, undistilled = 1×", times),
                Axis(title, _plain),
            ),
        )  # fmt: skip


def _row(one: Standing, relative: bool) -> Row:
    found = one.share if relative else one.gain
    value = found or Interval(0.0)
    return Row(one.name, value, one.style, one.moved, one.bounds)


def _point(one: Standing) -> Point:
    """A dot; that of a reference is named by its level."""
    cost = one.cost or 0.0
    written = f"{wording.significant(one.value)}, training {times(cost)}"
    names = () if one.rank is None else (one.name, str(one.rank))
    return Point(one.name, cost, one.value, one.style, written, names)


def _spoken(title: str, rows: list[Row]) -> str:
    return f"{title} against the undistilled student: " + "; ".join(
        f"{row.label} {row.written} ({row.detail})" for row in rows
    )


def _percent(value: float) -> str:
    return wording.percent(value, signed=True) if value else "0"


def _plain(value: float) -> str:
    return f"{value:.6g}".replace("-", wording.MINUS)
