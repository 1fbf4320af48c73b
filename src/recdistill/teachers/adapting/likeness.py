"""How near a small encoder is to the whole one: the vectors of texts and, where asked for, the hidden states.

    L = mean over texts of  D(P v, v*) + λ · mean over pairs of layers and tokens of ‖unit(W h + b) − unit(h*)‖²

D is 2 (1 − cos) between vectors that are normalised, else their mean squared difference (Reimers & Gurevych 2020). P
holds the directions in which the whole encoder's vectors lie, as orthonormal columns, and is not learned, so that
cosines between small vectors are cosines of the whole one's space; it is the identity where both are as wide. W and b,
one for each pair of layers, are learned beside and dropped (TinyBERT: Jiao et al. 2020; PKD: Sun et al. 2019).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from recdistill.language.blocks import blocks, overheard
from recdistill.models.geometry import state_distance
from recdistill.models.internals import precise
from recdistill.models.layer_pairs import paired
from recdistill.teachers.adapting.reading import Reader, Tokens, alike
from recdistill.teachers.adapting.settings import Imitation
from recdistill.teachers.encoder import TextEncoder
from recdistill.training.step import Moment, StepLoss, TorchBatch


@dataclass(frozen=True)
class Model:
    """A text, and the vector that the whole encoder has of it."""

    tokens: Tokens
    vector: Float[Tensor, " width"]

    def __len__(self) -> int:
        return len(self.tokens)


class Likeness(nn.Module):
    """The loss of an imitation; its batches name texts, one a row."""

    axes: Tensor

    def __init__(
        self,
        small: TextEncoder,
        whole: TextEncoder,
        models: Sequence[Model],
        axes: Float[Tensor, "width narrow"],
        how: Imitation,
    ) -> None:
        """Put together what is compared.

        Args:
            small: who learns.
            whole: whom it imitates; it reads along only where hidden states count.
            models: every text by its number.
            axes: P.
            how: what counts how much.
        """
        super().__init__()
        self.register_buffer("axes", axes)
        # Neither encoder is a part of the loss: one is trained beside it, one not at all.
        self._encoders, self._models = (small, whole), models
        depths = [len(blocks(one.model)[1]) for one in self._encoders] if how.hidden else [0, 0]
        self._pairs = paired(how.pairs, *depths) if how.hidden else []
        self.across = nn.ModuleList(across(axes) for _ in self._pairs)
        self.weights = (1.0, how.hidden)[: 1 + bool(how.hidden)]
        self.reader = Reader(self.losses, models, how.texts_at_once)
        self.to(small.device)

    def forward(self, batch: TorchBatch, moment: Moment) -> StepLoss:
        """The loss of the texts of `batch`; the same at every moment."""
        means = self.reader(batch.items).mean(0)
        total = (means * means.new_tensor(self.weights)).sum()
        names = ("vectors", "hidden")
        return StepLoss(total, dict(zip(names, means.detach(), strict=False)), len(batch))

    def losses(self, models: Sequence[Model]) -> Float[Tensor, "texts terms"]:
        """Of each text, the shortest first: how far its vector is off, and its hidden states where they count."""
        return torch.cat([self._together(models[part]) for part in alike([*map(len, models)])])

    def _together(self, models: Sequence[Model]) -> Float[Tensor, "texts terms"]:
        small, whole = self._encoders
        tokens = [one.tokens for one in models]
        with overheard(small.model) as own:
            vectors = small.vectors(tokens)
        wanted = torch.stack([one.vector for one in models]).to(vectors.device)
        found = [state_distance(vectors @ self.axes.T, wanted, normalise=small.normalise)]
        if self._pairs:
            with torch.no_grad(), overheard(whole.model) as others:
                whole.vectors(tokens)
            found.append(self._hidden(own, others, [*map(len, models)]))
        return torch.stack(found, dim=1)

    def _hidden(
        self,
        own: Sequence[Float[Tensor, "texts tokens narrow"]],
        others: Sequence[Float[Tensor, "texts tokens width"]],
        lengths: Sequence[int],
    ) -> Float[Tensor, " texts"]:
        """The mean over pairs of layers and a text's tokens."""
        sizes = torch.tensor(lengths, device=own[0].device)
        there = torch.arange(own[0].shape[1], device=sizes.device) < sizes[:, None]
        far = torch.stack(
            [
                state_distance(
                    over(precise(own[s])[there]), precise(others[t])[there], normalise=True
                )
                for over, (s, t) in zip(self.across, self._pairs, strict=True)
            ]
        ).mean(0)
        rows = torch.arange(len(sizes), device=sizes.device).repeat_interleave(sizes)
        return torch.zeros(len(sizes), device=far.device).index_add(0, rows, far) / sizes


def across(axes: Float[Tensor, "width narrow"]) -> nn.Linear:
    """A map into the whole encoder's states that begins as `axes`: for layers taken over, as the identity."""
    made = nn.Linear(axes.shape[1], axes.shape[0])
    with torch.no_grad():
        made.weight.copy_(axes)
        made.bias.zero_()
    return made


@torch.no_grad()
def mean_cosine(
    small: TextEncoder,
    models: Sequence[Model],
    chosen: Int64[Tensor, " chosen"],
    axes: Float[Tensor, "width narrow"],
    at_once: int,
) -> float:
    """Between the vectors of small and whole encoder, in the space of the whole one, over the `chosen` texts."""
    read = Reader(small.vectors, [one.tokens for one in models], at_once)
    vectors = read(chosen).cpu() @ axes.T
    wanted = torch.stack([models[text].vector for text in chosen.tolist()])
    return float(torch.cosine_similarity(vectors, wanted, dim=1).double().mean())
