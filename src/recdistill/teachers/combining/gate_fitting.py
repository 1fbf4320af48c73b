"""The slopes of a gate: most likely given the right answers, held near 0 by a prior."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from recdistill.teachers.combining.gate import Gate, design

PRIORS = (1.0, 10.0, 100.0, 1000.0)
"""Precisions of the prior of the slopes, from loose to tight. They stand beside a sum over cases, so that few
cases move the gate less than many."""
_STEPS = 100
_FLAT = 1e-9


@dataclass(frozen=True)
class Evidence:
    """What is known of cases with a right answer.

    Attributes:
        answers: the log-probability that each member gave the right answer.
        features: what the gate sees of each case.
        users: whose case it is; those of one user are not independent.
    """

    answers: Float64[Tensor, "members cases"]
    features: Float64[Tensor, "cases features"]
    users: Int64[Tensor, " cases"]

    def take(self, cases: Tensor) -> Evidence:
        """Of the chosen cases (a mask)."""
        return Evidence(self.answers[:, cases], self.features[cases], self.users[cases])


def fitted(evidence: Evidence, base: Float64[Tensor, " members"], prior: float) -> Gate:
    """The gate that makes the answers likeliest.

    Minimises −Σ_c log Σ_m g_m(x_c) p_m(answer_c) + ½ prior ‖S‖² over the slopes S (Jacobs et al. 1991, eq. 1.3,
    with a fixed distribution of each expert) by L-BFGS, from S = 0: the weights `base`.
    """
    centre = evidence.features.mean(0)
    spread = evidence.features.std(0, correction=0)
    spread = torch.where(spread > _FLAT, spread, 1.0)
    inputs = design(evidence.features, centre, spread)
    slopes = torch.zeros(len(base), inputs.shape[1], dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([slopes], max_iter=_STEPS, line_search_fn="strong_wolfe")

    def loss() -> float:
        optimiser.zero_grad()
        with torch.enable_grad():
            log_weights = (base.log()[:, None] + slopes @ inputs.T).log_softmax(0)
            value = 0.5 * prior * slopes.square().sum() - likelihood(log_weights, evidence).sum()
            value.backward()
        return float(value.detach())

    optimiser.step(loss)
    return Gate(base, centre, spread, slopes.detach())


def likelihood(
    log_weights: Float64[Tensor, "members cases"], evidence: Evidence
) -> Float64[Tensor, " cases"]:
    """The log-probability of each right answer under the mixture."""
    return (log_weights + evidence.answers).logsumexp(0)


def cross_fitted(
    evidence: Evidence, base: Float64[Tensor, " members"], prior: float, folds: int
) -> Float64[Tensor, "members cases"]:
    """The log-weights of each case from a gate fitted on the cases of other users."""
    _, place = evidence.users.unique(return_inverse=True)
    found = torch.empty_like(evidence.answers)
    for fold in range(folds):
        asked = place % folds == fold
        gate = fitted(evidence.take(~asked), base, prior)
        found[:, asked] = gate(evidence.features[asked])
    return found


def error(differences: Float64[Tensor, " cases"], users: Int64[Tensor, " cases"]) -> float:
    """The standard error of the mean difference, cases of one user counting as one observation."""
    _, place = users.unique(return_inverse=True)
    sums = torch.zeros(int(place.max()) + 1, dtype=torch.float64)
    sums.index_add_(0, place, differences - differences.mean())
    count = len(sums)
    return float((sums.square().sum() * count / max(count - 1, 1)).sqrt() / len(differences))
