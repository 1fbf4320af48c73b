"""`teachers`: what the teacher of a run is worth, beside others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from recdistill.cli.printing import say
from recdistill.cli.stages import Assignments, Device, Into, Quiet, Target, Threads


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command("teachers")(teachers)


def teachers(
    target: Target,
    others: Annotated[
        list[Path] | None,
        typer.Option(
            "--with",
            help="A configuration (or run folder) whose teacher is judged too, fitted on the same data. Repeatable.",
        ),
    ] = None,
    cases: Annotated[
        int | None, typer.Option(min=1, help="Ask about so many validation cases at most.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print everything that was measured.")
    ] = False,
    into: Into = None,
    assignments: Assignments = None,
    device: Device = None,
    threads: Threads = None,
    quiet: Quiet = False,
) -> None:
    """Judge the teacher, its members and others on validation; who is near-random is called so.

    Quality, in-catalogue rate, calibration, agreement, position bias, cost, by slice. The test stays closed.

    Example: `recdistill teachers runs/quickstart --with recipes/techniques/base.yaml`
    """
    from recdistill.evaluation.report.teachers import table
    from recdistill.pipeline.pipeline import open_pipeline

    pipeline = open_pipeline(
        target, into, assignments or [], device=device, threads=threads, quiet=quiet or as_json
    )
    with pipeline.folder.locked():
        content = pipeline.judge(others or (), cases)
    if as_json:
        typer.echo(json.dumps(content, indent=2, ensure_ascii=False))
        return
    say(f"\n{table(content)}\n\n{content['verdict']['sentence']}")
    say(f"\n  judgement  {pipeline.judgement_file}")
