"""Texts of items to vectors, where a bundle can."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from recdistill.bundle.bundle import Bundle


def encoder_of(bundle: Bundle) -> Callable[[Sequence[str]], Any] | None:
    """What makes vectors `[texts, width]` of texts of items; `None` where the bundle holds no text encoder."""
    return getattr(bundle, "encode_items", None)
