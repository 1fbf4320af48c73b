"""Endpoints as teachers hold them: what decides an answer is told apart from how it is got, and from who pays."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import (
    Field,
    SerializationInfo,
    SerializerFunctionWrapHandler,
    WrapSerializer,
    model_serializer,
)

from recdistill.asking import BudgetConfig, EndpointConfig, Message, Request
from recdistill.data.dataset import Dataset
from recdistill.files import content_hash
from recdistill.settings import Settings
from recdistill.teachers.prompts import Rendered

_MEANS = {"budget"}
_DECIDES = ("base_url", "known_as", "model")


def _what_decides(
    endpoint: EndpointConfig, plain: SerializerFunctionWrapHandler, info: SerializationInfo
) -> Any:
    written = plain(endpoint)
    return {name: written[name] for name in _DECIDES} if _decides(info) else written


def _decides(info: SerializationInfo) -> bool:
    """Whether what is written is only what decides an answer."""
    return isinstance(info.context, Mapping) and bool(info.context.get("decides"))


AnyEndpoint = Annotated[EndpointConfig, WrapSerializer(_what_decides)]
"""An endpoint, of which identities (`base.decisive`) hold only what decides an answer: a teacher that is asked faster
is the same."""


class AskingConfig(Settings):
    """Who is asked, what that may cost, and where answers are kept."""

    endpoint: AnyEndpoint
    """Where it is, its prices and limits."""
    budget: BudgetConfig = BudgetConfig()
    """What may be spent by these settings on this catalogue, in all runs together; beyond it nothing is asked."""
    ledger: Path | None = Field(default=None, exclude_if=lambda given: given is None)
    """The file of answers, so that none is paid twice; by default one in the user's cache that all runs share."""

    @model_serializer(mode="wrap")
    def _what_decides(
        self, plain: SerializerFunctionWrapHandler, info: SerializationInfo
    ) -> dict[str, Any]:
        """Where answers are kept decides none. The budget does: it says which questions stay unasked, so that more of
        it is another teacher, which asks these and pays for no other."""
        written = plain(self)
        if _decides(info):
            written.pop("ledger", None)
        return written


def request(prompt: Rendered, options: Mapping[str, Any]) -> Request:
    """The request that puts `prompt` to a model."""
    turns = [Message("system", prompt.system)] if prompt.system else []
    return Request((*turns, Message("user", prompt.user)), options)


def account(config: AskingConfig, dataset: Dataset) -> str:
    """Whose spending a budget bounds: whoever has this configuration, on this catalogue, in whatever run.

    A catalogue is its name and the ids of its items: an edited title begins no fresh budget, another catalogue does,
    and so does another configuration (but for the budget, the ledger, and how an endpoint is asked).
    """
    written = config.model_dump(mode="json", exclude=_MEANS, context={"decides": True})
    catalogue = hashlib.sha256(np.sort(dataset.item_keys).astype("<u8").tobytes()).hexdigest()
    return content_hash([written, dataset.name, catalogue])
