"""What a student can be: any model that states what it knows at every position of a history."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Discriminator

from recdistill.models.decoder import DecoderConfig
from recdistill.models.sasrec import SASRecConfig


def _sasrec_unless_said(given: Any) -> Any:
    return {"kind": "sasrec", **given} if isinstance(given, Mapping) else given


StudentConfig = Annotated[
    Annotated[SASRecConfig | DecoderConfig, Discriminator("kind")],
    BeforeValidator(_sasrec_unless_said),
]
"""The model and its hyper-parameters; configurations choose it by `kind`, which is `sasrec` when not given."""
