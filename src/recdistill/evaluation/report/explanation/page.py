"""The explanation as files: for programs and for people."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from recdistill.evaluation.report import wording
from recdistill.evaluation.report.explanation.figures import leads, quality
from recdistill.evaluation.report.explanation.finding import finding
from recdistill.evaluation.report.explanation.method import method
from recdistill.evaluation.report.explanation.tables import pairs, sharpness, terms
from recdistill.evaluation.report.facts import facts
from recdistill.evaluation.report.inheritance import inheritance
from recdistill.evaluation.report.page import assets, environment
from recdistill.evaluation.report.reading import number, part
from recdistill.evaluation.report.recipe import recipe_text
from recdistill.files import write_json, write_text


def render(content: Mapping[str, Any]) -> str:
    """One self-contained HTML page.

    Args:
        content: of `explanation.json`.

    Returns:
        HTML without any reference to the outside.

    Raises:
        MissingExtraError: jinja2 is not installed.
    """
    metric = str(content["metric"])
    return (
        environment()
        .get_template("explanation.html.j2")
        .render(
            title=part(content, "dataset").get("name", ""),
            verdict=finding(content),
            advice=content["advice"],
            quality=quality(content),
            contests=_contests(content),
            leads=leads(content),
            inheritance=inheritance(part(content, "agreement"), _further(content), metric),
            sharpness=sharpness(content),
            terms=terms(content),
            pairs_of_terms=pairs(content),
            protocol=method(content),
            dataset=facts(part(content, "dataset")),
            recipe=recipe_text(part(content, "recipe")),
            **assets(),
        )
    )


def save_explanation(folder: Path, content: Mapping[str, Any]) -> Path:
    """Write `explanation.json` and `explanation.html` into `folder`.

    Returns:
        The path of the page.

    Raises:
        MissingExtraError: jinja2 is not installed.
        StorageError: the disk refused.
    """
    page = render(content)
    write_json(folder / "explanation.json", content)
    write_text(folder / "explanation.html", page)
    return folder / "explanation.html"


def _further(content: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What is known of each model beside its lists."""
    trees = (
        part(content, "likeness"),
        part(content, "calibration"),
        part(content, "generalisation", "models"),
    )
    roles = dict.fromkeys(role for tree in trees for role in tree)
    return {role: {n: v for tree in trees for n, v in part(tree, role).items()} for role in roles}


def _contests(content: Mapping[str, Any]) -> str:
    worse, better = (
        wording.percent(number(content, "contests", name) or 0.0) for name in ("worse", "better")
    )
    return (
        f"Case by case, the teacher ranks the right answer above the undistilled student in {better} of the cases, "
        f"and below it in {worse}."
    )
