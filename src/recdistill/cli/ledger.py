"""`ledger`: what asking endpoints cost, and which answers shall be bought again. It shows no prompt and no answer."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from recdistill.cli.printing import say
from recdistill.errors import ConfigError, nearest

if TYPE_CHECKING:
    from recdistill.asking.ledger import Bill, Customer, Ledger
    from recdistill.asking.mistakes import Mistake

app = typer.Typer(
    no_args_is_help=True, help="Look at what chat endpoints were asked, and what it cost."
)

File = Annotated[
    Path | None,
    typer.Option(
        "--ledger",
        help="The file of answers; by default the one in your cache that all runs share.",
    ),
]


@app.command()
def bill(
    file: File = None,
    accounts: Annotated[
        bool, typer.Option("--accounts", help="Tell accounts (each a teacher's budget) apart.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print what was spent, by endpoint and model.

    Example: `recdistill ledger bill --accounts`
    """
    from recdistill.asking.ledger import bills

    with _opened(file) as ledger:
        found = bills(ledger, accounts)
    if as_json:
        facts = [{**customer._asdict(), **asdict(bill)} for customer, bill in found.items()]
        typer.echo(json.dumps(facts, indent=2, ensure_ascii=False))
    else:
        say("\n".join(_lines(found)))


@app.command()
def reopen(
    errors: Annotated[
        bool,
        typer.Option(
            "--errors", help="Those that are errors: a complaint, or nothing that makes sense."
        ),
    ] = False,
    model: Annotated[str | None, typer.Option(help="Of this model only.")] = None,
    endpoint: Annotated[
        str | None, typer.Option(help="Of this endpoint only, as `ledger bill` names it.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count them.")] = False,
    file: File = None,
) -> None:
    """Forget answers, so that their questions are asked (and paid for) again when a run needs them.

    Example: `recdistill ledger reopen --errors --model gpt-4o-mini`
    """
    from recdistill.asking.mistakes import mistakes

    if not errors:
        raise ConfigError(
            "Nothing says which answers to forget.", "Say --errors for those that are errors."
        )
    with _opened(file) as ledger:
        _require_known(ledger, "model", model)
        _require_known(ledger, "endpoint", endpoint)
        found = list(mistakes(ledger, model, endpoint))
        if not dry_run:
            ledger.reopen(mistake.key for mistake in found)
    for line in _counted(found):
        say(line)
    then = (
        "they would be asked again." if dry_run else "they are asked again when a run needs them."
    )
    say(f"Answers that were errors: {len(found):,}; {then}")


@contextmanager
def _opened(file: Path | None) -> Generator[Ledger, None, None]:
    """The ledger, if there is one: looking does not make it."""
    from recdistill.asking.ledger import Ledger, default_path

    path = file or default_path()
    if not path.is_file():
        raise ConfigError(
            f"There is no ledger {path}.",
            "It is made when a chat endpoint is asked; --ledger names another.",
        )
    with Ledger(path) as ledger:
        yield ledger


def _require_known(ledger: Ledger, column: str, given: str | None) -> None:
    known = [
        row[0]
        for row in ledger.database.rows(f"SELECT DISTINCT {column} FROM questions ORDER BY 1")
    ]
    if given is not None and given not in known:
        raise ConfigError(f"The ledger knows no {column} '{given}'.", nearest(given, known))


def _lines(found: dict[Customer, Bill]) -> Iterator[str]:
    if not found:
        yield "Nothing was asked."
    for customer, bill in found.items():
        account = f" · account {customer.account}" if customer.account else ""
        yield f"{customer.model} at {customer.endpoint}{account}"
        yield (
            f"  {bill.calls:,} calls: {bill.answers:,} answered, {bill.failed:,} turned away, {bill.lost:,} lost"
        )
        yield f"  paid   {bill.paid.tokens:,} tokens, {bill.paid.money:,.6g} in money"
        if bill.maybe.calls:
            yield f"  maybe  {bill.maybe.tokens:,} tokens more, {bill.maybe.money:,.6g} in money, at most"


def _counted(found: Iterable[Mistake]) -> Iterator[str]:
    """How many errors of each sort each model has."""
    sorts = Counter((one.model, one.endpoint, one.status) for one in found)
    for (model, endpoint, status), number in sorted(sorts.items()):
        sort = f"HTTP {status}" if status != 200 else "no sense in the answer"
        yield f"{model} at {endpoint}: {number:,} × {sort}"
