"""What a sequence model says about the batch of a step: the student's side of every term, and a companion's."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from recdistill.distill.lookup import Lookup
from recdistill.distill.places import Signal
from recdistill.models.internals import Internals, precise, watched
from recdistill.models.outcomes import OutcomeHeads, heads_of
from recdistill.models.recommender import SequenceModel
from recdistill.training.step import TorchBatch


@dataclass(frozen=True)
class Output:
    """What a model says about a batch.

    Attributes:
        model: whose words these are, to be asked again about another world.
        batch: the packed histories.
        states: what it knows after each position.
        table: its item vectors.
        internals: what went on inside, where somebody wanted to know.
    """

    model: SequenceModel
    batch: TorchBatch
    states: Float[Tensor, "positions width"]
    table: Float[Tensor, "items width"]
    internals: Internals | None = None

    @classmethod
    def of(
        cls,
        model: SequenceModel,
        batch: TorchBatch,
        *,
        watch: bool = False,
    ) -> Output:
        """Ask `model` about `batch`; gradients flow unless they are switched off."""
        table = model.item_table()
        if not watch:
            return cls(model, batch, model.encode(batch, table), table)
        with watched(model.network) as internals:
            states = model.encode(batch, table)
        return cls(model, batch, states, table, internals)

    @property
    def heads(self) -> OutcomeHeads:
        """What it tells of outcomes."""
        return heads_of(self.model.network)

    def outcomes(
        self, head: str, items: Int64[Tensor, "positions items"]
    ) -> Float[Tensor, "positions items"]:
        """What `head` tells of these items at each position, on the head's own scale."""
        return self.heads[head](self.states[:, None], self.table[items])

    def detached(self) -> Output:
        """The same, through which no gradient flows."""
        internals = self.internals and self.internals.detached()
        return replace(
            self, states=self.states.detach(), table=self.table.detach(), internals=internals
        )

    def precise(self) -> Output:
        """The same, states and table in single precision at least."""
        return replace(self, states=precise(self.states), table=precise(self.table))

    def pairs(self, lookup: Lookup, most: int) -> tuple[Float[Tensor, "rows width"], Signal]:
        """What the student holds, and what the teacher said, about the same items or positions.

        Args:
            lookup: whether about items or about contexts, it knows.
            most: at most so many pairs, drawn among those of which the teacher spoke; the random
                numbers are those of the training step.
        """
        if lookup.about_items:
            held, subjects = self.table, torch.cat([self.batch.items, self.batch.targets]).unique()
            rows = subjects
        else:
            held, subjects = self.states, self.batch.events
            rows = torch.arange(len(subjects), device=subjects.device)
        spoken = torch.from_numpy(lookup.has(subjects.numpy(force=True))).nonzero().squeeze(1)
        chosen = spoken[torch.randperm(len(spoken))[:most].sort().values].to(rows.device)
        return held[rows[chosen]], lookup.read(subjects[chosen].numpy(force=True), held.device)
