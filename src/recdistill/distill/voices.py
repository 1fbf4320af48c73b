"""All who speak inside the steps of one training."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from torch import nn

from recdistill.distill.companions import Companion
from recdistill.distill.objectives.contract import Objective
from recdistill.distill.output import Output
from recdistill.distill.speakers import Lesson, Speaker
from recdistill.models.recommender import Recommender, SequenceModel


class Voices(nn.Module):
    """The speakers that terms name; terms that name the same one share it."""

    def __init__(
        self,
        objectives: Iterable[Objective],
        student: SequenceModel,
        teacher: Recommender | None,
        tutors: Mapping[str, SequenceModel] | None = None,
    ) -> None:
        """`teacher` is the given teacher's model; `tutors` are those of the recipe, by name.

        Raises:
            ConfigError: an objective names somebody who is not there.
        """
        super().__init__()
        named = {term.companion.who: term.companion for term in objectives if term.companion}
        self._number = {who: number for number, who in enumerate(named)}
        self._speakers = nn.ModuleList(
            one.speaker(student, one.whom(teacher, tutors or {})) for one in named.values()
        )
        self._learning = [one for one in named.values() if self.of(one).learns]

    def of(self, companion: Companion) -> Speaker:
        """Who is meant."""
        speaker = self._speakers[self._number[companion.who]]
        assert isinstance(speaker, Speaker)
        return speaker

    def follow(self, student: nn.Module) -> None:
        """Let all take notice of where the student stands."""
        for speaker in self._speakers:
            assert isinstance(speaker, Speaker)
            speaker.follow(student)

    def about(self, own: Output, watched: Mapping[Companion, bool]) -> dict[Companion, Output]:
        """What those who count now say about the batch, with their internals where that is asked; and those who
        learn, whether somebody listens or not, with gradients of their own.
        """
        asked = {**dict.fromkeys(self._learners, False), **watched}
        looked_into = {one.who for one, watch in watched.items() if watch}
        found = {
            who: self.of(one)(own.batch, own, watch=who in looked_into)
            for who, one in {one.who: one for one in asked}.items()
        }
        return {one: found[one.who] for one in asked}

    def lessons(self, own: Output, said: Mapping[Companion, Output]) -> dict[str, Lesson]:
        """What those who learn beside the student make of the batch, by what logs call them."""
        return {one.called: self.of(one).lesson(said[one], own) for one in self._learners}

    @property
    def _learners(self) -> list[Companion]:
        """Nobody learns while nobody trains."""
        return self._learning if self.training else []
