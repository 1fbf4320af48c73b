"""`random`: a sample drawn by lot, what every cleverer choice has to beat."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import NonNegativeInt

from recdistill.teachers.selecting.contract import Choice, Circumstances, Eligible, Few, best


class Random(Few):
    """So many contexts, each as likely as any other; a smaller sample is part of a larger one of the same seed."""

    kind: Literal["random"] = "random"
    seed: NonNegativeInt = 0

    def choose(self, eligible: Eligible, known: Circumstances) -> Choice:
        """By lot."""
        return Choice(best(eligible, np.zeros(len(eligible)), self.contexts, self.seed))
