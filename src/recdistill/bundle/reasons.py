"""Reasons as a file of a bundle: few, short, and about items of its catalogue. No torch here."""

from __future__ import annotations

import io
from typing import Final

import polars as pl

from recdistill.bundle.manifest import REASONS, Manifest
from recdistill.data.reasons import Reasons
from recdistill.errors import BundleError

MOST: Final = 100_000
"""Reasons of a bundle; of more, a fixed sample leaves with it."""
_AGAIN: Final = "Export the bundle again."


def written(reasons: Reasons) -> bytes:
    """The content of `reasons.parquet`."""
    stream = io.BytesIO()
    reasons.frame().write_parquet(stream)
    return stream.getvalue()


def read(data: bytes, info: Manifest, num_items: int) -> Reasons:
    """What `written` wrote.

    Raises:
        BundleError: it is no such table, not as long as the manifest says, or about items that are not there.
    """
    assert info.reasons is not None
    try:
        count = pl.scan_parquet(io.BytesIO(data)).select(pl.len()).collect().item()
        if count != info.reasons.count or count > MOST:
            raise ValueError(
                f"it has {count:,} rows, where the manifest says {info.reasons.count:,}"
            )
        reasons = Reasons.from_frame(pl.read_parquet(io.BytesIO(data)))
    except (pl.exceptions.PolarsError, OSError, ValueError) as error:
        raise BundleError(f"{REASONS} cannot be read: {error}.", _AGAIN) from None
    if any(not 0 <= place.item < num_items for place in reasons.texts):
        raise BundleError(f"{REASONS} is about items that the catalogue has not.", _AGAIN)
    return reasons
