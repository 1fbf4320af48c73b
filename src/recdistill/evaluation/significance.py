"""Would it have come out so with other users, and with other seeds?

The paired bootstrap (Efron 1979; for rankings Sakai 2006): users are drawn with replacement, all
cases of a user together, since cases of one user are not independent; every model is judged on the
same draw, so what is hard for all of them cancels in a difference. Where a model was trained with
several seeds, seeds are drawn too, the same for models trained with the same seeds; the interval
then covers both kinds of luck.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np
from jaxtyping import Float64, Int32, Int64

Key = TypeVar("Key", bound=Hashable)
Draws = Float64[np.ndarray, " resamples"]
_USERS_AT_ONCE = 1 << 22
"""How many drawn users exist at a time (8 bytes each)."""


@dataclass(frozen=True)
class Interval:
    """A value and where it would lie if the study were repeated."""

    mean: float
    low: float
    high: float

    @property
    def shows(self) -> Literal["better", "worse", "no difference shown"]:
        """What a difference says: an interval that holds 0 shows nothing."""
        if self.low > 0:
            return "better"
        return "worse" if self.high < 0 else "no difference shown"


def interval(mean: float, draws: Draws, confidence: float = 0.95) -> Interval:
    """The percentile interval of the resampled values `draws` around `mean`."""
    tail = (1.0 - confidence) / 2.0
    low, high = np.quantile(draws, [tail, 1.0 - tail])
    return Interval(mean, float(low), float(high))


def p_value(draws: Draws) -> float:
    """How often resampled differences fall on the other side of zero, or further: two-sided.

    p = min(1, 2 · (1 + n) / (1 + resamples)), n the draws on the rarer side of zero, zeros on both
    (Davison & Hinkley 1997, eq. 4.11, doubled): never 0, since finitely many draws cannot show that.
    """
    rarer = min(int((draws <= 0).sum()), int((draws >= 0).sum()))
    return min(1.0, 2.0 * (1 + rarer) / (1 + len(draws)))


@dataclass(frozen=True)
class Bootstrap:
    """How often to draw, and from which seed."""

    resamples: int = 2000
    seed: int = 0

    def means(
        self,
        users: Int32[np.ndarray, " cases"],
        values: Mapping[Key, Float64[np.ndarray, "seeds cases"]],
    ) -> dict[Key, Draws]:
        """The mean over cases and seeds of each of `values`, in every resample.

        Resample `r` is the same draw of users for all `values`, and the same draw of seeds for all
        that have equally many: differences and ratios of the results are paired.
        """
        if not values:
            return {}
        owners = np.unique(users, return_inverse=True)[1].astype(np.int64)
        sums = np.concatenate([_per_user(owners, rows) for rows in values.values()], axis=1)
        counts = np.bincount(owners).astype(np.float64)
        by_user = np.concatenate(
            [drawn @ sums / (drawn @ counts)[:, None] for drawn in self._users(len(counts))]
        )
        edges = np.cumsum([len(rows) for rows in values.values()])[:-1]
        parts = zip(values, np.split(by_user, edges, axis=1), strict=True)
        return {name: (part * self._seeds(part.shape[1])).sum(axis=1) for name, part in parts}

    def _users(self, users: int) -> Iterator[Float64[np.ndarray, "some_resamples users"]]:
        """How often each user is drawn, some resamples at a time."""
        random = np.random.default_rng([self.seed, 0])
        step = max(1, _USERS_AT_ONCE // users)
        for first in range(0, self.resamples, step):
            rows = min(step, self.resamples - first)
            drawn = random.integers(0, users, (rows, users)) + np.arange(rows)[:, None] * users
            counts = np.bincount(drawn.ravel(), minlength=rows * users)
            yield counts.reshape(rows, users).astype(np.float64)

    def _seeds(self, seeds: int) -> Float64[np.ndarray, "resamples seeds"]:
        """The weight of each seed in each resample."""
        random = np.random.default_rng([self.seed, seeds])
        return random.multinomial(seeds, np.full(seeds, 1.0 / seeds), self.resamples) / seeds


def _per_user(
    owners: Int64[np.ndarray, " cases"], values: Float64[np.ndarray, "seeds cases"]
) -> Float64[np.ndarray, "users seeds"]:
    """The sum of each user's values."""
    return np.stack([np.bincount(owners, weights=row) for row in values], axis=1)
