"""From a folder that nobody trusts yet to a bundle that answers. No torch here, nor in what this imports."""

from __future__ import annotations

import io
from collections.abc import Collection, Mapping
from pathlib import Path

import polars as pl

from recdistill.bundle.bundle import Bundle
from recdistill.bundle.manifest import INDEX, ITEMS, MODEL, REASONS, TABLE, Manifest
from recdistill.bundle.onnx_file import require_harmless
from recdistill.bundle.places import Data, Place, place_of
from recdistill.bundle.reasons import read
from recdistill.bundle.runtime import Runtime
from recdistill.bundle.scoring.choice import Index
from recdistill.bundle.scoring.codes import Codes
from recdistill.bundle.signing import as_trusted, signed_by
from recdistill.bundle.table import Table
from recdistill.bundle.verification import read_verified
from recdistill.data.columns import ITEM
from recdistill.data.reasons import Reasons
from recdistill.data.vocabulary import Vocabulary
from recdistill.errors import BundleError


def load_bundle(
    target: Path | str | Place,
    *,
    threads: int = 1,
    trusted_keys: Collection[str] | None = None,
) -> Bundle:
    """Open a bundle, after checking every byte of it.

    Args:
        target: what `export` wrote, a folder or a single file; or a URL of either that `fsspec` can read; or
            a place that holds its files.
        threads: that compute one request; a server that answers many at once does best with one.
        trusted_keys: public keys (`recdistill bundle keygen`); one of them must have signed it. `None` for anybody's
            bundle, signed or not.

    Raises:
        BundleError: the bundle is damaged, incomplete, of another format, signed by nobody who is trusted, or not what
            a bundle may be.
        ConfigError: no file system is known by the name of the URL, or a key is none.
        MissingExtraError: ONNX Runtime is not installed, or, for a URL, `fsspec`, or, for keys, `cryptography`.
    """
    place = place_of(target) if isinstance(target, Path | str) else target
    signed = None if trusted_keys is None else signed_by(as_trusted(trusted_keys))
    info, contents = read_verified(place, signed)
    model = bytes(contents[MODEL])  # which is no copy of what are bytes already
    require_harmless(model)
    items = _read_items(contents[ITEMS], info)
    size = len(items), info.model.width
    table = Table.read(contents[TABLE], info.model.precision, *size)
    runtime = Runtime(model, table, info.model.history, threads, _index(contents, info))
    told = read(bytes(contents[REASONS]), info, len(items)) if REASONS in contents else Reasons({})
    return Bundle(info, items, Vocabulary(items[ITEM]), table, runtime, told)


def _index(contents: Mapping[str, Data], info: Manifest) -> Index | None:
    if info.index is None:
        return None
    items, width, entry = info.dataset.items, info.model.width, info.index
    return Index(Codes.read(contents[INDEX], items, width, entry.piece), entry.depth)


def _read_items(data: Data, info: Manifest) -> pl.DataFrame:
    try:
        items = pl.read_parquet(io.BytesIO(data), n_rows=info.dataset.items + 1)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise BundleError(f"{ITEMS} cannot be read: {error}.", "Export the bundle again.") from None
    ids = items[ITEM] if ITEM in items.columns else pl.Series([None])
    if len(items) != info.dataset.items or ids.null_count() or not _ascending(ids):
        raise BundleError(f"{ITEMS} is no catalogue of {info.dataset.items} items in id order.")
    return items


def _ascending(ids: pl.Series) -> bool:
    """Sorted and without a repeated id: what a vocabulary searches in."""
    return bool((ids.slice(1) > ids.slice(0, len(ids) - 1)).all())
