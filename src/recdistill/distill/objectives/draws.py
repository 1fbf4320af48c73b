"""Random draws from lists, with torch's default generator, which every training step seeds."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int64
from torch import Tensor


def drawn(
    log_weights: Float[Tensor, "positions k"], count: int
) -> Int64[Tensor, "positions count"]:
    """`count` different columns of each row, in ascending order.

    Column i is drawn in proportion to its weight among those that are left (Gumbel top-k: Kool,
    van Hoof & Welling 2019); logarithms, since exp(−r / λ) underflows far down a list.
    """
    noise = -torch.empty_like(log_weights).exponential_().log()
    return (log_weights + noise).topk(count, dim=1).indices.sort(dim=1).values


def outside(
    items: Int64[Tensor, "positions k"], catalogue: int, count: int
) -> Int64[Tensor, "positions drawn"]:
    """`count` items of each position that are not in its list, all alike, with replacement.

    A number u among the n − k others is the u-th item that is not listed: u plus how many listed
    items come before it. Nothing is drawn where the list is the whole catalogue.
    """
    others = catalogue - items.shape[1]
    if not others:
        return items[:, :0]
    chosen = torch.randint(others, (len(items), count), device=items.device)
    listed = items.sort(dim=1).values
    unlisted_before = listed - torch.arange(items.shape[1], device=items.device)
    return chosen + torch.searchsorted(unlisted_before, chosen, right=True)
