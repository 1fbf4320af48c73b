"""All terms of a recipe as one loss of the training loop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from recdistill.distill.filters import Heard
from recdistill.distill.lookup import Lookup
from recdistill.distill.objectives import LogitObjective, Objective, VectorObjective
from recdistill.distill.objectives.contract import Knobs, Places, Signal
from recdistill.distill.pulls import pulls
from recdistill.distill.schedules import Scheduled
from recdistill.distill.terms import LogitTerm, Output, VectorTerm, described
from recdistill.distill.weighting import Fixed, Weighting
from recdistill.models.logits import Logits, chunked
from recdistill.models.recommender import SequenceModel
from recdistill.training.step import Moment, StepLoss, TorchBatch

_VECTORS_LOOKED_AT = 20_000
"""From how many of the teacher's vectors a bridge learns their statistics."""

_Kind = TypeVar("_Kind", bound=Objective)
_Part = TypeVar("_Part", bound=Scheduled)


class DistillationLoss(nn.Module):
    """The weighted sum of the terms, each a mean over where it is defined.

    Terms over logits share one pass over the chunks of the batch; terms over vectors follow. What
    the terms learn (projections) are parameters of this module, not of the student: trained with
    it and left behind. A term whose weight is 0 at the moment costs nothing.
    """

    _popularity: Tensor

    def __init__(
        self,
        student: SequenceModel,
        objectives: Sequence[Objective],
        lookups: Mapping[str, Lookup],
        popularity: Float[Tensor, " items"],
        weighting: Weighting | None = None,
    ) -> None:
        """`lookups` holds every kind of signal that is named; `popularity` counts items; `weighting`
        says how terms share the say beyond their weights."""
        super().__init__()
        self.register_buffer("_popularity", popularity, persistent=False)
        self._student = student
        self._lookups = lookups
        self._over_logits = [term for term in objectives if isinstance(term, LogitObjective)]
        self._over_vectors = [term for term in objectives if isinstance(term, VectorObjective)]
        self._bridges = nn.ModuleList(self._bridge(term) for term in self._over_vectors)
        labels = [term.label for term in (*self._over_logits, *self._over_vectors)]
        self._balance = (weighting or Fixed()).balance(labels)

    def _bridge(self, objective: VectorObjective) -> nn.Module:
        table = self._student.item_table()
        lookup = self._lookups[str(objective.source)]
        vectors = lookup.sample(_VECTORS_LOOKED_AT)["vectors"].float()
        return objective.bridge(table.shape[1], vectors).to(table.device)

    def forward(self, batch: TorchBatch, moment: Moment) -> StepLoss:
        """The loss of `batch` at `moment`."""
        table = self._student.item_table()
        output = Output(batch, self._student.encode(batch, table), table)
        places = Places(batch.targets.clamp_min(0), self._popularity)
        over_logits, over_vectors = self._logit_terms(batch, moment), self._vector_terms(moment)
        terms = (*over_logits, *over_vectors)
        labels = [term.objective.label for term in terms]
        if self.training:
            self._balance.observe(
                moment.step, labels, lambda: pulls(output, places, over_logits, over_vectors)
            )
        factors, count = self._balance.factors(labels), len(over_logits)
        total, sums = self._logit_loss(output, places, over_logits, factors[:count])
        further = [
            term(output) * factor
            for term, factor in zip(over_vectors, factors[count:], strict=True)
        ]
        weights = factors.new_tensor([term.knobs["weight"] for term in terms])
        price = (weights * self._balance.price(labels)).sum()
        parts = [*sums.unbind(), *(part.detach() for part in further)]
        shown = self._shown(terms, parts, factors.detach())
        return StepLoss(sum(further, total) + price, shown, len(batch))

    def _logit_loss(
        self,
        output: Output,
        places: Places,
        terms: Sequence[LogitTerm],
        factors: Float[Tensor, " terms"],
    ) -> tuple[Float[Tensor, ""], Float[Tensor, " terms"]]:
        if not terms:
            # Nothing to learn, but still of this graph.
            return output.states.sum() * 0.0, factors.detach()

        def of_chunk(logits: Logits, part: slice) -> Float[Tensor, " terms"]:
            return torch.stack([term(logits, places, part) for term in terms]) * factors

        dense = any(term.objective.dense for term in terms)
        return chunked(output.states, output.table, of_chunk, [factors], dense=dense)

    def _shown(
        self,
        terms: Sequence[LogitTerm | VectorTerm],
        weighted: Sequence[Float[Tensor, ""]],
        factors: Float[Tensor, " terms"],
    ) -> dict[str, Tensor]:
        shown: dict[str, Tensor] = {}
        for term, part, factor in zip(terms, weighted, factors, strict=True):
            shown |= described(term.objective, term.knobs, part, factor)
        return shown

    def _logit_terms(self, batch: TorchBatch, moment: Moment) -> list[LogitTerm]:
        """The logit terms that count now; each kind of signal is read once for the whole batch."""
        present = _present(self._over_logits, moment)
        events = batch.events.numpy(force=True)
        spoken: dict[str | None, Signal] = {None: {}}
        for source in {term.source for term, _ in present if term.source}:
            spoken[source] = self._lookups[source].read(events, batch.events.device)
        return [
            LogitTerm(term, knobs, self._heard(term, spoken, batch), _tuned(term.filters, moment))
            for term, knobs in present
        ]

    def _heard(
        self, term: LogitObjective, spoken: Mapping[str | None, Signal], batch: TorchBatch
    ) -> Heard:
        counts = self._defined(term, batch).to(self._popularity.dtype)
        kind = self._lookups[term.source].kind if term.source else None
        return Heard(spoken[term.source], counts, getattr(kind, "temperature", 1.0))

    def _defined(self, objective: LogitObjective, batch: TorchBatch) -> Bool[Tensor, " positions"]:
        """The positions at which `objective` has what it compares."""
        known = batch.targets >= 0
        defined = known if objective.needs_target else torch.ones_like(known)
        if objective.source is None:
            return defined
        has = self._lookups[objective.source].has(batch.events.numpy(force=True))
        return defined & torch.from_numpy(has).to(defined.device)

    def _vector_terms(self, moment: Moment) -> list[VectorTerm]:
        bridges = dict(zip((term.label for term in self._over_vectors), self._bridges, strict=True))
        return [
            VectorTerm(term, knobs, bridges[term.label], self._lookups[str(term.source)])
            for term, knobs in _present(self._over_vectors, moment)
        ]


def _present(objectives: Sequence[_Kind], moment: Moment) -> list[tuple[_Kind, Knobs]]:
    """The objectives of positive weight at `moment`, with the values of their schedules."""
    return [(term, knobs) for term, knobs in _tuned(objectives, moment) if knobs["weight"] > 0]


def _tuned(parts: Sequence[_Part], moment: Moment) -> list[tuple[_Part, Knobs]]:
    """Objectives or filters, each with the present values of its schedules."""
    return [(part, part.knobs(moment.progress, moment.feedback)) for part in parts]
