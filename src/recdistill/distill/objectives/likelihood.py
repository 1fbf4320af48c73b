"""How likely single items are made: each by itself, or against the whole catalogue."""

from __future__ import annotations

from typing import Literal

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import logsigmoid

from recdistill.models.logits import Logits

Likelihood = Literal["sigmoid", "softmax"]
"""`sigmoid` judges each item by itself, `softmax` against the whole catalogue."""


def item_losses(
    logits: Logits, scores: Float[Tensor, "positions k"], likelihood: Likelihood
) -> Float[Tensor, "positions k"]:
    """− log σ(s), or − log softmax(z) at these items, of which `scores` are the logits."""
    if likelihood == "sigmoid":
        return -logsigmoid(scores)
    return logits.log_normaliser().unsqueeze(-1) - scores
