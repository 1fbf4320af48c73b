"""The test is looked for in what teachers are told; they learn what they may hear, never what is held out."""

from __future__ import annotations

from dataclasses import replace

from recdistill.data.dataset import Dataset
from recdistill.data.hearsay.leaks import Guard
from recdistill.data.holdout import open_test
from recdistill.teachers import EnsembleConfig, FileConfig, FileVectorsConfig, TeacherConfig
from recdistill.training.options import RunOptions


def guarded(config: TeacherConfig, dataset: Dataset, run: RunOptions) -> RunOptions:
    """The circumstances of fitting a teacher, with a guard where it hears what was said of users elsewhere."""
    if not _hears(config):
        return run
    return replace(run, guard=Guard(open_test(dataset.folder), "test", dataset))


def _hears(config: TeacherConfig) -> bool:
    if isinstance(config, EnsembleConfig):
        return any(map(_hears, config.members))
    return isinstance(config, FileConfig | FileVectorsConfig)
