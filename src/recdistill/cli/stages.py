"""`run`, and its stages one at a time: each brings its run folder up to date as far as its name says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from recdistill.cli.printing import say

if TYPE_CHECKING:
    from recdistill.pipeline.pipeline import Pipeline

Target = Annotated[
    Path, typer.Argument(help="A configuration (YAML), or a run folder made from one.")
]
Into = Annotated[
    Path | None,
    typer.Option(help="The run folder; by default `runs/` and the configuration's name."),
]
Assignments = Annotated[
    list[str] | None,
    typer.Option("--set", help="Override a setting: `--set training.epochs=10`. May be repeated."),
]
Device = Annotated[
    str | None, typer.Option(help="`cpu`, `cuda`, `cuda:1`; by default a GPU if any.")
]
Threads = Annotated[int | None, typer.Option(min=1, help="Processor threads to use.")]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        help="Only say what asking the teacher would cost: calls, tokens, price and time.",
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")]


def register(app: typer.Typer) -> None:
    """Add the verbs to the command line."""
    for name, finish, summary, example in _VERBS:
        verb = _label_or_forecast if finish is _label else _verb(finish)
        app.command(name, help=f"{summary}\n\nExample: `recdistill {example}`")(verb)


def _verb(finish: Callable[[Pipeline], None]) -> Callable[..., None]:
    def command(
        target: Target,
        into: Into = None,
        assignments: Assignments = None,
        device: Device = None,
        threads: Threads = None,
        quiet: Quiet = False,
    ) -> None:
        from recdistill.pipeline.pipeline import open_pipeline

        pipeline = open_pipeline(
            target, into, assignments or [], device=device, threads=threads, quiet=quiet
        )
        with pipeline.folder.locked():
            finish(pipeline)

    return command


def _label_or_forecast(
    target: Target,
    into: Into = None,
    assignments: Assignments = None,
    device: Device = None,
    threads: Threads = None,
    quiet: Quiet = False,
    dry_run: DryRun = False,
) -> None:
    verb = _verb(_forecast if dry_run else _label)
    verb(target, into, assignments, device, threads, quiet)


def _forecast(pipeline: Pipeline) -> None:
    nobody = "This teacher asks no endpoint: it costs nothing but time."
    say("\n".join(pipeline.forecast() or [nobody]))


def _run(pipeline: Pipeline) -> None:
    metrics = pipeline.evaluate()
    bundle = pipeline.export()
    say(f"\n{metrics['verdict']['sentence']}")
    for line in pipeline.signals.silences:
        say(line)
    say(f"  report  {pipeline.report_file}")
    say(f"  bundle  {bundle}")


def _label(pipeline: Pipeline) -> None:
    signals = pipeline.signals
    say(f"Signals: {', '.join(signals)} in {signals.folder}")
    for line in (*pipeline.said, *signals.silences):
        say(line)


def _distill(pipeline: Pipeline) -> None:
    best = pipeline.students.best.log
    say(f"Students: {pipeline.folder.path / 'student'} (best validation {best.best or 0:.4f})")


def _evaluate(pipeline: Pipeline) -> None:
    say(f"\n{pipeline.evaluate()['verdict']['sentence']}")
    say(f"  report  {pipeline.report_file}")


def _explain(pipeline: Pipeline) -> None:
    content = pipeline.explain()
    say(f"\n{content['verdict']['sentence']}")
    for one in content["advice"]:
        say(f"\n- {one['finding']}\n  -> {one['change']}")
    say(f"\n  explanation  {pipeline.explanation_file}")


def _export(pipeline: Pipeline) -> None:
    say(f"Bundle: {pipeline.export()}")


_VERBS: list[tuple[str, Callable[[Pipeline], None], str, str]] = [
    (
        "run",
        _run,
        "Do everything: data, teacher, signals, student, report, bundle.",
        "run recipes/quickstart.yaml --set evaluation.seeds=5",
    ),
    (
        "label",
        _label,
        "Fit the teacher and store what it says (resumable).",
        "label recipes/quickstart.yaml",
    ),
    (
        "distill",
        _distill,
        "Train the students, with and without distillation, one a seed.",
        "distill runs/quickstart",
    ),
    (
        "evaluate",
        _evaluate,
        "Compare teacher, student and undistilled student on the test split.",
        "evaluate runs/quickstart",
    ),
    (
        "explain-run",
        _explain,
        "Say why distillation helped or hurt, measured on validation, and what to change.",
        "explain-run runs/quickstart",
    ),
    (
        "export",
        _export,
        "Write the bundle and check that it answers as the student does.",
        "export runs/quickstart",
    ),
]
