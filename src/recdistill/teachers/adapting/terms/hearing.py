"""What goes on inside a text encoder while it reads texts, and what moves its vectors."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from recdistill.language.attention import Attended, attention_heard
from recdistill.language.blocks import overheard
from recdistill.models.internals import Anatomy
from recdistill.teachers.encoder import TextEncoder

Texts = Sequence[list[int]]


@dataclass(frozen=True)
class Heard:
    """What an encoder made of some texts, in one pass.

    Attributes:
        vectors: one a text.
        lengths: how many tokens each text has; what lies behind is padding.
        hidden: what each layer gave.
        attended: what each layer's attention met; empty where it cannot be heard.
        gradient: of each token's gate, where it was asked for; 0 for padding.
    """

    vectors: Float[Tensor, "texts width"]
    lengths: Int64[Tensor, " texts"]
    hidden: list[Float[Tensor, "texts tokens inner"]]
    attended: list[Attended]
    gradient: Float[Tensor, "texts tokens"] | None = None

    @property
    def there(self) -> Bool[Tensor, "texts tokens"]:
        """Which places hold a token."""
        places = torch.arange(self.hidden[0].shape[1], device=self.lengths.device)
        return places < self.lengths[:, None]

    @property
    def anatomy(self) -> Anatomy:
        """Of the encoder; `heads` is 0 where its attention cannot be heard."""
        depth, width = len(self.hidden), self.hidden[0].shape[-1]
        heard = len(self.attended) == depth
        return Anatomy(depth, width, self.attended[0].query.shape[2] if heard else 0)

    def detached(self) -> Heard:
        """The same, through which no gradient flows."""
        hidden = [layer.detach() for layer in self.hidden]
        attended = [layer.detached() for layer in self.attended]
        return replace(self, vectors=self.vectors.detach(), hidden=hidden, attended=attended)


def hear(
    encoder: TextEncoder, tokens: Texts, probes: Float[Tensor, "texts width"] | None = None
) -> Heard:
    """What `encoder` makes of texts. Gradients flow where they are enabled.

    Args:
        encoder: who reads.
        tokens: of each text.
        probes: in which direction each text's vector is watched while tokens are seen more or less.
    """
    lengths = torch.tensor([len(text) for text in tokens], device=encoder.device)
    with overheard(encoder.model) as hidden, attention_heard() as attended:
        if probes is None:
            return Heard(encoder.vectors(tokens), lengths, hidden, attended)
        vectors, gates = _gated_vectors(encoder, tokens)
    # Nobody listens any more: where memory is saved, what was read is read once more for its gradient.
    gradient = _slope(vectors, probes, gates)
    found = Heard(vectors, lengths, hidden, attended, gradient)
    return found if torch.is_grad_enabled() else found.detached()


def _gated_vectors(
    encoder: TextEncoder, tokens: Texts
) -> tuple[Float[Tensor, "texts width"], Float[Tensor, "texts tokens"]]:
    """The vectors, and the gates that they hang on, which are all open.

    Attention is computed by the formula, since the fast kernels have no second derivative.
    """
    gates = torch.ones(len(tokens), max(map(len, tokens)), device=encoder.device)
    gates.requires_grad_()
    with torch.enable_grad(), sdpa_kernel(SDPBackend.MATH), _gated(encoder.model, gates):
        return encoder.vectors(tokens), gates


def _slope(
    vectors: Float[Tensor, "texts width"],
    probes: Float[Tensor, "texts width"],
    gates: Float[Tensor, "texts tokens"],
) -> Float[Tensor, "texts tokens"]:
    """∂(probe · vector) / ∂g_j for each token j; it has gradients itself where they are enabled."""
    further = torch.is_grad_enabled()
    with torch.enable_grad():
        along = (vectors * probes).sum()
    (gradient,) = torch.autograd.grad(along, gates, create_graph=further)
    return gradient


@contextmanager
def _gated(model: Any, gates: Float[Tensor, "texts tokens"]) -> Generator[None]:
    """Let through so much of each token's embedding, as it comes from the table of words."""

    def hook(_: nn.Module, __: Any, given: Tensor) -> Tensor:
        return given * gates[..., None]

    handle = model.get_input_embeddings().register_forward_hook(hook)
    try:
        yield
    finally:
        handle.remove()
