"""A pre-trained language model that turns texts into vectors."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from recdistill.errors import ConfigError, MissingExtraError
from recdistill.files import content_hash, file_sha256
from recdistill.language.blocks import Layers, keep_layers
from recdistill.teachers.adapting import adapters
from recdistill.teachers.adapting.memory import in_parts
from recdistill.teachers.adapting.quiet import quiet

Pooling = Literal["mean", "cls", "last"]


def mean(
    hidden: Float[Tensor, "texts tokens width"], mask: Int64[Tensor, "texts tokens"]
) -> Float[Tensor, "texts width"]:
    """The mean over a text's tokens, padding left out (Reimers & Gurevych 2019, section 3)."""
    kept = mask.unsqueeze(-1).to(hidden.dtype)
    return (hidden * kept).sum(1) / kept.sum(1).clamp_min(1)


def cls(
    hidden: Float[Tensor, "texts tokens width"], mask: Int64[Tensor, "texts tokens"]
) -> Float[Tensor, "texts width"]:
    """The first token, for models that were trained to put the meaning there."""
    return hidden[:, 0]


def last(
    hidden: Float[Tensor, "texts tokens width"], mask: Int64[Tensor, "texts tokens"]
) -> Float[Tensor, "texts width"]:
    """The last token, for causal models: the only one that has seen the whole text."""
    return hidden[torch.arange(len(hidden)), mask.sum(1) - 1]


_POOLINGS: dict[Pooling, Callable[[Tensor, Tensor], Tensor]] = {
    "mean": mean,
    "cls": cls,
    "last": last,
}


class TextEncoder:
    """A model of the transformers library and how its hidden states become one vector a text.

    Code that comes with a model is never run, and weights are read from safetensors only.
    """

    def __init__(
        self,
        folder: Path,
        *,
        pooling: Pooling = "mean",
        max_tokens: int = 128,
        normalise: bool = True,
        layers: Layers | None = None,
        adapter: Path | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        """Load the model.

        Args:
            folder: the files of the model.
            pooling: how the token vectors become one.
            max_tokens: longer texts are cut.
            normalise: whether vectors are scaled to length 1.
            layers: how many of its layers, from the bottom, or which; all by default.
            adapter: the files of a peft adapter, which is merged into the weights.
            device: where the model computes.

        Raises:
            ConfigError: the folder does not hold a usable model, or the adapter is not one of it.
            MissingExtraError: transformers is not installed, or peft where there is an adapter.
        """
        if not any(folder.glob("*.safetensors")):
            raise ConfigError(
                f"The text encoder {folder} has no weights in safetensors format.",
                "Pickled weights can run code and are not loaded; convert or choose another.",
            )
        self.folder = folder
        self.pooling: Pooling = pooling
        self.max_tokens = max_tokens
        self.normalise = normalise
        self.layers, self.adapter = layers, adapter
        self.device = torch.device(device)
        self.model: Any
        self.tokenizer: Any
        self.tokenizer, self.model = _load(folder)
        if layers is not None:
            keep_layers(self.model, layers)
        if adapter is not None:
            self.model = adapters.merged(self.model, adapter)
        self.model.to(self.device).eval()

    @property
    def width(self) -> int:
        """Of its vectors."""
        return int(self.model.config.hidden_size)

    @property
    def revision(self) -> str:
        """A hash of everything that decides a text's vector: files, pooling, length, layers, adapter."""
        files = [*self.folder.glob("*.safetensors"), *self.folder.glob("*.json")]
        hashes = {file.name: file_sha256(file) for file in files}
        further: dict[str, Any] = {"layers": self.layers} if self.layers is not None else {}
        if self.adapter is not None:
            further["adapter"] = adapters.revision(self.adapter)
        plain = [hashes, self.pooling, self.max_tokens, self.normalise]
        return content_hash([*plain, further] if further else plain)

    def whole(self) -> TextEncoder:
        """The encoder of the same files with all layers and no adapter, as it was before anyone made it smaller."""
        return TextEncoder(
            self.folder,
            pooling=self.pooling,
            max_tokens=self.max_tokens,
            normalise=self.normalise,
            device=self.device,
        )

    @torch.inference_mode()
    def encode(self, texts: Sequence[str]) -> Float32[np.ndarray, "texts width"]:
        """One vector a text, all texts in one batch, or in halves of it where memory is short."""
        tokens = self.tokens(texts)
        return np.concatenate(in_parts(lambda part: self.vectors(part).cpu().numpy(), tokens))

    def tokens(self, texts: Sequence[str]) -> list[list[int]]:
        """The numbers of each text's tokens, special ones included, cut to `max_tokens`."""
        found = self.tokenizer(list(texts), truncation=True, max_length=self.max_tokens)
        return found["input_ids"]

    def vectors(self, tokens: Sequence[list[int]]) -> Float[Tensor, "texts width"]:
        """One vector a text from its `tokens`, in one pass; gradients flow where they are enabled."""
        lengths = torch.tensor([len(text) for text in tokens], device=self.device)
        padded = pad_sequence(
            [torch.tensor(text) for text in tokens], True, self.tokenizer.pad_token_id or 0
        ).to(self.device)
        mask = (torch.arange(padded.shape[1], device=self.device) < lengths[:, None]).long()
        hidden = self.model(input_ids=padded, attention_mask=mask).last_hidden_state
        vectors = _POOLINGS[self.pooling](hidden, mask).float()
        return torch.nn.functional.normalize(vectors, dim=-1) if self.normalise else vectors


def text_key(text: str) -> int:
    """A 64-bit key of a text."""
    return int.from_bytes(hashlib.sha256(text.encode("utf-8")).digest()[:8], "little")


def _load(folder: Path) -> tuple[Any, Any]:
    try:
        from transformers import AutoModel, AutoTokenizer
    except ImportError as error:
        raise MissingExtraError("A text encoder", "teacher") from error
    try:
        with quiet():
            # Without a word on trust, transformers would ask at the terminal.
            files = {"local_files_only": True, "trust_remote_code": False}
            tokenizer = AutoTokenizer.from_pretrained(folder, **files)
            model = AutoModel.from_pretrained(
                folder, use_safetensors=True, dtype=torch.float32, **files
            )
    except (OSError, ValueError, KeyError) as error:
        raise ConfigError(
            f"The text encoder in {folder} cannot be loaded: {str(error).splitlines()[0]}",
            "It must be a model and a tokenizer of the transformers library that need no code of "
            "their own.",
        ) from error
    tokenizer.padding_side = "right"
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer, model
