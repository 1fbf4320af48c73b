"""`input-gradient`: what the student says is to depend on each event as what the teacher says does.

    f_i = log P(next item at position i)                 among a sample of the catalogue
    J_ij = ∂ f_i / ∂ g_j                                 g_j the gate of event j: how much of it is seen, here 1
    L    = 1/positions · ‖(J_S − J_T)ᵀ v‖²               v random signs, drawn anew every step

Stochastic Sobolev training (Czarnecki et al. 2017: random projections) and Jacobian matching (Srinivas & Fleuret
2018). Inputs of two models must be the same to compare derivatives; item vectors are not, gates are. The mean over v of
‖(J_S − J_T)ᵀ v‖² is ‖J_S − J_T‖² (Hutchinson 1990), so all positions of a history cost one backward pass.

With `scale: history`, the projected gradients of each history are first brought to a mean square of 1 on both
sides, as attention transfer does (Zagoruyko & Komodakis 2017, eq. 2): L is then 2 (1 − their cosine), and a sharper
teacher is no other teacher.
"""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float, Int64
from pydantic import PositiveInt, model_validator
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from recdistill.distill.companions import Itself
from recdistill.distill.objectives.contract import Knobs, LiveObjective
from recdistill.distill.output import Output
from recdistill.distill.worlds import still
from recdistill.models.geometry import inverse, root
from recdistill.models.internals import Anatomy, precise
from recdistill.training.step import TorchBatch


class InputGradient(LiveObjective):
    """Distance of the gradients with respect to how much is seen of each event."""

    kind: Literal["input-gradient"] = "input-gradient"
    scale: Literal["history", "raw"] = "history"
    """Whether the gradients of each history are compared by direction, or as they are."""
    rows: PositiveInt = 32
    """At most so many histories a step, drawn anew: derivatives of derivatives cost about three times the pass."""
    sample: PositiveInt = 256
    """At most so many of the batch's next items, among which probabilities are taken."""

    @model_validator(mode="after")
    def _somebody_else(self) -> InputGradient:
        if isinstance(self.of, Itself):
            raise ValueError("the student's gradients are its own already; learn `of` another")
        return self

    @property
    def watches(self) -> bool:
        """It asks both models anew instead."""
        return False

    def bridge(self, student: Anatomy, teacher: Anatomy) -> nn.Module:
        """Nothing: events are the same for all models."""
        return nn.Identity()

    def __call__(
        self, student: Output, teacher: Output, bridge: nn.Module, knobs: Knobs
    ) -> Float[Tensor, " some"]:
        """The squared difference at each event of the histories that were drawn."""
        batch = _some_histories(student.batch, self.rows)
        items = _some_items(batch, self.sample)
        signs = torch.randint(2, (len(batch),)).mul(2).sub(1).to(items.device)
        own = projected(student, batch, items, signs, further=True)
        other = projected(teacher, batch, items, signs)
        if self.scale == "history":
            own, other = own * _scale(own, batch), other * _scale(other, batch)
        return (own - other).square()


def projected(
    output: Output,
    batch: TorchBatch,
    items: Int64[Tensor, " sample"],
    signs: Int64[Tensor, " positions"],
    *,
    further: bool = False,
) -> Float[Tensor, " positions"]:
    """Jᵀ v of a model: Σ_i v_i ∂f_i / ∂g_j for each event j.

    The model is asked once more and without dropout, whose coins would be another function every time; in it
    attention is computed by the formula, since the fast kernels have no second derivative.

    Args:
        output: whose model is asked; its item vectors are taken as they are there.
        batch: about which histories.
        items: among which the next item's probability is taken.
        signs: v.
        further: whether the result will be differentiated once more.
    """
    table = precise(output.table)
    with still(output.model.network), sdpa_kernel(SDPBackend.MATH), torch.enable_grad():
        gates = torch.ones(len(batch), dtype=table.dtype, device=table.device, requires_grad=True)
        states = output.model.encode(batch, table, gates)
        chances = log_chances(states, table, batch.targets, items)
        (found,) = torch.autograd.grad((chances * signs).sum(), gates, create_graph=further)
    return found


def log_chances(
    states: Float[Tensor, "positions width"],
    table: Float[Tensor, "items width"],
    targets: Int64[Tensor, " positions"],
    items: Int64[Tensor, " sample"],
) -> Float[Tensor, " positions"]:
    """log P(target) among the target and `items`; 0 where the target is unknown."""
    own = (states * table[targets.clamp_min(0)]).sum(-1)
    among = torch.logsumexp(states @ table[items].T, -1)
    counted = (targets[:, None] == items).any(1)
    return (own - torch.where(counted, among, torch.logaddexp(among, own))) * (targets >= 0)


def _some_histories(batch: TorchBatch, most: int) -> TorchBatch:
    count = len(batch.ends)
    return batch if count <= most else batch.take(torch.randperm(count)[:most].sort().values)


def _some_items(batch: TorchBatch, most: int) -> Int64[Tensor, " sample"]:
    """Of the next items of the batch; of the items seen, where no next item is known."""
    known = batch.targets[batch.targets >= 0]
    found = (known if len(known) else batch.items).unique()
    return found[torch.randperm(len(found))[:most].to(found.device)]


def _scale(
    gradients: Float[Tensor, " positions"], batch: TorchBatch
) -> Float[Tensor, " positions"]:
    """What brings the mean square of each history's to 1; 0 where all are 0."""
    parts = gradients.square().split([rows * length for _, rows, length in batch.runs])
    means = [
        part.unflatten(0, (-1, length)).mean(1).repeat_interleave(length)
        for part, (_, _, length) in zip(parts, batch.runs, strict=True)
    ]
    return inverse(root(torch.cat(means)))
