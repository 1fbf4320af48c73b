"""A causal language model and its tokenizer, ready to be asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from recdistill.errors import ConfigError
from recdistill.teachers.adapting import adapters
from recdistill.teachers.decoding.loading import load_model, load_tokenizer
from recdistill.teachers.decoding.settings import SourceConfig

_ANSWER = "ANSWER"
"""Stands for an answer where only what comes after it matters."""


@dataclass
class Decoder:
    """Attributes:
    model: of transformers' `AutoModelForCausalLM`, in evaluation mode.
    tokenizer: its own.
    dtype: what its weights are computed in.
    """

    model: Any
    tokenizer: Any
    dtype: torch.dtype

    @classmethod
    def load(
        cls,
        folder: Path,
        config: SourceConfig,
        device: torch.device | str = "cpu",
        adapter: Path | None = None,
    ) -> Decoder:
        """Load the model.

        Args:
            folder: its files.
            config: how they are loaded.
            device: where it computes, unless it is spread over all GPUs.
            adapter: the files of a peft adapter of it.

        Raises:
            ConfigError: the files are no usable model or no adapter of it, or a library that the settings need is
                not there.
            MissingExtraError: transformers is not installed.
        """
        device = torch.device(device)
        dtype = compute_type(config, device)
        model = load_model(folder, config, dtype, device)
        if adapter is not None:
            model = adapters.merged(model, adapter).eval().requires_grad_(False)
        return cls(model, load_tokenizer(folder, trusted=config.trust_remote_code), dtype)

    @property
    def device(self) -> torch.device:
        """Where tokens go in."""
        return self.model.get_input_embeddings().weight.device

    @cached_property
    def places(self) -> int | None:
        """How many tokens it can read; `None` where its settings do not say."""
        settings = self.model.config.get_text_config(decoder=True)
        return getattr(settings, "max_position_embeddings", None)

    @cached_property
    def window(self) -> int | None:
        """How far its nearest-sighted layer looks back; `None` where all see everything."""
        settings = self.model.config.get_text_config(decoder=True)
        kinds = getattr(settings, "layer_types", None) or ()
        if kinds and not any("sliding" in kind or "chunked" in kind for kind in kinds):
            return None
        sights = (
            getattr(settings, name, None) for name in ("sliding_window", "attention_chunk_size")
        )
        return min((sight for sight in sights if sight), default=None)

    @property
    def width(self) -> int:
        """Of its hidden states."""
        return int(self.model.config.get_text_config(decoder=True).hidden_size)

    @cached_property
    def end(self) -> int:
        """The token that ends a text; of a model that converses, what its chat template ends an answer with.

        Raises:
            ConfigError: the tokenizer has none.
        """
        closing = self._after_answer()
        token = closing[0] if closing else self.tokenizer.eos_token_id
        if token is None:
            raise ConfigError(
                "The language model's tokenizer has no token that ends a text.",
                "Set `eos_token` in its tokenizer_config.json, or let titles end with the line: `ending: line`.",
            )
        return int(token)

    @cached_property
    def special(self) -> tuple[str, ...]:
        """What its tokenizer reads as a token of its own wherever it stands (such as the end of a turn)."""
        added = [
            token.content for token in self.tokenizer.added_tokens_decoder.values() if token.special
        ]
        found = {*added, *self.tokenizer.all_special_tokens}
        return tuple(sorted((token for token in found if token.strip()), key=len, reverse=True))

    def _after_answer(self) -> list[int]:
        if not getattr(self.tokenizer, "chat_template", None):
            return []
        said = [{"role": "user", "content": "?"}, {"role": "assistant", "content": _ANSWER}]
        text = self.tokenizer.apply_chat_template(said, tokenize=False)
        return self.tokens([text.rpartition(_ANSWER)[2].strip()], special=True)[0]

    def tokens(self, texts: Sequence[str], *, special: bool = False) -> list[list[int]]:
        """Each text as tokens, and nothing around them.

        Args:
            texts: any.
            special: whether what looks like a special token is one; in texts from a catalogue it never is.
        """
        if not texts:
            return []
        split = {} if special else {"split_special_tokens": True}
        return self.tokenizer(list(texts), add_special_tokens=False, **split)["input_ids"]

    @torch.inference_mode()
    def logits(
        self, tokens: Int64[Tensor, "rows tokens"], mask: Int64[Tensor, "rows tokens"]
    ) -> Float[Tensor, "rows tokens vocabulary"]:
        """What it expects after each token of texts padded on the right: a plain pass."""
        return self.model(input_ids=tokens, attention_mask=mask, use_cache=False).logits


def compute_type(config: SourceConfig, device: torch.device) -> torch.dtype:
    """What `auto` means on this device."""
    if config.dtype != "auto":
        return getattr(torch, config.dtype)
    if device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False):
        return torch.bfloat16
    return torch.float32
