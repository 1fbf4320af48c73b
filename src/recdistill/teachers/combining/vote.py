"""`vote`: hard voting, each member naming its best items."""

from __future__ import annotations

import math
from typing import Literal

import torch
from jaxtyping import Float
from pydantic import Field, PositiveInt
from torch import Tensor

from recdistill.models.best import best
from recdistill.teachers.combining.contract import LinearPool


class Vote(LinearPool):
    """Each member gives n, n − 1, …, 1 points to its n best items and none to the others.

    A Borda count of the head of the list, weighted by member (Aslam & Montague 2001, "Models for metasearch",
    who spread points over the whole list); with `top: 1`, the plurality vote of hard-voting classifiers
    (Kittler et al. 1998). How sure a member is does not matter, only its order.
    """

    kind: Literal["vote"] = "vote"
    top: PositiveInt = 10
    """n."""
    rest: float = Field(default=0.01, gt=0, lt=1)
    """The share of probability that is not voted on but spread as in `probabilities`: it orders equals, and
    the items that nobody named."""

    def voices(
        self, scores: Float[Tensor, "members rows items"]
    ) -> Float[Tensor, "members rows items"]:
        """The logarithms of (1 − rest) · points / Σ points + rest · p."""
        named = ballots(scores, self.top).log() + math.log1p(-self.rest)
        return torch.logaddexp(named, scores.log_softmax(2) + math.log(self.rest))


def ballots(
    scores: Float[Tensor, "members rows items"], top: int
) -> Float[Tensor, "members rows items"]:
    """Each member's points, as shares of 1; of equal scores, the smaller id comes first."""
    members, rows, items = scores.shape
    top = min(top, items)
    points = torch.arange(top, 0, -1, device=scores.device, dtype=scores.dtype)
    _, named = best(scores.reshape(-1, items), top)
    shares = (points / points.sum()).expand(members, rows, top)
    return torch.zeros_like(scores).scatter_(2, named.view(members, rows, top), shares)
