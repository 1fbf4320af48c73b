"""What the attention of a language model meets, heard from torch itself, whatever the model calls its parts."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F  # noqa: N812
from torch.overrides import TorchFunctionMode

Part = Float[Tensor, "texts tokens heads depth"]


@dataclass(frozen=True)
class Attended:
    """One layer's attention.

    Attributes:
        query: rotary angles applied, where the model has them.
        key: the same; shared keys repeated.
        value: shared values repeated.
        seen: which tokens (columns) a token may look at.
    """

    query: Part
    key: Part
    value: Part
    seen: Bool[Tensor, "texts tokens tokens"]

    @classmethod
    def of(
        cls,
        query: Float[Tensor, "texts heads tokens depth"],
        key: Float[Tensor, "texts shared tokens depth"],
        value: Float[Tensor, "texts shared tokens value_depth"],
        attn_mask: Tensor | None = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        **_: Any,
    ) -> Attended:
        """What `scaled_dot_product_attention` is given."""
        repeats = query.shape[1] // key.shape[1]
        key, value = (part.repeat_interleave(repeats, dim=1) for part in (key, value))
        seen = _seen(query, attn_mask, causal=is_causal)
        return cls(query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2), seen)

    def detached(self) -> Attended:
        """The same, through which no gradient flows."""
        return Attended(self.query.detach(), self.key.detach(), self.value.detach(), self.seen)


def _seen(
    query: Float[Tensor, "texts heads tokens depth"], mask: Tensor | None, *, causal: bool
) -> Bool[Tensor, "texts tokens tokens"]:
    texts, _, tokens, _ = query.shape
    if mask is None:
        every = torch.ones(tokens, tokens, dtype=torch.bool, device=query.device)
        return (every.tril() if causal else every).expand(texts, tokens, tokens)
    if (
        mask.dtype != torch.bool
    ):  # added to what is put into the softmax; where it shuts out, by the lowest number
        mask = mask > torch.finfo(mask.dtype).min / 2
    return mask.expand(texts, -1, tokens, tokens).any(1)


class _Listening(TorchFunctionMode):
    def __init__(self, heard: list[Attended]) -> None:
        super().__init__()
        self._heard = heard

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is F.scaled_dot_product_attention:
            self._heard.append(Attended.of(*args, **(kwargs or {})))
        return func(*args, **(kwargs or {}))


@contextmanager
def attention_heard() -> Generator[list[Attended]]:
    """Collect what each attention meets that is computed inside the block, in the order of computation; gradients flow.

    Nothing is heard of models that compute attention by themselves and not by torch's
    `scaled_dot_product_attention`, which is the usual way of the transformers library.
    """
    heard: list[Attended] = []
    with _Listening(heard):
        yield heard
