"""Whether two models can be compared as a recipe asks: found out before anything is trained."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch

from recdistill.compression.pruning import foretold
from recdistill.compression.settings import Structure
from recdistill.distill.copying import LayersInit
from recdistill.distill.objectives.contract import LiveObjective, LogitObjective, Objective
from recdistill.distill.objectives.outcome import Outcome
from recdistill.distill.phases import Terms
from recdistill.distill.recipe import Recipe
from recdistill.distill.voices import Voices
from recdistill.models.internals import Anatomy
from recdistill.models.outcomes import heads_of
from recdistill.models.recommender import Recommender, SequenceModel
from recdistill.models.sasrec import SASRec


def rehearse(recipe: Recipe, student: SequenceModel, teacher: Recommender | None) -> None:
    """Go through all phases of `recipe` without a step.

    Only what the models are made of matters, not what they have learned, so models that stand in for them will do.

    Raises:
        ConfigError: a term listens to somebody who is not there, or compares what one of the two does not have; or
            the student cannot begin as the recipe says.
    """
    if isinstance(recipe.init, LayersInit):
        recipe.init.check(student, teacher)
    elif recipe.init:
        recipe.init.check(student)
    with torch.random.fork_rng(devices=[]):  # peers and tutors are made for it
        tutors = {one.name: SASRec(one.model, student.vocabulary) for one in recipe.tutors}
        for tutor in recipe.tutors:
            _go_through(tutor, tutors[tutor.name], teacher, {})
        for phase in recipe.course:
            if isinstance(phase.prune, Structure):
                student = foretold(student, phase.prune)
            _go_through(phase, student, teacher, tutors)


def _go_through(
    terms: Terms,
    student: SequenceModel,
    teacher: Recommender | None,
    tutors: Mapping[str, SequenceModel],
) -> None:
    require_fit(terms.objectives, student, Voices(terms.objectives, student, teacher, tutors))


def require_fit(objectives: Iterable[Objective], student: SequenceModel, voices: Voices) -> None:
    """Refuse terms that compare what these models do not have.

    Raises:
        ConfigError: naming the term, what it asks for, and the nearest that is there.
    """
    own = Anatomy.of(student.network)
    for term in objectives:
        if isinstance(term, LiveObjective):
            term.fit(own, Anatomy.of(voices.of(term.of).model.network))
        if isinstance(term, LogitObjective):
            term.head.check(own, f"Objective '{term.label}'")
        if isinstance(term, Outcome):
            other = heads_of(voices.of(term.of).model.network) if term.of else None
            term.fit(heads_of(student.network), other)
