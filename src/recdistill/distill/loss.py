"""All terms of a recipe as one loss of the training loop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from recdistill.distill.companions import Companion
from recdistill.distill.doors import Doors
from recdistill.distill.filters import Heard
from recdistill.distill.lookup import Lookup
from recdistill.distill.objectives.contract import (
    LiveObjective,
    LogitObjective,
    Objective,
    Places,
    VectorObjective,
)
from recdistill.distill.objectives.outcome import Outcome
from recdistill.distill.output import Output
from recdistill.distill.present import Present, tuned
from recdistill.distill.pulls import pulls
from recdistill.distill.rehearsal import require_fit
from recdistill.distill.rivals import Rivals
from recdistill.distill.speakers import said, told
from recdistill.distill.terms import LiveTerm, LogitTerm, OutcomeTerm, Term, VectorTerm, described
from recdistill.distill.voices import Voices
from recdistill.distill.weighting import Fixed, Weighting
from recdistill.models.internals import Anatomy
from recdistill.models.logits import Logits, chunked
from recdistill.models.recommender import Recommender, SequenceModel
from recdistill.training.step import Moment, StepLoss, TorchBatch

_VECTORS_LOOKED_AT = 20_000
"""From how many of the teacher's vectors a bridge learns their statistics."""


class DistillationLoss(nn.Module):
    """The weighted sum of the terms, each a mean over where it is defined.

    Terms over logits share one pass over the chunks of the batch (one for each head that they read at); terms
    over vectors and over live models follow. What the terms learn (projections, heads) are parameters of this
    module, not of the student: trained with it and left behind. So is a peer, whose own loss is added whether it
    is listened to or not. A term whose weight is 0 at the moment costs nothing.
    """

    _popularity: Tensor
    _ratings: Tensor

    def __init__(
        self,
        student: SequenceModel,
        objectives: Sequence[Objective],
        lookups: Mapping[str, Lookup],
        popularity: Float[Tensor, " items"],
        weighting: Weighting | None = None,
        teacher: Recommender | None = None,
        ratings: Float[Tensor, " events"] | None = None,
        tutors: Mapping[str, SequenceModel] | None = None,
    ) -> None:
        """`lookups` holds every kind of signal that is named; `popularity` counts items; `weighting`
        says how terms share the say beyond their weights; `teacher` and `tutors` are asked inside the step;
        `ratings` are of the items after each training event (`Interactions.next_ratings`).

        Raises:
            ConfigError: an objective compares what these models do not have.
        """
        super().__init__()
        self.register_buffer("_popularity", popularity, persistent=False)
        given = torch.full((1,), torch.nan) if ratings is None else ratings
        self.register_buffer("_ratings", given, persistent=False)
        self._student, self._lookups = student, lookups
        self._over_logits = [term for term in objectives if isinstance(term, LogitObjective)]
        beside = [
            term
            for term in objectives
            if isinstance(term, VectorObjective | LiveObjective | Outcome)
        ]
        self._voices = Voices(objectives, student, teacher, tutors)
        self._rivals = Rivals(objectives)
        width = student.item_table().shape[1]
        require_fit(objectives, student, self._voices)
        inside = Anatomy.of(student.network).width
        self._doors = Doors([term.head for term in self._over_logits], width, inside)
        self._over_vectors = [term for term in beside if isinstance(term, VectorObjective)]
        self._over_models = [term for term in beside if isinstance(term, LiveObjective)]
        self._over_outcomes = [term for term in beside if isinstance(term, Outcome)]
        self._beside = [term.label for term in beside]
        self._bridges = nn.ModuleList(self._bridge(term) for term in beside)
        labels = [term.label for term in (*self._over_logits, *beside)]
        self._balance = (weighting or Fixed()).balance(labels)

    def _bridge(self, objective: VectorObjective | LiveObjective | Outcome) -> nn.Module:
        if isinstance(objective, Outcome):
            return nn.Identity()  # its heads are the student's own, and stay
        if isinstance(objective, LiveObjective):
            teacher = self._voices.of(objective.of).model.network
            sides = Anatomy.of(self._student.network), Anatomy.of(teacher)
            return objective.bridge(*sides)
        table = self._student.item_table()
        lookup = self._lookups[str(objective.source)]
        vectors = lookup.sample(_VECTORS_LOOKED_AT)["vectors"].float()
        return objective.bridge(table.shape[1], vectors).to(table.device)

    def forward(self, batch: TorchBatch, moment: Moment) -> StepLoss:
        """The loss of `batch` at `moment`."""
        if self.training:
            self._voices.follow(self._student.network)
        present = Present.at(
            moment, self._over_logits, self._over_vectors, self._over_models, self._over_outcomes
        )
        output = Output.of(self._student, batch, watch=present.watches)
        spoken = self._voices.about(output, present.companions)
        lessons = self._voices.lessons(output, spoken)
        others = {who: said.detached() for who, said in spoken.items()}
        places = self._places(batch)
        over_logits = self._logit_terms(present, batch, others, moment)
        beside = [
            *self._vector_terms(present),
            *self._live_terms(present, others),
            *self._outcome_terms(present, others, places),
        ]
        terms: tuple[Term, ...] = (*over_logits, *beside)
        labels = [term.objective.label for term in terms]
        if self.training:
            self._balance.observe(
                moment.step, labels, lambda: pulls(output, places, over_logits, beside)
            )
        factors, count = self._balance.factors(labels), len(over_logits)
        total, sums = self._logit_loss(output, places, over_logits, factors[:count])
        further = [
            term(output) * factor for term, factor in zip(beside, factors[count:], strict=True)
        ]
        weights = factors.new_tensor([term.knobs["weight"] for term in terms])
        price = (weights * self._balance.price(labels)).sum()
        parts = [*sums.unbind(), *(part.detach() for part in further)]
        shown = self._shown(terms, parts, factors.detach())
        further += [lesson.total for lesson in lessons.values()]
        shown |= told(lessons)
        return StepLoss(sum(further, total) + price, shown, len(batch))

    def _places(self, batch: TorchBatch) -> Places:
        """What is known of the positions of `batch`."""
        known = (batch.targets >= 0) & (batch.events >= 0) & (batch.events < len(self._ratings))
        ratings = self._ratings[torch.where(known, batch.events, 0)]
        ratings = ratings.masked_fill(~known, torch.nan)
        return Places(batch.targets.clamp_min(0), self._popularity, batch.events, ratings)

    def _logit_loss(
        self,
        output: Output,
        places: Places,
        terms: Sequence[LogitTerm],
        factors: Float[Tensor, " terms"],
    ) -> tuple[Float[Tensor, ""], Float[Tensor, " terms"]]:
        """One pass over the logits of each head; the values of the terms in their own order."""
        # Were there no term at all, still of this graph.
        total, sums = output.states.sum() * 0.0, factors.detach().clone()
        for head in dict.fromkeys(term.objective.head for term in terms):
            chosen = [place for place, term in enumerate(terms) if term.objective.head == head]
            some, weights = [terms[place] for place in chosen], factors[chosen]

            def of_chunk(
                logits: Logits,
                part: slice,
                some: Sequence[LogitTerm] = some,
                weights: Float[Tensor, " terms"] = weights,
            ) -> Float[Tensor, " terms"]:
                return torch.stack([term(logits, places, part) for term in some]) * weights

            states = self._doors.read(head, output)
            dense = any(term.objective.dense for term in some)
            learned = [weights, *(knob for term in some for knob in term.learned)]
            more, found = chunked(states, output.table, of_chunk, learned, dense=dense)
            total, sums[chosen] = total + more, found
        return total, sums

    def _shown(
        self,
        terms: Sequence[Term],
        weighted: Sequence[Float[Tensor, ""]],
        factors: Float[Tensor, " terms"],
    ) -> dict[str, Tensor]:
        shown: dict[str, Tensor] = {}
        for term, part, factor in zip(terms, weighted, factors, strict=True):
            shown |= described(term.objective, term.knobs, part, factor)
        return shown

    def _logit_terms(
        self,
        present: Present,
        batch: TorchBatch,
        others: Mapping[Companion, Output],
        moment: Moment,
    ) -> list[LogitTerm]:
        """The logit terms that count now; each signal is read, or asked for, once for the whole batch."""
        events = batch.events.numpy(force=True)
        spoken: dict[tuple[str | None, Companion | None], Heard] = {}
        for term, _ in present.over_logits:
            if (term.hears, term.of) not in spoken:
                spoken[term.hears, term.of] = self._heard(term, events, batch, others)
        return [
            LogitTerm(
                term,
                self._rivals.among(knobs, term, moment.progress),
                self._counted(term, spoken[term.hears, term.of], batch),
                tuned(term.filters, moment),
            )
            for term, knobs in present.over_logits
        ]

    def _heard(
        self,
        term: LogitObjective,
        events: Int64[np.ndarray, " positions"],
        batch: TorchBatch,
        others: Mapping[Companion, Output],
    ) -> Heard:
        """What is said to `term` at every position, and where anything is."""
        everywhere = torch.ones(len(batch), device=batch.events.device)
        if term.hears is None:
            return Heard({}, everywhere)
        if term.of is not None:
            return Heard(said(others[term.of], term.of.says(term.hears)), everywhere)
        lookup = self._lookups[term.hears]
        has = torch.from_numpy(lookup.has(events)).to(everywhere)
        heat = getattr(lookup.kind, "temperature", 1.0)
        return Heard(lookup.read(events, batch.events.device), has, heat)

    def _counted(self, term: LogitObjective, heard: Heard, batch: TorchBatch) -> Heard:
        """The same, where `term` has what it compares."""
        heard = replace(heard, counts=heard.counts.to(self._popularity.dtype))
        asks = term.needs_target or any(one.needs_target for one in term.filters)
        return heard.only(batch.targets >= 0) if asks else heard

    def _vector_terms(self, present: Present) -> list[VectorTerm]:
        return [
            VectorTerm(
                term,
                knobs,
                self._bridges[self._beside.index(term.label)],
                self._lookups[str(term.source)],
            )
            for term, knobs in present.over_vectors
        ]

    def _live_terms(self, present: Present, others: Mapping[Companion, Output]) -> list[LiveTerm]:
        return [
            LiveTerm(term, knobs, self._bridges[self._beside.index(term.label)], others[term.of])
            for term, knobs in present.over_models
        ]

    def _outcome_terms(
        self, present: Present, others: Mapping[Companion, Output], places: Places
    ) -> list[OutcomeTerm]:
        return [
            OutcomeTerm(term, knobs, places, others[term.of] if term.of else None)
            for term, knobs in present.over_outcomes
        ]
