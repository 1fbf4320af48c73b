"""A finished student made smaller, and taught on: one more phase, as data."""

from __future__ import annotations

from pydantic import Field, PositiveInt, model_validator

from recdistill.compression.settings import AnyPruning, Quantising, Timed
from recdistill.distill.objectives import AnyObjective
from recdistill.distill.phases import Phase
from recdistill.distill.recipe import Recipe
from recdistill.settings import Settings


class Reduction(Settings):
    """What is done to a student that has learned by its recipe already: prune, then distil again."""

    prune: AnyPruning | None = None
    """What is cut from it: `{parameters: 0.5}` halves it, `{latency: 0.5}` until it takes half the time."""
    quantise: Quantising | None = None
    """In how many bits its item table is seen while it learns on."""
    epochs: PositiveInt | None = None
    """How long it learns on; half as long as it learned, when not given."""
    dropout: float | None = Field(default=None, ge=0, lt=1, exclude_if=lambda given: given is None)
    """The dropout that it learns on with; as its recipe ended, when not given. A smaller student bears less."""
    objectives: tuple[AnyObjective, ...] | None = Field(default=None, min_length=1)
    """What it learns on by; what its recipe ended with, when not given. `[{kind: next-item}]` is the control without
    a teacher."""

    @model_validator(mode="after")
    def _does_something(self) -> Reduction:
        if self.prune is None and self.quantise is None:
            raise ValueError("say what makes it smaller: `prune`, `quantise`, or both")
        return self

    def after(self, recipe: Recipe, epochs: int, share: float | None = None) -> Recipe:
        """The recipe of the further phase, for a student that learned by `recipe` for so many `epochs`.

        `share` is how much of its parts a student may keep that is pruned to a time; before that is measured, the
        target stands for it.
        """
        last, prune = recipe.course[-1], self.prune
        if isinstance(prune, Timed):
            prune = prune.to(share or prune.latency)
        phase = Phase.model_validate(
            {
                **{name: getattr(last, name) for name in Phase.model_fields},
                "objectives": self.objectives or last.objectives,
                "dropout": last.dropout if self.dropout is None else self.dropout,
                "prune": prune,
                "quantise": self.quantise,
                "share": 1.0,
                "anew": False,
                "trains": (),
            }
        )
        return Recipe(
            phases=(phase,), tutors=recipe.tutors, epochs=self.epochs or max(1, epochs // 2)
        )
