"""Tiny language models, made on the spot and saved like real ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import GPT2Config, GPT2Model, LlamaConfig, LlamaModel, Qwen3Config, Qwen3Model
from transformers.utils import logging

WORDS = 50
_SHAPE = {
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": WORDS,
    "bos_token_id": 0,
    "eos_token_id": 1,
}


def _gpt2(layers: int) -> Any:
    return GPT2Model(
        GPT2Config(
            n_embd=16,
            n_layer=layers,
            n_head=4,
            n_positions=64,
            vocab_size=WORDS,
            bos_token_id=0,
            eos_token_id=1,
        )
    )


def _llama(layers: int) -> Any:
    return LlamaModel(LlamaConfig(**_SHAPE, num_hidden_layers=layers))


def _qwen3(layers: int) -> Any:
    return Qwen3Model(Qwen3Config(**_SHAPE, num_hidden_layers=layers, head_dim=4))


KINDS = {"gpt2": _gpt2, "llama": _llama, "qwen3": _qwen3}


def decoder(folder: Path, kind: str = "llama", layers: int = 3) -> Path:
    """Save an untrained decoder of so many layers into `folder`; its weights are large enough to say something."""
    logging.disable_progress_bar()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made = KINDS[kind](layers)
        with torch.no_grad():
            for value in made.parameters():
                value.add_(torch.randn_like(value) * 0.1)
    made.save_pretrained(folder)
    return folder
