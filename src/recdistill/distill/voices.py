"""All who speak inside the steps of one training."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from torch import nn

from recdistill.distill.companions import Companion
from recdistill.distill.objectives.contract import Objective
from recdistill.distill.output import Output
from recdistill.distill.speakers import Speaker
from recdistill.models.recommender import Recommender, SequenceModel


class Voices(nn.Module):
    """The speakers that terms name; terms that name the same one share it."""

    def __init__(
        self,
        objectives: Iterable[Objective],
        student: SequenceModel,
        teacher: Recommender | None,
    ) -> None:
        """`teacher` is the given teacher's model.

        Raises:
            ConfigError: an objective names somebody who is not there.
        """
        super().__init__()
        named = {_who(term.companion): term.companion for term in objectives if term.companion}
        self._number = {who: number for number, who in enumerate(named)}
        self._speakers = nn.ModuleList(one.speaker(student, teacher) for one in named.values())

    def of(self, companion: Companion) -> Speaker:
        """Who is meant."""
        speaker = self._speakers[self._number[_who(companion)]]
        assert isinstance(speaker, Speaker)
        return speaker

    def follow(self, student: nn.Module) -> None:
        """Let all take notice of where the student stands."""
        for speaker in self._speakers:
            assert isinstance(speaker, Speaker)
            speaker.follow(student)

    def about(self, own: Output, watched: Mapping[Companion, bool]) -> dict[Companion, Output]:
        """What those who count now say about the batch; with their internals where that is asked."""
        looked_into = {_who(one) for one, watch in watched.items() if watch}
        found = {
            who: self.of(one)(own.batch, own, watch=who in looked_into)
            for who, one in {_who(one): one for one in watched}.items()
        }
        return {one: found[_who(one)] for one in watched}


def _who(companion: Companion) -> str:
    """The same for two terms that mean the same speaker, however much of it they want to hear."""
    return companion.model_dump_json(exclude={"k"})
