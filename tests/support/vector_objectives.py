"""Helpers of the tests of objectives on vectors."""

from __future__ import annotations

import torch
from hypothesis import strategies as st

seeds = st.integers(0, 2**32 - 1)


def vectors(rows=6, width=4, seed=0):
    """Normal vectors in float64."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(rows, width, generator=generator, dtype=torch.float64)


def turned(values, seed=0):
    """The same vectors in a basis of another orientation."""
    basis, _ = torch.linalg.qr(vectors(values.shape[1], values.shape[1], seed))
    return values @ basis


def bridge_of(objective, width, teacher, seed=0):
    """What the objective learns, as it begins."""
    torch.manual_seed(seed)
    return objective.bridge(width, teacher).to(teacher.dtype)


def loss_of(objective, student, teacher, bridge=None, seed=0, progress=0.0):
    """The loss of each pair; whatever is random is drawn from `seed`."""
    bridge = bridge or bridge_of(objective, student.shape[1], teacher, seed)
    torch.manual_seed(seed)
    return objective(student, teacher, bridge, objective.knobs(progress, {}))
