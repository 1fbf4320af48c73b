"""What is said of a form of a student: its mark as a word and as a colour."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from recdistill.evaluation.report.reading import part


@dataclass(frozen=True)
class Mark:
    """A word for tables, and the class that colours a form on every chart."""

    word: str
    style: str


MARKS: Mapping[str, Mark] = {
    "knee": Mark("Knee", "t-better"),
    "front": Mark("On the front", "m-other"),
    "": Mark("Behind another", "t-unknown"),
    "refused": Mark("Refused", "t-worse"),
}
"""In the order of legends."""


def mark(form: Mapping[str, Any]) -> Mark:
    """That of an entry of `forms`."""
    return MARKS[str(form.get("mark", ""))]


def ordered(content: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The forms: the knee first, then by what they take, the refused last."""
    forms = part(content, "forms")
    places = {"knee": 0, "front": 1, "": 1, "refused": 2}
    yield from sorted(
        forms.items(), key=lambda pair: (places[str(pair[1]["mark"])], -float(pair[1]["bytes"]))
    )
