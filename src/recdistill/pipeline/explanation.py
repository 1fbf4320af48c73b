"""The explanation: a finished run looked at on validation, and told with what to change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recdistill.data.cases import Cases, sample
from recdistill.distill.companions import Peer
from recdistill.distill.lookup import Lookup, lookups
from recdistill.distill.objectives import Objective
from recdistill.distill.phases import Phase
from recdistill.distill.recipe import Recipe
from recdistill.distill.schedules import extremes
from recdistill.distill.scrutiny import scrutinise
from recdistill.distill.sharpness import sharpness
from recdistill.distill.tension import Tension, tension
from recdistill.errors import DataError
from recdistill.evaluation import roles
from recdistill.evaluation.calibration import beliefs
from recdistill.evaluation.evaluation import Evaluation
from recdistill.evaluation.explanation import Looked, explanation
from recdistill.evaluation.inheritance import likeness, on_training
from recdistill.evaluation.protocol import Models, by_role, examine, popularity_of
from recdistill.evaluation.report.explanation import save_explanation
from recdistill.models.recommender import SequenceModel
from recdistill.teachers.calibration import temperature
from recdistill.teachers.questions import Questions
from recdistill.teachers.sparing import spared
from recdistill.training.step import Moment

if TYPE_CHECKING:
    from recdistill.pipeline.pipeline import Pipeline

CASES = 20_000
"""So many validation cases are asked: more would tell nothing new."""
_METRIC = "ndcg@10"
"""Where the run asks for no metric of accuracy: what training selected by."""


def explain(pipeline: Pipeline, folder: Path) -> None:
    """Measure, and write `explanation.json` and `explanation.html`.

    Raises:
        DataError: there are no validation cases.
    """
    save_explanation(folder, explanation(look(pipeline)))


def look(pipeline: Pipeline) -> Looked:
    """Everything that an explanation is made of."""
    dataset, recipe = pipeline.dataset, pipeline.recipe
    models, cases = contestants(pipeline), held_out(pipeline)
    config = pipeline.config.evaluation
    named = [str(metric) for metric in config.parsed if not metric.of_lists][:1] or [_METRIC]
    config = config.model_copy(update={"metrics": tuple(named)})
    progress = pipeline.run.progress
    found = examine(models, dataset, cases, "valid", config=config, progress=progress)
    seeds = by_role(models, dataset)
    known = popularity_of(dataset) > 0
    likenesses = {
        role: likeness(seeds[roles.TEACHER], seeds[role], cases, known)
        for role in (roles.STUDENT, roles.TWIN)
    }
    heard = lookups(pipeline.signals, dataset, recipe.needs)
    terms = phase_of(recipe).objectives
    return Looked(
        held_out=found,
        fitted=on_training(models, dataset, config, progress),
        beliefs={role: [beliefs(one, cases) for one in some] for role, some in seeds.items()},
        likeness=likenesses,
        temperature=temperature(Questions.ask([seeds[roles.TEACHER][0]], dataset)),
        recipe=recipe.model_dump(mode="json", by_alias=True),
        terms=[described(term) for term in terms],
        sharpness=sharpness(terms, heard),
        hints=scrutinise(terms, heard),
        tension=_tension(pipeline, terms, heard, found),
    )


def contestants(pipeline: Pipeline) -> Models:
    """The three that matter here; the judge of a teacher is asked about a sample."""
    students, cases = pipeline.students, held_out(pipeline)
    return {
        roles.TEACHER: spared(pipeline.teacher.recommender, cases.histories),
        roles.STUDENT: [trained.model for trained in students.student],
        roles.TWIN: [trained.model for trained in students.twin],
    }


def held_out(pipeline: Pipeline) -> Cases:
    """The validation cases; of very many, a fixed sample.

    Raises:
        DataError: there are none.
    """
    cases = pipeline.dataset.valid
    if not len(cases):
        raise DataError(
            f"{pipeline.dataset.name} has no validation cases, on which a run could be explained.",
            "Give the validation a part of the split: `dataset.split.valid`.",
        )
    return cases.take(sample(cases, CASES))


def phase_of(recipe: Recipe) -> Phase:
    """The phase that is explained: the last in which the given teacher is heard, or else the last."""
    hearing = [one for one in recipe.taught if any(term.taught for term in one.objectives)]
    return (hearing or recipe.course)[-1]


def described(term: Objective) -> dict[str, Any]:
    """A term as explanations show it."""
    heat = getattr(term, "temperature", None)
    return {
        "term": term.label,
        "on": term.source,
        "taught": term.taught,
        "weight": list(extremes(term.weight)),
        "temperature": None if heat is None else list(extremes(heat)),
    }


def _tension(
    pipeline: Pipeline, terms: Sequence[Objective], heard: Mapping[str, Lookup], found: Evaluation
) -> Tension | None:
    """At the student that validation likes best, at the moment of its best validation."""
    best = pipeline.students.best
    if not isinstance(best.model, SequenceModel):
        return None
    log, epochs = best.log, pipeline.config.training.epochs
    done = len(log.epochs) if log.best_epoch is None else log.best_epoch + 1
    # Steps are counted in epochs here: schedules read nothing but the share of the training that is behind.
    moment = Moment(min(done, epochs), epochs + 1, done, {log.metric: log.best or 0.0})
    teacher = pipeline.teacher.recommender
    terms = [term for term in terms if not isinstance(term.companion, Peer)]  # it was left behind
    return tension(
        best.model,
        pipeline.dataset,
        terms,
        heard,
        moment,
        teacher=teacher,
        tutors=best.tutors,
    )
