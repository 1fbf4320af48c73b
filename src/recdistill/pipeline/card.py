"""What a run knows for the card of its bundle: who taught, and what its settings say in people's words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from recdistill.config.tree import RunConfig


def about(config: RunConfig) -> dict[str, str]:
    """The entries of the card, of which any may be missing."""
    said = config.bundle.about.model_dump(exclude_none=True)
    return {"teacher": teacher_named(config.teacher.model_dump(mode="json")), **said}


def teacher_named(settings: dict[str, Any]) -> str:
    """The kind of teacher and, where there are any, its models with their revisions; of folders, the last part only."""
    models = sorted({_model(one) for one in _within(settings) if isinstance(one.get("model"), str)})
    return f"{settings['kind']} ({', '.join(models)})" if models else str(settings["kind"])


def _model(settings: dict[str, Any]) -> str:
    name, revision = settings["model"], settings.get("revision")
    told = Path(name).name if Path(name).is_absolute() or name.startswith((".", "~")) else name
    return f"{told} @ {revision}" if revision else told


def _within(settings: Any) -> list[dict[str, Any]]:
    """All groups of settings, the outermost first."""
    if isinstance(settings, list | tuple):
        return [found for one in settings for found in _within(one)]
    if not isinstance(settings, dict):
        return []
    return [settings, *(found for one in settings.values() for found in _within(one))]
