"""Teachers from configurations and from folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from recdistill.data.dataset import Dataset
from recdistill.errors import CheckpointError
from recdistill.files import read_json
from recdistill.teachers.base import MODEL, RECORD, RecommenderBacked, weights_hash
from recdistill.teachers.ensemble import TEACHERS, TeacherConfig

teacher_config: TypeAdapter[TeacherConfig] = TypeAdapter(TeacherConfig)
"""Validates plain data as the configuration of a teacher."""


def make_teacher(config: TeacherConfig | dict[str, Any]) -> RecommenderBacked:
    """An unfitted teacher of the kind that `config` names."""
    config = teacher_config.validate_python(config)
    return TEACHERS[type(config)](config)


def load_teacher(folder: Path | str, dataset: Dataset) -> RecommenderBacked:
    """Read back a teacher that `save` wrote.

    Raises:
        CheckpointError: it is missing, damaged, or was made for another catalogue.
    """
    folder = Path(folder)
    try:
        record = read_json(folder / RECORD)
        teacher = make_teacher(record["config"])
        teacher.restore(folder / MODEL, record)
    except (OSError, ValueError, KeyError) as error:
        raise CheckpointError(
            f"The teacher in {folder} cannot be read: {str(error).splitlines()[0]}",
            "Fit it again: `recdistill label` does.",
        ) from error
    found = weights_hash(teacher.recommender)
    if found != record["revision"]:
        raise CheckpointError(
            f"The teacher in {folder} is damaged: its weights hash to {found}, but {RECORD} says"
            f" {record['revision']}.",
            "Fit it again: `recdistill label` does.",
        )
    if not teacher.recommender.vocabulary.ids.equals(dataset.vocabulary.ids):
        raise CheckpointError(
            f"The teacher in {folder} was made for another catalogue than that of '{dataset.name}':"
            f" it knows {len(teacher.recommender.vocabulary)} items, the dataset has"
            f" {dataset.num_items}.",
            "Fit a teacher on this dataset.",
        )
    teacher.recommender.dataset = dataset
    return teacher
