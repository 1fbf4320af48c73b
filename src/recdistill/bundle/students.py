"""Which students can leave, and as what graph."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable, Mapping
from typing import cast

import numpy as np
from jaxtyping import Float32
from torch import nn

from recdistill.bundle.graph import DecoderLast, Nobody, SASRecLast
from recdistill.bundle.manifest import ModelEntry, Precision
from recdistill.compression.settings import Integers
from recdistill.errors import BundleError
from recdistill.models.decoder import Decoder, DecoderNetwork
from recdistill.models.popularity import Popularity
from recdistill.models.recommender import Recommender, SequenceModel
from recdistill.models.sasrec import SASRec, SASRecNetwork


def _sasrec(student: Recommender) -> nn.Module:
    # A copy: exporting must neither move the student nor take it out of training mode.
    network = copy.deepcopy(cast("SASRecNetwork", student.network)).cpu()
    return SASRecLast(network)


def _decoder(student: Recommender) -> nn.Module:
    network = copy.deepcopy(cast("DecoderNetwork", student.network)).cpu()
    return DecoderLast(network)


_ENCODERS: Mapping[type[Recommender], Callable[[Recommender], nn.Module]] = {
    SASRec: _sasrec,
    Decoder: _decoder,
    Popularity: lambda student: Nobody(),
}


def encoder_of(student: Recommender) -> nn.Module:
    """The student as one function of vectors and lengths.

    Raises:
        BundleError: there is no graph for this kind of model.
    """
    encoder = _ENCODERS.get(type(student))
    if encoder is None:
        raise BundleError(
            f"A {student.kind} model cannot be exported.",
            f"Models that can: {', '.join(sorted(kind.kind for kind in _ENCODERS))}.",
        )
    return encoder(student)


def item_vectors(student: Recommender) -> Float32[np.ndarray, "items width"]:
    """The item table: what embeds histories and scores the catalogue."""
    return student.item_table().detach().cpu().float().contiguous().numpy().copy()


def model_entry(
    student: Recommender, width: int, precision: Precision, encoder: Integers | None = None
) -> ModelEntry:
    """What the manifest says of the student."""
    return ModelEntry(
        config=student.get_config(),
        weights=weights_hash(student.network),
        history=student.history if isinstance(student, SequenceModel) else None,
        width=width,
        precision=precision,
        encoder=encoder,
    )


def weights_hash(network: nn.Module) -> str:
    """SHA-256 over the names, shapes, types and bytes of all tensors."""
    digest = hashlib.sha256()
    for name, values in sorted(network.state_dict().items()):
        array = values.detach().cpu().contiguous().numpy()
        digest.update(f"{name} {array.dtype} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
