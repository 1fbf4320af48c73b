"""What decides the result of a training, as plain data."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import nn

from recdistill.data.batches import TrainingBatches
from recdistill.data.sequences import Sequences
from recdistill.files import content_hash
from recdistill.training.options import RunOptions, TrainingConfig
from recdistill.training.step import Batches


def identity(
    config: TrainingConfig,
    run: RunOptions,
    parts: nn.Module,
    batches: Batches,
    further: Mapping[str, Any],
) -> dict[str, Any]:
    """Describe a training.

    Args:
        config: hyper-parameters of the loop.
        run: of which only the seed decides anything.
        parts: the modules that are trained.
        batches: what they are trained on.
        further: whatever else the caller knows to decide the result, as plain data.
    """
    shapes = {name: list(tensor.shape) for name, tensor in parts.state_dict().items()}
    return {
        "training": config.model_dump(mode="json"),
        "seed": run.seed,
        "tensors": content_hash(shapes),
        "data": _data(batches),
        "further": dict(further),
    }


def _data(batches: Batches) -> dict[str, Any]:
    facts: dict[str, Any] = {"steps": batches.steps}
    if isinstance(batches, TrainingBatches):
        numbers = ("history", "batch_size", "seed", "windows")
        facts |= {name: getattr(batches, name) for name in numbers}
        facts["histories"] = _histories_hash(batches.histories)
    return facts


def _histories_hash(histories: Sequences) -> str:
    digest = hashlib.sha256()
    for array in (histories.values, histories.starts, histories.stops):
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()[:16]
