"""Who speaks inside the training step, beside what was said before training and stored.

Attention maps, hidden states and gradients are too large, or too changeable, to be stored; and a teacher that
grows with its student has not said anything yet. A term says whose words it learns from by `of`:

    teacher   the given teacher's own model, as it is
    member    one model of an ensemble
    peer      a second network, which learns beside the student                 (Zhang et al. 2018, mutual learning)
    tutor     a model that the recipe trains first, by terms of its own
    average   θ̄ ← d · θ̄ + (1 − d) · θ, the student averaged over its own steps   (Tarvainen & Valpola 2017, eq. 2)
    itself    the student as it is at this very step: its deeper part teaches a shallower one
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Annotated, Literal

import torch
from pydantic import (
    Discriminator,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
)

from recdistill.distill.peers import Fellow
from recdistill.distill.speakers import Averaged, Mirror, Speaker
from recdistill.errors import ConfigError, nearest
from recdistill.models.recommender import Recommender, SequenceModel
from recdistill.models.sasrec import SASRec, SASRecConfig
from recdistill.settings import KindInShort, Settings
from recdistill.signals.kinds import HardLabel, TopK


class Companion(Settings):
    """Who a term listens to."""

    k: PositiveInt = 100
    """How many of its best items it names at a position, for terms `on: top-k`."""

    @property
    def who(self) -> str:
        """The same for two that mean the same speaker, however much of it they want to hear."""
        return self.model_dump_json(exclude={"k"})

    @property
    def called(self) -> str:
        """What logs call it."""
        return str(getattr(self, "kind", ""))

    def whom(
        self, teacher: Recommender | None, tutors: Mapping[str, SequenceModel]
    ) -> Recommender | None:
        """The teacher that is meant: the given one, unless somebody else is named.

        Raises:
            ConfigError: nobody is called so.
        """
        return teacher

    @abstractmethod
    def speaker(self, student: SequenceModel, teacher: Recommender | None) -> Speaker:
        """Who speaks, where `teacher` is meant.

        Raises:
            ConfigError: `teacher` has nobody of that description.
        """

    def says(self, name: str) -> TopK | HardLabel:
        """The settings of what it says, where that is a kind of signal.

        Raises:
            ConfigError: it is none that can be said about the positions of a batch.
        """
        kinds: dict[str, TopK | HardLabel] = {"top-k": TopK(k=self.k), "hard-label": HardLabel()}
        if name not in kinds:
            raise ConfigError(
                f"Nobody says '{name}' inside a training step.",
                f"Terms `of` somebody listen `on` {' or '.join(map(repr, kinds))}; drop `of` to hear stored signals.",
            )
        return kinds[name]


class Teacher(Companion):
    """The given teacher's own model."""

    kind: Literal["teacher"] = "teacher"

    def speaker(self, student: SequenceModel, teacher: Recommender | None) -> Speaker:
        """The teacher, which must be a sequence model."""
        if isinstance(teacher, SequenceModel):
            return Speaker(_that_sees(teacher, student))
        several = len(_members(teacher)) > 1
        what = "several models" if several else "no sequence model"
        raise ConfigError(
            f"The teacher is {what}: it has no inside to learn from.",
            f"Choose one of its {len(_members(teacher))} members: `of: {{kind: member, number: 0}}`."
            if several
            else "Take a teacher of the kind `recommender` or `text-encoder`, with a model of `kind: sasrec`.",
        )


class Member(Companion):
    """One model of an ensemble; a teacher that is one model is its only member."""

    kind: Literal["member"] = "member"
    number: NonNegativeInt = 0
    """Which, counted from 0 among the members that count."""

    def speaker(self, student: SequenceModel, teacher: Recommender | None) -> Speaker:
        """The member."""
        members = _members(teacher)
        if self.number >= len(members):
            raise ConfigError(
                f"`of: {{kind: member, number: {self.number}}}` asks for a member that the teacher lacks; "
                f"it has {len(members)}.",
                "Number its members from 0 (those of weight 0 do not count), or write `of: teacher`.",
            )
        return Teacher().speaker(student, members[self.number])


