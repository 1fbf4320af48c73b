"""What teachers read beside the dataset: files and logs whose content decides what they say."""

from __future__ import annotations

from recdistill.teachers.ensemble import EnsembleConfig, TeacherConfig
from recdistill.teachers.recommender import RecommenderTeacherConfig


def besides(config: TeacherConfig) -> list[str]:
    """Hashes of it; none where the dataset is all that is read.

    Raises:
        DataError: a file is missing, or a log cannot be read.
    """
    if isinstance(config, RecommenderTeacherConfig):
        return []
    if isinstance(config, EnsembleConfig):
        return [found for member in config.members for found in besides(member)]
    return config.besides
