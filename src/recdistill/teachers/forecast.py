"""What a teacher that asks an endpoint would cost, told before anything is asked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from recdistill.asking import BudgetConfig, Cost, Ledger, Plan
from recdistill.data.dataset import Dataset
from recdistill.data.sequences import Sequences
from recdistill.models.popularity import Popularity
from recdistill.models.recommender import Recommender
from recdistill.models.validation import takes_repeat
from recdistill.teachers.base import RecommenderBacked
from recdistill.teachers.chat import ChatConfig, ChatTeacher
from recdistill.teachers.ensemble import EnsembleConfig, TeacherConfig
from recdistill.teachers.listwise import ChatJudge
from recdistill.teachers.reranked import Reranked, RerankedConfig
from recdistill.teachers.sparing import judges
from recdistill.teachers.words import WordsConfig

_LOOKED_AT = 1000
"""So many contexts are put into words; more cost about as much each."""


@dataclass(frozen=True)
class Forecast:
    """What one judge would be asked.

    Attributes:
        who: the model.
        fitting: to find out how much it counts.
        labelling: to speak about every context, or those that are chosen.
        evaluating: calls for comparing it, at most.
        profiling: to write a profile of every context that is labelled; `None` where it writes none.
    """

    who: str
    fitting: Plan
    labelling: Plan
    evaluating: int
    profiling: Plan | None = None

    @property
    def unjudged(self) -> Forecast:
        """The same of a judge whose word is heard and not compared."""
        return replace(self, evaluating=0)

    @property
    def lines(self) -> list[str]:
        """For people."""
        profiling = [] if self.profiling is None else [f"  to profile {self.profiling}"]
        return [
            f"{self.who}: nothing was asked. It would take",
            f"  to fit     {self.fitting}",
            f"  to label   {self.labelling}",
            *profiling,
            f"  to compare up to {self.evaluating:,} calls more",
        ]


def forecasts(
    config: TeacherConfig,
    dataset: Dataset,
    fitted: RecommenderBacked | None = None,
    contexts: int | None = None,
) -> list[Forecast]:
    """What each chat model of a teacher would be asked; none where nobody is asked.

    With a teacher that is `fitted` already, its candidates are those that it would be asked about, so that what it has
    answered is known; else they are the popular items, and prompts of about the same length. Of the `contexts` that a
    selection would choose nothing is known but their number.
    """
    # An ensemble says what its members score, not what they say in words.
    words = config.words if isinstance(config, ChatConfig) else None
    known = [(model, False) for model in judges(fitted.recommender)] if fitted else None
    return [
        _forecast(model, dataset, contexts, weigh, words)
        for model, weigh in (_imagined(config, dataset) if known is None else known)
        if isinstance(model.judge, ChatJudge)
    ]


def _imagined(config: TeacherConfig, dataset: Dataset) -> Iterator[tuple[Reranked, bool]]:
    """What would be fitted, and whether the judge is still to be weighed."""
    if isinstance(config, EnsembleConfig):
        for member in config.members:
            yield from _imagined(member, dataset)
    if isinstance(config, ChatConfig):
        settings = RerankedConfig(
            number=config.candidates.number,
            repeats=takes_repeat(dataset.train.histories),
            sample=config.sample,
        )
        base: Recommender = Popularity.for_dataset(dataset).fit(dataset)
        yield Reranked(base, ChatTeacher(config).judge(dataset), settings), config.blend is None


def _forecast(
    model: Reranked, dataset: Dataset, chosen: int | None, weigh: bool, words: WordsConfig | None
) -> Forecast:
    judge = model.judge
    assert isinstance(judge, ChatJudge)
    valid, contexts = dataset.valid.histories, dataset.contexts().distinct().histories
    asked = np.flatnonzero(model.about(valid).asked(valid)) if weigh else np.empty(0, np.int64)
    sample = len(contexts) if model.config.sample is None else model.config.sample
    if chosen is not None and chosen < len(contexts):
        contexts = contexts.take(np.linspace(0, len(contexts) - 1, chosen).astype(np.int64))
    return Forecast(
        judge.endpoint.where.model,
        _plan(model, judge, valid.take(asked)),
        _plan(model, judge, contexts.take(slice(None if model.config.blend.judge else 0))),
        2 * sample * judge.config.orderings,
        _profiling(model, judge, contexts, words),
    )


def _profiling(
    model: Reranked, judge: ChatJudge, contexts: Sequences, words: WordsConfig | None
) -> Plan | None:
    if words is None or words.of != "profile":
        return None
    return _plan(model, judge, contexts.take(np.flatnonzero(contexts.lengths > 0)), words)


def _plan(
    model: Reranked, judge: ChatJudge, histories: Sequences, profiles: WordsConfig | None = None
) -> Plan:
    """Of putting candidates in order, or of `profiles`. Exact for few histories; of many, so many times what a few of
    them take."""
    rows = np.linspace(0, len(histories) - 1, min(len(histories), _LOOKED_AT)).astype(np.int64)
    some = model.trimmed(histories.take(rows))
    latest = some.tail(judge.history).packed()
    candidates = model.proposed(some).cpu().numpy()
    plan = profiles.plan(judge, latest) if profiles else judge.plan(latest, candidates)
    if len(rows) == len(histories):
        return plan
    return _times(plan, len(histories) / len(rows), judge)


def _times(plan: Plan, factor: float, judge: ChatJudge) -> Plan:
    calls, at_most = round(plan.calls * factor), _more(plan.at_most, factor)
    with Ledger(judge.endpoint.ledger) as ledger:
        spent = ledger.spent(judge.payer)
    return Plan(
        questions=round(plan.questions * factor),
        known=round(plan.questions * factor) - calls,
        calls=calls,
        likely=_more(plan.likely, factor),
        at_most=at_most,
        affordable=int(calls * _share(judge.endpoint.budget, spent, at_most)),
        seconds=None if plan.seconds is None else plan.seconds * factor,
    )


def _more(cost: Cost, factor: float) -> Cost:
    return Cost(*(round(part * factor) for part in (cost.calls, cost.tokens, cost.picos)))


def _share(budget: BudgetConfig, spent: Cost, needed: Cost) -> float:
    """Of what is needed, how much a budget allows for certain."""
    bounds = [
        (budget.calls, spent.calls, needed.calls),
        (budget.tokens, spent.tokens, needed.tokens),
        (budget.money, spent.money, needed.money),
    ]
    shares = [
        max(bound - gone, 0) / need for bound, gone, need in bounds if bound is not None and need
    ]
    return min([1.0, *shares])
