"""The test is looked for in what teachers are told; they learn what they may hear, never what is held out."""

from __future__ import annotations

from dataclasses import replace

from recdistill.data.dataset import Dataset
from recdistill.data.hearsay.leaks import Guard
from recdistill.data.holdout import open_test
from recdistill.settings import Settings, parts
from recdistill.teachers import FileConfig, FileVectorsConfig
from recdistill.training.options import RunOptions


def guarded(config: Settings, dataset: Dataset, run: RunOptions) -> RunOptions:
    """The circumstances of fitting what is configured so (a teacher, or students by a recipe with teachers of its own),
    with a guard where somebody in it hears what was said of users elsewhere."""
    if not any(True for kind in (FileConfig, FileVectorsConfig) for _ in parts(config, kind)):
        return run
    return replace(run, guard=Guard(open_test(dataset.folder), "test", dataset))
