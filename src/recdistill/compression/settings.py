"""What a phase of a recipe does to the size of its student, as data."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, PositiveInt, model_validator

from recdistill.settings import Settings

Criterion = Literal["magnitude", "taylor", "activations"]
"""What tells important parts from others; see `compression.importance`."""
Part = Literal["width", "units", "heads", "blocks"]
"""What can be taken out of a SASRec: directions of its item vectors, feed-forward units, attention heads, blocks."""
Share = Annotated[float, Field(gt=0, lt=1)]


class Structure(Settings):
    """Whole parts go, and the student is smaller and faster everywhere, with nothing special to run it.

    Every kind of part is cut to one share, the largest by which the student is within its target, and each
    block keeps as many heads and units as every other: the shape that is left is known before anything is
    trained. Which ones stay is measured when the phase begins.
    """

    kind: Literal["structure"] = "structure"
    parameters: Share | None = None
    """The target: at most this share of the numbers that the unpruned student keeps."""
    operations: Share | None = None
    """The target: at most this share of the operations of one request (encode a full history, score every item).
    They decide the latency, but do not depend on a machine."""
    share: Share | None = None
    """Or no target: this share of each of `parts` stays, rounded up."""
    parts: tuple[Part, ...] = Field(default=("width", "units", "heads"), min_length=1)
    """What may be cut."""
    by: Criterion = "activations"
    """How it is found out what matters least."""
    batches: PositiveInt = 32
    """How many training batches are looked at for that."""

    @model_validator(mode="after")
    def _one_target(self) -> Structure:
        given = (self.parameters, self.operations, self.share)
        if sum(one is not None for one in given) != 1:
            raise ValueError(
                "give `parameters` or `operations`: one target, as a share below 1; or the `share` of its parts that "
                "stays"
            )
        return self


class Timed(Settings):
    """Whole parts go until the student answers soon enough where it is measured.

    What a machine takes is no business of a recipe, which would give another student on each; so a run measures once,
    keeps the share of the parts that was found, and prunes to that.
    """

    kind: Literal["timed"] = "timed"
    latency: Share
    """The target: at most this share of the time in which the unpruned student finds the ten best items for one
    history, exported and on one thread."""
    parts: tuple[Part, ...] = Field(default=("width", "units", "heads"), min_length=1)
    """What may be cut."""
    by: Criterion = "activations"
    """How it is found out what matters least."""
    batches: PositiveInt = 32
    """How many training batches are looked at for that."""

    def to(self, share: float) -> Structure:
        """Pruning to a share of the parts."""
        return Structure(share=share, parts=self.parts, by=self.by, batches=self.batches)


class Weights(Settings):
    """Single weights become zeros and stay so for the phase; the student's shape does not change.

    Smaller only where zeros are not stored, and no faster: a bound on what pruning could do, to compare with.
    """

    kind: Literal["weights"] = "weights"
    keep: Share
    """The share of the weights in matrices that stay, of all matrices together."""
    by: Literal["magnitude", "taylor"] = "magnitude"
    """How it is found out what matters least."""
    batches: PositiveInt = 32
    """How many training batches are looked at for that."""


def _structure_unless_said(given: Any) -> Any:
    if not isinstance(given, dict):
        return given
    return {"kind": "timed" if "latency" in given else "structure", **given}


Pruning = Annotated[
    Annotated[Structure | Weights, Discriminator("kind")], BeforeValidator(_structure_unless_said)
]
"""What is cut before a phase begins: `{parameters: 0.5}` for short."""
AnyPruning = Annotated[
    Annotated[Structure | Weights | Timed, Discriminator("kind")],
    BeforeValidator(_structure_unless_said),
]
"""The same, or `{latency: 0.5}`, for who can measure."""


class Quantising(Settings):
    """The item table is seen as it will be stored while the phase lasts: in a few bits, with a scale an item.

    The student learns around the rounding, the teacher in the loop (Jacob et al. 2018; Bengio et al. 2013 for the
    gradient, which passes the rounding as if it were not there).
    """

    bits: Literal[4, 8] = 8
    """Of each number in the table."""


class Integers(Settings):
    """The products of a student's layers are computed in whole numbers of 8 bits once it has left (post-training).

    Weights are rounded when it leaves, what meets them when it answers: by ranges that are looked up in each batch
    (`dynamic`) or that training histories showed (`static`).
    """

    kind: Literal["dynamic", "static"] = "dynamic"
    symmetric: bool = True
    """Whether weights (and, if static, what meets them) have 0 in the middle of their range; otherwise the range is
    that of the values, to the last step. What is looked up in each batch is always the latter."""
    each: Literal["tensor", "channel"] = "channel"
    """Whether a matrix has one scale, or each of its columns one."""
    calibration: PositiveInt = 512
    """How many training histories show the ranges of `static`."""

    @property
    def label(self) -> str:
        """In a few words; what is as usual is not said."""
        words = [
            self.kind,
            "" if self.symmetric else "asymmetric",
            "tensor" * (self.each == "tensor"),
        ]
        return "-".join(filter(None, words))


class Tolerance(Settings):
    """How much of its quality a student may lose by being made smaller, and how well that must be known."""

    share: float = Field(default=0.02, ge=0, lt=1)
    """Of the quality of the student as it is, on validation."""
    proof: Literal["estimate", "interval"] = "estimate"
    """`estimate`: refused where more is lost as measured; `interval`: wherever the interval of the loss reaches
    beyond, so that what passes has been shown to lose no more."""

    def allows(self, loss: float, highest: float) -> bool:
        """Whether a share `loss`, which may be as high as `highest`, is bearable."""
        return (highest if self.proof == "interval" else loss) <= self.share


def _share_alone(given: Any) -> Any:
    return {"share": given} if isinstance(given, int | float) else given


AnyTolerance = Annotated[Tolerance, BeforeValidator(_share_alone)]
"""`0.02` for short."""
