"""A run that goes on from an earlier one, whose log has grown since."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from recdistill.settings import Settings
from recdistill.teachers.going_on import GoingOn, Keep


class Continues(Settings):
    """From which run this one goes on, and what it takes over.

    The teacher and, where they go on too, the students must be configured as they were; the log may have new events,
    users and items, and this run may not be judged by what the earlier one learned from.
    """

    run: Path
    """The folder of the earlier run."""
    teacher: GoingOn = Keep()
    """`keep`: it speaks on as it is; `update`: it starts from its weights and learns on the log as it is now."""
    signals: Literal["reuse", "anew"] | None = None
    """`reuse`: what was said about known contexts stands, and only new ones are asked about; `anew`: all are. When not
    given, a teacher that is kept is not asked twice, and one that has learned is."""
    student: bool = True
    """Whether students start from the weights of the earlier run's: each seed from its own, and the undistilled twin
    from the earlier twin, so that the comparison stays fair."""

    @property
    def reuses(self) -> bool:
        """Whether what was said stands."""
        return self.signals == "reuse" or (self.signals is None and isinstance(self.teacher, Keep))
