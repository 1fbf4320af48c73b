"""`value-relation`: how the whole encoder's queries, keys and values of a text lie to one another.

    L = mean over pairs of layers, relations, relation heads and a text's tokens i of KL(R*_i ‖ R_i)
    R_ij = softmax_j (a_i · b_j / √d)            over the tokens j that i sees, padding left out

a and b are queries, keys or values, cut into as many heads as both encoders' widths allow: queries, keys and values
each among themselves (MiniLMv2: Wang et al. 2021, section 3.1). `query-key` is the attention distribution where both
have as many heads; with `value-value` it is MiniLM (Wang et al. 2020, sections 3.1 and 3.2).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd
from typing import Annotated, Literal

import torch
from jaxtyping import Float
from pydantic import Field, PositiveFloat, PositiveInt
from torch import Tensor, nn

from recdistill.errors import ConfigError
from recdistill.language.attention import Attended
from recdistill.models.attention_maps import (
    Maps,
    Relation,
    map_divergence,
    relation_maps,
    require_cut,
)
from recdistill.models.internals import Anatomy, precise
from recdistill.models.layer_pairs import LayerPairs, paired, require_layers
from recdistill.teachers.adapting.terms.contract import InnerTerm, mean_of_texts
from recdistill.teachers.adapting.terms.hearing import Heard


class ValueRelation(InnerTerm):
    """Divergence of self-attention relations."""

    kind: Literal["value-relation"] = "value-relation"
    weight: PositiveFloat = 0.1
    layers: LayerPairs = "last"
    """Of which layers: `last`, `spread`, or a list of `[small one's, whole one's]`."""
    relations: Annotated[tuple[Relation, ...], Field(min_length=1)] = (
        "query-query",
        "key-key",
        "value-value",
    )
    """What is related to what; each counts alike."""
    relation_heads: PositiveInt | None = None
    """Into how many parts either width is cut; must divide both. When not given, the greatest number that divides both
    encoders' numbers of heads: their own, where these are equal."""

    def fit(self, small: Anatomy, whole: Anatomy) -> None:
        """Refuse attention that cannot be heard, layers that are not there, and widths that cannot be cut so."""
        for who, found in (("small", small), ("whole", whole)):
            if not found.heads:
                raise ConfigError(
                    f"{self.label} compares attention, and the {who} encoder's cannot be heard: it is not computed by"
                    " torch's `scaled_dot_product_attention`.",
                    "Take another model (BERT, RoBERTa, DistilBERT, …), or compare `hidden` states.",
                )
        require_layers(self.label, self.layers, small.blocks, whole.blocks)
        if self.relation_heads is not None:
            require_cut(self.label, self.relation_heads, small.width, whole.width)

    def __call__(self, own: Heard, other: Heard, bridge: nn.Module) -> Float[Tensor, " texts"]:
        """The mean over pairs of layers, relations, relation heads and a text's tokens."""
        heads = self.relation_heads or gcd(own.anatomy.heads, other.anatomy.heads)
        far = [
            map_divergence(
                self.maps(own.attended[s], own, heads), self.maps(other.attended[t], other, heads)
            ).mean(1)[own.there]
            for s, t in paired(self.layers, len(own.hidden), len(other.hidden))
        ]
        return mean_of_texts(torch.stack(far).mean(0), own)

    def maps(self, layer: Attended, heard: Heard, heads: int) -> Maps:
        """log R of a layer, cut into `heads`; padding is seen by no token of a text."""
        parts: Sequence[Tensor] = [*map(precise, (layer.query, layer.key, layer.value))]
        # Padding itself sees everything, so that each row sees something; its rows do not count.
        seen = layer.seen & heard.there[:, None, :] | ~heard.there[:, :, None]
        return relation_maps(parts, self.relations, heads, seen[:, None])
