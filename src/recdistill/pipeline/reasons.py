"""Why the teacher said what it said, gathered for the bundle."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from recdistill.data.reasons import Reasons
from recdistill.teachers.reasons import reasons
from recdistill.teachers.sparing import spared

if TYPE_CHECKING:
    from recdistill.pipeline.pipeline import Pipeline


def gathered(pipeline: Pipeline) -> Reasons:
    """What the teacher gave as reasons about the contexts that it was asked about in training and validation. Nobody is
    asked for them, and what it said of the test stays there."""
    contexts, selection = pipeline.dataset.contexts().distinct(), pipeline.selection
    if selection:
        contexts = contexts.take(np.flatnonzero(np.isin(contexts.keys, selection.keys)))
    teacher, valid = pipeline.teacher.recommender, pipeline.dataset.valid.histories
    return reasons(teacher, contexts.histories).and_those_of(reasons(spared(teacher, valid), valid))
