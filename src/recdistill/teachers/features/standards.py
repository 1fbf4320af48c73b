"""Vectors of mean 0 and mean square 1: what of a catalogue's vectors is measured, and what is done with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from jaxtyping import Float, Float32, Float64

from recdistill.errors import DataError

_FLOOR = 1e-3
_TINY = np.finfo(np.float64).tiny


@dataclass(frozen=True)
class Standards:
    """Measured on one catalogue, they may be applied to another: both then speak of the same directions.

    Attributes:
        mean: what is taken away.
        axes: the directions that are kept, one a column; `None` keeps all as they are.
        scales: by what each is divided.
    """

    mean: Float64[np.ndarray, " width"]
    axes: Float64[np.ndarray, "width features"] | None
    scales: Float64[np.ndarray, " features"]

    @property
    def width(self) -> int:
        """Of what comes out."""
        return len(self.scales)

    @classmethod
    def of(cls, vectors: Float32[np.ndarray, "known width"], *, whiten: bool) -> Self:
        """Of these vectors.

        Whitening is by principal axes with the variances lifted by a thousandth of the largest, so that
        directions that hold next to nothing are not blown up into noise. Without it only the mean goes
        and one common scale is taken out.
        """
        known = vectors.astype(np.float64)
        mean = known.mean(0)
        centred = known - mean
        if not whiten:
            scale = max(float(centred.std()), _TINY)
            return cls(mean, None, np.full(known.shape[1], scale))
        variances, axes = np.linalg.eigh(centred.T @ centred / len(centred))
        floor = _FLOOR * max(float(variances[-1]), _TINY)
        order = np.argsort(-variances, kind="stable")
        return cls(mean, axes[:, order], np.sqrt(np.maximum(variances[order], 0) + floor))

    def applied(
        self, vectors: Float[np.ndarray, "known width"]
    ) -> Float64[np.ndarray, "known features"]:
        """The same vectors as these standards see them.

        Raises:
            DataError: they are of another width.
        """
        if vectors.shape[1] != len(self.mean):
            raise DataError(
                f"Vectors of width {vectors.shape[1]} cannot be read like those of width {len(self.mean)}.",
                "Both catalogues need vectors of one model.",
            )
        centred = vectors.astype(np.float64) - self.mean
        return (centred if self.axes is None else centred @ self.axes) / self.scales


def permuted(
    features: Float32[np.ndarray, "items features"], seed: int = 0
) -> Float32[np.ndarray, "items features"]:
    """The same rows, each with another item than its own: one ring through all items, drawn from `seed`.

    Items without text take part like the others, so that as many rows as before are empty. (What hinges on
    an item's text is destroyed; what hinges on items being told apart is left as it was.)
    """
    ring = np.random.default_rng(seed).permutation(len(features))
    exchanged = np.empty_like(features)
    exchanged[ring] = features[np.roll(ring, 1)]
    return exchanged
