"""What the verbs print: titles, reasons and names are strangers' texts, and a terminal does what it reads."""

from __future__ import annotations

import typer

from recdistill.texts import visible


def say(text: str, *, err: bool = False) -> None:
    """Print lines for people."""
    typer.echo(visible(text), err=err)
