"""What of a language model is trained: the rest is frozen, and not in its checkpoints."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any

import torch
from torch import nn

from recdistill.errors import ConfigError, nearest
from recdistill.language.blocks import blocks
from recdistill.teachers.adapting import adapters
from recdistill.teachers.adapting.quiet import quiet
from recdistill.teachers.adapting.settings import Full, Imitation, Lora, TopLayers


class Trained(nn.Module):
    """A language model to be trained; only what is trained shows in its state, so that a checkpoint of an adapter is as
    small as the adapter.

    Attributes:
        model: the model, with an adapter inside where there is one.
    """

    def __init__(self, model: Any, how: Lora | Full | TopLayers | Imitation, seed: int) -> None:
        """Freeze what `how` leaves alone, and add what it adds, drawn from `seed`.

        Raises:
            ConfigError: the model has no parts of the names given.
            MissingExtraError: an adapter needs peft, which is not installed.
        """
        super().__init__()
        self.model: Any = _prepared(model, how, seed)
        self.register_state_dict_post_hook(_without_frozen)

    @property
    def share(self) -> tuple[int, int]:
        """How many parameters are trained, and how many there are."""
        sizes = [(part.numel(), part.requires_grad) for part in self.parameters()]
        return sum(size for size, trained in sizes if trained), sum(size for size, _ in sizes)


def _without_frozen(module: nn.Module, state: dict[str, Any], prefix: str, _: Any) -> None:
    for name, parameter in module.named_parameters(remove_duplicate=False):
        if not parameter.requires_grad:
            state.pop(prefix + name, None)


def _prepared(model: Any, how: Lora | Full | TopLayers | Imitation, seed: int) -> Any:
    model.config.use_cache = False  # of keys and values, for the next token, which nobody asks for
    match how:
        case Lora():
            return _with_adapter(model, how, seed)
        case Full() | Imitation():
            _freeze(model, how.freeze)
        case TopLayers():
            _free_top(model, how.layers)
    return model


def _with_adapter(model: Any, how: Lora, seed: int) -> Any:
    peft = adapters.library()
    targets = _targets(model, how.targets)
    if getattr(
        model, "is_quantized", False
    ):  # QLoRA: norms in full precision (Dettmers et al. 2023)
        model = peft.prepare_model_for_kbit_training(model, use_gradient_checkpointing=False)
    config = peft.LoraConfig(
        r=how.rank,
        lora_alpha=how.alpha,
        lora_dropout=how.dropout,
        target_modules=targets,
        fan_in_fan_out=any(_transposed(model.get_submodule(name)) for name in targets),
    )
    with torch.random.fork_rng(devices=[]), quiet():
        torch.manual_seed(seed)
        return peft.get_peft_model(model, config)


def _targets(model: Any, asked: str | Sequence[str]) -> list[str]:
    """The full names of the linear maps that get an adapter."""
    home, layers = blocks(model) if asked == "auto" else ("", model)
    linear = [
        f"{home}.{name}" if home else name
        for name, module in layers.named_modules()
        if isinstance(module, nn.Linear) or _transposed(module)
    ]
    if asked == "auto":
        return linear
    for end in asked:
        if not any(f".{name}".endswith(f".{end}") for name in linear):
            ends = sorted({name.rpartition(".")[2] for name in linear})
            raise ConfigError(
                f"`targets` names '{end}', but the {type(model).__name__} has no linear map of that name.",
                nearest(end, ends),
            )
    return [name for name in linear if any(f".{name}".endswith(f".{end}") for end in asked)]


def _transposed(module: nn.Module) -> bool:
    """Whether it is GPT-2's linear map, whose matrix lies the other way."""
    return type(module).__name__ == "Conv1D"


def _freeze(model: nn.Module, patterns: Sequence[str]) -> None:
    names = [name for name, _ in model.named_parameters()]
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise ConfigError(
                f"`freeze` names '{pattern}', but no parameter of the {type(model).__name__} is called so.",
                nearest(pattern, names),
            )
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(not any(fnmatchcase(name, pattern) for pattern in patterns))
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise ConfigError("`freeze` leaves nothing to be trained.", "Name fewer parts.")


def _free_top(model: Any, count: int) -> None:
    _, layers = blocks(model)
    if count > len(layers):
        raise ConfigError(
            f"`layers: {count}` asks for more than the {type(model).__name__} has: {len(layers)}.",
            f"Give at most {len(layers)}.",
        )
    model.requires_grad_(False)
    for layer in layers[-count:]:
        layer.requires_grad_(True)
