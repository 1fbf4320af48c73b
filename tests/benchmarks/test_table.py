"""The page of claims: what changes, what stays, what is refused."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
RECORD: dict[str, Any] = {
    "environment": {
        "processor": "Abacus", "cores": 2, "memory_gb": 4.0, "system": "Wood 1", "python": "3.11",
        "packages": {"torch": "2.0"},
    },
    "size": "small",
    "commit": "abc+",
    "claims": [
        {"claim": "fast", "value": 9.87654, "target": 9, "bound": "at least", "holds": True},
        {"claim": "light", "value": 2.0, "target": 1.5, "bound": "at most", "holds": False},
    ],
}  # fmt: skip


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setattr(sys, "path", [str(BENCHMARKS), *sys.path])
    return runpy.run_path(str(BENCHMARKS / "table.py"))


def test_claims_are_shown_with_their_outcome(table: dict[str, Any]) -> None:
    lines = table["section"]("training", RECORD).splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[-2:]]
    assert cells == [
        ["fast", "9.877", "at least 9", "yes"],
        ["light", "2", "at most 1.5", "**no**"],
    ]
    assert "`abc+`" in lines[2]
    assert "Abacus" in lines[2]


def test_prose_around_the_markers_stays(table: dict[str, Any]) -> None:
    begin, end = table["BEGIN"], table["END"]
    found = table["rewritten"](f"above\n{begin}\nold\n{end}\nbelow\n", "new")
    assert found == f"above\n{begin}\n\nnew\n\n{end}\nbelow\n"
    assert table["rewritten"](found, "new") == found


@pytest.mark.parametrize("page", ["", "{b}", "{e}{b}", "{b}{b}{e}", "{b}{e}{e}"])
def test_unclear_markers_are_refused(table: dict[str, Any], page: str) -> None:
    with pytest.raises(SystemExit, match="each once"):
        table["rewritten"](page.format(b=table["BEGIN"], e=table["END"]), "new")
