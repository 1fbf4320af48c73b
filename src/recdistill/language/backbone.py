"""The layers of a decoder without its words: what is left of a language model when items take the place of tokens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from recdistill.errors import ConfigError, MissingExtraError
from recdistill.language.blocks import blocks, hearing

_ATTENTION = "recdistill"
_LISTENER = "recdistill_listener"
_FILES: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
"""Without a word on trust, transformers would ask at the terminal whether code may run."""


def architecture(folder: Path, layers: Sequence[int] | int | None) -> dict[str, Any]:
    """How a decoder with only some of its layers is made, as plain data.

    Words are left out, and so is dropout: whoever uses the layers has items and a rate of their own.

    Args:
        folder: holds the model's `config.json`.
        layers: which of its layers are kept, or how many of the first (SLMRec: Xu et al. 2025); all when `None`.

    Raises:
        ConfigError: the folder holds no decoder, or not so many layers.
        MissingExtraError: transformers is not installed.
    """
    config = _config(folder)
    there = int(config.num_hidden_layers)
    chosen = kept(layers, there)
    if not chosen or max(chosen) >= there or min(chosen) < 0:
        raise ConfigError(
            f"The decoder in {folder} has {there} layers; `layers` asks for {layers}.",
            f"Ask for 1 to {there}, or name some of 0 … {there - 1}.",
        )
    made: dict[str, Any] = config.to_dict()
    kinds = made.get("layer_types")
    if kinds:
        made["layer_types"] = [kinds[number] for number in chosen]
    made |= {name: 0.0 for name, value in made.items() if _drops(name) and isinstance(value, float)}
    for name in ("_name_or_path", "dtype", "transformers_version", "architectures"):
        made.pop(name, None)
    words = {"vocab_size": 1, "pad_token_id": None, "bos_token_id": None, "eos_token_id": None}
    layers_name = config.attribute_map.get("num_hidden_layers", "num_hidden_layers")
    return made | words | {layers_name: len(chosen)}


def kept(layers: Sequence[int] | int | None, there: int) -> list[int]:
    """Which layers of `there` are meant: those named, so many of the first, or all."""
    if isinstance(layers, Sequence):
        return list(layers)
    return list(range(there if layers is None else layers))


def backbone(made: dict[str, Any]) -> nn.Module:
    """A decoder of this architecture, untrained; takes `inputs_embeds` only.

    Raises:
        ConfigError: the transformers library knows no such architecture.
        MissingExtraError: it is not installed.
    """
    auto_config, auto_model = _library()
    _register()
    kind = str(made.get("model_type"))
    try:
        config = auto_config.for_model(kind, **{k: v for k, v in made.items() if k != "model_type"})
        config._attn_implementation = _ATTENTION
        model = auto_model.from_config(config, trust_remote_code=False)
    except (ValueError, KeyError) as error:
        raise ConfigError(
            f"A decoder of the kind '{kind}' cannot be made: {str(error).splitlines()[0]}",
            "It must be one that the transformers library knows without code of its own.",
        ) from error
    model.set_input_embeddings(nn.Identity())
    model.config.use_cache = False
    return model


@torch.no_grad()
def read_weights(model: nn.Module, folder: Path, layers: Sequence[int] | int | None) -> None:
    """Put the weights of the decoder in `folder` into a `backbone` that has these of its `layers`.

    Raises:
        ConfigError: the folder holds no weights in safetensors format.
    """
    _, auto_model = _library()
    try:
        whole = auto_model.from_pretrained(
            folder, **_FILES, use_safetensors=True, dtype=torch.float32
        )
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"The weights of the decoder in {folder} cannot be read: {str(error).splitlines()[0]}",
            "They must be in safetensors format; pickled weights can run code and are not loaded.",
        ) from error
    (inside, own), (_, theirs) = blocks(model), blocks(whole)
    for block, number in zip(own, kept(layers, len(theirs)), strict=True):
        block.load_state_dict(theirs[number].state_dict())
    there = whole.state_dict()
    for name, value in model.state_dict().items():
        if not name.startswith(f"{inside}."):
            value.copy_(there[name])


def listen(
    model: nn.Module,
    gave: Callable[[int, Tensor], None],
    met: Callable[[int, Tensor, Tensor, Tensor], None],
) -> list[Callable[[], None]]:
    """Hear what goes on in each layer of a `backbone`; returns what ends it.

    Args:
        model: the decoder.
        gave: told of each layer its number and what it gives, `[rows, length, width]`.
        met: told of each layer its number and the queries, keys and values that its attention meets,
            `[rows, heads, length, depth]` each, rotary angles applied, shared keys and values repeated.
    """
    ends: list[Callable[[], None]] = []
    for number, layer in enumerate(blocks(model)[1]):
        ends.append(layer.register_forward_hook(hearing(partial(gave, number))).remove)
        for part in layer.modules():
            if _attends(part):
                setattr(part, _LISTENER, partial(met, number))
                ends.append(partial(delattr, part, _LISTENER))
    return ends


def _attends(part: nn.Module) -> bool:
    return hasattr(part, "layer_idx") and "attention" in type(part).__name__.lower()


def _drops(name: str) -> bool:
    return "dropout" in name or name.endswith("pdrop")


def _config(folder: Path) -> Any:
    auto_config, _ = _library()
    try:
        config = auto_config.from_pretrained(folder, **_FILES)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"There is no language model in {folder}: {str(error).splitlines()[0]}",
            "Give a folder with a `config.json` of the transformers library.",
        ) from error
    return config.get_text_config(decoder=True)


def _library() -> tuple[Any, Any]:
    try:
        from transformers import AutoConfig, AutoModel
    except ImportError as error:
        raise MissingExtraError("A student made from a language model", "teacher") from error
    return AutoConfig, AutoModel


def _register() -> None:
    """Attention that can be listened to."""
    from transformers import AttentionInterface, AttentionMaskInterface

    AttentionInterface.register(_ATTENTION, _attention)
    AttentionMaskInterface.register(_ATTENTION, _no_mask)


def _no_mask(*_: Any, **__: Any) -> None:
    """Whoever pads, pads behind, where causal attention does not look."""


def _attention(
    module: nn.Module,
    query: Float[Tensor, "rows heads length depth"],
    key: Float[Tensor, "rows shared length depth"],
    value: Float[Tensor, "rows shared length depth"],
    *_: Any,
    scaling: float | None = None,
    softcap: float | None = None,
    **__: Any,
) -> tuple[Float[Tensor, "rows length heads depth"], None]:
    """Causal attention; dropout is the business of whoever uses the layers."""
    if softcap is not None:
        raise ConfigError(
            "Decoders whose attention is capped cannot be used for their layers.",
            "Take another language model, or another generation of this one.",
        )
    repeats = query.shape[1] // key.shape[1]
    key, value = (part.repeat_interleave(repeats, dim=1) for part in (key, value))
    listener = getattr(module, _LISTENER, None)
    if listener:
        listener(query, key, value)
    mixed = F.scaled_dot_product_attention(query, key, value, is_causal=True, scale=scaling)
    return mixed.transpose(1, 2), None
