"""`compress`: smaller students of a run, side by side."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from recdistill.cli.stages import Assignments, Device, Into, Quiet, Target, Threads


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command("compress")(compress)


def compress(
    target: Target,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print everything that was measured.")
    ] = False,
    into: Into = None,
    assignments: Assignments = None,
    device: Device = None,
    threads: Threads = None,
    quiet: Quiet = False,
) -> None:
    """Prune and quantise the students, teach them on, and show what each form is worth and takes.

    Quality on validation, size and time of every form, which are worth having, and the knee of these. What loses
    more than `compression.tolerance` is refused, here and by `export`.

    Example: `recdistill compress runs/quickstart --set compression.tolerance=0.01`
    """
    from recdistill.evaluation.report.lessening import table
    from recdistill.pipeline.pipeline import open_pipeline

    pipeline = open_pipeline(
        target, into, assignments or [], device=device, threads=threads, quiet=quiet or as_json
    )
    with pipeline.folder.locked():
        content = pipeline.compress()
    if as_json:
        typer.echo(json.dumps(content, indent=2, ensure_ascii=False))
        return
    typer.echo(f"\n{table(content)}\n\n{content['verdict']['sentence']}")
    for name, why in content["unmade"].items():
        typer.echo(f"{name} cannot leave: {why}")
    typer.echo(f"\n  compression  {pipeline.compression_file}")
