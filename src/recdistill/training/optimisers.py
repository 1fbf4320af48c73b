"""The optimiser, and the learning rate as a function of time."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import nn

from recdistill.training.options import AdamW, WarmupCosine


def make_optimizer(config: AdamW, module: nn.Module) -> torch.optim.AdamW:
    """AdamW over every trainable parameter of `module`, one kernel for all of them.

    Weight decay spares what only shifts or scales (biases, norms: one dimension) and lookup tables
    (`nn.Embedding`), as is customary since GPT-2.
    """
    spared = {id(part.weight) for part in module.modules() if isinstance(part, nn.Embedding)}
    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
    decayed = [part for part in trained if part.ndim > 1 and id(part) not in spared]
    kept = {id(part) for part in decayed}
    groups = [
        {"params": decayed, "weight_decay": config.weight_decay},
        {"params": [part for part in trained if id(part) not in kept], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(
        [group for group in groups if group["params"]],
        lr=config.learning_rate,
        betas=config.betas,
        fused=_can_fuse(trained),
    )


def _can_fuse(parameters: Iterable[nn.Parameter]) -> bool:
    return all(
        part.is_floating_point() and part.device.type in ("cpu", "cuda") for part in parameters
    )


def rate_factor(config: WarmupCosine, update: int, updates: int) -> float:
    """The share of the peak learning rate that update number `update` (0-based) of `updates` takes.

    It rises linearly to 1 over `warmup_steps` updates, then stays, or falls along half a cosine
    that would reach `floor` one update after the last.
    """
    if update < config.warmup_steps:
        return (update + 1) / config.warmup_steps
    if config.kind == "constant":
        return 1.0
    travelled = (update - config.warmup_steps) / max(1, updates - config.warmup_steps)
    return config.floor + (1 - config.floor) * (1 + math.cos(math.pi * min(1.0, travelled))) / 2
