"""What a recommender says about histories, whatever recommender it is: exact lists, masses and
vectors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor

from recdistill.data.sequences import Sequences
from recdistill.errors import ConfigError, RecDistillError, nearest
from recdistill.models.best import best
from recdistill.models.recommender import Recommender
from recdistill.signals.kinds import HardLabel, SignalKind, TopK, UserVectors
from recdistill.signals.shards import Columns

LISTS, VECTORS = ("top-k", "hard-label"), ("item-vectors", "user-vectors")
"""What every recommender can say, and what only a product of vectors can."""
BLOCK_BYTES = 64 << 20
"""How large the scores of a block of rows may be; one row of the catalogue is the least."""


def sayable(recommender: Recommender) -> frozenset[str]:
    """The kinds of signal a recommender can give: vectors only where scores are products of
    them."""
    vectors = VECTORS if recommender.factorised else ()
    return frozenset((*LISTS, *vectors))


def unsayable(kind: str, says: Iterable[str]) -> ConfigError:
    """What is raised where a teacher is asked for what it cannot say."""
    return ConfigError(f"The teacher cannot say '{kind}'.", nearest(kind, sorted(says)))


@torch.no_grad()
def speak(
    recommender: Recommender,
    histories: Sequences,
    kinds: Sequence[SignalKind],
    block_bytes: int = BLOCK_BYTES,
) -> dict[str, Columns]:
    """The fields of each kind for each history, by the kind's name.

    Args:
        recommender: who speaks.
        histories: about which; any length, empty ones too. Very long ones are trimmed a little more
            than the recommender itself would (`Recommender.trimmed`).
        kinds: what is asked; all of them about contexts.
        block_bytes: bounds the memory: only so many bytes of scores exist at a time.

    Raises:
        RecDistillError: a score is not a number.
    """
    states = recommender.states(recommender.trimmed(histories))
    listed = [kind for kind in kinds if isinstance(kind, TopK | HardLabel)]
    said: dict[str, list[dict[str, Tensor]]] = {kind.kind: [] for kind in listed}
    if listed:
        for scores in score_blocks(recommender, states, block_bytes):
            for kind in listed:
                said[kind.kind].append(list_of(kind, scores))
    columns = {name: _joined(parts) for name, parts in said.items()}
    if any(isinstance(kind, UserVectors) for kind in kinds):
        columns["user-vectors"] = {"vectors": _numpy(states.float())}
    return columns


def score_blocks(
    recommender: Recommender, states: Float[Tensor, "rows width"], block_bytes: int = BLOCK_BYTES
) -> Iterator[Float32[Tensor, "block items"]]:
    """The scores of the whole catalogue, a block of rows at a time; the taker may overwrite them.

    Raises:
        RecDistillError: a score is not a number.
    """
    rows = max(1, block_bytes // (4 * max(len(recommender.vocabulary), 1)))
    table = recommender.item_table() if recommender.factorised else None
    # At least one block, so that no rows at all still have fields of the right shape.
    for part in states.split(rows) if len(states) else [states]:
        scores = recommender.score(part) if table is None else part @ table.T
        if scores.isnan().any():
            raise RecDistillError(
                "The teacher's scores hold values that are not numbers, so it cannot speak.",
                "Its training probably diverged: try a lower learning rate or a clip norm.",
            )
        yield scores.float()


def top_k(
    scores: Float32[Tensor, "rows items"], k: int, temperature: float
) -> tuple[Int64[Tensor, "rows k"], Float32[Tensor, "rows k"], Float32[Tensor, " rows"]]:
    """The `k` best items, their normalised logits and the log-mass of all others (see `TopK`).

    The rest is summed on its own, not taken as one minus the listed mass: where the list holds
    nearly everything, that difference would be rounding alone.
    """
    values, items = best(scores, min(k, scores.shape[1]))
    highest = values[:, :1]
    mass = scores.sub(highest).div_(temperature).exp_()
    total = mass.sum(1)
    rest = mass.scatter_(1, items, 0.0).sum(1)
    logits = values - highest - temperature * total.log()[:, None]
    return items, logits, rest.log() - total.log()


def list_of(kind: TopK | HardLabel, scores: Float32[Tensor, "rows items"]) -> dict[str, Tensor]:
    """The fields of a kind that lists items; the scores are overwritten."""
    if isinstance(kind, TopK):
        items, logits, rest = top_k(scores, kind.k, kind.temperature)
        return {"items": items, "logits": logits, "rest": rest}
    items, logits, _ = top_k(scores, 1, 1.0)
    return {"items": items[:, 0], "confidence": logits[:, 0].exp()}


def _joined(parts: list[dict[str, Tensor]]) -> Columns:
    return {name: _numpy(torch.cat([part[name] for part in parts])) for name in parts[0]}


def _numpy(values: Tensor) -> np.ndarray:
    return values.cpu().numpy()
