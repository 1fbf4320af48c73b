"""The exact best few of each row, ties going to the smaller id."""

from __future__ import annotations

from jaxtyping import Float32, Int64
from torch import Tensor


def best(
    scores: Float32[Tensor, "rows block"], k: int
) -> tuple[Float32[Tensor, "rows k"], Int64[Tensor, "rows k"]]:
    """The `k` best scores of each row and their columns, best first; ties go to the smaller column.

    `torch.topk` leaves ties to chance, so rows with a tie at the edge choose again, and all are
    ordered.
    """
    more = min(k + 1, scores.shape[1])
    values, places = scores.topk(more, dim=1)
    if more > k:
        tied = (values[:, k - 1] == values[:, k]).nonzero()[:, 0]
        values, places = values[:, :k], places[:, :k]
        if len(tied):
            places[tied] = _first_of_equals(scores.index_select(0, tied), values[tied, -1:], k)
    places = places.sort(dim=1).values
    values, order = scores.gather(1, places).sort(dim=1, descending=True, stable=True)
    return values, places.gather(1, order)


def _first_of_equals(
    scores: Float32[Tensor, "rows block"], edge: Float32[Tensor, "rows 1"], k: int
) -> Int64[Tensor, "rows k"]:
    """Columns of everything above `edge` and of the first that equal it, `k` in all, ascending."""
    above, equal = scores > edge, scores == edge
    missing = k - above.sum(1, keepdim=True)
    chosen = above | (equal & (equal.cumsum(1) <= missing))
    return chosen.nonzero()[:, 1].view(len(scores), k)
