"""Many comparisons at once: among twenty techniques that do nothing, one looks significant.

Holm's step-down correction (Holm 1979): p-values from the smallest up are multiplied by the number of hypotheses
not yet decided, and none may be smaller than one before it. The chance that *anything* below α is a false finding
is then at most α, however the techniques depend on each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import accumulate


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Each p-value, corrected for having looked at all of them.

    With p₍₁₎ ≤ … ≤ p₍ₘ₎: p̃₍ᵢ₎ = max over j ≤ i of min(1, (m − j + 1) · p₍ⱼ₎).

    Args:
        p_values: of each hypothesis, by name.

    Returns:
        The corrected values, in the order given.
    """
    ordered = sorted(p_values, key=lambda name: p_values[name])
    scaled = (
        min(1.0, (len(ordered) - place) * p_values[name]) for place, name in enumerate(ordered)
    )
    corrected = dict(zip(ordered, accumulate(scaled, max), strict=True))
    return {name: corrected[name] for name in p_values}
