"""Endpoints as teachers hold them: what decides an answer is told apart from how it is got, and from who pays."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
from pydantic import SerializationInfo, SerializerFunctionWrapHandler, WrapSerializer

from recdistill.asking import EndpointConfig
from recdistill.data.dataset import Dataset
from recdistill.files import content_hash
from recdistill.settings import Settings

_MEANS = {"budget", "ledger"}
_DECIDES = ("base_url", "known_as", "model")


def _what_decides(
    endpoint: EndpointConfig, plain: SerializerFunctionWrapHandler, info: SerializationInfo
) -> Any:
    written = plain(endpoint)
    if not isinstance(info.context, Mapping) or not info.context.get("decides"):
        return written
    return {name: written[name] for name in _DECIDES}


AnyEndpoint = Annotated[EndpointConfig, WrapSerializer(_what_decides)]
"""An endpoint, of which identities (`base.decisive`) hold only what decides an answer: a teacher that is asked faster
is the same."""


def account(config: Settings, dataset: Dataset) -> str:
    """Whose spending a budget bounds: whoever has this configuration, on this catalogue, in whatever run.

    A catalogue is its name and the ids of its items: an edited title begins no fresh budget, another catalogue does,
    and so does another configuration (but for the budget, the ledger, and how an endpoint is asked).
    """
    written = config.model_dump(mode="json", exclude=_MEANS, context={"decides": True})
    catalogue = hashlib.sha256(np.sort(dataset.item_keys).astype("<u8").tobytes()).hexdigest()
    return content_hash([written, dataset.name, catalogue])
