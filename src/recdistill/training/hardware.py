"""The machine under a training, and how to get the same result from it every time."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager

import torch
from torch.utils import deterministic

from recdistill.errors import ConfigError
from recdistill.training.options import RunOptions, TrainingConfig


def choose_device(name: str | None) -> torch.device:
    """The device of that name; a GPU, where there is one, when `None`.

    Raises:
        ConfigError: there is no such device here.
    """
    if name is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ConfigError(
            f"There is no device '{name}' here: {str(error).splitlines()[0]}",
            "Use 'cpu', or 'cuda' on a machine with a GPU; without a name the best one is taken.",
        ) from error
    return device


def autocast_type(config: TrainingConfig, device: torch.device) -> torch.dtype | None:
    """The type that products are computed in, where it is not float32."""
    wanted = {"bfloat16": True, "float32": False, "auto": _multiplies_bfloat16(device)}
    return torch.bfloat16 if wanted[config.precision] else None


def _multiplies_bfloat16(device: torch.device) -> bool:
    """Whether there are matrix units for it; conversion on the fly costs more than it gives."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device.type == "cpu" and bool(torch.cpu.get_capabilities().get("amx_bf16", False))


@contextmanager
def surroundings(run: RunOptions) -> Generator[torch.device, None, None]:
    """Threads, repeatable kernels and a private random stream; all as before afterwards."""
    device, threads = choose_device(run.device), torch.get_num_threads()
    torch.set_num_threads(run.threads or threads)
    try:
        with _repeatable(), torch.random.fork_rng([device] if device.type == "cuda" else []):
            yield device
    finally:
        torch.set_num_threads(threads)


@contextmanager
def _repeatable() -> Generator[None, None, None]:
    strict = torch.are_deterministic_algorithms_enabled()
    lenient = torch.is_deterministic_algorithms_warn_only_enabled()
    fills = _fills_memory()
    # cuBLAS repeats its results only with a fixed workspace, and reads this when it starts.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True, warn_only=True)
    _fill_memory(False)  # Nobody reads fresh memory here; filling it would cost a pass over it.
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(strict, warn_only=lenient)
        _fill_memory(fills)


def _fills_memory() -> bool:
    return deterministic.fill_uninitialized_memory  # pyright: ignore[reportAttributeAccessIssue]


def _fill_memory(value: bool) -> None:
    deterministic.fill_uninitialized_memory = value  # pyright: ignore[reportAttributeAccessIssue]