class Peer(Companion):
    """A second network that learns beside the student: from the labels, and from what the student believes."""

    kind: Literal["peer"] = "peer"
    name: str = Field(default="peer", min_length=1)
    """What logs call it. Peers of other names are others, so that a student may have several."""
    model: SASRecConfig | None = None
    """What it is; a network like the student, begun from another seed, when not given. A larger one is a teacher
    that is trained jointly."""
    weight: NonNegativeFloat = 1.0
    """How much it listens to the student beside its own next-item loss; with 0 it teaches without listening."""
    temperature: PositiveFloat = 1.0
    """T, at which it listens."""

    @property
    def called(self) -> str:
        """Its name."""
        return self.name

    def speaker(self, student: SequenceModel, teacher: Recommender | None) -> Speaker:
        """The peer, which knows nothing yet."""
        model = _that_sees(self._begun(student), student, "peer")
        return Fellow(model, self.weight, self.temperature)

    def _begun(self, student: SequenceModel) -> SequenceModel:
        """The peer's model, its weights drawn from a seed that is itself drawn: those of the student may come from
        the beginning of the very stream of random numbers that is at hand.
        """
        seed = int(torch.randint(2**62, ()))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            like = type(student) if self.model is None else SASRec
            peer = like(self.model or student.config, student.vocabulary)
        lend_features(student, peer, "peer")
        return peer


class Tutor(Companion):
    """A model that the recipe trains before the student, for what it is good at."""

    kind: Literal["tutor"] = "tutor"
    name: str
    """Which of the recipe's `tutors`."""

    def whom(
        self, teacher: Recommender | None, tutors: Mapping[str, SequenceModel]
    ) -> Recommender | None:
        """The tutor of that name."""
        if self.name not in tutors:
            raise ConfigError(
                f"No tutor is called '{self.name}'.",
                nearest(self.name, tutors)
                if tutors
                else "Describe one in the recipe: `tutors: [{name: …, model: …, objectives: …}]`.",
            )
        return tutors[self.name]

    def speaker(self, student: SequenceModel, teacher: Recommender | None) -> Speaker:
        """The tutor."""
        return Teacher().speaker(student, teacher)


class Average(Companion):
    """The student averaged over its own steps."""

    kind: Literal["average"] = "average"
    decay: float = Field(default=0.999, ge=0, lt=1)
    """How much of the average stays at a step."""

    def speaker(self, student: SequenceModel, teacher: Recommender | None) -> Speaker:
        """The average, which begins as the student is."""
        return Averaged(student, self.decay)


class Itself(Companion):
    """The student at this step."""

    kind: Literal["itself"] = "itself"

    def speaker(self, student: SequenceModel, teacher: Recommender | None) -> Speaker:
        """The student."""
        return Mirror(student)


AnyCompanion = Annotated[
    Annotated[Teacher | Member | Tutor | Peer | Average | Itself, Discriminator("kind")],
    KindInShort,
]
"""Who speaks inside the step: a name, or `{kind: …}` with its settings."""


def _members(teacher: Recommender | None) -> list[Recommender]:
    """The models that a teacher is made of.

    Raises:
        ConfigError: there is no teacher.
    """
    if teacher is None:
        raise ConfigError(
            "A term learns from the teacher's model inside the step, but there is no teacher.",
            "Give its model: `distill(…, teacher=teacher.recommender)`.",
        )
    return list(getattr(teacher, "members", [teacher]))


def _that_sees(model: SequenceModel, student: SequenceModel, who: str = "teacher") -> SequenceModel:
    """Refuse a `model` that sees less of a history than the student that it speaks to."""
    if model.history >= student.history:
        return model
    raise ConfigError(
        f"The {who} sees {model.history} items of a history, its student {student.history}: side by side, "
        "both must see the same.",
        f"Train the {who} with `history: {student.history}`, or the student with `history: {model.history}`.",
    )


@torch.no_grad()
def lend_features(student: SequenceModel, other: SequenceModel, who: str) -> None:
    """Where another model (`who`, in words) makes its items from features, these are its student's.

    Raises:
        ConfigError: the student has none, or of another width.
    """
    lent, wanted = (_features(one) for one in (student, other))
    if wanted is None:
        return
    if lent is None or lent.shape != wanted.shape:
        found = "has none" if lent is None else f"has features of width {lent.shape[1]}"
        raise ConfigError(
            f"The {who} makes its items from features of width {wanted.shape[1]}, which are to be its student's; "
            f"the student {found}.",
            f"Give the {who} `model: {{items: {{kind: ids}}}}`.",
        )
    wanted.copy_(lent)


def _features(model: SequenceModel) -> torch.Tensor | None:
    return dict(model.network.named_buffers()).get("items.features")
