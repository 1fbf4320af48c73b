"""The share of its quality that a model loses beside another, and where that would lie if repeated."""

from __future__ import annotations

import numpy as np

from recdistill.errors import DataError
from recdistill.evaluation.evaluation import Evaluation
from recdistill.evaluation.metrics import Metric
from recdistill.evaluation.significance import Interval, interval


def loss(found: Evaluation, role: str, reference: str, metric: Metric) -> Interval:
    """1 − quality(role) / quality(reference), by the paired bootstrap; negative where `role` is better.

    Raises:
        DataError: the reference scores nothing, so that there is nothing to lose a share of.
    """
    mine, theirs = (found.value(one, metric) for one in (role, reference))
    if theirs <= 0:
        raise DataError(
            f"The student's {metric} on validation is 0: what a smaller one would lose of it cannot be said.",
            "Train the student first, or give the validation more cases.",
        )
    draws = found.draws[role, str(metric)], found.draws[reference, str(metric)]
    # A resample in which the reference scores nothing has no share to lose.
    known = draws[1] > 0
    shares = 1.0 - draws[0][known] / draws[1][known]
    if role == reference:
        shares = np.zeros_like(shares)
    return interval(1.0 - mine / theirs, shares, found.config.confidence)
