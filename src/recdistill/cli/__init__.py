"""The verbs, one small module each; heavy imports wait until a verb needs them."""

from __future__ import annotations


def main() -> None:
    """The entry point of the `recdistill` command."""
    from recdistill.cli.app import main as run_and_exit

    run_and_exit()
