"""Whether a gate is worth it, and which: found on validation cases, each judged by a gate that has not seen
its user."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float64
from pydantic import NonNegativeInt
from torch import Tensor

from recdistill.data.dataset import Dataset
from recdistill.settings import Settings
from recdistill.teachers import calibration
from recdistill.teachers.combining import Gate, PerContext
from recdistill.teachers.combining.certainty import certainty
from recdistill.teachers.combining.gate import facts
from recdistill.teachers.combining.gate_fitting import (
    PRIORS,
    Evidence,
    cross_fitted,
    error,
    fitted,
    likelihood,
)
from recdistill.teachers.members import widest
from recdistill.teachers.questions import Questions

_FLOOR = 0.01
"""A member that counts nothing in all contexts together may count in some: the gate starts from this share."""


class Finding(Settings):
    """What came of trying a gate."""

    kept: bool
    """Whether contexts get weights of their own."""
    cases: NonNegativeInt
    """Validation cases that it was tried on."""
    prior: float | None = None
    """How strongly the slopes were held near 0."""
    gain: float = 0.0
    """NDCG@10, cross-fitted, above that of the weights for all."""
    error: float = 0.0
    """The standard error of the gain, over users."""

    @property
    def sentence(self) -> str:
        """For people."""
        if self.prior is None:
            return (
                f"The teacher has no gate: one member, or too few users in its {self.cases} validation "
                "cases. All contexts share weights."
            )
        verdict = "kept" if self.kept else "not kept, so all contexts share weights"
        return (
            f"The gate of the teacher was {verdict}: NDCG@10 {self.gain:+.4f} ± {self.error:.4f} on "
            f"{self.cases} validation cases of users it was not fitted on."
        )


def popularity(dataset: Dataset) -> Float64[np.ndarray, " items"]:
    """How often each item was taken in training."""
    return np.bincount(dataset.train.items, minlength=dataset.num_items).astype(np.float64)


@torch.no_grad()
def route(
    questions: Questions,
    counts: Float64[np.ndarray, " items"],
    temperatures: Sequence[float],
    weights: Sequence[float],
    combine: PerContext,
) -> tuple[Gate | None, Finding]:
    """The gate, or `None` where none is shown to be better than `weights` for all.

    The prior is the tightest of those whose cross-fitted likelihood is within a standard error of the best
    (Breiman et al. 1984, section 3.4.3); the gate is kept if its cross-fitted NDCG@10 is better by
    `combine.margin` standard errors.
    """
    users = len(np.unique(questions.cases.users))
    if len(weights) == 1 or users < 2 * combine.folds:
        return None, Finding(kept=False, cases=len(questions))
    evidence = gather(questions, counts, temperatures, combine)
    plain = torch.tensor(weights, dtype=torch.float64)
    base = plain.clamp_min(_FLOOR)
    base = base / base.sum()
    prior, tried = _chosen(evidence, base, combine.folds)
    gains = _gains(questions, temperatures, combine, plain, tried)
    gain, doubt = float(gains.mean()), error(gains, evidence.users)
    kept = gain > combine.margin * doubt
    finding = Finding(
        kept=kept,
        cases=len(questions),
        prior=prior,
        gain=round(gain, 6),
        error=round(doubt, 6),
    )
    return (fitted(evidence, base, prior) if kept else None), finding


def gather(
    questions: Questions,
    counts: Float64[np.ndarray, " items"],
    temperatures: Sequence[float],
    combine: PerContext,
) -> Evidence:
    """The probabilities of the right answers, and what the gate sees of each case."""
    answers, sure = torch.empty(2, len(temperatures), len(questions), dtype=torch.float64)
    for rows, members in questions.blocks():
        scores = [z.div_(T) for z, T in zip(members, temperatures, strict=True)]
        log_p = combine.voices(torch.stack(scores))
        answer = questions.answers[rows].expand(len(log_p), -1)[..., None]
        answers[:, rows] = log_p.gather(2, answer)[..., 0].double()
        sure[:, rows] = certainty(log_p).double()
    window = widest(questions.members)
    seen = facts(questions.cases.histories, counts, combine.recent, window)
    users = torch.from_numpy(questions.cases.users.astype(np.int64))
    return Evidence(answers, torch.cat([seen, sure.T], dim=1), users)


def _chosen(
    evidence: Evidence, base: Float64[Tensor, " members"], folds: int
) -> tuple[float, Float64[Tensor, "members cases"]]:
    """The prior, and the log-weights of each case from gates that have not seen its user."""
    tried = {prior: cross_fitted(evidence, base, prior, folds) for prior in PRIORS}
    likely = {prior: likelihood(weights, evidence) for prior, weights in tried.items()}
    best = max(likely, key=lambda prior: float(likely[prior].mean()))
    within = [
        prior
        for prior, each in likely.items()
        if float((likely[best] - each).mean()) <= error(likely[best] - each, evidence.users)
    ]
    return max(within), tried[max(within)]


def _gains(
    questions: Questions,
    temperatures: Sequence[float],
    combine: PerContext,
    base: Float64[Tensor, " members"],
    tried: Float64[Tensor, "members cases"],
) -> Float64[Tensor, " cases"]:
    """By how much the NDCG@10 of each case is better with its own weights."""
    trials = [base.numpy(), tried.exp().T.numpy()]
    gains = torch.empty(2, len(questions), dtype=torch.float64)
    for rows, trial, ranks in calibration.ranks(questions, trials, temperatures, combine):
        gains[trial, rows] = calibration.discounts(ranks)
    return gains[1] - gains[0]
