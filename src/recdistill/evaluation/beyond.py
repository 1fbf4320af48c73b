"""What the lists look like, whether or not they are right: reach, concentration, obviousness.

`popularity` is always the number of training events of each item, so these numbers know nothing of
the test.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64, Int32, Int64

Lists = Int32[np.ndarray, "cases k"]
Popularity = Int64[np.ndarray, " items"]


def coverage(lists: Lists, popularity: Popularity) -> float:
    """The share of the catalogue that appears in at least one list."""
    return float(np.count_nonzero(exposure(lists, popularity)) / max(len(popularity), 1))


def gini(lists: Lists, popularity: Popularity) -> float:
    """Concentration of exposure: 0 = every item shown equally often, towards 1 = always the same.

    `Σ_i (2i - n - 1) · x_(i) / (n · Σ x)` with exposures `x` in ascending order, over the whole
    catalogue, items never shown included.
    """
    ordered = np.sort(exposure(lists, popularity)).astype(np.float64)
    count, total = len(ordered), ordered.sum()
    if total == 0:
        return 0.0
    weights = 2.0 * np.arange(1, count + 1) - count - 1
    return float(weights @ ordered / (count * total))


def novelty(lists: Lists, popularity: Popularity) -> Float64[np.ndarray, " cases"]:
    """Mean self-information `-log2 p(item)` of a list, in bits (Zhou et al. 2010).

    `p = (events + 1) / (all events + items)`: add-one smoothing keeps an item without
    events finite.
    """
    share = (popularity + 1.0) / (popularity.sum() + len(popularity))
    return _mean_over_list(lists, -np.log2(share))


def average_popularity(lists: Lists, popularity: Popularity) -> Float64[np.ndarray, " cases"]:
    """Mean number of training events of the items in a list."""
    return _mean_over_list(lists, popularity.astype(np.float64))


def exposure(lists: Lists, popularity: Popularity) -> Int64[np.ndarray, " items"]:
    """How often each item of the catalogue is shown."""
    return np.bincount(lists[lists >= 0], minlength=len(popularity))


def _mean_over_list(
    lists: Lists, values: Float64[np.ndarray, " items"]
) -> Float64[np.ndarray, " cases"]:
    """The mean of `values` over each list, 0 for an empty one."""
    present = lists >= 0
    sums = np.where(present, values[lists], 0.0).sum(axis=1)
    return sums / np.maximum(present.sum(axis=1), 1)
