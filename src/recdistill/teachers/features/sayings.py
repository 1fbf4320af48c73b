"""A catalogue with texts about its items that a file holds."""

from __future__ import annotations

from typing import Any

import polars as pl

from recdistill.data.dataset import Dataset
from recdistill.data.hearsay.settings import TextsAboutItems
from recdistill.data.hearsay.texts import join_item_texts
from recdistill.data.items import Items
from recdistill.progress import SilentProgress
from recdistill.training.options import RunOptions


def with_sayings(
    said: TextsAboutItems | None, dataset: Dataset, run: RunOptions
) -> tuple[Items, dict[str, Any]]:
    """The catalogue, with what was said of the items as a column of its own that follows the usual text; and the notes
    of who reads it.

    Raises:
        DataError: the file cannot be read, or is about no item of the catalogue.
    """
    if said is None:
        return dataset.items, {}
    found, items = join_item_texts(said, dataset), dataset.items
    for line in found.report.lines():
        (run.progress or SilentProgress()).say(line)
    column = pl.Series(said.name, [text or None for text in found.texts], dtype=pl.String)
    template = ". ".join(filter(None, (items.template, f"{{{said.name}}}")))
    notes = {"said": found.report.facts(), "remarks": [*found.report.sentences()]}
    return Items(items.frame.with_columns(column), template), notes
