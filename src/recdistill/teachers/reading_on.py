"""New items get their features in the very space in which a trained model knows the old ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from jaxtyping import Float32, Float64, Int64
from torch import Tensor

from recdistill.data.dataset import Dataset
from recdistill.errors import ConfigError
from recdistill.teachers.text_encoder import FeatureTeacher
from recdistill.training.options import RunOptions

_ROUNDING = 1e-5
"""Directions whose share of the largest is smaller hold nothing but rounding."""
_AGREES = 1e-2
"""A root mean square deviation from the features at most so many times theirs is the same feature."""

Table = Float32[np.ndarray, "items features"]
FormerTable = Float32[np.ndarray, "former_items features"]


def read_on(
    teacher: FeatureTeacher, former: Dataset, dataset: Dataset, run: RunOptions
) -> tuple[dict[str, Any], str | None, Tensor | None]:
    """What a teacher that knows items by their content reads of a catalogue that has grown.

    Returns:
        Its notes, the hash of its texts, and features of all items, of which those of new ones count; `None` where
        the catalogue is the former one.

    Raises:
        ConfigError: the encoder, or what it makes of the same items, is another now.
    """
    if former.vocabulary.ids.equals(dataset.vocabulary.ids):
        return teacher.notes, teacher.texts, None
    now = teacher.source.features(dataset, run)
    then, found = (notes.get("encoder") for notes in (teacher.notes, now.notes))
    if then != found:
        raise ConfigError(
            f"The teacher read with revision {then} of '{teacher.name}', but the one that is found now is {found}.",
            "Set `model:` to a folder with the former files, or fit a teacher anew, without `continues`.",
        )
    before = teacher.recommender.network.get_buffer("items.features").numpy()
    places = former.vocabulary.encode(dataset.vocabulary.ids).astype(np.int64)
    rows = torch.from_numpy(as_before(now.table, before, places))
    return {**teacher.notes, **now.notes}, now.texts, rows


def as_before(now: Table, before: FormerTable, places: Int64[np.ndarray, " items"]) -> Table:
    """Features of the catalogue of now, as they would have been made for the former one.

    Features are vectors that were centred and turned by what their catalogue was like. A larger catalogue turns them
    otherwise, and a trained model would no longer understand. But both are affine images of the same vectors, so the
    items that are in both tell the map from the one to the other, by least squares.

    Args:
        now: of the catalogue of now; zeros for items of which nothing is known.
        before: of the former catalogue.
        places: the former row of each item of now; -1 for new ones.

    Raises:
        ConfigError: no such map exists: something else was read.
    """
    seen = np.abs(now).sum(axis=1) > 0
    both = np.flatnonzero((places >= 0) & seen)
    both = both[np.abs(before[places[both]]).sum(axis=1) > 0]
    given, wanted = _with_one(now), before[places[both]].astype(np.float64)
    turn = np.linalg.lstsq(given[both], wanted, rcond=_ROUNDING)[0]
    error = float(np.square(given[both] @ turn - wanted).sum())
    if error > _AGREES**2 * float(np.square(wanted).sum()):
        raise ConfigError(
            "What is read of the known items no longer gives the features that the model learned with, so those of "
            "new items would mean something else to it.",
            "Bring back what was read then, or train anew, without `continues`.",
        )
    return np.where(seen[:, None], given @ turn, 0.0).astype(np.float32)


def _with_one(values: Table) -> Float64[np.ndarray, "items _"]:
    return np.hstack([values.astype(np.float64), np.ones((len(values), 1))])
