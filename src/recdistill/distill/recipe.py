"""How a student learns, as data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field, field_validator

from recdistill.distill.initialise import TeacherInit
from recdistill.distill.objectives import AnyObjective, LogitObjective, NextItem, Objective
from recdistill.distill.weighting import Fixed, Weighting
from recdistill.errors import ConfigError, nearest
from recdistill.settings import Settings
from recdistill.signals.kinds import SignalKind


class Recipe(Settings):
    """What a student is trained for and what it starts from."""

    objectives: tuple[AnyObjective, ...] = Field(default=(NextItem(),), min_length=1)
    """The terms of the loss; each with its weight."""
    weighting: Weighting = Fixed()
    """How the terms share the say beyond their weights."""
    init: TeacherInit | None = None
    """What the student takes over from the teacher before training."""

    @classmethod
    def of(cls, recipe: Recipe | Sequence[Objective] | Mapping[str, Any]) -> Recipe:
        """A recipe from whatever a caller finds handy: itself, its objectives, or plain data."""
        if isinstance(recipe, Recipe):
            recipe = dict(recipe)
        return cls.model_validate(recipe if isinstance(recipe, Mapping) else {"objectives": recipe})

    @field_validator("objectives")
    @classmethod
    def _labels_differ(cls, objectives: tuple[Objective, ...]) -> tuple[Objective, ...]:
        counts = Counter(objective.label for objective in objectives)
        twice = [label for label, count in counts.items() if count > 1]
        if twice:
            raise ValueError(
                f"two objectives are called '{twice[0]}'; "
                "merge them, or give each a `name` of its own"
            )
        return objectives

    @property
    def needs(self) -> frozenset[str]:
        """The kinds of signal it cannot do without."""
        sources = {objective.source for objective in self.objectives}
        return frozenset(
            source for source in (*sources, self.init and self.init.what) if source is not None
        )

    def check(self, says: Mapping[str, SignalKind], teacher: str = "the teacher") -> None:
        """Refuse, before anything is trained, what a teacher that `says` these kinds cannot serve.

        Raises:
            ConfigError: naming the objective, what it asks for, and what the teacher can say.
        """
        for objective in self.objectives:
            self._check_source(f"Objective '{objective.label}'", objective.source, says, teacher)
            kind = says[objective.source] if objective.source else None
            objective.check(kind)
            for each in objective.filters if isinstance(objective, LogitObjective) else ():
                each.check(kind, f"Objective '{objective.label}'")
        if self.init:
            self._check_source("`init`", self.init.what, says, teacher)

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
