"""How a student learns, as data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field, PositiveInt, model_validator

from recdistill.compression.settings import Structure
from recdistill.distill.aims import aimless
from recdistill.distill.auto import Auto, Point
from recdistill.distill.companions import Member, Teacher
from recdistill.distill.companions import Tutor as OfTutor
from recdistill.distill.copying import Init, LayersInit
from recdistill.distill.heads import Served
from recdistill.distill.initialise import TeacherInit
from recdistill.distill.objectives import LogitObjective, NextItem, Objective, Outcome
from recdistill.distill.phases import Assistant, Phase, Terms, Tutor, check_terms, kind_named
from recdistill.errors import ConfigError, nearest
from recdistill.settings import Settings
from recdistill.signals.kinds import SignalKind
from recdistill.teachers.ensemble import TeacherConfig


class Recipe(Terms):
    """What a student is trained for and what it starts from."""

    init: Init | None = None
    """What the student takes over from the teacher before training."""
    phases: tuple[Phase, ...] = ()
    """Trainings one after another, instead of one with these `objectives`."""
    tutors: tuple[Tutor, ...] = Field(default=(), exclude_if=lambda given: not given)
    """Models that are trained first, each by terms of its own, and then asked inside the student's steps."""
    epochs: PositiveInt | None = Field(default=None, exclude_if=lambda given: given is None)
    """How many epochs the student learns so, where that is not what suits the undistilled one: with a teacher it may
    be done in half the time. Those of `training` when not given."""
    auto: Auto | None = None
    """Whether a run chooses what to hear of the teacher beside these `objectives`; `recipe: auto` for short."""

    @model_validator(mode="before")
    @classmethod
    def _in_short(cls, given: Any) -> Any:
        return {"auto": {}} if given == "auto" else given

    @classmethod
    def of(cls, recipe: Recipe | Sequence[Objective] | Mapping[str, Any]) -> Recipe:
        """A recipe from whatever a caller finds handy: itself, its objectives, or plain data."""
        if isinstance(recipe, Recipe):
            recipe = dict(recipe)
        return cls.model_validate(recipe if isinstance(recipe, Mapping) else {"objectives": recipe})

    @model_validator(mode="after")
    def _one_or_several(self) -> Recipe:
        if self.phases and Terms(**_terms(self)) != Terms():
            raise ValueError(
                "`objectives`, `weighting` and `views` belong into the `phases`, or no `phases`"
            )
        taught = self.phases or self.init or self.tutors
        if self.auto and (taught or any(term.taught for term in self.objectives)):
            raise ValueError(
                "`auto` chooses what the student hears of its teacher: keep the `objectives` that need none, "
                "and drop `init`, `phases`, `tutors` and the others"
            )
        return self

    @model_validator(mode="after")
    def _pruned_students_go_on(self) -> Recipe:
        shaped = [isinstance(phase.prune, Structure) for phase in self.phases]
        if any(phase.anew and any(shaped[:number]) for number, phase in enumerate(self.phases)):
            raise ValueError(
                "a pruned student cannot begin `anew`: it is no longer what it began as"
            )
        fed = isinstance(self.init, TeacherInit) and self.init.as_ == "input"
        cuts = (phase.prune for phase in self.phases)
        if fed and any(isinstance(cut, Structure) and "width" in cut.parts for cut in cuts):
            raise ValueError(
                "`init: {as: input}` makes items of the teacher's vectors to the end of the training; "
                "write `parts: [units, heads]` under `prune`, which leaves the width of items alone"
            )
        return self

    @model_validator(mode="after")
    def _tutors_are_heard(self) -> Recipe:
        names = [tutor.name for tutor in self.tutors]
        if len(set(names)) < len(names):
            raise ValueError(f"two tutors have one name, among {', '.join(names)}")
        assistants = (one for one in self.hearing if isinstance(one, Assistant))
        heard = _tutors_of((*self.course, *assistants))
        for name in dict.fromkeys(heard):
            if name not in names:
                raise ValueError(f"no tutor is called '{name}'. {nearest(name, names)}".strip())
        if idle := [name for name in names if name not in heard]:
            raise ValueError(f"no term hears tutor '{idle[0]}'; let one, or drop the tutor")
        if _tutors_of(self.tutors):
            raise ValueError("a tutor hears no other tutor; let the student hear both")
        return self

    def heard(self, point: Point, dropout: float) -> Recipe:
        """The same, with what a point of the search adds for a student of this `dropout`; nothing is left to be
        chosen."""
        changes = point.changes(dropout)
        terms = (*self.objectives, *changes.pop("objectives"))
        return Recipe.model_validate({**dict(self), **changes, "objectives": terms, "auto": None})

    @property
    def course(self) -> tuple[Phase, ...]:
        """The phases; a recipe without any is one phase."""
        return self.phases or (Phase(**_terms(self)),)

    @property
    def taught(self) -> tuple[Phase, ...]:
        """The phases in which the given teacher may speak."""
        return tuple(phase for phase in self.course if phase.teacher == "given")

    @property
    def hearing(self) -> tuple[Terms, ...]:
        """All that hear the given teacher: these phases, assistants that teach in others, and tutors."""
        teachers = (phase.teacher for phase in self.course)
        assistants = (one for one in teachers if isinstance(one, Assistant))
        return (*self.taught, *assistants, *self.tutors)

    @property
    def engaged(self) -> tuple[TeacherConfig, ...]:
        """The teachers of phases' own, which are fitted and asked before them."""
        teachers = (phase.teacher for phase in self.course)
        return tuple(
            one for one in teachers if not isinstance(one, str) and not isinstance(one, Assistant)
        )

    @property
    def needs(self) -> frozenset[str]:
        """The kinds of signal of the given teacher that it cannot do without."""
        started = {self.init.source} if self.init and self.init.source else set[str]()
        return frozenset(started).union(*(part.sources for part in self.hearing))

    @property
    def asks(self) -> bool:
        """Whether the given teacher itself is wanted: in the training step, to be measured for a schedule, or to be
        copied."""
        return (
            isinstance(self.init, LayersInit)
            or any(map(aimless, (*self.course, *self.tutors)))
            or any(
                isinstance(term.companion, Teacher | Member)
                for part in (*self.course, *self.hearing)
                for term in part.objectives
            )
        )

    @property
    def looks_inside(self) -> bool:
        """Whether what a model is made of matters, beyond stored signals and the student's served logits."""
        terms = [term for part in (*self.course, *self.tutors) for term in part.objectives]
        beyond = any(
            term.companion is not None or isinstance(term, Outcome) or not _served(term)
            for term in terms
        )
        return beyond or self.init is not None or any(phase.prune for phase in self.phases)

    def untaught(self) -> Recipe:
        """Only those of its terms that need no teacher and no side door, of the first phase that has any, in one
        phase: the twin's recipe."""
        own = (
            tuple(term for term in phase.objectives if not term.taught and _served(term))
            for phase in self.course
        )
        return Recipe(objectives=next(filter(None, own), (NextItem(),)))

    def check(self, says: Mapping[str, SignalKind], teacher: str = "the teacher") -> None:
        """Refuse, before anything is trained, what a teacher that `says` these kinds cannot serve.

        Raises:
            ConfigError: naming the objective, what it asks for, and what the teacher can say.
        """
        said = dict(says)
        for part in self.hearing:
            for objective in part.objectives:
                who = f"Objective '{objective.label}'"
                self._check_source(who, objective.source, said, teacher)
            check_terms(part, said)
        if self.init:
            self._check_source("`init`", self.init.source, said, teacher)
        for phase in self.course:
            if phase.teacher != "given":
                check_terms(phase, {name: kind_named(name, said) for name in phase.sources})

    @staticmethod
    def _check_source(
        who: str, source: str | None, says: Mapping[str, SignalKind], teacher: str
    ) -> None:
        if source is not None and source not in says:
            raise ConfigError(
                f"{who} learns from '{source}', which {teacher} does not say.",
                f"{nearest(source, sorted(says))} "
                f"Label with `{{kind: {source}}}`, or drop the term.",
            )


def _served(term: Objective) -> bool:
    return not isinstance(term, LogitObjective) or term.head == Served()


def _tutors_of(parts: Sequence[Terms]) -> list[str]:
    """Every tutor that terms name, as often as they do."""
    companions = (term.companion for part in parts for term in part.objectives)
    return [one.name for one in companions if isinstance(one, OfTutor)]


def _terms(settings: Settings) -> dict[str, Any]:
    return {name: getattr(settings, name) for name in Terms.model_fields}
