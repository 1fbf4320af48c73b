"""Join a log with what is known of its items."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import polars.selectors as cs

from recdistill.data.assembly import Assembled
from recdistill.data.columns import ITEM
from recdistill.data.encoding import as_integers
from recdistill.data.items import Items, default_template
from recdistill.data.sources.log import Log
from recdistill.data.vocabulary import Vocabulary
from recdistill.errors import DataError


def with_catalogue(
    log_side: Assembled, log: Log, *, template: str | None, whole: bool
) -> tuple[Assembled, Items]:
    """Give the events the ids of the whole catalogue, and the items their description.

    Args:
        log_side: the events and their items.
        log: the source, whose catalogue is read here.
        template: how an item becomes text; None for what the source or the fields suggest.
        whole: keep items of the catalogue that nobody touched.

    Raises:
        DataError: the catalogue cannot be read, or the template finds no text at all.
    """
    catalogue = _read(log)
    if catalogue is None:
        catalogue = log_side.items.ids.to_frame()
    ids, described = _same_type(log_side.items.ids, catalogue[ITEM])
    catalogue = catalogue.with_columns(described.alias(ITEM))
    vocabulary = Vocabulary.from_column(pl.concat([ids, described]) if whole else ids)
    frame = vocabulary.ids.to_frame().join(catalogue, on=ITEM, how="left", maintain_order="left")
    events = log_side.events
    dense = vocabulary.encode(ids)[events.items]
    renamed = replace(log_side, events=replace(events, items=dense), items=vocabulary)
    return renamed, _items(frame, template or log.template)


def _items(frame: pl.DataFrame, template: str | None) -> Items:
    items = Items(frame, template or default_template(frame.columns))
    if items.template and len(items.without_text()) == len(items):
        raise DataError(
            f"No item has any text under the template '{items.template}'.",
            f"Set dataset.text; the fields are: {', '.join(frame.columns)}.",
        )
    return items


def _read(log: Log) -> pl.DataFrame | None:
    if log.items is None:
        return None
    try:
        frame = log.items.collect()
    except pl.exceptions.PolarsError as error:
        first = str(error).strip().split("\n")[0]
        raise DataError(f"The items of {log.name} cannot be read: {first}") from error
    lists = cs.by_dtype(pl.List(pl.String))
    frame = frame.with_columns(lists.list.drop_nulls().list.join(", "))
    # A catalogue may list an item twice; the first description counts.
    return frame.drop_nulls(ITEM).unique(ITEM, keep="first", maintain_order=True)


def _same_type(ids: pl.Series, described: pl.Series) -> tuple[pl.Series, pl.Series]:
    if ids.dtype == described.dtype:
        return ids, described
    if ids.dtype.is_integer() and described.dtype == pl.String:
        described = as_integers(described)
    if ids.dtype.is_integer() and described.dtype.is_integer():
        return ids.cast(pl.Int64), described.cast(pl.Int64)
    return ids.cast(pl.String), described.cast(pl.String)
