"""Judges of candidates: do they know more than whoever chose the candidates, and does the order in which these are
shown decide?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float32, Float64, Int64

from recdistill.data.cases import Cases
from recdistill.data.sequences import Sequences
from recdistill.evaluation.judging.standings import among_candidates, answers
from recdistill.models.recommender import Recommender
from recdistill.teachers.blending import Blend
from recdistill.teachers.chance import Standing, Verdict, against_chance
from recdistill.teachers.judging import Judge
from recdistill.teachers.ordering import OrderBias, one_order, spoken, two_orders
from recdistill.teachers.reranked import Reranked

ORDERED = 100
"""So many questions are asked in a second order: a judge may be paid by the question."""


@runtime_checkable
class ShowsOrders(Protocol):
    """A judge that chooses itself in which orders candidates are shown, whatever order it is given."""

    def in_orders(
        self, histories: Sequences, candidates: Int64[np.ndarray, "rows c"]
    ) -> list[tuple[Float64[np.ndarray, "rows c"], Float64[np.ndarray, "rows c"]]]:
        """Of each order: how each candidate was judged (higher is better, NaN where nothing was said), and where it
        stood."""
        ...


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
) -> OrderBias | None:
    """What the order in which candidates are shown does to the judge's answers.

    A judge that chooses orders itself tells what it was answered to each (`ShowsOrders`); any other is asked again.

    Args:
        judge: who is asked.
        histories: the questions.
        candidates: in the order in which they were presented.
        judged: what was said then.
    """
    latest = histories.tail(judge.history)
    if not isinstance(judge, ShowsOrders):
        rows = np.flatnonzero(spoken(judged))[:ORDERED]
        return _asked_again(judge, latest.take(rows).packed(), candidates[rows], judged[rows])
    rows = np.flatnonzero(histories.lengths > 0)
    answers = judge.in_orders(latest.take(rows).packed(), candidates[rows])
    if len(answers) < 2:
        return one_order(*answers[0]) if answers else None
    (first, order), (second, other) = answers[:2]
    return two_orders(first, second, order, other)


def _asked_again(
    judge: Judge,
    histories: Sequences,
    candidates: Int64[np.ndarray, "rows c"],
    judged: Float32[np.ndarray, "rows c"],
) -> OrderBias | None:
    """Beside what is answered to the same candidates in a random order."""
    shuffled = np.argsort(np.random.default_rng(0).random(candidates.shape), axis=1)
    again = judge.judge(histories, np.take_along_axis(candidates, shuffled, axis=1))
    places = np.argsort(shuffled, axis=1)
    back = np.take_along_axis(again, places, axis=1)
    first = np.broadcast_to(np.arange(float(candidates.shape[1])), places.shape)
    return two_orders(judged, back, first, places.astype(np.float64))
