"""What every term has that compares a small encoder with the whole one beside their vectors."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from jaxtyping import Float
from pydantic import PositiveFloat
from torch import Tensor, nn

from recdistill.models.internals import Anatomy
from recdistill.settings import Settings
from recdistill.teachers.adapting.terms.hearing import Heard

Axes = Float[Tensor, "width narrow"]


class InnerTerm(Settings, ABC):
    """A difference of two encoders' insides."""

    weight: PositiveFloat
    """What it counts beside the vectors, which count 1."""
    probing: ClassVar[bool] = False
    """Whether it compares `Heard.gradient`."""

    @property
    def name(self) -> str:
        """Its kind, which each kind of term has as a setting."""
        return str(getattr(self, "kind", type(self).__name__))

    @property
    def label(self) -> str:
        """How refusals call it."""
        return f"`adapt` with the term '{self.name}'"

    @abstractmethod
    def fit(self, small: Anatomy, whole: Anatomy) -> None:
        """Refuse encoders that cannot be compared so, with a `ConfigError`."""

    def bridge(self, axes: Axes, depths: tuple[int, int]) -> nn.Module:
        """What is learned between the two of so many layers; nothing, for most."""
        return nn.Identity()

    @abstractmethod
    def __call__(self, own: Heard, other: Heard, bridge: nn.Module) -> Float[Tensor, " texts"]:
        """How far each text's inside is off; what is padding does not matter."""


def mean_of_texts(values: Float[Tensor, " tokens"], heard: Heard) -> Float[Tensor, " texts"]:
    """Each text's mean over its tokens, of one value a token of all texts after another."""
    sizes = heard.lengths
    rows = torch.arange(len(sizes), device=sizes.device).repeat_interleave(sizes)
    return torch.zeros(len(sizes), device=values.device).index_add(0, rows, values) / sizes
