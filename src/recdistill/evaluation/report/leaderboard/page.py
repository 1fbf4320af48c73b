"""The leaderboard as files: for programs, for repositories, and for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recdistill.evaluation.report import wording
from recdistill.evaluation.report.effort import effort
from recdistill.evaluation.report.facts import facts
from recdistill.evaluation.report.leaderboard.columns import board
from recdistill.evaluation.report.leaderboard.figures import figures
from recdistill.evaluation.report.leaderboard.finding import finding
from recdistill.evaluation.report.leaderboard.markdown import markdown
from recdistill.evaluation.report.leaderboard.method import method, warnings
from recdistill.evaluation.report.page import assets, environment
from recdistill.evaluation.report.reading import TWIN, model_label, part
from recdistill.evaluation.report.recipe import recipe_text
from recdistill.files import write_json, write_text


@dataclass(frozen=True)
class Method:
    """A technique's recipe as text, and what training advised of it."""

    name: str
    recipe: str
    notes: tuple[str, ...] = ()


def render(content: Mapping[str, Any]) -> str:
    """One self-contained HTML page.

    Args:
        content: of `leaderboard.json`.

    Returns:
        HTML without any reference to the outside.

    Raises:
        MissingExtraError: jinja2 is not installed.
    """
    return (
        environment()
        .get_template("leaderboard.html.j2")
        .render(
            title=part(content, "dataset").get("name", ""),
            verdict=finding(content),
            warnings=warnings(content),
            figures=figures(content),
            board=board(content),
            protocol=method(content),
            recipes=_recipes(content),
            dataset=facts(part(content, "dataset")),
            effort=effort(content),
            **assets(),
        )
    )


def save_leaderboard(folder: Path, content: Mapping[str, Any]) -> Path:
    """Write `leaderboard.json`, `leaderboard.md` and `leaderboard.html` into `folder`.

    Returns:
        The path of the page.

    Raises:
        MissingExtraError: jinja2 is not installed.
        StorageError: the disk refused.
    """
    page = render(content)
    write_json(folder / "leaderboard.json", content)
    write_text(folder / "leaderboard.md", markdown(content))
    write_text(folder / "leaderboard.html", page)
    return folder / "leaderboard.html"


def _recipes(content: Mapping[str, Any]) -> list[Method]:
    """Those of the techniques, best first, and that of the twin."""
    twin = part(content, "references", TWIN)
    return [
        *(
            Method(one["name"], recipe_text(one["recipe"]), (*one["notes"], *_tried(one)))
            for one in content["ranking"]
        ),
        Method(model_label(TWIN), recipe_text(part(twin, "recipe")), tuple(_tried(twin))),
    ]


def _tried(entry: Mapping[str, Any]) -> Iterator[str]:
    """What tuning tried, in a sentence, if it did."""
    if tuning := part(entry, "tuning"):
        trials, finals = (_values(tuning[kind]) for kind in ("trials", "finals"))
        yield f"Tuned: {tuning['chosen']}. NDCG@10 on validation of the trials: {trials}; in full: {finals}."


def _values(measured: Sequence[Mapping[str, Any]]) -> str:
    return ", ".join(
        f"{one['what']} ({wording.significant(one['validation'])})" for one in measured
    )
