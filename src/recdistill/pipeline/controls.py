"""Controls: runs in which something is wrong on purpose, and whose report must say so."""

from __future__ import annotations

from typing import Any

from recdistill.config.tree import RunConfig


def controls(config: RunConfig) -> tuple[str, ...]:
    """A sentence for everybody who knows items by the texts or vectors of others."""
    known = {"teacher": config.teacher, "student": config.features}
    return tuple(
        f"This is a control: the {who} knows items by the texts or vectors of other items (`permuted: true`). What"
        " it still gains is not the content's."
        for who, settings in known.items()
        if settings is not None and _permuted(settings.model_dump(mode="json"))
    )


def _permuted(value: Any) -> bool:
    """Whether `permuted: true` stands anywhere in plain data."""
    if isinstance(value, dict):
        return value.get("permuted") is True or any(map(_permuted, value.values()))
    return isinstance(value, list) and any(map(_permuted, value))
