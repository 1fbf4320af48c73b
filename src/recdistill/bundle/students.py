"""Which students can leave, and as what graph."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable, Mapping
from typing import cast

from torch import nn

from recdistill.bundle.graph import DecoderLast, Nobody, SASRecLast, Scorer
from recdistill.bundle.manifest import ModelEntry
from recdistill.errors import BundleError
from recdistill.models.decoder import Decoder, DecoderNetwork
from recdistill.models.popularity import Popularity
from recdistill.models.recommender import Recommender, SequenceModel
from recdistill.models.sasrec import SASRec, SASRecNetwork


def _sasrec(student: Recommender) -> nn.Module:
    # A copy: exporting must neither move the student nor take it out of training mode.
    network = copy.deepcopy(cast("SASRecNetwork", student.network)).cpu()
    return SASRecLast(network, cast("SASRec", student).history)


def _decoder(student: Recommender) -> nn.Module:
    network = copy.deepcopy(cast("DecoderNetwork", student.network)).cpu()
    return DecoderLast(network, cast("Decoder", student).history)


_ENCODERS: Mapping[type[Recommender], Callable[[Recommender], nn.Module]] = {
    SASRec: _sasrec,
    Decoder: _decoder,
    Popularity: lambda student: Nobody(),
}


def scorer_of(student: Recommender) -> Scorer:
    """The student as one function of dense ids.

    Raises:
        BundleError: there is no graph for this kind of model.
    """
    encoder = _ENCODERS.get(type(student))
    if encoder is None:
        raise BundleError(
            f"A {student.kind} model cannot be exported.",
            f"Models that can: {', '.join(sorted(kind.kind for kind in _ENCODERS))}.",
        )
    return Scorer(encoder(student), student.item_table().detach().cpu().float().clone())


def model_entry(student: Recommender, width: int) -> ModelEntry:
    """What the manifest says of the student."""
    return ModelEntry(
        config=student.get_config(),
        weights=weights_hash(student.network),
        history=student.history if isinstance(student, SequenceModel) else None,
        width=width,
        precision="float32",
    )


def weights_hash(network: nn.Module) -> str:
    """SHA-256 over the names, shapes, types and bytes of all tensors."""
    digest = hashlib.sha256()
    for name, values in sorted(network.state_dict().items()):
        array = values.detach().cpu().contiguous().numpy()
        digest.update(f"{name} {array.dtype} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
