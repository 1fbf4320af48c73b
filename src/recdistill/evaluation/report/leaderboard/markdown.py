"""The leaderboard as Markdown, for a repository or a pull request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from recdistill.evaluation.report.leaderboard.columns import Cell, Line, board
from recdistill.evaluation.report.leaderboard.method import method


def markdown(content: Mapping[str, Any]) -> str:
    """The sentence, the table, and how it was measured."""
    found = board(content)
    titles = ["", "Technique", *(column.title for column in found.columns)]
    rows = [titles, ["--:", "---", *("--:" for _ in found.columns)], *map(_row, found.lines)]
    steps = [f"- **{step.name}.** {step.text}" for step in method(content)]
    table = [f"| {' | '.join(row)} |" for row in rows]
    name = content["dataset"].get("name", "")
    title = f"# Techniques on {_plain(str(name))}"
    return "\n".join(
        [title, "", _plain(content["verdict"]["sentence"]), "", *table, "", *steps, ""]
    )


def _row(line: Line) -> list[str]:
    name = _plain(line.label)
    return [line.rank, name if line.rank else f"*{name}*", *map(_cell, line.cells)]


def _cell(cell: Cell) -> str:
    return f"{cell.value} ({cell.detail})" if cell.detail else cell.value


def _plain(text: str) -> str:
    """Text that Markdown takes as it stands."""
    for mark in ("\\", "|", "*", "_", "`", "<", "["):
        text = text.replace(mark, f"\\{mark}")
    return text.replace("\n", " ")
