"""The likelihood of an order: items are chosen one after the other, each by a softmax over what is
left (Plackett 1975, Luce 1959)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def choice_log_likelihoods(
    ordered: Float[Tensor, "positions k"], below: Float[Tensor, "positions m"]
) -> Float[Tensor, "positions k"]:
    """log P of each choice: s_r − log( Σ_{r ≤ j ≤ k} exp s_j + Σ_m exp s_m ).

    Args:
        ordered: scores in the order that is to be likely, the best first.
        below: scores of items that come after all of these, in whatever order; there may be none.
    """
    k = ordered.shape[1]
    if below.shape[1]:
        ordered = torch.cat([ordered, below.logsumexp(1, keepdim=True)], dim=1)
    left = ordered.flip(1).logcumsumexp(1).flip(1)
    return (ordered - left)[:, :k]
