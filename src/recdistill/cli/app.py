"""The command line: every verb, and what becomes of an error."""

from __future__ import annotations

import errno
import sys
import tempfile
import traceback
from pathlib import Path

import typer

from recdistill import __version__
from recdistill.cli import (
    bundles,
    comparison,
    compression,
    configuration,
    data,
    ledger,
    recommendation,
    serve,
    stages,
    teachers,
)
from recdistill.cli.printing import say
from recdistill.errors import RecDistillError, StorageError

INTERRUPTED = 130
INTERNAL_ERROR = 70

app = typer.Typer(
    name="recdistill",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
    help=(
        "Distil large language models into recommenders small enough to serve anywhere, "
        "and prove that it was worth it."
    ),
    epilog=(
        "Exit codes: 0 done, 2 wrong configuration or arguments, 3 data, 4 signals, 5 checkpoints and "
        "models, 6 bundle, 7 disk, 8 missing packages, 9 divergence, 10 endpoint, 70 internal "
        "error, 130 stopped by the user."
    ),
)
stages.register(app)
teachers.register(app)
comparison.register(app)
compression.register(app)
recommendation.register(app)
serve.register(app)
app.add_typer(data.app, name="data")
app.add_typer(bundles.app, name="bundle")
app.add_typer(configuration.app, name="config")
app.add_typer(ledger.app, name="ledger")


def _print_version(wanted: bool | None) -> None:
    if wanted:
        say(__version__)
        raise typer.Exit


@app.callback()
def _options(  # pyright: ignore[reportUnusedFunction]
    version: bool | None = typer.Option(
        None, "--version", callback=_print_version, is_eager=True, help="Print the version."
    ),
) -> None:
    del version


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit; errors made to be read never show a traceback."""
    sys.exit(run(arguments))


def run(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    try:
        app(args=arguments)
    except SystemExit as finished:
        return _explain(finished.code)
    except KeyboardInterrupt:
        return _explain(INTERRUPTED)
    except RecDistillError as error:
        return _tell(error)
    except OSError as error:
        return _tell_storage(error)
    except Exception as error:
        return _tell_crash(error)
    return 0


def _explain(code: object) -> int:
    """The exit code of a command that ended by itself; being stopped is told, since work goes on later."""
    if code == INTERRUPTED:
        _say("Stopped. What was finished is kept; the same command goes on from there.")
    return code if isinstance(code, int) else 0


def _tell(error: RecDistillError) -> int:
    _say(f"Error: {error}")
    return error.exit_code


def _tell_storage(error: OSError) -> int:
    if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EFBIG}:
        place = f" ({error.filename})" if error.filename else ""
        return _tell(
            StorageError(
                f"The disk refused a write{place}: {error.strerror}.",
                "Free some space and run the same command again; finished stages are kept.",
            )
        )
    return _tell_crash(error)


def _tell_crash(error: Exception) -> int:
    """An error nobody foresaw: short for the person, whole in a file for whoever mends it."""
    with tempfile.NamedTemporaryFile(
        "w", prefix="recdistill-crash-", suffix=".txt", delete=False, encoding="utf-8"
    ) as stream:
        traceback.print_exception(error, file=stream)
    _say(
        f"Internal error: {type(error).__name__}: {error}\n"
        f"  This is a fault of RecDistill. Please report it with the details in {Path(stream.name)}"
    )
    return INTERNAL_ERROR


def _say(text: str) -> None:
    say(text, err=True)
