"""What the items are, and how an item becomes text."""

from __future__ import annotations

import string
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Int32

from recdistill.errors import DataError, nearest
from recdistill.files import content_hash

_CLOSING = ")]}>\"'»”"
_CALLED = ("title", "name")
_USUAL = (*_CALLED, "genres", "categories", "description")
_SEPARATORS = " \t\n.,;:|/–—-"


@dataclass(frozen=True)
class Items:
    """The catalogue.

    Attributes:
        frame: row `i` describes dense item `i`; column `item_id` and whatever the source knows.
        template: how an item becomes text unless asked otherwise, for example `{title} ({year})`;
            empty where the catalogue has nothing to make text of.
    """

    frame: pl.DataFrame
    template: str

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def fields(self) -> list[str]:
        """What a template may name."""
        return self.frame.columns

    @property
    def called_by(self) -> str | None:
        """The column that holds what items are called, `title` or else `name`; `None` where there is neither."""
        return next((name for name in _CALLED if name in self.fields), None)

    def texts(self, template: str | None = None) -> list[str]:
        """One text an item, in dense order; empty for an item of which the template finds nothing.

        Where a value is missing, its field goes together with the punctuation that introduces it:
        `{title} ({year}). {genres}` without a year is `Heat. Crime`.

        Raises:
            DataError: the template names no field, or one that the catalogue does not have.
        """
        segments = _segments(template or self.template)
        for segment in segments:
            if segment.field not in self.frame.columns:
                raise DataError(
                    f"The text template names '{segment.field}', which the catalogue does not have.",
                    nearest(segment.field, self.frame.columns),
                )
        rendered = pl.concat_str([_rendered(segment) for segment in segments], ignore_nulls=True)
        return self.frame.select(rendered.str.strip_chars_start(_SEPARATORS)).to_series().to_list()

    def without_text(self, template: str | None = None) -> Int32[np.ndarray, " items_without"]:
        """The dense ids of items that the template leaves without any text."""
        empty = [not text for text in self.texts(template)]
        return np.flatnonzero(empty).astype(np.int32)

    def text_hash(self, template: str | None = None) -> str:
        """A hash of the template and of every text it makes: who speaks from these, spoke from this."""
        return content_hash([template or self.template, *self.texts(template)])


def default_template(fields: list[str]) -> str:
    """A template of the fields that usually carry text; empty where there is none of them."""
    return ". ".join(f"{{{name}}}" for name in _USUAL if name in fields)


class _Segment(NamedTuple):
    """A field with the literal text that stands or falls with it."""

    before: str
    field: str
    after: str


def _segments(template: str) -> list[_Segment]:
    if not template:
        raise DataError(
            "The items have no text: the catalogue has no field that usually carries it.",
            "Give dataset.items (a table with titles), or name fields in dataset.text.",
        )
    try:
        parts = list(string.Formatter().parse(template))
    except ValueError as error:
        raise DataError(f"The text template '{template}' is malformed: {error}.") from error
    found: list[_Segment] = []
    for literal, field, _, _ in parts:
        closing = literal[: len(literal) - len(literal.lstrip(_CLOSING))]
        if found and (closing or field is None):
            # A closing bracket belongs to the field before it, and so does what ends the template.
            found[-1] = found[-1]._replace(after=literal if field is None else closing)
            literal = literal[len(closing) :]
        if field is not None:
            found.append(_Segment(literal, field, ""))
    if not found:
        raise DataError(
            f"The text template '{template}' names no field.", "Write fields as {title}."
        )
    return found


def _rendered(segment: _Segment) -> pl.Expr:
    value = pl.col(segment.field).cast(pl.String).str.strip_chars()
    value = pl.when(value != "").then(value)
    return pl.concat_str([pl.lit(segment.before), value, pl.lit(segment.after)])
