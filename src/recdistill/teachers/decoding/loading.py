"""From a folder to a model in memory: safetensors only, and no code of its own unless it is trusted."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from recdistill.errors import ConfigError, MissingExtraError
from recdistill.teachers.adapting.quiet import quiet
from recdistill.teachers.decoding.settings import SourceConfig


def load_model(folder: Path, config: SourceConfig, dtype: torch.dtype, device: torch.device) -> Any:
    """The model in evaluation mode, on its device or spread over all GPUs.

    Raises:
        ConfigError: there are no weights in safetensors format, the model is of no known kind or needs code that is
            not trusted, or a library that the settings need is not there.
        MissingExtraError: transformers is not installed.
    """
    if not any(folder.glob("*.safetensors")):
        raise ConfigError(
            f"The language model {folder} has no weights in safetensors format.",
            "Pickled weights can run code and are not loaded; convert or choose another.",
        )
    options = _options(config, device)
    from_pretrained = _class("AutoModelForCausalLM").from_pretrained
    model = _loaded(folder, from_pretrained, config.trust_remote_code, dtype=dtype, **options)
    if "device_map" not in options:
        model.to(device)
    return model.eval().requires_grad_(False)


def load_tokenizer(folder: Path, *, trusted: bool = False) -> Any:
    """The tokenizer that lies beside a model.

    Raises:
        ConfigError: there is none, or it needs code that is not trusted.
        MissingExtraError: transformers is not installed.
    """
    return _loaded(folder, _class("AutoTokenizer").from_pretrained, trusted)


def _options(config: SourceConfig, device: torch.device) -> dict[str, Any]:
    options: dict[str, Any] = {"use_safetensors": True}
    if config.bits:
        _need("bitsandbytes", f"Weights of {config.bits} bits")
        from transformers import BitsAndBytesConfig

        rounding: dict[str, Any] = {"load_in_8bit": True} if config.bits == 8 else _four_bits()
        options["quantization_config"] = BitsAndBytesConfig(**rounding)
        options["device_map"] = {"": device}
    if config.spread:
        _need("accelerate", "A model spread over several GPUs")
        options["device_map"] = "auto"
    return options


def _four_bits() -> dict[str, Any]:
    """As in QLoRA (Dettmers et al. 2023): normal floats, their scales rounded too."""
    return {
        "load_in_4bit": True,
        "bnb_4bit_quant_type": "nf4",
        "bnb_4bit_use_double_quant": True,
        "bnb_4bit_compute_dtype": torch.bfloat16,
    }


def _need(library: str, feature: str) -> None:
    if find_spec(library) is None:
        raise ConfigError(
            f"{feature} needs the library {library}, which is not installed.",
            f"Install it with `pip install {library}`, or leave the setting out.",
        )


def _class(name: str) -> Any:
    try:
        import transformers
    except ImportError as error:
        raise MissingExtraError("A language model", "teacher") from error
    return getattr(transformers, name)


def _loaded(folder: Path, load: Callable[..., Any], trusted: bool, **options: Any) -> Any:
    try:
        with quiet():
            return load(folder, local_files_only=True, trust_remote_code=trusted, **options)
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise ConfigError(
            f"The language model in {folder} cannot be loaded: {str(error).splitlines()[0]}",
            "It must be a causal model and a tokenizer of the transformers library; code of its own runs only with"
            " `trust_remote_code: true`.",
        ) from error
