"""An encoder of narrower hidden states: embeddings by their principal directions, layers drawn anew."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from recdistill.errors import ConfigError
from recdistill.teachers.encoder import TextEncoder

_INNER = ("intermediate_size", "hidden_dim")
"""How configurations call the width between the two maps of a layer."""


def directions(vectors: Float[Tensor, "rows width"], count: int) -> Float[Tensor, "width count"]:
    """The directions that hold most of the vectors' squares, as orthonormal columns; all of them, as they are, where
    `count` is the width.

    The mean counts like any direction: it is cosines that are to be kept, and they are with the vectors as they are.
    """
    width = vectors.shape[1]
    if count == width:
        return torch.eye(width)
    squares = vectors.double()
    _, axes = torch.linalg.eigh(squares.T @ squares)
    return axes.flip(1)[:, :count].float().contiguous()


def narrow(encoder: TextEncoder, tokens: Sequence[Sequence[int]], width: int, seed: int) -> None:
    """Give `encoder` a model of `width` in the place of its own, which goes.

    Its embeddings are the former ones along the directions that hold most of those that `tokens` (of texts) use, as
    often as they do; all else is drawn from `seed`.

    Raises:
        ConfigError: the model cannot be made so wide.
    """
    former = encoder.model
    made = _drawn(former, width, seed)
    used = former.get_input_embeddings().weight.detach().cpu()
    numbers = torch.tensor([number for text in tokens for number in text])
    axes = directions(used[numbers], width)
    sources = dict(former.named_modules())
    with torch.no_grad():
        for name, table in made.named_modules():
            if isinstance(table, nn.Embedding):
                _fill(table.weight, sources[name].weight.cpu(), axes)
    encoder.model = made.to(encoder.device).eval()


def _fill(
    own: Float[Tensor, "rows own"],
    source: Float[Tensor, "rows width"],
    axes: Float[Tensor, "width narrow"],
) -> None:
    if own.shape == source.shape:
        own.copy_(source)
    elif source.shape[1] == len(axes):
        own.copy_(source @ axes)


def _drawn(former: Any, width: int, seed: int) -> Any:
    """A model like `former`, but for its width, drawn from `seed`."""
    config = copy.deepcopy(former.config)
    wide, depth = config.hidden_size, config.hidden_size // config.num_attention_heads
    if width >= wide or width % depth:
        raise ConfigError(
            f"`width: {width}` cannot be made of a {type(former).__name__} that is {wide} wide, in heads of {depth}.",
            f"Give a multiple of {depth} below {wide}.",
        )
    config.hidden_size, config.num_attention_heads = width, width // depth
    for name in _INNER:
        if hasattr(config, name):
            setattr(config, name, getattr(config, name) * width // wide)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return type(former)(config)
    except (ValueError, RuntimeError, AttributeError) as error:
        raise ConfigError(
            f"A {type(former).__name__} cannot be made narrower: {str(error).splitlines()[0]}",
            "Leave out `width`, and keep fewer `layers` instead.",
        ) from error
