"""`teacher-right`: a position is heard only where the teacher's list holds what was really chosen."""

from __future__ import annotations

from typing import Literal

from pydantic import PositiveInt

from recdistill.distill.filters.contract import Filter, Heard
from recdistill.distill.places import Knobs, Places
from recdistill.models.logits import Logits


class TeacherRight(Filter):
    """Masks the teacher where it was wrong: a mistake is not worth copying.

    The teacher's knowledge adjusted by the truth (Wen et al. 2019, "Preparing lessons: improve
    knowledge distillation with better supervision", who correct such lessons instead of skipping them).
    """

    kind: Literal["teacher-right"] = "teacher-right"
    within: PositiveInt = 20
    """The ranks that count as right."""

    @property
    def needs_target(self) -> bool:
        """It asks what was really chosen."""
        return True

    def __call__(self, heard: Heard, logits: Logits, places: Places, knobs: Knobs) -> Heard:
        """Whether the target is among the first items of the list."""
        head = heard.signal["items"][:, : self.within]
        return heard.only((head == places.targets[:, None]).any(1))
