"""How near a small encoder is to the whole one: the vectors of texts and, where asked for, what goes on inside.

    L = mean over texts of  D(P v, v*) + Σ_t λ_t · T_t

D is 2 (1 − cos) between vectors that are normalised, else their mean squared difference (Reimers & Gurevych 2020). P
holds the directions in which the whole encoder's vectors lie, as orthonormal columns, and is not learned, so that
cosines between small vectors are cosines of the whole one's space; it is the identity where both are as wide. T_t are
the terms in `terms/`: hidden states, relations of attention, gradients.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from recdistill.language.blocks import blocks
from recdistill.models.geometry import state_distance
from recdistill.teachers.adapting.reading import Reader, Tokens, alike
from recdistill.teachers.adapting.settings import Imitation
from recdistill.teachers.adapting.terms.hearing import hear
from recdistill.teachers.encoder import TextEncoder
from recdistill.training.step import Moment, StepLoss, TorchBatch


@dataclass(frozen=True)
class Model:
    """A text, and the vector that the whole encoder has of it."""

    tokens: Tokens
    vector: Float[Tensor, " width"]

    def __len__(self) -> int:
        return len(self.tokens)


@torch.no_grad()
def require_alike(small: TextEncoder, whole: TextEncoder, how: Imitation, text: Tokens) -> None:
    """Refuse encoders whose insides cannot be compared as `how` says; found out on one `text`.

    Raises:
        ConfigError: layers, heads or attention are not there.
    """
    if how.inside:
        own, other = (hear(one, [text]).anatomy for one in (small, whole))
        for term in how.inside:
            term.fit(own, other)


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
            whole: whom it imitates; it reads along only where insides count.
            models: every text by its number.
            axes: P.
            how: what counts how much.
        """
        super().__init__()
        self.register_buffer("axes", axes)
        # Neither encoder is a part of the loss: one is trained beside it, one not at all.
        self._encoders, self._models, self._terms = (small, whole), models, how.inside
        depths = [len(blocks(one.model)[1]) for one in (small, whole)] if self._terms else [0, 0]
        self.bridges = nn.ModuleList(
            term.bridge(axes, (depths[0], depths[1])) for term in self._terms
        )
        self.names = ("vectors", *(term.name for term in self._terms))
        self.weights = (1.0, *(term.weight for term in self._terms))
        self.reader = Reader(self.losses, models, how.texts_at_once)
        self.to(small.device)

    def forward(self, batch: TorchBatch, moment: Moment) -> StepLoss:
        """The loss of the texts of `batch`; the same at every moment."""
        means = self.reader(batch.items).mean(0)
        total = (means * means.new_tensor(self.weights)).sum()
        return StepLoss(total, dict(zip(self.names, means.detach(), strict=True)), len(batch))

    def losses(self, models: Sequence[Model]) -> Float[Tensor, "texts terms"]:
        """Of each text, the shortest first: how far its vector is off, and what else counts."""
        return torch.cat([self._together(models[part]) for part in alike([*map(len, models)])])

    def _together(self, models: Sequence[Model]) -> Float[Tensor, "texts terms"]:
        (small, whole), tokens = self._encoders, [one.tokens for one in models]
        probes = self._probes(len(models))
        own = hear(small, tokens, probes)
        wanted = torch.stack([one.vector for one in models]).to(self.axes.device)
        found = [state_distance(own.vectors @ self.axes.T, wanted, normalise=small.normalise)]
        if self._terms:
            with torch.no_grad():
                other = hear(whole, tokens, None if probes is None else probes @ self.axes.T)
            pairs = zip(self._terms, self.bridges, strict=True)
            found += [term(own, other, bridge) for term, bridge in pairs]
        return torch.stack(found, dim=1)

    def _probes(self, count: int) -> Float[Tensor, "texts narrow"] | None:
        """Signs for each text, where a term wants them; drawn text by text, so that parts do not matter."""
        if not any(term.probing for term in self._terms):
            return None
        signs = torch.randint(2, (count, self.axes.shape[1])).mul(2).sub(1)
        return signs.to(self.axes.device, self.axes.dtype)


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
