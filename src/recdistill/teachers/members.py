"""What recommenders made of several others have in common: their states side by side, their folders."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import torch
from jaxtyping import Float, Float64, UInt8
from torch import Tensor

from recdistill.data.sequences import Sequences
from recdistill.errors import CheckpointError
from recdistill.files import read_json
from recdistill.models.recommender import Recommender
from recdistill.settings import Settings

Written = TypeVar("Written", bound=Settings)


def widest(members: Sequence[Recommender]) -> int | None:
    """The longest of the members' windows; `None` where one looks back without end."""
    windows = [member.window for member in members]
    return None if None in windows else max(window for window in windows if window is not None)


def state_types(members: Sequence[Recommender]) -> list[torch.dtype]:
    """The type of each member's states."""
    nothing = Sequences.from_lists([])
    return [member.states(nothing).dtype for member in members]


def side_by_side(parts: Sequence[Float[Tensor, "rows _"]]) -> Float64[Tensor, "rows width"]:
    """Several states in one row, all as doubles; the first columns say how wide each is.

    A state may hold anything (ids, say) and be of another width at each call.
    """
    widths = parts[0].new_tensor([part.shape[1] for part in parts], dtype=torch.float64)
    return torch.cat([widths.expand(len(parts[0]), -1), *(part.double() for part in parts)], dim=1)


def apart(
    states: Float64[Tensor, "rows width"], count: int
) -> tuple[Float64[Tensor, "rows _"], ...]:
    """The `count` states that lie `side_by_side`; there is at least one row."""
    return states[:, count:].split(states[0, :count].long().tolist(), dim=1)


def letters(text: str) -> UInt8[Tensor, " letters"]:
    """A text as a buffer: what was learned depends on how it is put together, and one hash covers both."""
    return torch.tensor(list(text.encode()), dtype=torch.uint8)


def read_settings(kind: type[Written], path: Path, what: str) -> Written:
    """The settings that were written to `path`; refusals call their owner `what`.

    Raises:
        CheckpointError: they are missing or damaged.
    """
    try:
        return kind.model_validate(read_json(path))
    except (OSError, ValueError) as error:
        raise CheckpointError(
            f"{what} {path.parent} cannot be read: {error}.", "Fit the teacher again."
        ) from error


def save_members(members: Sequence[Recommender], folder: Path) -> None:
    """Each in a folder of its own."""
    for number, member in enumerate(members):
        member.save(folder / str(number))


def load_members(folder: Path, count: int) -> list[Recommender]:
    """What `save_members` wrote.

    Raises:
        CheckpointError: one is missing or damaged.
    """
    return [_loaded(folder / str(number)) for number in range(count)]


def _loaded(folder: Path) -> Recommender:
    """A member, which may be made of several others itself."""
    from recdistill.teachers.decoding.grounded import Grounded
    from recdistill.teachers.decoding.listing import Listing
    from recdistill.teachers.mixture import Mixture
    from recdistill.teachers.opinions import Opinions
    from recdistill.teachers.reranked import Reranked

    several = {kind.RECORD: kind for kind in (Mixture, Opinions, Reranked, Listing, Grounded)}
    found = [kind for name, kind in several.items() if (folder / name).is_file()]
    return found[0].load(folder) if found else Recommender.load(folder)
