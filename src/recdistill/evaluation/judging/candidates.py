"""Judges of candidates: do they know more than whoever chose the candidates, and does the order in which these are
shown decide?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32, Int64

from recdistill.data.cases import Cases
from recdistill.data.sequences import Sequences
from recdistill.evaluation.judging.standings import among_candidates, answers
from recdistill.models.recommender import Recommender
from recdistill.teachers.blending import Blend
from recdistill.teachers.chance import Standing, Verdict, against_chance
from recdistill.teachers.judging import Judge
from recdistill.teachers.ordering import OrderBias, spoken, two_orders
from recdistill.teachers.reranked import Reranked

ORDERED = 100
"""So many questions are asked in a second order: a judge may be paid by the question."""


@dataclass(frozen=True)
class Among:
    """A judge and its base, asked about the same candidates.

    Attributes:
        number: candidates a question.
        asked: questions.
        answered: the share of them that the judge answered.
        held: the share in which the right item was among the candidates.
        judge: where the judge put it, where it was.
        base: where the base put it in the same cases.
        order: what the presented order does to the judge's answers; `None` where that could not be seen.
    """

    number: int
    asked: int
    answered: float
    held: float
    judge: Standing
    base: Standing
    order: OrderBias | None

    def facts(self) -> dict[str, Any]:
        """As plain data; both stand beside chance."""
        told = {
            name: verdict.facts()
            for name, verdict in (("judge", chance(self.judge)), ("base", chance(self.base)))
            if verdict
        }
        order = self.order.facts() if self.order else None
        counts = {name: getattr(self, name) for name in ("number", "asked", "answered", "held")}
        return {**counts, **told, "order": order}


def chance(standing: Standing) -> Verdict | None:
    """Beside chance; `None` without a case."""
    return against_chance(standing) if len(standing) else None


@torch.no_grad()
def among(model: Recommender, cases: Cases) -> Among | None:
    """What the judge of `model` makes of candidates; `None` if it has none, or was asked about nothing."""
    if not isinstance(model, Reranked) or not len(cases):
        return None
    heard = _heard(model)
    said = heard.said(heard.states(heard.trimmed(cases.histories)))
    candidates, log_p, judged = (
        part.cpu().numpy() for part in (said.candidates, said.log_p, said.judged)
    )
    right, users = answers(cases), cases.users.astype(np.int64)
    answered = spoken(judged)
    if candidates.shape[1] < 2 or not answered.any():
        return None
    # The base is judged where the judge spoke.
    base = np.where(np.isnan(judged), np.nan, log_p)
    return Among(
        number=candidates.shape[1],
        asked=len(cases),
        answered=float(answered.mean()),
        held=float((candidates == right[:, None]).any(axis=1)[answered].mean()),
        judge=among_candidates(judged, candidates, right, users),
        base=among_candidates(base, candidates, right, users),
        order=order_bias(model.judge, cases.histories, candidates, judged),
    )


def _heard(model: Reranked) -> Reranked:
    """The same, with a judge that is asked even where validation gave it no say."""
    if model.config.blend.judge:
        return model
    config = model.config.model_copy(update={"blend": Blend()})
    return Reranked(model.base, model.judge, config)


def order_bias(
    judge: Judge,
    histories: Sequences,
    candidates: Int64[np.ndarray, "rows c"],
    judged: Float32[np.ndarray, "rows c"],
    at_most: int = ORDERED,
    seed: int = 0,
) -> OrderBias | None:
    """Ask a judge the same again, the candidates in a random order.

    Args:
        judge: who is asked.
        histories: the questions.
        candidates: in the order in which they were presented.
        judged: what was said then.
        at_most: about so many of the answered questions, the first ones.
        seed: of the order.
    """
    rows = np.flatnonzero(spoken(judged))[:at_most]
    count = candidates.shape[1]
    random = np.random.default_rng(seed)
    shuffled = np.argsort(random.random((len(rows), count)), axis=1)
    shown = np.take_along_axis(candidates[rows], shuffled, axis=1)
    again = judge.judge(histories.take(rows).tail(judge.history).packed(), shown)
    places = np.argsort(shuffled, axis=1)
    back = np.take_along_axis(again, places, axis=1)
    first = np.broadcast_to(np.arange(float(count)), places.shape)
    return two_orders(judged[rows], back, first, places.astype(np.float64))
