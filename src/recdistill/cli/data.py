"""`data`: prepare a dataset, and look at one before trusting it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from recdistill.cli.printing import say
from recdistill.errors import ConfigError

if TYPE_CHECKING:
    from recdistill.data.configuration import DatasetConfig
    from recdistill.data.dataset import Dataset

app = typer.Typer(no_args_is_help=True, help="Prepare and inspect data.")

Source = Annotated[
    str,
    typer.Argument(
        help="A named source (`movielens-100k`, …), a file or folder of data, or a configuration (YAML)."
    ),
]
Assignments = Annotated[
    list[str] | None,
    typer.Option("--set", help="A setting of the dataset: `--set columns.user_id=customer`."),
]


@app.command()
def prepare(
    source: Source,
    into: Annotated[Path, typer.Option(help="The folder to write.")],
    assignments: Assignments = None,
) -> None:
    """Read, filter, map ids, split and write a dataset folder.

    Example: `recdistill data prepare log.parquet --into data/shop --set columns.user_id=customer`
    """
    from recdistill.data.preparation import load_dataset

    say(describe(load_dataset(dataset_config(source, assignments or []), into=into)))
    say(f"written to      {into}")


@app.command()
def inspect(source: Source, assignments: Assignments = None) -> None:
    """Print what a dataset holds: sizes, times, ties, text, split.

    Example: `recdistill data inspect movielens-100k`
    """
    from recdistill.data.dataset import Dataset
    from recdistill.data.preparation import load_dataset

    folder = Path(source)
    if (folder / "manifest.json").is_file():
        say(describe(Dataset.open(folder)))
    else:
        say(describe(load_dataset(dataset_config(source, assignments or []))))


def dataset_config(source: str, assignments: list[str]) -> DatasetConfig:
    """The dataset section of a configuration file, or one made from a source's name, with overrides.

    Raises:
        ConfigError: a setting does not exist or does not fit.
    """
    from pydantic import ValidationError

    from recdistill.config.located import LocatedYaml
    from recdistill.config.refusals import refusal
    from recdistill.data.configuration import DatasetConfig

    located = LocatedYaml(_section(source), "the command line").override(assignments)
    try:
        return DatasetConfig.model_validate(located.data)
    except ValidationError as error:
        raise refusal(error, DatasetConfig, located) from None


def _section(source: str) -> dict[str, Any]:
    if Path(source).suffix not in {".yaml", ".yml"}:
        return {"source": source}
    from recdistill.config.located import LocatedYaml

    section = LocatedYaml.read(Path(source)).data.get("dataset")
    if not isinstance(section, dict):
        raise ConfigError(f"{source} has no `dataset:` section.")
    return section


def describe(dataset: Dataset) -> str:
    """What a dataset holds, a line each."""
    split = dataset.split
    without = len(dataset.items.without_text()) if dataset.items.template else len(dataset.items)
    events = split.train_events + split.valid_events + split.test_events
    lines = {
        "dataset": f"{dataset.name} (fingerprint {dataset.fingerprint})",
        "users": f"{len(dataset.users):,}",
        "items": f"{dataset.num_items:,}, of which {without:,} without text",
        "events": f"{events:,} ({events / max(len(dataset.users) * dataset.num_items, 1):.3%} of all pairs)",
        "times": "real" if split.has_time else "none: only the order in each user's sequence",
        "ties": f"{split.ties:,} events at the same time as the one before; they keep the log's order",
        "split": f"{split.kind} (hash {split.hash})",
        "": split.why,
        "training": f"{split.train_events:,} events",
        "validation": _window(split.valid_events, split.valid_cases, split.valid_without_history),
        "test": _window(split.test_events, split.test_cases, split.test_without_history),
    }
    return "\n".join(f"{name:<15} {text}" for name, text in lines.items())


def _window(events: int, cases: int, without_history: int) -> str:
    return f"{events:,} events, {cases:,} cases ({without_history:,} events had no history before them)"
