"""What the students' items are made from, where it is not the log: read once, and the same for both arms."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from recdistill.data.dataset import Dataset
from recdistill.files import atomic_path, file_sha256, write_json
from recdistill.models.growing import grown
from recdistill.models.item_encoders import fill, item_encoder
from recdistill.models.recommender import Recommender, SequenceModel
from recdistill.models.students import StudentConfig
from recdistill.pipeline.stages import Stage
from recdistill.teachers.base import decisive
from recdistill.teachers.features import ItemSource
from recdistill.teachers.reading_on import as_before
from recdistill.training.options import RunOptions

if TYPE_CHECKING:
    from recdistill.pipeline.pipeline import Pipeline

FEATURES, NOTES = "features.safetensors", "notes.json"


def made(pipeline: Pipeline) -> Path | None:
    """The folder of what a run's students make their items from; `None` where that is nothing but the log.

    Raises:
        ConfigError: its students make their items from vectors of another width.
        DataError: there is nothing to read.
    """
    from recdistill.pipeline.pipeline import stage_key

    source, student = pipeline.config.features, pipeline.config.student
    if source is None:
        return None
    dataset = pipeline.dataset
    key = stage_key(
        dataset.fingerprint,
        decisive(source),
        student.items.model_dump(mode="json"),
        *source.besides,
    )
    stage = Stage("features", key, lambda at: write(source, student, dataset, at, pipeline.run))
    return pipeline.stage(stage).folder


def write(
    source: ItemSource, student: StudentConfig, dataset: Dataset, folder: Path, run: RunOptions
) -> None:
    """Fill the stage's folder.

    Raises:
        ConfigError: a `student` so configured makes its items from vectors of another width.
        DataError: there is nothing to read.
    """
    features = source.features(dataset, replace(run, folder=folder, name="features"))
    asked = item_encoder(student.items, 1, student.width)
    fill(asked, torch.from_numpy(features.table[:1]))
    with atomic_path(folder / FEATURES) as path:
        save_file({"features": torch.from_numpy(features.table)}, path)
    write_json(folder / NOTES, {**features.notes, "texts": features.texts})


def put(folder: Path, student: SequenceModel) -> None:
    """Make the items of a new student from what `write` left."""
    fill(student.network.get_submodule("items"), load_file(folder / FEATURES)["features"])


def warm(start: Recommender, dataset: Dataset, features: Path | None, seed: int) -> SequenceModel:
    """The student of an earlier run for the catalogue of `dataset`; new items are made from what `write` left, as the
    student would have read it then.

    Raises:
        CheckpointError: it cannot be carried over.
        ConfigError: the items are made from something else now.
    """
    rows = None
    if features:
        places = start.vocabulary.encode(dataset.vocabulary.ids).astype(np.int64)
        now = load_file(features / FEATURES)["features"].numpy()
        before = start.network.get_buffer("items.features").numpy()
        rows = torch.from_numpy(as_before(now, before, places))
    student = grown(start, dataset.vocabulary, rows, seed)
    assert isinstance(student, SequenceModel)
    student.dataset = dataset
    return student


def identity(folder: Path) -> str:
    """A hash of what the items are made from."""
    return file_sha256(folder / FEATURES)
