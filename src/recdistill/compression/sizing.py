"""How much has to go for a target: a function of a model's settings alone, known before anything is trained."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch

from recdistill.compression.settings import Part, Structure
from recdistill.data.vocabulary import Vocabulary
from recdistill.errors import ConfigError
from recdistill.models.sasrec import BlockShape, SASRec, SASRecConfig, Shape


def target(config: SASRecConfig, vocabulary: Vocabulary, wanted: Structure) -> SASRecConfig:
    """`config` pruned to the target of `wanted`, by the largest share of its parts that is within.

    Shares are of the unpruned model, so a student that is small enough already stays as it is.

    Raises:
        ConfigError: so much cannot be reached with these parts; the message tells what can.
    """
    whole = config.model_copy(update={"pruned": None})
    if wanted.share:
        return at_share(config, wanted.parts, wanted.share)
    measure = parameters if wanted.parameters else operations
    most = (wanted.parameters or wanted.operations or 1.0) * measure(whole, vocabulary)
    if config.pruned and measure(config, vocabulary) <= most:
        return config

    def at(share: float) -> SASRecConfig:
        return at_share(config, wanted.parts, share)

    found = last(
        _shares(whole.shape, wanted.parts), lambda one: measure(at(one), vocabulary) <= most
    )
    if found is None:
        raise _unreachable(wanted, measure(at(0.0), vocabulary) / measure(whole, vocabulary))
    return at(found)


def at_share(config: SASRecConfig, parts: Sequence[Part], share: float) -> SASRecConfig:
    """`config` with this share of the unpruned model's parts, where it has so much."""
    whole = config.model_copy(update={"pruned": None})
    left = within(reduced(whole.shape, parts, share), config.shape)
    return config.model_copy(update={"pruned": left})


def reduced(shape: Shape, parts: Sequence[Part], share: float) -> Shape:
    """`shape` with this share of each of `parts`, rounded up; one of each stays at least.

    >>> whole = Shape(width=8, blocks=(BlockShape(heads=2, inner=32),) * 2)
    >>> reduced(whole, ["width", "units", "heads"], 0.3).model_dump_json()
    '{"width":3,"blocks":[{"heads":1,"inner":10},{"heads":1,"inner":10}]}'
    """

    def left(part: Part, count: int) -> int:
        # Shares are ratios of whole numbers: 0.3 of 10 is 3, whatever the last bit says.
        return max(1, math.ceil(share * count - 1e-9)) if part in parts else count

    blocks = [
        BlockShape(heads=left("heads", block.heads), inner=left("units", block.inner))
        for block in shape.blocks
    ]
    count = left("blocks", len(blocks))
    return Shape(width=left("width", shape.width), blocks=tuple(blocks[:count]))


def within(shape: Shape, room: Shape) -> Shape:
    """No more of anything than there is: what an earlier pruning took stays away."""
    blocks = (
        BlockShape(heads=min(one.heads, other.heads), inner=min(one.inner, other.inner))
        for one, other in zip(shape.blocks, room.blocks, strict=False)
    )
    return Shape(width=min(shape.width, room.width), blocks=tuple(blocks))


def parameters(config: SASRecConfig, vocabulary: Vocabulary) -> int:
    """Numbers that such a model keeps; counted on one without memory."""
    with torch.device("meta"):
        network = SASRec(config, vocabulary).network
    return sum(value.numel() for value in network.state_dict().values())


def operations(config: SASRecConfig, vocabulary: Vocabulary) -> int:
    """Of one request with a full history, in the matrix products; a multiplication and an addition count two."""
    shape, history = config.shape, config.history
    maps = 0 if shape.width == config.width else 2 * shape.width * config.width
    encoding = history * (maps + sum(_block(config, block) for block in shape.blocks))
    return 2 * (encoding + len(vocabulary) * shape.width)


def _block(config: SASRecConfig, block: BlockShape) -> int:
    """Multiplications at one position: queries, keys, values and the way out; agreement and mixing; the net."""
    mixed = block.heads * config.depth
    return 4 * config.width * mixed + 2 * config.history * mixed + 2 * config.width * block.inner


def _shares(shape: Shape, parts: Sequence[Part]) -> list[float]:
    """Every share below 1 at which something changes, ascending."""
    counts = {
        "width": shape.width,
        "units": shape.blocks[0].inner,
        "heads": shape.blocks[0].heads,
        "blocks": len(shape.blocks),
    }
    found = {step / counts[part] for part in parts for step in range(1, counts[part])}
    return sorted(found)


def last(shares: Sequence[float], fits: Callable[[float], bool]) -> float | None:
    """The greatest that fits, where all below fit too; by halving."""
    low, high = 0, len(shares)  # all before `low` fit, none from `high` on does
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if fits(shares[middle]) else (low, middle)
    return shares[low - 1] if low else None


def _unreachable(wanted: Structure, least: float) -> ConfigError:
    what = "parameters" if wanted.parameters else "operations"
    return ConfigError(
        f"`prune` cannot get this student to {wanted.parameters or wanted.operations:g} of its {what}: "
        f"one each of its {' and '.join(wanted.parts)} are {least:.3g} of them.",
        "Allow more, or add to `parts`: width, units, heads, blocks.",
    )
