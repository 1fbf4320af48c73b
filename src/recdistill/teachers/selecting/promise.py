"""What asking promises: how likely a teacher is right where a student is wrong, by what a context looks like."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from recdistill.teachers.combining.gate import design

EFFECTS = ("effective", "similar", "incorrect")
"""Of asking: the teacher is right and the student wrong; both are alike; the teacher is wrong and the student right."""
PRECISION = 10.0
"""Of the prior of the slopes, beside a sum over cases: the second loosest that a gate tries (`gate_fitting.PRIORS`)."""
_STEPS = 100
_FLAT = 1e-9


def effects(
    teacher: Float64[np.ndarray, " cases"], student: Float64[np.ndarray, " cases"], right: int
) -> Int64[np.ndarray, " cases"]:
    """Which of `EFFECTS` asking had, by the ranks that both gave the answer; who ranks it within `right` is right."""
    knows, guesses = teacher <= right, student <= right
    return np.where(knows & ~guesses, 0, np.where(guesses & ~knows, 2, 1)).astype(np.int64)


@dataclass(frozen=True)
class Promise:
    """P(effect | x) = softmax(b + S x̂), x̂ the features standardised and bounded (`combining.gate.design`).

    Attributes:
        centre: of each feature.
        spread: of each feature.
        slopes: of each effect, the constant b first.
    """

    centre: Float64[Tensor, " features"]
    spread: Float64[Tensor, " features"]
    slopes: Float64[Tensor, "effects features_and_1"]

    def of(self, features: Float64[np.ndarray, "rows features"]) -> Float64[np.ndarray, "rows 3"]:
        """The probabilities of `EFFECTS`."""
        inputs = design(torch.from_numpy(features), self.centre, self.spread)
        return (inputs @ self.slopes.T).softmax(1).numpy()


def promised(
    features: Float64[np.ndarray, "cases features"], seen: Int64[np.ndarray, " cases"]
) -> Promise:
    """The promise under which the `seen` effects are likeliest: multinomial logistic regression.

    Minimises −Σ_c log P(effect_c | x_c) + ½ precision ‖slopes‖² (the constants are free) by L-BFGS, from 0. One case of
    each effect is added that has no features, so that what was never seen keeps a chance (Laplace's rule).
    """
    known = torch.from_numpy(features)
    centre, spread = known.mean(0), known.std(0, correction=0)
    spread = torch.where(spread > _FLAT, spread, 1.0)
    inputs, wanted = design(known, centre, spread), torch.from_numpy(seen)
    slopes = torch.zeros(len(EFFECTS), inputs.shape[1], dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([slopes], max_iter=_STEPS, line_search_fn="strong_wolfe")

    def loss() -> float:
        optimiser.zero_grad()
        with torch.enable_grad():
            own = (inputs @ slopes.T).log_softmax(1).gather(1, wanted[:, None])
            rule = slopes[:, 0].log_softmax(0)
            prior = 0.5 * PRECISION * slopes[:, 1:].square().sum()
            value = prior - own.sum() - rule.sum()
            value.backward()
        return float(value.detach())

    optimiser.step(loss)
    return Promise(centre, spread, slopes.detach())
