"""How alike two spaces of vectors are, whatever their widths and axes."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Float64


def linear_cka(
    one: Float[np.ndarray, "rows one_width"], other: Float[np.ndarray, "rows other_width"]
) -> float:
    """Linear centred kernel alignment of the vectors that two models give to the same things.

        CKA = ‖Yᵀ X‖²_F / (‖Xᵀ X‖_F · ‖Yᵀ Y‖_F)      X, Y centred

    (Kornblith, Norouzi, Lee & Hinton 2019, table 1). It does not see shifts, rotations or
    one common factor of either side, but does see how much variance each direction has.

    Vectors that have nothing to do with each other do not give 0 but, with equal variances, about
    √(d₁ d₂) / rows: with 64 and 384 columns 0.09 for 1,700 items and 0.01 for 12,000. What counts
    is the difference from what the student without distillation has.

    Args:
        one: of the first model, row by row.
        other: of the second, about the same things in the same order.

    Returns:
        From 0 (nothing in common) to 1 (equal but for what it does not see); 0 where the vectors of
        either side are all equal, since there is nothing to agree on.
    """
    left, right = _centred(one), _centred(other)
    size = np.linalg.norm(left.T @ left) * np.linalg.norm(right.T @ right)
    return float(np.linalg.norm(right.T @ left) ** 2 / size) if size > 0 else 0.0


def _centred(vectors: Float[np.ndarray, "rows width"]) -> Float64[np.ndarray, "rows width"]:
    """Minus the mean, and scaled to entries of at most 1, so that nothing over- or underflows."""
    doubles = vectors.astype(np.float64)
    if not doubles.size:
        return doubles
    centred = doubles - doubles.mean(axis=0)
    largest, rounding = np.abs(centred).max(), 1e-15 * np.abs(doubles).max()
    return centred / largest if largest > rounding else np.zeros_like(centred)
