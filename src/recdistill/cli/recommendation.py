"""`recommend`: ask a bundle, without torch."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from recdistill.errors import ConfigError
from recdistill.texts import line

if TYPE_CHECKING:
    import polars as pl


class Format(StrEnum):
    """How recommendations are printed."""

    table = "table"
    json = "json"
    csv = "csv"


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command(
        "recommend",
        help=(
            "Recommend from a bundle.\n\n"
            'Example: `recdistill recommend runs/quickstart/bundle --history "50 181 172" -k 10`'
        ),
    )(recommend)


def recommend(
    bundle: Annotated[Path, typer.Argument(help="The bundle's folder.")],
    history: Annotated[
        list[str],
        typer.Option(
            help="Item ids, oldest first, separated by spaces or commas, or as a JSON list. May be repeated."
        ),
    ],
    k: Annotated[int, typer.Option("-k", min=1, help="How many items.")] = 10,
    candidates: Annotated[
        str | None, typer.Option(help="Recommend only among these item ids.")
    ] = None,
    include_seen: Annotated[
        bool, typer.Option("--include-seen", help="Allow items of the history.")
    ] = False,
    output: Annotated[Format, typer.Option("--format", help="How to print.")] = Format.table,
) -> None:
    """Print the best items for each history."""
    from recdistill.bundle.loading import load_bundle

    loaded = load_bundle(bundle)
    histories = [parse_ids(text) for text in history]
    frame = loaded.recommend(
        histories,
        k=k,
        filter_seen=not include_seen,
        candidates=parse_ids(candidates) if candidates is not None else None,
    )
    if len(loaded.reasons):
        frame = loaded.explained(histories, frame)
    titles = loaded.items.select("item_id", *[c for c in ("title",) if c in loaded.items.columns])
    typer.echo(
        _printed(frame.join(titles, on="item_id", how="left", maintain_order="left"), output)
    )


def parse_ids(text: str) -> list[str]:
    """Item ids from `"50 181"`, `"50,181"` or `'["50", "181"]'`.

    Raises:
        ConfigError: it looks like JSON and is not a list of ids.
    """
    if not text.lstrip().startswith("["):
        return text.replace(",", " ").split()
    try:
        values = json.loads(text)
    except json.JSONDecodeError as error:
        raise ConfigError(f"The list of ids is not valid JSON: {error}.") from None
    return [str(value) for value in values]


def _printed(frame: pl.DataFrame, output: Format) -> str:
    if output is Format.csv:
        return frame.write_csv().rstrip("\n")
    if output is Format.json:
        return json.dumps(frame.to_dicts(), ensure_ascii=False, indent=2)
    return _table(frame)


def _table(frame: pl.DataFrame) -> str:
    """For people at a terminal, which must not do what a title says."""
    many = frame["user_id"].n_unique() > 1
    lines = list[str]()
    for row in frame.to_dicts():
        owner = f"{row['user_id']:>6} " if many else ""
        what = f"{line(str(row['item_id'])):<12} {line(row.get('title') or '')}".rstrip()
        lines.append(f"{owner}{row['rank']:>4}  {row['score']:>9.4f}  {what}")
        if row.get("why"):
            lines.append(f"{' ' * len(owner)}{'':17}why: {line(row['why'])}")
    return "\n".join(lines)
