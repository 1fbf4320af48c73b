"""Smaller forms as files: for programs and for people."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from recdistill.evaluation.report.facts import facts
from recdistill.evaluation.report.lessening.figures import fronts, losses
from recdistill.evaluation.report.lessening.finding import finding
from recdistill.evaluation.report.lessening.method import method
from recdistill.evaluation.report.lessening.tables import everything, test, test_said
from recdistill.evaluation.report.page import assets, environment
from recdistill.evaluation.report.reading import part
from recdistill.files import write_json, write_text


def render(content: Mapping[str, Any]) -> str:
    """One self-contained HTML page.

    Args:
        content: of `compression.json`.

    Returns:
        HTML without any reference to the outside.

    Raises:
        MissingExtraError: jinja2 is not installed.
    """
    return (
        environment()
        .get_template("compression.html.j2")
        .render(
            title=part(content, "dataset").get("name", ""),
            verdict=finding(content),
            warnings=[f"{name}: {why}" for name, why in part(content, "unmade").items()],
            fronts=fronts(content),
            losses=losses(content),
            everything=everything(content),
            test=test(content),
            test_said=test_said(content),
            protocol=method(content),
            dataset=facts(part(content, "dataset")),
            **assets(),
        )
    )


def save_lessening(folder: Path, content: Mapping[str, Any]) -> Path:
    """Write `compression.json` and `compression.html` into `folder`.

    Returns:
        The path of the page.

    Raises:
        MissingExtraError: jinja2 is not installed.
        StorageError: the disk refused.
    """
    page = render(content)
    write_json(folder / "compression.json", content)
    write_text(folder / "compression.html", page)
    return folder / "compression.html"
