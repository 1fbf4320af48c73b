"""Vectors of items that were made elsewhere (of images, of sounds, by another company): files of ids and numbers.

Whose vector a row is, its id says; no position in any file is trusted. Nothing that could run code is read.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Float32
from safetensors import SafetensorError
from safetensors.numpy import load_file

from recdistill.data.columns import ITEM
from recdistill.data.sources.plain_text import require_file
from recdistill.data.sources.tables import scan_table
from recdistill.errors import DataError, nearest

Arrays = Mapping[str, np.ndarray]


class VectorTable(NamedTuple):
    """Attributes:
    ids: raw item ids, strings or integers.
    vectors: row `i` is that of `ids[i]`; not looked at yet.
    """

    ids: pl.Series
    vectors: Float32[np.ndarray, "rows width"]


def read_vectors(
    path: Path, ids: Path | None = None, item_id: str = ITEM, names: tuple[str, ...] = ()
) -> VectorTable:
    """What a file says.

    Args:
        path: a table (Parquet, CSV, TSV, JSONL) with a column of ids and numbers in one column each, or all in a
            column of lists; or arrays (`.npz`, `.safetensors`, `.npy`), one of them two-dimensional.
        ids: where the ids of the rows are, if the file itself has none: a table, or a `.npy` of one dimension.
        item_id: the column or the array of ids.
        names: the columns, or the array, with the numbers; all others when not given.

    Raises:
        DataError: a file is missing, damaged, of an unknown format or without what it should hold.
    """
    require_file(path)
    read = _ARRAYS.get(path.suffix)
    if read is None:
        return _of_table(path, None if ids is None else _ids(ids, item_id), item_id, names)
    return of_arrays(path, read(path), ids, item_id, names)


def of_arrays(
    path: Path, arrays: Arrays, ids: Path | None, item_id: str, names: tuple[str, ...]
) -> VectorTable:
    """What the arrays of a file say; the arguments are those of `read_vectors`.

    Raises:
        DataError: they do not hold what they should.
    """
    beside = None if ids is None else _ids(ids, item_id)
    owners = _series(arrays[item_id]) if item_id in arrays else beside
    return _joined(path, owners, _array(path, arrays, item_id, names))


def _of_table(
    path: Path, beside: pl.Series | None, item_id: str, names: tuple[str, ...]
) -> VectorTable:
    if path.suffix in _PICKLES:
        raise DataError(
            f"{path} may be pickled, and pickled files can run code; it is not read.",
            "Save the vectors as .safetensors, .npz or .parquet, with their item ids.",
        )
    frame = _collected(path)
    chosen = names or tuple(name for name in frame.columns if name != item_id)
    for name in chosen:
        _require(path, name, frame.columns)
    inside = frame[item_id] if item_id in frame.columns else None
    return _joined(path, beside if inside is None else inside, _numbers(path, frame.select(chosen)))


def _ids(path: Path, item_id: str) -> pl.Series:
    if path.suffix == ".npy":
        return _series(_numpy(path)[""])
    frame = _collected(path)
    _require(path, item_id, frame.columns)
    return frame[item_id]


def _joined(path: Path, ids: pl.Series | None, vectors: np.ndarray) -> VectorTable:
    if ids is None:
        raise DataError(
            f"{path} does not say whose vectors it holds.",
            "Put the item ids beside them (`item_id`, or name the column or array), or give the file that has them"
            " as `ids`. The order of rows is not trusted.",
        )
    if vectors.ndim != 2 or len(vectors) != len(ids):
        raise DataError(
            f"{path} has {len(ids)} item ids and vectors of the shape {vectors.shape}.",
            "One row a vector, one id a row.",
        )
    return VectorTable(ids, np.ascontiguousarray(vectors, dtype=np.float32))


def _collected(path: Path) -> pl.DataFrame:
    try:
        return scan_table(path).collect()
    except pl.exceptions.PolarsError as error:
        first = str(error).strip().split("\n")[0]
        raise DataError(f"{path} cannot be read: {first}") from error


def _numbers(path: Path, frame: pl.DataFrame) -> np.ndarray:
    """The numbers of columns; what is none becomes NaN, which is refused by and by with the item's id."""
    column = frame.to_series() if frame.width == 1 else None
    if column is None or not isinstance(column.dtype, pl.List | pl.Array):
        return frame.cast(pl.Float32, strict=False).to_numpy()
    lists = column.cast(pl.List(pl.Float32), strict=False)
    widths = sorted(set(lists.list.len().fill_null(0).to_list()))
    if len(widths) > 1:
        raise DataError(f"{path} has vectors of {widths[0]} and of {widths[-1]} numbers.")
    return lists.explode().to_numpy().reshape(len(lists), -1)


def _array(path: Path, arrays: Arrays, item_id: str, names: tuple[str, ...]) -> np.ndarray:
    chosen = names or tuple(name for name in arrays if name != item_id)
    if len(chosen) != 1:
        raise DataError(
            f"{path} holds several arrays that could be the vectors, or none: {', '.join(chosen)}.",
            "Say which, in `columns`.",
        )
    _require(path, chosen[0], arrays)
    if arrays[chosen[0]].dtype.kind not in "fiu":
        raise DataError(f"{path} holds {arrays[chosen[0]].dtype} where numbers should be.")
    return arrays[chosen[0]]


def _series(ids: np.ndarray) -> pl.Series:
    return pl.Series(
        ITEM, (np.char.decode(ids, "utf-8") if ids.dtype.kind == "S" else ids).tolist()
    )


def _require(path: Path, name: str, available: Any) -> None:
    if name not in available:
        raise DataError(f"{path} has no '{name}'.", nearest(name, available))


def _numpy(path: Path) -> Arrays:
    try:
        found = np.load(path, allow_pickle=False)
        return {"": found} if isinstance(found, np.ndarray) else dict(found)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} cannot be read: {str(error).splitlines()[0]}") from error


def _safetensors(path: Path) -> Arrays:
    try:
        return load_file(path)
    except (SafetensorError, TypeError, KeyError) as error:
        raise DataError(
            f"{path} cannot be read: {error}", "Numbers must be float16, float32 or float64."
        ) from error


_ARRAYS: dict[str, Callable[[Path], Arrays]] = {
    ".npy": _numpy,
    ".npz": _numpy,
    ".safetensors": _safetensors,
}
_PICKLES = frozenset({".pt", ".pth", ".pkl", ".pickle", ".bin", ".joblib"})
