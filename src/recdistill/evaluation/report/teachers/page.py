"""The judgement as files: for programs and for people."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from recdistill.evaluation.report.facts import facts
from recdistill.evaluation.report.page import assets, environment
from recdistill.evaluation.report.reading import model_label, part
from recdistill.evaluation.report.slices import slices
from recdistill.evaluation.report.teachers.figures import judges, quality
from recdistill.evaluation.report.teachers.finding import finding
from recdistill.evaluation.report.teachers.method import method
from recdistill.evaluation.report.teachers.tables import agreement, beside_chance, costs, where
from recdistill.files import write_json, write_text


def render(content: Mapping[str, Any]) -> str:
    """One self-contained HTML page.

    Args:
        content: of `teachers.json`.

    Returns:
        HTML without any reference to the outside.

    Raises:
        MissingExtraError: jinja2 is not installed.
    """
    return (
        environment()
        .get_template("teachers.html.j2")
        .render(
            title=part(content, "dataset").get("name", ""),
            verdict=finding(content),
            warnings=_remarks(content),
            quality=quality(content),
            chance=beside_chance(content),
            judges=judges(content),
            slices=slices(content, str(content["metric"])),
            where=where(content),
            agreement=agreement(content),
            costs=costs(content),
            protocol=method(content),
            dataset=facts(part(content, "dataset")),
            **assets(),
        )
    )


def save_judgement(folder: Path, content: Mapping[str, Any]) -> Path:
    """Write `teachers.json` and `teachers.html` into `folder`.

    Returns:
        The path of the page.

    Raises:
        MissingExtraError: jinja2 is not installed.
        StorageError: the disk refused.
    """
    page = render(content)
    write_json(folder / "teachers.json", content)
    write_text(folder / "teachers.html", page)
    return folder / "teachers.html"


def _remarks(content: Mapping[str, Any]) -> tuple[str, ...]:
    """What holds for all teachers, then what each one's fitting found out."""
    own = (
        f"{model_label(role)}: {remark}"
        for role, one in part(content, "teachers").items()
        for remark in one.get("remarks", ())
    )
    return tuple(dict.fromkeys((*content.get("remarks", ()), *own)))
