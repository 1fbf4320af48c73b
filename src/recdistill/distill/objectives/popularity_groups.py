"""`popularity-groups`: the teacher's preferences among items of like popularity only.

    L = − 1/M · Σ_{(i, j)} log σ( s_i − s_j ),     i and j of one group, i ranked higher by the teacher

(UnKD: Chen et al. 2023). A teacher's preference of a popular item over a
rare one is part merit and part popularity, and a student that learns it learns both; between items of
one group popularity is no cause. Items are cut into G groups of equal shares of the training events,
the most popular first, so the head group has few items and the tail group many.

Each of the M pairs is drawn in three steps: one of the groups with at least two listed items, all
alike; an item of it in proportion to exp(−r / λ), r its rank among the listed of its group; another of
the same group likewise. Only listed items are paired: a group that a list does not reach is not
taught there, and the loss is 0 where no group has two.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Float64, Int64
from pydantic import PositiveInt
from torch import Tensor
from torch.nn.functional import logsigmoid

from recdistill.distill.objectives.contract import Knobs, LogitObjective, Places, Signal
from recdistill.distill.objectives.ranks import Reach
from recdistill.models.logits import Logits

_LEAST = 1e-30
"""The least weight of an item, relative to the first of its group; exp(−r / λ) underflows far
down."""


def group_of(popularity: Float[Tensor, " items"], groups: int) -> Int64[Tensor, " items"]:
    """The group of each item, 0 the most popular: equal shares of events, an item where its middle
    event falls."""
    order = popularity.argsort(descending=True, stable=True)
    counts = popularity[order].double()
    middle = (counts.cumsum(0) - counts / 2) / counts.sum().clamp_min(1)
    found = torch.empty_like(order)
    found[order] = (middle * groups).long().clamp_max(groups - 1)
    return found


def pairs_within(
    groups: Int64[Tensor, "positions k"], reach: float, count: int
) -> tuple[Int64[Tensor, "positions count"], Int64[Tensor, "positions count"]]:
    """Columns of pairs of one group, the higher ranked first; equal where no group has two.

    Args:
        groups: of each listed item, in the teacher's order.
        reach: λ of exp(−r / λ).
        count: M.
    """
    row = _Row.of(groups, reach)
    one = row.first(count)
    other = row.partner(one)
    columns = row.order.gather(1, one), row.order.gather(1, other)
    return torch.minimum(*columns), torch.maximum(*columns)


@dataclass(frozen=True)
class _Row:
    """Lists with their groups end to end, each group in the teacher's order.

    Attributes:
        order: the column of the list that stands at each place.
        begin: where the group of each place begins.
        size: how many places its group has.
        weights: exp(−r / λ) relative to the first of the group.
        ends: the weights added up, place by place.
    """

    order: Int64[Tensor, "positions k"]
    begin: Int64[Tensor, "positions k"]
    size: Int64[Tensor, "positions k"]
    weights: Float64[Tensor, "positions k"]
    ends: Float64[Tensor, "positions k"]

    @classmethod
    def of(cls, groups: Int64[Tensor, "positions k"], reach: float) -> _Row:
        order = groups.argsort(dim=1, stable=True)
        group = groups.gather(1, order)
        begin, end = (torch.searchsorted(group, group, right=right) for right in (False, True))
        ranks = torch.arange(groups.shape[1], device=groups.device) - begin
        weights = torch.exp(-ranks.double() / reach).clamp_min(_LEAST)
        return cls(order, begin, end - begin, weights, weights.cumsum(1))

    def before(self) -> Float64[Tensor, "positions k"]:
        """The weights of all groups before that of each place."""
        return (self.ends - self.weights).gather(1, self.begin)

    def total(self) -> Float64[Tensor, "positions k"]:
        """The weights of the group of each place."""
        return self.ends.gather(1, self.begin + self.size - 1) - self.before()

    def first(self, count: int) -> Int64[Tensor, "positions count"]:
        """Places drawn: a group with at least two, all alike, and one of it by weight."""
        company = self.size > 1
        counts = company | ~company.any(1, keepdim=True)
        return torch.where(counts, self.weights / self.total(), 0.0).multinomial(count, True)

    def partner(self, one: Int64[Tensor, "positions count"]) -> Int64[Tensor, "positions count"]:
        """Another place of the same group for each, by weight; itself where it is the only one.

        A spot on the group's line of weights, from which the stretch of `one` is cut out.
        """
        own, begin, size = (part.gather(1, one) for part in (self.weights, self.begin, self.size))
        before, total = self.before().gather(1, one), self.total().gather(1, one)
        spots = before + torch.rand_like(own) * (total - own)
        spots = spots + own * (spots >= self.ends.gather(1, one) - own)
        found = torch.searchsorted(self.ends, spots, right=True)
        found = torch.minimum(torch.maximum(found, begin), begin + size - 1)
        return torch.where(size > 1, found, one)


class PopularityGroups(LogitObjective):
    """Pairwise preferences inside groups of equal popularity."""

    kind: Literal["popularity-groups"] = "popularity-groups"
    on: Literal["top-k"] = "top-k"
    groups: PositiveInt = 4
    """G; with 1 group, pairs of all listed items."""
    pairs: PositiveInt = 30
    """M: pairs drawn for each position."""
    reach: Reach = 10.0
    """λ, in ranks within a group: how far down items are likely to be drawn."""

    @property
    def dense(self) -> bool:
        """Never: the listed items suffice."""
        return False

    def __call__(
        self, logits: Logits, places: Places, signal: Signal, knobs: Knobs
    ) -> Float[Tensor, " positions"]:
        """The mean over pairs at each position."""
        items = signal["items"]
        groups = group_of(places.popularity, self.groups)[items]
        high, low = pairs_within(groups, knobs["reach"], self.pairs)
        scores = logits.at(items)
        losses = -logsigmoid(scores.gather(1, high) - scores.gather(1, low))
        return torch.where(high == low, 0.0, losses).mean(-1)
