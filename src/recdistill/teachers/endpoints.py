"""Settings of endpoints as teachers hold them: what decides an answer is told apart from how it is got."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import SerializationInfo, SerializerFunctionWrapHandler, WrapSerializer

from recdistill.asking import EndpointConfig

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
