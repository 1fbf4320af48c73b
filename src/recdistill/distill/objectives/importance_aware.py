"""`importance-aware`: the teacher's first items are positives, the more the better placed, the surer
and the less disputed they are.

    L = − Σ_{r ≤ K} w_r · log P(item r),   w ∝ γ_p · w_p + γ_c · w_c + γ_o · w_o,   Σ w = 1
    w_p ∝ exp(−r / λ)                                        position, summing to 1
    w_c ∝ exp(−dist_r)                                       confidence, summing to 1
    w_o = 1 where the student has the item among its best K  consistency, else 0

(DLLM2Rec: Cui et al. 2024; normalised as in the authors' code.)

**What stands for confidence.** There the teacher writes text, and dist is how far the text lies from
the item it is taken for. A teacher here gives probabilities, and what it is far from is certainty:
dist = − log p_T(item) / T, the surprisal, so that w_c is the softmax of the logits / T over the K items.

**What stands for consistency.** The student's rank is exact within the list and estimated outside by a
sample, so an item counts as agreed upon unless a drawn item, or K listed ones, score higher: where the
student's best lie outside the list, it is called agreed too often, the less so the more are drawn.

P is a sigmoid, σ(z), as in the paper, or a softmax over the catalogue (see `ranking`).
"""

from __future__ import annotations

from typing import Literal

from jaxtyping import Float
from pydantic import PositiveInt, model_validator
from torch import Tensor

from recdistill.distill.objectives.contract import Knobs, LogitObjective, Places, Signal
from recdistill.distill.objectives.likelihood import Likelihood, item_losses
from recdistill.distill.objectives.ranks import Reach, log_interest, student_ranks
from recdistill.distill.objectives.requirements import require_listed
from recdistill.distill.schedules import Temperature, Weight, extremes
from recdistill.models.logits import Logits
from recdistill.signals.kinds import SignalKind


class ImportanceAware(LogitObjective):
    """Likelihood of the teacher's first items, weighted by position, confidence and consistency."""

    kind: Literal["importance-aware"] = "importance-aware"
    on: Literal["top-k"] = "top-k"
    top: PositiveInt = 10
    """K: how many of the listed items are taken for positives."""
    position: Weight = 0.3
    """γ_p: how much the rank counts."""
    confidence: Weight = 0.5
    """γ_c: how much the teacher's probability counts."""
    consistency: Weight = 0.1
    """γ_o: how much it counts that the student agrees."""
    reach: Reach = 1.0
    """λ, in ranks: how fast positions lose weight."""
    temperature: Temperature = 1.0
    """T of the confidence: above 1 the items are more alike."""
    samples: PositiveInt = 100
    """Items drawn outside the list of each position to estimate the student's ranks."""
    likelihood: Likelihood = "sigmoid"
    """Whether each item is judged by itself or against the whole catalogue."""

    @model_validator(mode="after")
    def _something_counts(self) -> ImportanceAware:
        if extremes(self.position)[0] == extremes(self.confidence)[0] == 0:
            raise ValueError(
                "`position` and `confidence` may not both reach 0: where the student agrees with "
                "nothing, there would be no weights left"
            )
        return self

    @property
    def dense(self) -> bool:
        """Only a softmax needs the whole catalogue."""
        return self.likelihood == "softmax"

    def check(self, kind: SignalKind | None) -> None:
        """Refuse more positives than the signal lists."""
        require_listed(self.label, "top", self.top, kind)

    def __call__(
        self, logits: Logits, places: Places, signal: Signal, knobs: Knobs
    ) -> Float[Tensor, " positions"]:
        """The weighted sum over the first items at each position."""
        scores = logits.at(signal["items"])
        head = scores[:, : self.top]
        weights = self._importance(logits, scores, signal, knobs)
        return (weights * item_losses(logits, head, self.likelihood)).sum(-1)

    def _importance(
        self,
        logits: Logits,
        scores: Float[Tensor, "positions k"],
        signal: Signal,
        knobs: Knobs,
    ) -> Float[Tensor, "positions top"]:
        """w of each of the first items."""
        surest = signal["logits"][:, : self.top] / knobs["temperature"]
        placed = log_interest(surest, knobs["reach"]).softmax(0)
        weights = knobs["position"] * placed + knobs["confidence"] * surest.softmax(-1)
        if knobs["consistency"]:
            _, ranks = student_ranks(logits, signal["items"], scores, self.samples)
            agreed = ranks[:, : surest.shape[1]] <= self.top
            weights = weights + knobs["consistency"] * agreed
        return weights / weights.sum(-1, keepdim=True)
