"""`all`: every context."""

from __future__ import annotations

from typing import Literal

import numpy as np

from recdistill.teachers.selecting.contract import Choice, Circumstances, Eligible, Selection


class All(Selection):
    """The teacher is asked about every context."""

    kind: Literal["all"] = "all"

    def choose(self, eligible: Eligible, known: Circumstances) -> Choice:
        """All of them."""
        return Choice(np.arange(len(eligible), dtype=np.int64))
