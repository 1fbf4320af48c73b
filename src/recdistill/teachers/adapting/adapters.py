"""Adapters in peft's format: safetensors and `adapter_config.json`, so that anyone can load them."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from safetensors.torch import save_file

from recdistill.errors import ConfigError, MissingExtraError
from recdistill.files import content_hash, file_sha256, read_json
from recdistill.teachers.adapting.quiet import quiet

WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"


def library() -> Any:
    """The peft library.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import peft
    except ImportError as error:
        raise MissingExtraError("An adapter of a language model", "adapt") from error
    return peft


def is_adapter(folder: Path) -> bool:
    """Whether a folder holds one."""
    return (folder / CONFIG).is_file() and (folder / WEIGHTS).is_file()


def require(folder: Path) -> None:
    """Raise `ConfigError` where a folder holds none."""
    if not is_adapter(folder):
        raise ConfigError(
            f"{folder} holds no adapter.",
            f"It must hold {CONFIG} and {WEIGHTS}, as peft writes them; pickled weights are not loaded.",
        )


def merged(model: Any, folder: Path) -> Any:
    """`model` with the adapter of `folder` added into its weights; beside them where they are rounded to a few bits.

    Raises:
        ConfigError: the folder holds no adapter, or one of another model.
        MissingExtraError: peft is not installed.
    """
    require(folder)
    peft = library()
    try:
        with quiet():
            fitted = peft.PeftModel.from_pretrained(model, folder)
            coarse = getattr(model, "is_quantized", False)
            return fitted.get_base_model() if coarse else fitted.merge_and_unload()
    except (RuntimeError, ValueError, KeyError) as error:
        raise ConfigError(
            f"The adapter in {folder} does not fit the language model: {str(error).splitlines()[0]}",
            f"It was made for `{read_json(folder / CONFIG).get('base_model_name_or_path')}`.",
        ) from error


def save(model: Any, folder: Path, base: str) -> None:
    """Write the adapter of a peft model.

    Args:
        model: the peft model; its adapter is the one called `default`.
        folder: is there already.
        base: how the model without adapter is called; whoever loads the adapter looks for it there.
    """
    tensors = library().get_peft_model_state_dict(model)
    save_file(
        {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()},
        folder / WEIGHTS,
        metadata={"format": "pt"},
    )
    settings = copy.copy(model.peft_config["default"])
    settings.base_model_name_or_path, settings.inference_mode = base, True
    settings.save_pretrained(folder)


def revision(folder: Path) -> str:
    """A hash of what an adapter does; where it says its model is, and the order of its lists, do not count."""
    settings = read_json(folder / CONFIG)
    settings.pop("base_model_name_or_path", None)
    told = {name: sorted(value) if _is_set(value) else value for name, value in settings.items()}
    return content_hash([file_sha256(folder / WEIGHTS), told])


def _is_set(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)
