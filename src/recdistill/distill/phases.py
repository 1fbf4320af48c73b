"""Phases: one training after another, each with terms of its own, on the student that the last one left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

from pydantic import Field, PositiveFloat, TypeAdapter, field_validator, model_validator

from recdistill.compression.settings import Pruning, Quantising
from recdistill.data.views import AnyView
from recdistill.distill.companions import Peer
from recdistill.distill.heads import Served
from recdistill.distill.objectives import AnyObjective, LogitObjective, NextItem, Objective
from recdistill.distill.objectives.contract import LiveObjective
from recdistill.distill.objectives.outcome import Outcome
from recdistill.distill.weighting import Fixed, GradientNorm, Weighting
from recdistill.models.sasrec import SASRecConfig
from recdistill.settings import Settings
from recdistill.signals.kinds import SignalKind
from recdistill.teachers.ensemble import TeacherConfig
from recdistill.training.options import TrainingConfig

_kinds: TypeAdapter[SignalKind] = TypeAdapter(SignalKind)


class Terms(Settings):
    """What is lowered together."""

    objectives: tuple[AnyObjective, ...] = Field(default=(NextItem(),), min_length=1)
    """The terms of the loss; each with its weight."""
    weighting: Weighting = Fixed()
    """How the terms share the say beyond their weights."""
    views: tuple[AnyView, ...] = ()
    """How the student sees its histories; the teacher saw them as they are."""
    dropout: float | None = Field(default=None, ge=0, lt=1)
    """The student's dropout while it learns so; its own when not given. A teacher's doubts regularise already: a
    student that hears them loudly cannot follow with the dropout that suits hard answers."""
    unlabelled: bool = False
    """Whether the student also stands at the end of every history, where nobody knows what comes next: terms that
    hear a teacher learn there, the others do not. A teacher trained on the same events has seen the answer
    everywhere else, and says more about what it did not see."""

    @field_validator("objectives")
    @classmethod
    def _labels_differ(cls, objectives: tuple[Objective, ...]) -> tuple[Objective, ...]:
        peers = {
            who.who: who for who in (term.companion for term in objectives) if isinstance(who, Peer)
        }
        counts = Counter(
            [*(term.label for term in objectives), *(one.name for one in peers.values())]
        )
        twice = [label for label, count in counts.items() if count > 1]
        if twice:
            raise ValueError(
                f"two objectives{' or peers' if peers else ''} are called '{twice[0]}'; "
                "merge them, or give each a `name` of its own"
            )
        return objectives

    @model_validator(mode="after")
    def _measurable(self) -> Terms:
        """Gradients are measured at the served states; what happens elsewhere has none there."""
        if isinstance(self.weighting, GradientNorm):
            for term in self.objectives:
                beside = isinstance(term, LogitObjective) and term.head != Served()
                if isinstance(term, LiveObjective) or beside:
                    raise ValueError(
                        f"`weighting: {{kind: gradient-norm}}` cannot measure '{term.label}', which looks inside "
                        "the student; use `fixed` or `uncertainty`"
                    )
        return self

    @property
    def sources(self) -> frozenset[str]:
        """The kinds of signal that the terms hear."""
        return frozenset(term.source for term in self.objectives if term.source is not None)


class Pupil(Terms):
    """A model that is trained by terms of its own, and then teaches."""

    model: SASRecConfig
    """What it is."""
    training: TrainingConfig | None = None
    """How it is trained; as the student is, when not given."""

    def trained(self, student: TrainingConfig) -> TrainingConfig:
        """How it is trained, where its student is trained so. A model all of whose terms are about outcomes does not
        rank: validation looks at the first of them then."""
        training = self.training or student
        outcomes = [term.head for term in self.objectives if isinstance(term, Outcome)]
        if len(outcomes) < len(self.objectives) or training.metric in outcomes:
            return training
        return training.model_copy(update={"metric": outcomes[0]})


class Tutor(Pupil):
    """A model that a recipe trains before its student, for what it is good at: terms hear it by
    `of: {kind: tutor, name: …}`. One for each head of a student of many is the setting of Clark et al. 2019.
    """

    name: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
    """What terms call it, and its folder."""


class Assistant(Pupil):
    """A student of another size, distilled from the given teacher by terms of its own, that then teaches.

    Where a student is much smaller than its teacher, one of a size in between is easier to follow (Mirzadeh et al.
    2020, "Improved knowledge distillation via teacher assistant").
    """

    kind: Literal["assistant"] = "assistant"


class Phase(Terms):
    """One training of several.

    Self-distillation is a phase whose teacher is the student `itself`, as the phase before left it
    (born-again networks: Furlanello et al. 2018, when it starts `anew`); progressive training is
    phases with other terms; layer-by-layer training is phases with other `trains`; a trajectory is phases
    whose own teachers have learned for longer and longer (HetComp: Kang et al. 2023).
    """

    share: PositiveFloat = 1.0
    """How much of the training's epochs it takes, beside the shares of the other phases."""
    teacher: Literal["given", "itself"] | Assistant | TeacherConfig = "given"
    """Who speaks: the teacher whose signals were given; the student as it is when the phase begins; an assistant;
    or a teacher of the phase's own, which is fitted and asked before the phase begins."""
    anew: bool = False
    """Whether the student forgets what it learned (not what the teacher says) and begins once more."""
    trains: tuple[str, ...] = ()
    """The parts of the student's network that learn (`items`, `blocks.0`, …); all when empty."""
    prune: Pruning | None = Field(default=None, exclude_if=lambda given: given is None)
    """What is cut from the student before it learns on: `{parameters: 0.5}` halves it. A student that teaches `itself`
    speaks as it was before."""
    quantise: Quantising | None = Field(default=None, exclude_if=lambda given: given is None)
    """In how many bits the item table is seen while the student learns, as it will be stored."""


def epochs_of(phases: Sequence[Phase], epochs: int) -> list[int]:
    """How many of `epochs` each phase takes: its share, one at least; the sum is `epochs` if it can be.

    >>> epochs_of([Phase(share=1), Phase(share=2)], 10)
    [3, 7]
    """
    total, given, ends = sum(phase.share for phase in phases), 0.0, [0]
    for phase in phases:
        given += phase.share
        ends.append(max(ends[-1] + 1, round(epochs * given / total)))
    return [end - begin for begin, end in pairwise(ends)]


def kind_named(name: str, says: dict[str, SignalKind]) -> SignalKind:
    """The kind of signal as a teacher says it, or with its default settings."""
    return says.get(name) or _kinds.validate_python({"kind": name})


def check_terms(terms: Terms, says: dict[str, SignalKind]) -> None:
    """Raise `ConfigError` when signals of these kinds and settings cannot serve a term or a filter."""
    for objective in terms.objectives:
        kind = _heard_by(objective, says)
        objective.check(kind)
        for each in objective.filters if isinstance(objective, LogitObjective) else ():
            each.check(kind, f"Objective '{objective.label}'")


def _heard_by(objective: Objective, says: dict[str, SignalKind]) -> SignalKind | None:
    """The kind of signal that reaches `objective`, with its settings."""
    if objective.hears is None:
        return None
    who = objective.companion
    return who.says(objective.hears) if who else says[objective.hears]
