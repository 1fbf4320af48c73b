"""`compare`: many techniques on one dataset, one teacher's signals and one budget."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from recdistill.cli.stages import Assignments, Device, Quiet, Threads


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command("compare")(compare)


def compare(
    recipes: Annotated[
        list[Path],
        typer.Argument(help="Configurations (YAML) that differ in nothing but their `recipe`."),
    ],
    into: Annotated[Path, typer.Option(help="The folder that holds everything.")] = Path(
        "runs/compare"
    ),
    assignments: Assignments = None,
    device: Device = None,
    threads: Threads = None,
    quiet: Quiet = False,
) -> None:
    """Rank techniques against the undistilled student, corrected for how many were tried.

    Data, teacher, signals and the undistilled student are made once. Resumable; nothing unchanged is redone.

    Example: `recdistill compare recipes/techniques/*.yaml`
    """
    from recdistill.pipeline.contest import open_contest
    from recdistill.pipeline.pipeline import circumstances

    contest = open_contest(recipes, into, assignments or [], circumstances(device, threads, quiet))
    with contest.pipeline.folder.locked():
        content = contest.judge()
    typer.echo(f"\n{content['verdict']['sentence']}")
    typer.echo(f"  leaderboard  {contest.page}")
