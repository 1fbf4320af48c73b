"""`hard-label`: the teacher's best item is the answer.

    L = − log softmax(z_S)[ argmax z_T ]

Cross-entropy against a teacher's decision instead of its doubts (pseudo-labels: Lee 2013; sequence
level: Kim & Rush 2016). With `above`, only where the teacher is sure enough.
"""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from recdistill.distill.objectives.contract import Knobs, LogitObjective, Places, Signal
from recdistill.models.logits import Logits
from recdistill.models.losses import softmax


class HardLabel(LogitObjective):
    """Cross-entropy against the teacher's best item."""

    kind: Literal["hard-label"] = "hard-label"
    on: Literal["hard-label"] = "hard-label"
    above: float = Field(default=0.0, ge=0, lt=1)
    """Only where the teacher gives its best item at least this probability."""

    def __call__(
        self, logits: Logits, places: Places, signal: Signal, knobs: Knobs
    ) -> Float[Tensor, " positions"]:
        """Cross-entropy where the teacher is confident, 0 elsewhere."""
        loss = softmax(logits, signal["items"])
        return torch.where(signal["confidence"] >= self.above, loss, 0.0)
