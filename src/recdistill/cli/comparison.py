"""`compare`: many techniques on one dataset, one teacher's signals and one budget."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from recdistill.cli.printing import say
from recdistill.cli.stages import Assignments, Device, Quiet, Threads
from recdistill.errors import ConfigError

if TYPE_CHECKING:
    from recdistill.distill.tuning import Budget


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
    trials: Annotated[
        int | None,
        typer.Option(help="Tune every recipe, and the undistilled student, with so many trials."),
    ] = None,
    share: Annotated[
        float | None,
        typer.Option(help="How much of the epochs a trial takes; a quarter by default."),
    ] = None,
    assignments: Assignments = None,
    device: Device = None,
    threads: Threads = None,
    quiet: Quiet = False,
) -> None:
    """Rank techniques against the undistilled student, corrected for how many were tried.

    Data, teacher, signals and the undistilled student are made once. Recipes are compared as written, or, with
    --trials, each at its best on validation. Resumable; nothing unchanged is redone.

    Example: `recdistill compare recipes/techniques/*.yaml --trials 6`
    """
    from recdistill.pipeline.contest import open_contest
    from recdistill.pipeline.pipeline import circumstances

    run, budget = circumstances(device, threads, quiet), _budget(trials, share)
    contest = open_contest(recipes, into, assignments or [], run, budget)
    with contest.pipeline.folder.locked():
        content = contest.judge()
    say(f"\n{content['verdict']['sentence']}")
    say(f"  leaderboard  {contest.page}")


def _budget(trials: int | None, share: float | None) -> Budget | None:
    """The budget that the options name.

    Raises:
        ConfigError: they name none that could be spent.
    """
    from recdistill.distill.tuning import Budget

    if trials is None:
        if share is None:
            return None
        raise ConfigError(
            "--share says how long a trial is, but there are none.", "Add --trials 6."
        )
    if trials < 1:
        raise ConfigError(f"--trials {trials} leaves nothing to try.", "Give 1 or more.")
    if share is None:
        return Budget(trials=trials)
    if not 0 < share <= 1:
        raise ConfigError(
            f"--share {share:g} is no share of the epochs.", "Give more than 0 and at most 1."
        )
    return Budget(trials=trials, share=share)
