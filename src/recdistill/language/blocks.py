"""The layers of a language model: where they are, and doing with fewer."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Annotated, Any

from pydantic import Field, NonNegativeInt, PositiveInt
from torch import Tensor, nn

from recdistill.errors import ConfigError

Layers = PositiveInt | Annotated[tuple[NonNegativeInt, ...], Field(min_length=1)]
"""So many of a model's layers, from the bottom, or those of these numbers (0-based)."""


def blocks(model: Any) -> tuple[str, nn.ModuleList]:
    """The layers of a model of the transformers library, and the name under which it has them.

    Raises:
        ConfigError: it has none that could be told.
    """
    count = getattr(model.config, "num_hidden_layers", None)
    for name, module in model.named_modules():
        if isinstance(module, nn.ModuleList) and len(module) == count:
            return name, module
    raise ConfigError(
        f"The layers of a {type(model).__name__} cannot be told.",
        "Leave out `layers`, and adapt with `lora` (targets given) or `full`.",
    )


def keep_layers(model: Any, layers: Layers) -> None:
    """Leave `model` with these of its layers only; what they were before stays as it was.

    The last one that is left speaks where the last one spoke, which is how a language model's lower layers are read
    and how a shallower one begins (Sun et al. 2019, PKD; Xu et al. 2024, SLMRec).

    Raises:
        ConfigError: it has no such layers.
    """
    name, present = blocks(model)
    chosen = tuple(range(layers)) if isinstance(layers, int) else layers
    if max(chosen) >= len(present):
        raise ConfigError(
            f"`layers: {layers if isinstance(layers, int) else list(layers)}` asks for more than the language model"
            f" has: {len(present)}.",
            f"Give at most {len(present)}, or numbers from 0 to {len(present) - 1}.",
        )
    home, _, last = name.rpartition(".")
    setattr(model.get_submodule(home), last, nn.ModuleList(present[at] for at in chosen))
    kinds = getattr(model.config, "layer_types", None)
    if kinds is not None:
        model.config.layer_types = [kinds[at] for at in chosen]
    model.config.num_hidden_layers = len(chosen)


def hearing(gave: Callable[[Tensor], None]) -> Callable[..., None]:
    """A hook of a layer, which passes on what the layer gives: hidden states, `[texts, tokens, width]`."""

    def hook(_: nn.Module, __: Any, output: Any) -> None:
        gave(output[0] if isinstance(output, tuple) else output)

    return hook


@contextmanager
def overheard(model: Any) -> Generator[list[Tensor]]:
    """Collect the hidden states that each layer gives while the model reads inside the block; gradients flow.

    Raises:
        ConfigError: it has no layers that could be told.
    """
    heard: list[Tensor] = []
    hooks = [layer.register_forward_hook(hearing(heard.append)) for layer in blocks(model)[1]]
    try:
        yield heard
    finally:
        for hook in hooks:
            hook.remove()
