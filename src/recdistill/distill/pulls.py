"""How hard each term pulls at what all terms share: the student's states and its item vectors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from recdistill.distill.output import Output
from recdistill.distill.places import Places
from recdistill.distill.terms import LiveTerm, LogitTerm, OutcomeTerm, VectorTerm
from recdistill.models._chunks import PickedLogits

_POSITIONS = 256
"""So many positions of a batch tell the size of a gradient over logits well enough."""


def pulls(
    output: Output,
    places: Places,
    over_logits: Sequence[LogitTerm],
    beside: Sequence[VectorTerm | LiveTerm | OutcomeTerm],
) -> Float[Tensor, " terms"]:
    """‖∂L_i / ∂(states, item vectors)‖ of each term's plain loss, without its weight.

    Terms over logits are asked about every n-th position only, so that at most a few hundred rows of
    logits exist; their losses are means over positions, so the norms of all terms are scaled alike.
    """
    table = output.table.detach().requires_grad_()
    part = slice(0, len(output.states), -(-len(output.states) // _POSITIONS) or 1)
    some = output.states[part].detach().requires_grad_()
    every = output.states.detach().requires_grad_()
    norms = [_norm(lambda term=term: _on(term, some, table, places, part), (some, table), term)
             for term in over_logits]  # fmt: skip
    whole = replace(output, states=every, table=table)
    norms += [_norm(lambda term=term: term(whole), (every, table), term) for term in beside]
    return torch.stack(norms)


def _on(
    term: LogitTerm, states: Tensor, table: Tensor, places: Places, part: slice
) -> Float[Tensor, ""]:
    """The term's mean over the positions of `part` alone."""
    share = term.heard.counts[part].sum() / term.heard.counts.sum().clamp_min(1)
    return term(PickedLogits(states, table), places, part) / share.clamp_min(1e-6)


def _norm(
    loss: Callable[[], Float[Tensor, ""]],
    sources: Sequence[Tensor],
    term: LogitTerm | VectorTerm | LiveTerm | OutcomeTerm,
) -> Float[Tensor, ""]:
    found = torch.autograd.grad(loss(), sources, allow_unused=True, materialize_grads=True)
    norms = torch.stack([gradient.float().norm() for gradient in found])
    return norms.norm() / term.knobs["weight"]
