"""`config`: what can be configured, and what a configuration resolves to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Look at configurations.")


@app.command()
def schema() -> None:
    """Print the JSON Schema of a configuration, for editors and checks.

    Example: `recdistill config schema > recdistill.schema.json`
    """
    from recdistill.config.tree import RunConfig

    typer.echo(json.dumps(RunConfig.model_json_schema(), indent=2))


@app.command()
def show(
    path: Annotated[Path, typer.Argument(help="A configuration (YAML).")],
    assignments: Annotated[
        list[str] | None, typer.Option("--set", help="Override a setting: `a.b=c`.")
    ] = None,
) -> None:
    """Print a configuration with every default filled in.

    Example: `recdistill config show recipes/quickstart.yaml --set student.width=32`
    """
    from recdistill.config.tree import load_config, to_yaml

    typer.echo(to_yaml(load_config(path, assignments or [])), nl=False)
