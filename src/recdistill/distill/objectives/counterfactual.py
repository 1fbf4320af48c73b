"""`counterfactual`: the student is to believe of every event what the teacher believes that it causes.

In each history one event e is taken out, or replaced by a random item of the catalogue, and both models are
asked about both worlds, at the positions from e on. With Δ = log p(· | h) − log p(· | h′), h′ the other world,

    effect      L = 1/k · Σ_{i ∈ K} (Δ_S,i − Δ_T,i)²      K: the next item, and the teacher's best in either world
    invariant   L = exp(−KL_T / tolerance) · KL_S         KL = KL(p(· | h) ‖ p(· | h′))

`effect` mimics what another model does in worlds that never were, as a causal proxy model does (Wu et al. 2023,
the input-based CPM; of its kin, interchange intervention training, Geiger et al. 2022 and Wu et al. 2022, swaps
hidden states instead of inputs). `invariant` asks only that what does not matter to the teacher does not matter
to the student (Veitch et al. 2021 ask the same of what is known to be spurious). CauseRec (Zhang et al. 2021)
and CASR (Wang et al. 2021) replace events to have more data, and have no teacher to ask about that world.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from jaxtyping import Float, Int64
from pydantic import PositiveFloat, PositiveInt, model_validator
from torch import Tensor, nn

from recdistill.distill.companions import Itself
from recdistill.distill.objectives.contract import Knobs, LiveObjective
from recdistill.distill.output import Output
from recdistill.distill.worlds import World, foremost, importance, later, precise, still
from recdistill.models.internals import Anatomy

Worlds = tuple[Float[Tensor, "asked items"], Float[Tensor, "asked items"]]
"""Log-probabilities of the catalogue in the world that was, and in the other."""


class Counterfactual(LiveObjective):
    """Effects of single events, the student's beside the teacher's."""

    kind: Literal["counterfactual"] = "counterfactual"
    world: Literal["substitute", "remove"] = "substitute"
    """What becomes of the event: another item takes its place, or it is not seen."""
    chosen: Literal["random", "most", "least"] = "random"
    """Which event of a history: any, or the one that matters most (least) to the teacher."""
    match: Literal["effect", "invariant"] = "effect"
    """Whether effects are to be the teacher's, or only to be none where the teacher sees none."""
    items: PositiveInt = 20
    """k: how many items' effects are compared at a position; `invariant` compares the whole catalogue."""
    tolerance: PositiveFloat = 0.1
    """The teacher's divergence between the two worlds, in nats, at which `invariant` asks e times less."""
    sample: PositiveInt = 512
    """The most positions asked about at a step, drawn among those that see an event."""

    @model_validator(mode="after")
    def _of_another(self) -> Counterfactual:
        if isinstance(self.of, Itself):
            raise ValueError("the effects of the student are its own already; name another in `of`")
        return self

    @property
    def watches(self) -> bool:
        """It asks for answers only."""
        return False

    def bridge(self, student: Anatomy, teacher: Anatomy) -> nn.Module:
        """Nothing: effects are about items, which both have."""
        return nn.Identity()

    def __call__(
        self, student: Output, teacher: Output, bridge: Any, knobs: Knobs
    ) -> Float[Tensor, " asked"]:
        """The loss of each position asked about."""
        student, teacher = precise(student), precise(teacher)
        with still(student.model.network, teacher.model.network):
            events = foremost(self._scores(teacher), teacher.batch)
            given = World(teacher.batch)
            other = (
                given.without(events)
                if self.world == "remove"
                else given.swapped(events, len(teacher.table))
            )
            asked = self._asked(events, teacher)
            pair = _answers(student, given, other, asked)
            with torch.no_grad():
                model = _answers(teacher, given, other, asked)
        if self.match == "invariant":
            return torch.exp(-_divergence(model) / self.tolerance) * _divergence(pair)
        listed = _listed(model, teacher.batch.targets[asked], self.items)
        return (_effects(pair, listed) - _effects(model, listed)).square().mean(1)

    def _scores(self, teacher: Output) -> Float[Tensor, " positions"]:
        if self.chosen == "random":
            return torch.rand(len(teacher.batch), device=teacher.table.device)
        return importance(teacher) * (1 if self.chosen == "most" else -1)

    def _asked(self, events: Int64[Tensor, " rows"], teacher: Output) -> Int64[Tensor, " asked"]:
        (found,) = later(events, teacher.batch).nonzero(as_tuple=True)
        chosen = torch.randperm(len(found), device=found.device)[: self.sample]
        return found[chosen.sort().values]


def _answers(output: Output, given: World, other: World, asked: Int64[Tensor, " asked"]) -> Worlds:
    """What a model says at the positions `asked` in both worlds."""
    states = [world.states(output.model, output.table)[asked] for world in (given, other)]
    real, unreal = (torch.log_softmax(part @ output.table.T, 1) for part in states)
    return real, unreal


def _listed(
    worlds: Worlds, targets: Int64[Tensor, " asked"], count: int
) -> Int64[Tensor, "asked count"]:
    """The items that are likeliest in either world, the next item (where known) always among them."""
    liking = torch.maximum(*worlds)
    (known,) = (targets >= 0).nonzero(as_tuple=True)
    liking[known, targets[known]] = torch.inf
    return liking.topk(min(count, liking.shape[1]), 1).indices


def _effects(worlds: Worlds, items: Int64[Tensor, "asked count"]) -> Float[Tensor, "asked count"]:
    """Δ of each item."""
    return (worlds[0] - worlds[1]).gather(1, items)


def _divergence(worlds: Worlds) -> Float[Tensor, " asked"]:
    """KL(p(· | h) ‖ p(· | h′))."""
    return (worlds[0].exp() * (worlds[0] - worlds[1])).sum(1)
