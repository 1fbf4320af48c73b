"""Files of vectors of every kind: those that need no torch, and tensors that torch saved."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
import torch

from recdistill.data.sources.plain_text import require_file
from recdistill.data.vector_files import Arrays, VectorTable, of_arrays, read_vectors
from recdistill.errors import DataError

TENSORS: Final = frozenset({".pt", ".pth"})


def read_any(
    path: Path, ids: Path | None, item_id: str, names: tuple[str, ...] = ()
) -> VectorTable:
    """What a file of vectors says (see `read_vectors`), `.pt` files too.

    Raises:
        DataError: a file is missing, damaged, holds more than tensors and plain values, or not what it should.
    """
    if path.suffix not in TENSORS:
        return read_vectors(path, ids, item_id, names)
    require_file(path)
    return of_arrays(path, _tensors(path), ids, item_id, names)


def _tensors(path: Path) -> Arrays:
    """A tensor, or an object of tensors and lists of ids; whatever would run code is refused (`weights_only`)."""
    try:
        with warnings.catch_warnings(
            action="ignore"
        ):  # of strange files, which are refused if they do not load
            found: Any = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        raise DataError(
            f"{path} cannot be read as tensors alone: {str(error).splitlines()[0]}",
            "Save a tensor, or a dict of tensors and lists of ids; anything else in such a file could run code.",
        ) from error
    named = cast("Mapping[Any, Any]", found) if isinstance(found, Mapping) else {"": found}
    return {str(name): _array(value, path) for name, value in named.items()}


def _array(value: Any, path: Path) -> np.ndarray:
    if isinstance(value, torch.Tensor):
        return value.detach().float().numpy() if value.is_floating_point() else value.numpy()
    if isinstance(value, list | tuple):
        return np.asarray(cast("list[Any]", value))
    raise DataError(f"{path} holds a {type(value).__name__} where a tensor or a list should be.")
