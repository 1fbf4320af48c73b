"""The page as text, and the report as files."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recdistill.errors import MissingExtraError
from recdistill.evaluation.report import glossary
from recdistill.evaluation.report.cautions import cautions
from recdistill.evaluation.report.choosing import choosing
from recdistill.evaluation.report.comparison import comparison
from recdistill.evaluation.report.costs import costs
from recdistill.evaluation.report.effort import effort
from recdistill.evaluation.report.examples import examples
from recdistill.evaluation.report.facts import facts
from recdistill.evaluation.report.inheritance import inheritance
from recdistill.evaluation.report.learning import learning
from recdistill.evaluation.report.outcomes import outcomes
from recdistill.evaluation.report.protocol import protocol
from recdistill.evaluation.report.reading import part
from recdistill.evaluation.report.reasons import told
from recdistill.evaluation.report.slices import slices
from recdistill.evaluation.report.story import Story
from recdistill.evaluation.report.tiles import tiles
from recdistill.evaluation.report.verdict import verdict
from recdistill.files import write_json, write_text

if TYPE_CHECKING:
    from jinja2 import Environment

_TEMPLATES = "templates"


def render(metrics: Mapping[str, Any], story: Story) -> str:
    """One self-contained HTML page.

    Args:
        metrics: the content of `metrics.json`; every part but `models` may be absent.
        story: everything else that the page shows.

    Returns:
        HTML without any reference to the outside: styles, script and charts are within.

    Raises:
        MissingExtraError: jinja2 is not installed.
    """
    return (
        environment()
        .get_template("report.html.j2")
        .render(**_views(metrics, story), **assets(), story=story, ideas=glossary.IDEAS)
    )


def save_report(folder: Path, metrics: Mapping[str, Any], story: Story) -> Path:
    """Write `report.html` and `metrics.json` into `folder`, each whole or not at all.

    Returns:
        The path of the page.

    Raises:
        MissingExtraError: jinja2 is not installed.
        StorageError: the disk refused.
    """
    page = render(metrics, story)
    write_json(folder / "metrics.json", metrics)
    write_text(folder / "report.html", page)
    return folder / "report.html"


def _views(metrics: Mapping[str, Any], story: Story) -> dict[str, Any]:
    judged = verdict(metrics)
    return {
        "verdict": judged,
        "warnings": cautions(metrics, story.warnings, judged.metric),
        "tiles": tiles(metrics, judged.metric),
        "comparison": comparison(metrics, judged.metric),
        "slices": slices(metrics, judged.metric),
        "learning": learning(story.curves),
        "inheritance": inheritance(
            part(metrics, "agreement"), part(metrics, "inheritance"), judged.metric
        ),
        "outcomes": outcomes(part(metrics, "outcomes")),
        "choosing": choosing(story.choice),
        "costs": costs(metrics),
        "effort": effort(metrics),
        "examples": examples(story.examples),
        "reasons": told(story.reasons),
        "protocol": protocol(metrics),
        "dataset": facts(part(metrics, "dataset")),
        "surroundings": facts(story.environment),
        "notes": metrics.get("notes", ()),
    }


def assets() -> dict[str, str]:
    """What every page carries within: its style, its script, and the hash that lets it run."""
    script = _read("report.js")
    digest = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
    return {"style": _read("report.css"), "script": script, "script_hash": f"sha256-{digest}"}


def _read(name: str) -> str:
    return (files("recdistill.evaluation.report") / _TEMPLATES / name).read_text(encoding="utf-8")


def environment() -> Environment:
    """Where templates of pages are found and filled.

    Raises:
        MissingExtraError: jinja2 is not installed.
    """
    try:
        from jinja2 import Environment, FunctionLoader, StrictUndefined
    except ImportError as error:
        raise MissingExtraError("The report page", "report") from error
    # Autoescape everywhere: titles come from other people's data. `safe` marks only our own files
    # and SVG that was built as a tree.
    return Environment(
        autoescape=True,
        loader=FunctionLoader(_read),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
