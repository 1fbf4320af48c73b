"""How far a language model's lists may be believed: found on validation cases."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int64

from recdistill.teachers.decoding.beam import Lists
from recdistill.teachers.minimum import lowest

_LOG_RANGE = (float(np.log(1e-2)), float(np.log(1e3)))
_STEPS = 32


def share_and_temperature(
    lists: Lists, answers: Int64[np.ndarray, " cases"]
) -> tuple[float, float]:
    """The share of the lists and the temperature of their order that make the answers likeliest.

    The share is that of the answers that are listed, with one hit and one miss added (Laplace); the temperature T
    minimises −Σ log softmax(log p / T)(answer) + ½ (log T)² over the listed ones, the last term being what is believed
    beforehand, which few cases cannot shake.
    """
    hits = lists.items == answers[:, None]
    rows = np.flatnonzero(hits.any(1))
    columns = hits[rows].argmax(1)
    log_p = lists.log_p[rows].astype(np.float64)

    def surprise(log_temperature: float) -> float:
        scaled = log_p / np.exp(log_temperature)
        normalisers = np.logaddexp.reduce(scaled, axis=1)
        chosen = scaled[np.arange(len(rows)), columns]
        return float((normalisers - chosen).sum() + 0.5 * log_temperature**2)

    share = (len(rows) + 1) / (len(answers) + 2)
    return share, float(np.exp(lowest(surprise, *_LOG_RANGE, _STEPS)))
