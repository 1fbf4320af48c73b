"""Does a model know how sure it may be? Its probabilities beside what really came next."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float64, Int64

from recdistill.data.cases import Cases
from recdistill.models.recommender import Recommender
from recdistill.teachers.speech import score_blocks

BINS = 15
"""As in Guo et al. 2017."""


@dataclass(frozen=True)
class Beliefs:
    """What a model believed of each case: softmax of its scores over the whole catalogue.

    Nothing is left out of the catalogue, seen items neither: so a teacher speaks, and so a student is trained.

    Attributes:
        confidence: the probability of its best item.
        right: whether that item came next.
        log_likelihood: of the first right answer, in nats.
    """

    confidence: Float64[np.ndarray, " cases"]
    right: Bool[np.ndarray, " cases"]
    log_likelihood: Float64[np.ndarray, " cases"]

    def facts(self) -> dict[str, float]:
        """The means, and the expected calibration error."""
        return {
            "calibration_error": calibration_error(self.confidence, self.right),
            "confidence": float(self.confidence.mean()),
            "top_1": float(self.right.mean()),
            "log_likelihood": float(self.log_likelihood.mean()),
        }


@torch.no_grad()
def beliefs(model: Recommender, cases: Cases) -> Beliefs:
    """What `model` believes of `cases`.

    Raises:
        RecDistillError: a score is not a number.
    """
    states = model.states(model.trimmed(cases.histories))
    answers = torch.from_numpy(cases.targets.values[cases.targets.starts].astype(np.int64))
    best: list[Int64[np.ndarray, " block"]] = []
    confidence: list[Float64[np.ndarray, " block"]] = []
    likelihood: list[Float64[np.ndarray, " block"]] = []
    for scores in score_blocks(model, states):
        logs, rows = scores.cpu().log_softmax(1), slice(sum(map(len, best)), None)
        highest, items = logs.max(1)
        own = logs.gather(1, answers[rows][: len(logs), None])[:, 0]
        best.append(items.numpy())
        confidence.append(highest.double().exp().numpy())
        likelihood.append(own.double().numpy())
    right = _among(np.concatenate(best), cases)
    return Beliefs(np.concatenate(confidence), right, np.concatenate(likelihood))


def _among(items: Int64[np.ndarray, " cases"], cases: Cases) -> Bool[np.ndarray, " cases"]:
    """Whether each case's item is one of its targets."""
    targets = cases.targets
    rows = np.repeat(np.arange(len(cases)), targets.lengths)
    hits = targets.values[targets.places()] == items[rows]
    return np.bincount(rows[hits], minlength=len(cases)) > 0


def calibration_error(
    confidence: Float64[np.ndarray, " cases"], right: Bool[np.ndarray, " cases"], bins: int = BINS
) -> float:
    """Expected calibration error: Σ_b n_b / n · |share right in b − mean confidence in b|.

    Guo et al. 2017, eq. 3, with bins of equally many cases instead of equally wide ones (Nguyen & O'Connor
    2015): in a catalogue of thousands nearly all confidences are small. Equal confidences share a bin.
    With few cases it is above 0 even for a perfect model: by about √(2 p (1 − p) bins / (π n)).
    """
    if not len(confidence):
        return 0.0
    edges = np.quantile(confidence, np.linspace(0.0, 1.0, bins + 1))[1:-1]
    places = np.searchsorted(edges, confidence)
    surplus = np.bincount(places, weights=confidence - right, minlength=bins)
    return float(np.abs(surplus).sum() / len(confidence))


def mean_facts(seeds: Iterable[Beliefs]) -> dict[str, float]:
    """The facts of several seeds of one model, averaged."""
    told = [one.facts() for one in seeds]
    return {name: float(np.mean([facts[name] for facts in told])) for name in told[0]}
