"""How the file of a technique begins."""

from __future__ import annotations

from pathlib import Path


def check_beginning(path: Path, second: str = "# Expect") -> None:
    """A line that says what it is, one that says what to expect, and the base of its folder."""
    about, expected, base, *_ = path.read_text(encoding="utf-8").splitlines()
    assert about.startswith("# ")
    assert expected.startswith(second)
    assert base == "base: base.yaml"
